"""A long chain is searched for the rules towards one destination: they are those that may match, in order."""

from __future__ import annotations

import random

import pytest

import iptviz
from iptviz.rules.by_destination import RulesByDestination
from iptviz.rules.iptables import rule_table
from iptviz.xtables.address import Network, parse_network

OWN = "10.96.0.7"
TOWARDS = (
    "-A S -d 10.96.0.7/32 -p tcp -m tcp --dport 80 -j ACCEPT",
    "-A S ! -s 10.244.0.0/16 -d 10.96.0.7/32 -p udp -j ACCEPT",
    "-A S -s 10.244.0.9/32 -d 10.96.0.7/32 -j ACCEPT",
    "-A S -d 10.96.0.0/24 -j ACCEPT",
    "-A S ! -d 10.96.0.7/32 -j ACCEPT",
    "-A S -p tcp -m multiport --dports 80,443 -j ACCEPT",
    "-A S -j ACCEPT",
    "-A S -d 10.96.0.7 -j ACCEPT",
    "-A S -d 010.096.000.007 -j ACCEPT",
)
"""Rules that a search must not pass over; what is written in an odd way is read, not searched."""
AWAY = (
    "-A S -d 10.96.0.70/32 -j ACCEPT",
    "-A S -d 110.96.0.7/32 -j ACCEPT",
    "-A S ! -s 10.244.0.0/16 -d 10.96.1.7/32 -p tcp -j ACCEPT",
    '-A S -d 10.96.0.8/32 -m comment --comment "-d 10.96.0.7/32" -j ACCEPT',
)


def host(text: str) -> Network:
    network = parse_network(text)
    assert network is not None
    return network


def rules_of(seed: int, *, counters: bool) -> list[str]:
    drawn = random.Random(seed)
    rules = [drawn.choice([*TOWARDS, *AWAY, *AWAY]) for _ in range(150)]
    return [f"[{place}:{place * 40}] {rule}" if counters else rule for place, rule in enumerate(rules)]


def dump(rules: list[str], end: str = "\n") -> iptviz.Dump:
    others = ["-A T -d 10.96.0.7/32 -j ACCEPT"]
    half = len(rules) // 2
    lines = ["*nat", ":S - [0:0]", ":T - [0:0]", *rules[:half], *others, *rules[half:]]
    return iptviz.load((end.join(lines) + f"{end}COMMIT{end}").encode())


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_search_finds_what_a_sorted_chain_has(seed: int, end: str) -> None:
    nat = dump(rules_of(seed, counters=seed % 2 == 0), end).tables["nat"]
    searching, sorted_one = RulesByDestination(nat, "S"), RulesByDestination(nat, "S")
    searched = searching.towards(host(OWN))
    for other in ("10.0.0.1", "10.0.0.2", "10.0.0.3"):
        sorted_one.towards(host(other))
    kept = sorted_one.towards(host(OWN))
    assert searched is not None
    assert kept is not None
    written = [rule for rule in searched if "010.096" not in rule.text]
    assert [rule for rule in written if rule.text.endswith("ACCEPT")] == [
        rule for rule in kept if "010.096" not in rule.text
    ]
    assert all(rule.number == nat.rules_of("S").index(rule) + 1 for rule in searched)
    assert not [rule for rule in searched if rule.text in AWAY]


def test_what_may_match_is_found() -> None:
    nat = dump([*TOWARDS, *AWAY * 40]).tables["nat"]
    found = rule_table(nat).towards("S", host(OWN))
    assert [rule.place.text for rule in found] == list(TOWARDS)
