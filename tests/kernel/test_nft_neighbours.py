"""The kernel judges rules of which neighbouring fields must differ: an old nft loads them as one comparison."""

from __future__ import annotations

from itertools import product

import pytest

import iptviz
from iptviz.engine.condition import clauses
from tests.kernel.frames import Sent
from tests.kernel.lab import NOTHING
from tests.kernel.test_nft_packets import compare, joins, load
from tests.kernel.test_packets import asked
from tests.kernel.universe import in_family
from tests.kernel.wire import wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULES = {
    4: [
        "tcp sport != 40000 tcp dport != 80",
        "tcp dport != 80 tcp sport != 40000",
        "tcp sport != 40000 meta mark 0x0 tcp dport != 80",
        "tcp sport != 40000 tcp sport != 40001 tcp dport != 80 tcp dport != 81",
        "tcp sport != 40000-40001 tcp dport != 80",
        "tcp sport != { 40000, 40009 } tcp dport != { 80, 88 }",
        "tcp sport != 40000 tcp dport 80",
        "ip saddr != 10.1.0.2 ip daddr != 10.2.0.2",
        "ip saddr != 10.1.0.0/24 ip daddr != 10.2.0.0/31",
        "ip ttl != 63 ip protocol != tcp",
        "ip protocol != udp ip ttl != 63",
        "ip protocol != udp ip saddr != 10.1.0.2",
        "meta l4proto != udp ip ttl != 63",
        "udp sport != 40000 ip ttl != 63 udp dport != 80",
    ],
    6: [
        "ip6 nexthdr != tcp ip6 hoplimit != 63",
        "ip6 length != 20 ip6 nexthdr != tcp",
        "ip6 length != 20 ip6 nexthdr != udp ip6 hoplimit != 63",
        "ip6 hoplimit != 63 ip6 saddr != fd10:1::2",
        "ip6 saddr != fd10:1::2 ip6 daddr != fd10:2::2",
        "udp sport != 40000 udp dport != 80",
    ],
}


@pytest.mark.parametrize("family", RULES)
def test_what_must_differ_is_answered_as_it_was_loaded(family: int) -> None:
    """Of each pair both are equal, one is, or none: each rule is asked by packets of all kinds."""
    rules = "\n".join(f"{rule} counter" for rule in RULES[family])
    head = "type filter hook forward priority 0;"
    text = f"table {'ip' if family == 4 else 'ip6'} t {{\n chain f {{\n {head}\n{rules}\n }}\n}}\n"
    with wire("nft", family) as lab:
        load(lab, text)
        before = lab.router.run("nft", "list", "ruleset")
        packets = product(("tcp", "udp"), (40000, 40001), (80, 81), (64, 60), ("10.2.0.2", "10.2.0.3"))
        for number, (protocol, sport, dport, ttl, to) in enumerate(packets):
            sent = Sent(
                in_family(to, family), protocol, sport, dport, ttl=ttl, source=in_family("10.1.0.2", family)
            )
            before, trouble = compare(lab, sent, before)
            assert not trouble, f"{number}: joined {joins()}: {trouble}\n{before}"


PAIR = "! --sport 40000 ! --dport 80"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_ports_of_iptables_are_answered_as_they_were_loaded(protocol: str) -> None:
    with wire("nft", 4) as lab:
        rule = f"-A FORWARD -p {protocol} -m {protocol} {PAIR} -j DROP"
        lab.router.load(f"{NOTHING}*filter\n{rule}\nCOMMIT\n")
        one = "load 4b @ transport" in lab.router.run("nft", "--debug=netlink", "list", "ruleset")
        dump = iptviz.load(lab.router.save("-c").encode())
        for sport, dport in product((40000, 40001), (80, 81)):
            sent = Sent("10.2.0.2", protocol, sport, dport)
            before = lab.router.save("-c")
            lab.send(sent)
            matched = counted(lab.router.save("-c")) > counted(before)
            found = {clauses(one.when): one.verdict for one in iptviz.packet(dump, **asked(sent)).outcomes}
            said = "as one" if one else "one by one"
            end = found.get("always") or next(
                verdict for when, verdict in found.items() if when.endswith(said)
            )
            assert end == ("DROP" if matched else "ACCEPT"), (sent, found)
            assert ("always" in found) == ((sport == 40000) == (dport == 80))


def counted(saved: str) -> int:
    """How many packets the rule has dropped."""
    return next(int(line[1:].split(":")[0]) for line in saved.splitlines() if PAIR in line)
