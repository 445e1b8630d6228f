"""Rules against packets: true, false, a chance, or a condition, for every basic option and match."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

from iptviz.dump.model import Dump
from iptviz.engine.condition import clauses
from iptviz.engine.matching import raw_chance, rule_truth
from iptviz.engine.packet import Packet
from iptviz.grammar.reader import take_apart
from iptviz.rules.iptables import compiled
from iptviz.rules.reading.addresses import BASICS
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from iptviz.rules.form import CompiledRule

WEB = Packet("tcp", parse_network("10.96.0.10"), 80, to_this_node=False, unlisted=("KUBE-SEP-",))
NODE_PORT = Packet("udp", None, 32123, to_this_node=True)
SIX = Packet("tcp", parse_network("fd00::10"), 80)
UNKNOWN = Packet()


def rule(text: str) -> CompiledRule:
    (only,) = Dump(f"*nat\n-A CHAIN {text}\nCOMMIT\n".encode()).tables["nat"].rules_of("CHAIN")
    return compiled(only)


UNREADABLE = "packet matches a rule that cannot be read"
YES, NO, HALF = Fraction(1), Fraction(0), Fraction(1, 2)

# rule, packet, and either the chance or, as text, what it hangs on.
CASES: list[tuple[str, Packet, Fraction | str]] = [
    ("", UNKNOWN, YES),
    # source
    ("-s 10.0.0.0/8", WEB, "source in 10.0.0.0/8"),
    ("! -s 10.0.0.0/8", WEB, "source not in 10.0.0.0/8"),
    ("-s 0.0.0.0/0", WEB, YES),
    ("! -s 0.0.0.0/0", WEB, NO),
    ("-s ::/0", SIX, YES),
    # destination
    ("-d 10.96.0.10/32", WEB, YES),
    ("-d 10.96.0.0/12", WEB, YES),
    ("-d 10.96.0.0/255.240.0.0", WEB, YES),
    ("-d 10.0.0.10/255.0.0.255", WEB, YES),
    ("-d 10.0.0.11/255.0.0.255", WEB, NO),
    ("! -d 10.0.0.11/255.0.0.255", WEB, YES),
    ("-d 10.96.0.11/32", WEB, NO),
    ("! -d 10.96.0.10/32", WEB, NO),
    ("! -d 10.96.0.11/32", WEB, YES),
    ("-d fd00::/64", SIX, YES),
    ("-d fd00::/64", WEB, NO),
    ("-d 10.96.0.10/32", NODE_PORT, "destination in 10.96.0.10/32"),
    ("! -d 127.0.0.0/8", NODE_PORT, "destination not in 127.0.0.0/8"),
    ("-d no.such.name", WEB, "destination in no.such.name"),
    ("-d 0.0.0.0/0", NODE_PORT, YES),
    # protocol
    ("-p tcp", WEB, YES),
    ("-p 6", WEB, YES),
    ("-p TCP", WEB, YES),
    ("-p all", WEB, YES),
    ("-p udp", WEB, NO),
    ("-p 17", NODE_PORT, YES),
    ("! -p tcp", WEB, NO),
    ("! -p udp", WEB, YES),
    ("-p tcp", UNKNOWN, "protocol is tcp"),
    ("! -p tcp", UNKNOWN, "protocol is not tcp"),
    # interfaces, fragments, families
    ("-i eth0", WEB, "input interface is eth0"),
    ("! -i cni+", WEB, "input interface is not cni+"),
    ("-o eth0", WEB, "output interface is eth0"),
    ("! -o lo", WEB, "output interface is not lo"),
    ("-f", WEB, NO),
    ("! -f", WEB, YES),
    ("-4", WEB, YES),
    ("-6", SIX, YES),
    # what matches all packets
    ("-m comment --comment x", WEB, YES),
    ("-m nfacct --nfacct-name ct_state_invalid_dropped_pkts", WEB, YES),
    # ports
    ("-m tcp --dport 80", WEB, YES),
    ("-m tcp --dport 81", WEB, NO),
    ("-m tcp ! --dport 80", WEB, NO),
    ("-m tcp ! --dport 81", WEB, YES),
    ("-m tcp --dport 80:90", WEB, YES),
    ("-m tcp --dport 81:90", WEB, NO),
    ("-m tcp --dport 79:80", WEB, YES),
    ("-m tcp --dport :79", WEB, NO),
    ("-m tcp --dport 81:", WEB, NO),
    ("-m tcp --dport 80:", WEB, YES),
    ("-m tcp ! --dport :80", WEB, NO),
    ("-m tcp --dport nosuchservice", WEB, "packet matches -m tcp --dport nosuchservice"),
    ("-m tcp --dport 80", UNKNOWN, "destination port 80"),
    ("-m tcp ! --dport 80", UNKNOWN, "destination port not 80"),
    ("-m tcp --sport 80", WEB, "source port 80"),
    ("-m tcp ! --sport 1024:65535", WEB, "source port not 1024:65535"),
    ("-m tcp ! --syn", WEB, "packet does not match --tcp-flags FIN,SYN,RST,ACK SYN"),
    ("-m udp --dport 32123", NODE_PORT, YES),
    ("-m udplite --dport 32124", NODE_PORT, NO),
    ("-m sctp --dport 32000:33000", NODE_PORT, YES),
    ("-m dccp ! --dport 32123", NODE_PORT, NO),
    ("-m multiport --dports 22,80", WEB, YES),
    ("-m multiport --dports 22,443", WEB, NO),
    ("-m multiport --dports 22,70:90", WEB, YES),
    ("-m multiport ! --dports 22,70:90", WEB, NO),
    ("-m multiport ! --dports 22", WEB, YES),
    ("-m multiport --dports 22,nosuchservice", WEB, "packet matches -m multiport --dports 22,nosuchservice"),
    ("-m multiport --sports 22,80", WEB, "source port 22,80"),
    ("-m multiport ! --ports 22", WEB, "packet does not match -m multiport --ports 22"),
    ("-m multiport --dports 22,80", UNKNOWN, "destination port 22,80"),
    # kinds of address
    ("-m addrtype --dst-type LOCAL", NODE_PORT, YES),
    ("-m addrtype --dst-type LOCAL", WEB, NO),
    ("-m addrtype ! --dst-type LOCAL", WEB, YES),
    ("-m addrtype --dst-type LOCAL", SIX, "destination is local to this node"),
    ("-m addrtype ! --dst-type LOCAL", SIX, "destination is not local to this node"),
    ("-m addrtype --dst-type BROADCAST", WEB, "destination is of type BROADCAST"),
    ("-m addrtype --src-type LOCAL", WEB, "source is local to this node"),
    ("-m addrtype ! --src-type LOCAL", WEB, "source is not local to this node"),
    ("-m addrtype --limit-iface-in", NODE_PORT, "packet matches -m addrtype --limit-iface-in"),
    # chances
    ("-m statistic --mode random --probability 0.50000000000", WEB, HALF),
    ("-m statistic --mode random ! --probability 0.25000000000", WEB, Fraction(3, 4)),
    ("-m statistic --mode nth --every 4 --packet 0", WEB, Fraction(1, 4)),
    ("-m statistic --mode nth --every 2 -m statistic --mode nth --every 3", WEB, Fraction(1, 6)),
    ("-m statistic --probability x", WEB, "packet matches -m statistic --probability x"),
    ("-d 10.96.0.11 -m statistic --mode nth --every 2", WEB, NO),
    # recent lists
    ("-m recent --rcheck --seconds 9 --name KUBE-SEP-X", WEB, NO),
    ("-m recent ! --rcheck --name KUBE-SEP-X", WEB, YES),
    ("-m recent --set --name KUBE-SEP-X", WEB, YES),
    ("-m recent ! --set --name KUBE-SEP-X", WEB, NO),
    ("-m recent --rcheck --name OTHER", WEB, "source is in the recent list OTHER at line 2"),
    ("-m recent ! --update --name OTHER", WEB, "source is not in the recent list OTHER at line 2"),
    ("-m recent --rcheck", WEB, "source is in the recent list DEFAULT at line 2"),
    ("-m recent --remove --name X", WEB, "source is in the recent list X at line 2"),
    # connection tracking: nat sees new connections
    ("-m conntrack --ctstate NEW", WEB, YES),
    ("-m conntrack --ctstate RELATED,NEW", WEB, YES),
    ("-m conntrack --ctstate new", WEB, YES),
    ("-m conntrack --ctstate RELATED,ESTABLISHED", WEB, NO),
    ("-m conntrack ! --ctstate NEW", WEB, NO),
    ("-m conntrack ! --ctstate INVALID", WEB, YES),
    ("-m conntrack --ctstate ESTABLISHED", WEB._replace(state="ESTABLISHED"), YES),
    ("-m conntrack ! --ctdir REPLY", WEB, YES),
    ("-m state --state NEW", WEB, YES),
    ("-m state --state ESTABLISHED", WEB, NO),
    # bridges, marks, sets
    ("-m nfacct --nfacct-name x", WEB, "packet matches -m nfacct --nfacct-name x"),
    ("-m physdev --physdev-is-in", WEB, "input is a bridge port"),
    ("-m physdev ! --physdev-is-in", WEB, "input is not a bridge port"),
    ("-m physdev --physdev-in eth0", WEB, "packet matches -m physdev --physdev-in eth0"),
    ("-m mark --mark 0x4000/0x4000", WEB, "mark is 0x4000/0x4000"),
    ("-m mark ! --mark 0x4000/0x4000", WEB, "mark is not 0x4000/0x4000"),
    ("-m set --match-set A dst,dst", WEB, "packet is in ipset A dst,dst"),
    ("-m set ! --match-set A src", WEB, "packet is not in ipset A src"),
    ("-m set --packets-gt 5", WEB, "packet matches -m set --packets-gt 5"),
    # what is not understood is a condition, whatever else holds
    ("-m length --length 5", WEB, "length is 5"),
    ("-m nosuch", WEB, "packet matches -m nosuch"),
    ("-m nosuch --level 5", WEB, "packet matches -m nosuch --level 5"),
    ("-p tcp ! --nosuch 5", WEB, "packet matches ! --nosuch 5"),
    ("-p udp -m nosuch", WEB, NO),
    ("-m tcp --dport", WEB, f"packet matches -m tcp --dport and {UNREADABLE} (--dport has no value)"),
    ("-s", WEB, f"packet matches -s and {UNREADABLE} (-s has no value)"),
    ('-m comment --comment "', WEB, f"{UNREADABLE} (unterminated quote)"),
    # several needs
    ("-s 10.0.0.0/8 -i eth0", WEB, "source in 10.0.0.0/8 and input interface is eth0"),
    ("-m mark --mark 0x1 -m mark --mark 0x1", WEB, "mark is 0x1"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "packet", "expected"), CASES)
def test_a_rule_is_true_false_a_chance_or_a_condition(
    text: str, packet: Packet, expected: Fraction | str
) -> None:
    chance, needs = rule_truth(rule(text), packet)
    if isinstance(expected, str):
        assert (clauses(needs), chance) == (expected, YES)
    else:
        assert (chance, needs) == (expected, ())


def test_a_chance_and_a_condition_stand_together() -> None:
    truth = rule_truth(rule("-s 10.0.0.0/8 -m statistic --mode nth --every 2"), WEB)
    assert (truth.chance, clauses(truth.needs)) == (HALF, "source in 10.0.0.0/8")


def test_no_basic_option_is_untested() -> None:
    parts = [take_apart(f"-A CHAIN {text}") for text, _, _ in CASES]
    assert {option.name for one in parts for option in one.basics} >= set(BASICS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-m recent --rcheck --seconds 1 --name X", "-m recent --rcheck --seconds 3600 --name X"),
        ("-m recent --rcheck --hitcount 2 --name X", "-m recent --rcheck --hitcount 20 --name X"),
        ("-m recent --rcheck --name X --rsource", "-m recent --rcheck --name X --rdest"),
        ("-m tcp --tcp-flags SYN,ACK SYN", "-m tcp --tcp-flags SYN SYN"),
        ("-m set --match-set A src", "-m set --match-set A dst"),
        ("-m nosuch --level 1", "-m nosuch --level 2"),
        ("-m mark --mark 0x1", "-m connmark --mark 0x1"),
    ],
)
def test_different_questions_are_different_conditions(one: str, other: str) -> None:
    assert rule_truth(rule(one), UNKNOWN).needs != rule_truth(rule(other), UNKNOWN).needs


@pytest.mark.parametrize(
    ("text", "chance"),
    [
        ("-d 10.0.0.1 -j A", YES),
        ("-m statistic --mode random --probability 0.5 -j A", HALF),
        ("-d 10.0.0.1 -m statistic --mode nth ! --every 3 -j A", Fraction(2, 3)),
        ("-m statistic --mode random --probability 0.00000000000 -j A", NO),
        ("-m statistic --mode random ! --probability 1.00000000000 -j A", NO),
    ],
)
def test_the_raw_chance_is_that_of_the_statistic_alone(text: str, chance: Fraction) -> None:
    assert raw_chance(rule(text)) == chance
