"""What is not printed is looked for in few rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iptviz.dump.model import Dump
from iptviz.rules.iptables import rule_table
from iptviz.rules.unprinted import Unprinted

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.rules.form import CompiledRule

ENDPOINT = "-A KUBE-SVC-{0} -j KUBE-SEP-{0}{1}"
MARKED = "-A KUBE-SVC-{0} ! -s 10.0.0.0/8 -j KUBE-MARK-MASQ"


@pytest.mark.parametrize(
    ("rules", "chains"),
    [
        ([MARKED, ENDPOINT], []),
        ([MARKED, ENDPOINT, ENDPOINT], ["KUBE-SVC-1", "KUBE-SVC-2", "KUBE-SVC-3"]),
    ],
    ids=["one endpoint each", "several"],
)
def test_chances_are_lost_where_chains_have_several_endpoints(rules: list[str], chains: list[str]) -> None:
    lines = [rule.format(chain, place) for chain in (1, 2, 3) for place, rule in enumerate(rules)]
    nat = Dump("\n".join(["*nat", *lines, "COMMIT", ""]).encode()).tables["nat"]
    table = rule_table(nat)
    taken_apart: list[Rule] = []

    def made(rule: Rule) -> CompiledRule:
        taken_apart.append(rule)
        return table.thoroughly(rule)

    found = Unprinted(nat, made).chances
    assert list(found) == chains
    assert bool(taken_apart) == bool(chains)
