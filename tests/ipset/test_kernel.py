"""The kernel judges: sets are loaded, packets sent, and what it counts is compared with what is answered."""

from __future__ import annotations

import re
import shutil
import subprocess
from itertools import product
from typing import TYPE_CHECKING

import pytest

from iptviz.ipset.saved import Subject, read_ipsets
from iptviz.xtables.address import parse_network
from tests.kernel.lab import Node, node

if TYPE_CHECKING:
    from iptviz.ipset.membership import IpSet

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.usefixtures("kernel"),
    pytest.mark.skipif(shutil.which("ipset") is None, reason="needs ipset"),
]

SETS = {
    4: """
create hosts hash:ip
add hosts 198.51.100.7
add hosts 203.0.113.4-203.0.113.9
create masked hash:ip netmask 24
add masked 198.51.100.99
create bits hash:ip bitmask 255.0.255.0
add bits 198.9.100.9
create small bitmap:ip range 198.51.100.0/24
add small 198.51.100.5-198.51.100.8
create smallnets bitmap:ip range 198.51.0.0/16 netmask 24
add smallnets 198.51.100.0
create nets hash:net
add nets 198.51.0.0/16
add nets 198.51.100.0/24 nomatch
add nets 198.51.100.8/29
add nets 203.0.113.0/24
create ports bitmap:port range 0-1000
add ports 80-90
create hostports hash:ip,port
add hostports 203.0.113.5,80
add hostports 203.0.113.6,udp:80-85
add hostports 203.0.113.7,sctp:80
create triples hash:ip,port,ip
add triples 198.51.100.7,udp:80,203.0.113.5
create triplenets hash:ip,port,net
add triplenets 198.51.100.7,tcp:80,203.0.113.0/24
add triplenets 198.51.100.7,tcp:80,203.0.113.6 nomatch
create netports hash:net,port
add netports 203.0.113.0/24,tcp:80
add netports 203.0.113.6,tcp:80 nomatch
add netports 203.0.113.6,udp:80
create netdevs hash:net,iface
add netdevs 203.0.113.0/24,lo
add netdevs 203.0.113.6,eth7
add netdevs 203.0.113.5,lo nomatch
add netdevs 198.51.100.0/24,l wildcard
create first list:set
add first nets
add first hostports
create second list:set
add second nets
add second hosts
create six hash:net family inet6
add six fd00::/8
create mixed list:set
add mixed six
add mixed ports
create empty hash:ip
""",
    6: """
create hosts hash:ip family inet6
add hosts 2001:db8::7
create nets hash:net family inet6
add nets 2001:db8::/32
add nets 2001:db8::/64 nomatch
add nets 2001:db8::8/125
create hostports hash:ip,port family inet6
add hostports fd00:1::5,80
add hostports fd00:1::6,udp:80-85
create netports hash:net,port family inet6
add netports fd00:1::/64,tcp:80
add netports fd00:1::6,tcp:80 nomatch
create ports bitmap:port range 0-1000
add ports 80-90
create four hash:net
add four 10.0.0.0/8
create both list:set
add both four
add both hosts
""",
}
SOURCES = {4: ("198.51.100.7", "198.51.100.9", "203.0.113.6"), 6: ("2001:db8::7", "2001:db8::9", "fd00:1::6")}
TARGETS = {4: ("203.0.113.5", "203.0.113.6", "198.51.7.7"), 6: ("fd00:1::5", "fd00:1::6", "2001:db8:1::1")}
PORTS = (80, 85, 91)
SOURCE_PORT = 20_000  # the first that the sender takes
DIRECTIONS = ("src", "dst", "src,src", "src,dst", "dst,src", "dst,dst", "src,dst,dst", "dst,dst,src")
RULE = re.compile(r"\[(?P<packets>\d+):\d+\] -A OUTPUT .*--comment (?P<number>\d+)")


def rules_of(family: int, sets: dict[str, IpSet]) -> list[tuple[str, str, bool]]:
    """Set, directions and --return-nomatch: all of them that iptables takes for the family."""
    names = [name for name, made in sets.items() if made.options.family in (family, None)]
    return list(product(names, DIRECTIONS, (False, True)))


def written(rules: list[tuple[str, str, bool]], family: int) -> str:
    lines = [
        f"-A OUTPUT -m comment --comment {number} -m set --match-set {name} {ways}"
        + (" --return-nomatch" if flagged else "")
        for number, (name, ways, flagged) in enumerate(rules)
    ]
    # Nobody takes the packets, and for those of IPv6 the kernel sends an error to their source.
    errors = "-A OUTPUT -p icmpv6 -j ACCEPT" if family == 6 else "-A OUTPUT -p icmp -j ACCEPT"
    return "\n".join(["*filter", ":OUTPUT ACCEPT [0:0]", errors, *lines, "COMMIT\n"])


def counted(lab: Node) -> dict[int, int]:
    found = (RULE.match(line) for line in lab.save("-c", "-t", "filter").splitlines())
    return {int(rule["number"]): int(rule["packets"]) for rule in found if rule}


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("backend", ["legacy", "nft"])
def test_packets_are_in_the_sets_that_are_said(backend: str, family: int) -> None:
    with node(backend, family) as lab:
        lab.run("ipset", "restore", stdin=SETS[family])
        sets = read_ipsets(lab.run("ipset", "save"), "sets")
        rules = rules_of(family, sets)
        lab.load(written(rules, family))
        for source, target, port, protocol in product(
            SOURCES[family], TARGETS[family], PORTS, ("tcp", "udp")
        ):
            before = counted(lab)
            lab.connect((target, port), 1, source=source, protocol=protocol)
            after = counted(lab)
            subject = Subject(
                source=parse_network(source),
                destination=parse_network(target),
                protocol=protocol,
                source_port=SOURCE_PORT,
                destination_port=port,
                in_interface="",
                out_interface="lo",
            )
            for number, (name, ways, flagged) in enumerate(rules):
                hit = after[number] - before[number]
                answer = sets[name].matches(subject, tuple(ways.split(",")), sets, return_nomatch=flagged)
                assert answer == (hit == 1), (rules[number], subject)


@pytest.mark.parametrize("family", [4, 6])
def test_what_is_restored_is_read_like_what_is_saved(family: int) -> None:
    with node("legacy", family) as lab:
        lab.run("ipset", "restore", stdin=SETS[family])
        texts = (SETS[family], lab.run("ipset", "save"), lab.run("ipset", "list"))
    given, saved, listed = (read_ipsets(text, "sets") for text in texts)
    assert given.keys() == saved.keys() == listed.keys()
    for source, target, port in product(SOURCES[family], TARGETS[family], PORTS):
        subject = Subject(parse_network(source), parse_network(target), "udp", 1, port, out_interface="lo")
        for name, ways in product(given, DIRECTIONS):
            answers = {
                sets[name].matches(subject, tuple(ways.split(",")), sets) for sets in (given, saved, listed)
            }
            assert len(answers) == 1, (name, ways, subject)


# set, entry, and the packet that is such an entry; all directions are "src".
TESTED: list[tuple[str, str, Subject]] = [
    *(
        (name, address, Subject(source=parse_network(address)))
        for name in ("hosts", "masked", "bits", "small", "smallnets", "nets")
        for address in (
            "198.51.100.1",
            "198.51.100.7",
            "198.51.100.8",
            "198.51.7.7",
            "203.0.113.9",
            "203.0.113.10",
        )
        if name not in ("small", "smallnets") or address.startswith("198.51.100")
    ),
    *(
        ("netdevs", f"{address},{device}", Subject(source=parse_network(address), in_interface=device))
        for address in ("203.0.113.5", "203.0.113.6", "203.0.113.7", "198.51.100.1")
        for device in ("lo", "eth7", "l", "l2tp0", "eth70")
    ),
    *(
        (
            "hostports",
            f"203.0.113.{last},{protocol}:{port}",
            Subject(source=parse_network(f"203.0.113.{last}"), protocol=protocol, source_port=port),
        )
        for last in (5, 6, 7)
        for protocol in ("tcp", "udp", "sctp")
        for port in (79, 80, 85)
    ),
]


@pytest.fixture(scope="module")
def answers(kernel: None) -> dict[tuple[str, str], bool]:  # noqa: ARG001
    """What `ipset test` says about each entry of TESTED."""
    found = {}
    with node("legacy") as lab:
        lab.run("ipset", "restore", stdin=SETS[4])
        for name, entry, _ in TESTED:
            command = ["ip", "netns", "exec", lab.name, "ipset", "test", name, entry]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert " in set " in done.stderr, done.stderr
            found[name, entry] = done.returncode == 0
    return found


@pytest.mark.parametrize(("name", "entry", "subject"), TESTED, ids=[f"{row[0]} {row[1]}" for row in TESTED])
def test_entries_are_in_the_sets_that_ipset_says(
    answers: dict[tuple[str, str], bool], name: str, entry: str, subject: Subject
) -> None:
    sets = read_ipsets(SETS[4], "sets")
    ways = ("src",) * len(sets[name].dimensions)
    assert sets[name].matches(subject, ways, sets) is answers[name, entry]


MESSAGES = {4: ("icmp", range(19), range(17)), 6: ("ipv6-icmp", (1, 2, 3, 4, *range(126, 140)), range(8))}


@pytest.mark.parametrize("family", [4, 6])
def test_messages_have_the_numbers_that_their_names_mean(family: int) -> None:
    protocol, kinds, codes = MESSAGES[family]
    numbers = list(product(kinds, codes))
    host = "10.{}.{}.1" if family == 4 else "fd00::{:x}:{:x}"
    create = f"create s hash:ip,port family {'inet' if family == 4 else 'inet6'}\n"
    with node("legacy", family) as lab:
        added = (f"add s {host.format(*number)},{protocol}:{number[0]}/{number[1]}\n" for number in numbers)
        lab.run("ipset", "restore", stdin=create + "".join(added))
        text = lab.run("ipset", "save")
    sets = read_ipsets(text, "sets")
    assert "echo-request" in text
    for kind, code in numbers:
        subject = Subject(parse_network(host.format(kind, code)), protocol=protocol, icmp=(kind, code))
        assert sets["s"].matches(subject, ("src", "src"), sets) is True, (kind, code)
        other = subject._replace(icmp=(kind, code + 1))
        assert sets["s"].matches(other, ("src", "src"), sets) is False
