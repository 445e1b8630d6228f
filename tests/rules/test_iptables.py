"""Dumps in the neutral form: rules once each, chains of their table, and which may concern a destination."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from iptviz.dump.model import Dump
from iptviz.engine.matching import rule_truth
from iptviz.engine.meanings.table import MEANINGS
from iptviz.engine.packet import Packet
from iptviz.rules import operands
from iptviz.rules.iptables import DumpRules, compiled, dump_rule, rule_table
from iptviz.xtables.address import parse_network
from tests import kubeproxy

if TYPE_CHECKING:
    from iptviz.rules.form import RuleSet, RuleTable

NAT = """*nat
:PREROUTING ACCEPT [0:0]
:LOG - [0:0]
-A PREROUTING -j LOG
-A PREROUTING -j RETURN
-A PREROUTING -j NOWHERE
-A PREROUTING -g LOG
-A PREROUTING -j FOO --bar 5
-A PREROUTING -j DNAT --to-destination 10.0.0.1:80
-A PREROUTING -d 10.0.0.1
-A PREROUTING --bar
-A PREROUTING -j MARK --set-xmark 0x1/0x1
COMMIT
"""


def nat(text: str = NAT) -> RuleTable:
    return rule_table(Dump(text.encode()).tables["nat"])


def test_an_action_is_a_chain_of_the_table_before_it_is_a_target() -> None:
    actions = [rule.action for rule in nat().rules_of("PREROUTING")]
    assert [(action.kind, action.name, action.known, action.continues) for action in actions] == [
        ("jump", "LOG", True, False),
        ("return", "RETURN", True, False),
        ("jump", "NOWHERE", True, False),
        ("goto", "LOG", True, False),
        ("target", "FOO", False, False),
        ("target", "DNAT", True, False),
        ("nothing", "", True, False),
        ("unclear", "", True, False),
        ("target", "MARK", True, True),
    ]
    assert [rule.jump for rule in nat().rules_of("PREROUTING")] == [
        "LOG",
        None,
        "NOWHERE",
        "LOG",
        *[None] * 5,
    ]
    assert [rule.goto for rule in nat().rules_of("PREROUTING")].index(True) == 3


def test_a_rule_is_made_once() -> None:
    dump = Dump(NAT.encode())
    table = dump.tables["nat"]
    (first, *_) = rule_table(table).rules_of("PREROUTING")
    assert compiled(table.rules_of("PREROUTING")[0]) is first
    assert compiled(next(table.rules_with("-j LOG"))) is first
    assert dump_rule(first.place) == table.rules_of("PREROUTING")[0]
    assert {first: 1}[compiled(table.rules_of("PREROUTING")[0])] == 1
    assert first != rule_table(table).rules_of("PREROUTING")[1]
    assert repr(first) == "<CompiledRule line 4: -A PREROUTING -j LOG>"


def test_rules_of_a_large_table_are_the_same_by_whatever_way() -> None:
    own = Dump(kubeproxy.saved(kubeproxy.numbered(100, 3)).encode()).tables["nat"]
    table, rules = rule_table(own), list(own.rules())
    assert len(rules) > 1000
    made, thorough = ([way(rule) for rule in rules] for way in (table.compiled, table.thoroughly))
    assert [(rule.chain, rule.tests, rule.action, rule.place) for rule in made] == [
        (rule.chain, rule.tests, rule.action, rule.place) for rule in thorough
    ]


def test_destinations_are_not_remembered_without_end() -> None:
    table = nat(kubeproxy.saved(kubeproxy.numbered(100, 1)))
    some = [parse_network(f"10.{number // 250}.{number % 250}.1") for number in range(1500)]
    assert len({len(table.towards("KUBE-SERVICES", destination)) for destination in some}) == 1


def test_a_place_of_no_dump_is_no_rule_of_one() -> None:
    with pytest.raises(TypeError):
        dump_rule(nat())  # type: ignore[arg-type]


def test_a_table_tells_of_its_chains() -> None:
    rules: RuleSet = DumpRules(Dump(NAT.encode()))
    table = rules.tables["nat"]
    assert (table.name, table.family, rules.backend) == ("nat", "ipv4", None)
    assert (table.policy("PREROUTING"), table.policy("LOG")) == ("ACCEPT", None)
    assert (table.has_chain("LOG"), table.has_chain("NOWHERE")) == (True, False)
    assert list(table.rules_of("NOWHERE")) == list(table.towards("NOWHERE", None)) == []
    assert len(table.rules_of("PREROUTING")[2:4]) == 2


@pytest.mark.parametrize(
    ("line", "wants"),
    [("-j DNAT --to-destination 10.0.0.1", True), ("-j ACCEPT", False), ("-m state --state NEW", True)],
)
def test_what_looks_at_connections_makes_the_kernel_track_them(line: str, wants: bool) -> None:
    assert DumpRules(Dump(f"*nat\n-A PREROUTING {line}\nCOMMIT\n".encode())).wants_tracking is wants


@pytest.mark.parametrize("destination", ["10.96.0.5", "10.96.0.0/24", "192.0.2.1", None])
def test_rules_towards_a_destination_are_all_that_may_match(destination: str | None) -> None:
    table = nat(kubeproxy.saved(kubeproxy.numbered(100, 1)))
    network = parse_network(destination) if destination else None
    every, chosen = table.rules_of("KUBE-SERVICES"), table.towards("KUBE-SERVICES", network)
    packet = Packet(destination=network)
    left_out = set(every) - set(chosen)
    assert [rule for rule in every if rule not in left_out] == list(chosen)
    assert not any(rule_truth(rule, packet).chance for rule in left_out)
    assert bool(left_out) == (destination is not None)
    assert table.towards("KUBE-SERVICES", network) is chosen


def test_the_operand_of_every_kind_of_test_is_told() -> None:
    rows = re.findall(r"^ {4}((?:[a-z-]+, )*[a-z-]+) +\S", operands.__doc__ or "", re.MULTILINE)
    assert {kind for row in rows for kind in row.split(", ")} == set(MEANINGS)
