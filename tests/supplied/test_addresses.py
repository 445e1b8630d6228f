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
    assert read_addresses(text, "host") == {parse_network(address) for address in expected.split()}


WRONG = {
    "word": ("10.0.0.1\nnonsense\n", "host:2: 'nonsense' is no address"),
    "other digits": ("\u0661\u0660.0.0.1", "host:1:"),
    "zero byte": ("10.0.0.1\0", "host:1: '10.0.0.1\\x00' is no address"),
    "huge length": ("10.0.0.1/99999999999999999999", "host:1:"),
    "long line": ("x" * 5000, "..."),
    "bad inet": ("2: eth0: <UP>\n    inet 10.0.0/8\n", "host:2: '10.0.0/8' is no address"),
    "bad JSON": ("[{]", "host:1: is no JSON"),
    "object": ("{}", "host:1: is JSON, but not the list"),
    "numbers": ("[1]", "host:1: holds '1'"),
    "huge number": ("[" + "9" * 5000 + "]", "host:1:"),
    "deep": ("[" * 100_000, "host:1:"),
    "no local": ('[{"addr_info":[{"family":"inet"}]}]', "host:1: 'None' is no address"),
    "odd infos": ('[{"addr_info":7}]', "host:1: '7' is no address"),
}


@pytest.mark.parametrize(("text", "message"), WRONG.values(), ids=WRONG)
def test_what_holds_no_address_is_told(text: str, message: str) -> None:
    with pytest.raises(DumpError) as raised:
        read_addresses(text, "host")
    assert message in str(raised.value)
    assert raised.value.hint
    assert len(raised.value.what) < 200
