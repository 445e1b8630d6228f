"""The host's addresses, in every form that `ip addr` prints them in."""

from __future__ import annotations

import pytest

from iptviz.errors import DumpError
from iptviz.supplied.addresses import read_addresses
from iptviz.xtables.address import parse_network

LONG = """\
1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00 promiscuity 0
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
    inet6 ::1/128 scope host\x20
4: eth0@if5: <BROADCAST,MULTICAST,UP> mtu 1400 qdisc pfifo_fast state UP group default
    ifb numtxqueues 1 numrxqueues 1
    RX:  bytes packets errors
        123      4      0
    inet 10.77.0.1 peer 10.77.0.2/32 scope global eth0
    inet6 fe80::fc/64 scope link nodad\x20
"""
ONE_LINE = """\
1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever
4: eth0    inet6 fe80::fc/64 scope link \\       valid_lft forever preferred_lft forever
"""
BRIEF = """\
lo               UNKNOWN        127.0.0.1/8 ::1/128\x20
ifb0             DOWN\x20
eth0@if5         UP             10.77.0.1 peer 10.77.0.2/32 fe80::fc/64 metric 100
"""
JSON = """\
[{},{"ifname":"lo","addr_info":[{"family":"inet","local":"127.0.0.1","prefixlen":8}]},
 {"ifname":"eth0","addr_info":[{"local":"fe80::fc","prefixlen":64},{}]},{"ifname":"eth1","addr_info":[]}]
"""
PLAIN = """\
# the node
10.0.0.1
10.0.0.2/24  # its other address

fd00::1
"""

CASES = {
    "long": (LONG, "127.0.0.1 ::1 10.77.0.1 fe80::fc"),
    "one line": (ONE_LINE, "127.0.0.1 fe80::fc"),
    "brief": (BRIEF, "127.0.0.1 ::1 10.77.0.1 fe80::fc"),
    "json": (JSON, "127.0.0.1 fe80::fc"),
    "plain": (PLAIN, "10.0.0.1 10.0.0.2 fd00::1"),
    "line ends of Windows": ("10.0.0.1\r\n10.0.0.2\r\n", "10.0.0.1 10.0.0.2"),
    "zone": ("fe80::1%eth0\n", "fe80::1"),
    "none": ("", ""),
    "no interfaces": ("[]", ""),
}


@pytest.mark.parametrize(("text", "expected"), CASES.values(), ids=CASES)
def test_addresses_are_read(text: str, expected: str) -> None:
    assert {*read_addresses(text, "host")} == {parse_network(address) for address in expected.split()}


# --- all interfaces ----------------------------------------------------------------------------------------------

# What iproute2 6.1 prints of lo and the two ends of a cable, one of which has addresses.
LO, CALI = (
    "1: lo: <LOOPBACK,UP> mtu 65536 qdisc noqueue",
    "2: cali1@eth0: <BROADCAST,MULTICAST> mtu 1500 qdisc noop",
)
ETH = "3: eth0@cali1: <NO-CARRIER,BROADCAST,MULTICAST,UP,M-DOWN> mtu 1500 qdisc noqueue state LOWERLAYERDOWN"
LINK = "    link/ether be:bc:e0:c2:2d:b4 brd ff:ff:ff:ff:ff:ff"
LO_LINK = "    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00"
LO_OWN, LO_OWN_6 = "    inet 127.0.0.1/8 scope host lo", "    inet6 ::1/128 scope host "
OWN, OWN_6 = "    inet 10.77.0.1/24 scope global eth0", "    inet6 fd00::7/64 scope global tentative "
FOREVER = "       valid_lft forever preferred_lft forever"
VETH = "    veth numtxqueues 2 numrxqueues 2 gso_max_size 65536"
COUNTERS = "    RX:  bytes packets errors\n             0       0      0"


def lines(*texts: str) -> str:
    return "\n".join((*texts, ""))


def json_of(*devices: str, details: str = ',"link_type":"ether","address":"be:bc:e0:c2:2d:b4"') -> str:
    infos = '[{"family":"inet","local":"127.0.0.1","prefixlen":8},{"family":"inet6","local":"::1","prefixlen":128}]'
    return ",".join(
        f'{{"ifindex":1,"ifname":"{name}"{details},"addr_info":{infos}}}' for name in devices
    ).join("[]")


ALL = {
    "ip addr": lines(
        LO, LO_LINK, LO_OWN, FOREVER, LO_OWN_6, FOREVER, CALI, LINK, ETH, LINK, OWN, FOREVER, OWN_6, FOREVER),
    "ip -d addr": lines(
        LO, f"{LO_LINK} promiscuity 0  allmulti 0", LO_OWN, FOREVER, CALI, f"{LINK} promiscuity 0", VETH, ETH, LINK, VETH, OWN),
    "ip -s addr": lines(LO, LO_LINK, LO_OWN, FOREVER, COUNTERS, CALI, LINK, COUNTERS, ETH, LINK, OWN, COUNTERS),
    "ip addr without IPv6": lines(LO, LO_LINK, LO_OWN, CALI, LINK, ETH, LINK, OWN),
    "ip addr with ends of lines of Windows": lines(LO, LO_LINK, LO_OWN, CALI, LINK, ETH, LINK).replace("\n", "\r\n"),
    "ip -br addr": lines(
        "lo               UNKNOWN        127.0.0.1/8 ::1/128 ", "cali1@eth0       DOWN           ",
        "eth0@cali1       LOWERLAYERDOWN 10.77.0.1/24 fd00::7/64 "),
    "ip -j addr": json_of("lo", "cali1", "eth0"),
    "ip -d -j addr": json_of("lo", "cali1", "eth0", details=',"link_type":"ether","linkinfo":{"info_kind":"veth"}'),
}  # fmt: skip


@pytest.mark.parametrize("text", ALL.values(), ids=ALL)
def test_all_interfaces_are_known(text: str) -> None:
    assert read_addresses(text, "host").interfaces == frozenset({"lo", "cali1", "eth0"})


NOT_ALL = {
    "ip -4 addr": lines(LO, LO_OWN, FOREVER, ETH, OWN, FOREVER),
    "ip -6 addr": lines(LO, LO_OWN_6, FOREVER, ETH, OWN_6, FOREVER),
    "ip -o addr": lines(
        f"1: lo{LO_OWN}\\{FOREVER}", f"1: lo{LO_OWN_6}\\{FOREVER}", f"3: eth0{OWN}\\{FOREVER}", f"3: eth0{OWN_6}\\{FOREVER}"),
    "ip -4 -br addr": lines(
        "lo               UNKNOWN        127.0.0.1/8 ", "eth0@cali1       LOWERLAYERDOWN 10.77.0.1/24 "),
    "ip -6 -br addr": lines("lo               UNKNOWN        ::1/128 ", "eth0@cali1       LOWERLAYERDOWN fd00::7/64 "),
    "ip -j -4 addr": json_of("lo", "eth0", details=""),
    "ip -br -j addr": json_of("lo", "cali1", "eth0", details=',"operstate":"UP"'),
    "ip addr show dev eth0": lines(ETH, LINK, OWN, FOREVER, OWN_6, FOREVER),
    "ip -br addr show dev eth0": "eth0@cali1       LOWERLAYERDOWN 10.77.0.1/24 fd00::7/64 \n",
    "ip -j addr show dev eth0": json_of("eth0"),
    "ip -4 addr after ip addr show dev lo": lines(LO, LO_LINK, LO_OWN, LO, LO_OWN, ETH, OWN),
    "ip -6 -br addr after ip -4 -br addr": lines(
        "lo UNKNOWN 127.0.0.1/8 ", "eth0@cali1 UP 10.77.0.1/24 ", "lo UNKNOWN ::1/128 ", "eth0@cali1 UP fd00::7/64 "),
    "one address a line": lines("127.0.0.1", "::1", "10.77.0.1"),
    "ip -d -4 addr": lines(LO, LO_LINK, LO_OWN, ETH, LINK, VETH, OWN),
    "ip -d addr show dev lo": lines(LO, LO_LINK, LO_OWN),
    "nothing": "",
    "an empty list": "[]",
    "empty objects": '[{},{"ifname":"lo","link_type":"loopback","addr_info":[]}]',
    "no name": '[{"ifname":"lo","link_type":"loopback"},{"link_type":"ether","addr_info":[]}]',
}  # fmt: skip


@pytest.mark.parametrize("text", NOT_ALL.values(), ids=NOT_ALL)
def test_not_all_interfaces_are_known(text: str) -> None:
    assert read_addresses(text, "host").interfaces is None


WRONG = {
    "word": ("10.0.0.1\nnonsense\n", 'host:2: invalid address "nonsense"'),
    "other digits": ("\u0661\u0660.0.0.1", "host:1:"),
    "zero byte": ("10.0.0.1\0", 'host:1: invalid address "10.0.0.1\\x00"'),
    "huge length": ("10.0.0.1/99999999999999999999", "host:1:"),
    "long line": ("x" * 5000, "..."),
    "bad inet": ("2: eth0: <UP>\n    inet 10.0.0/8\n", 'host:2: invalid address/prefix length "10.0.0/8"'),
    "bad JSON": ("[{]", 'host:1: cannot parse "ip -j addr" output: Expecting'),
    "object": ("{}", 'host:1: cannot parse "ip -j addr" output: JSON, but not a list'),
    "numbers": ("[1]", 'host:1: cannot parse "ip -j addr" output: "1" is not an object'),
    "huge number": ("[" + "9" * 5000 + "]", "host:1:"),
    "deep": ("[" * 100_000, "host:1:"),
    "no local": ('[{"addr_info":[{"family":"inet"}]}]', 'host:1: invalid address "None"'),
    "odd infos": ('[{"addr_info":7}]', 'host:1: invalid address "7"'),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_holds_no_address_is_told(text: str, message: str) -> None:
    with pytest.raises(DumpError) as raised:
        read_addresses(text, "host")
    assert message in str(raised.value)
    assert raised.value.hint
    assert len(raised.value.what) < 200
