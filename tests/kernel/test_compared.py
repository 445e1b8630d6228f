"""The kernel judges comparisons: what both backends save of the same rules, and moves that change nothing."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.compare.chains.compared import chain_changes
from tests.compare.swaps import moved
from tests.kernel.lab import BACKENDS, NOTHING, node
from tests.kernel.random_tables import random_packets, random_rules
from tests.kernel.test_canonical import BY_TABLE, SETS, load_together
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kernel.frames import Seen
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULE_SETS = 12
PACKETS = 4
TRIES = 3


@pytest.mark.parametrize(("family", "table"), list(BY_TABLE))
def test_both_backends_save_the_same_rules(family: str, table: str) -> None:
    rules = [
        rule
        for rule in BY_TABLE[family, table]
        if rule.chain == "TYPED" and len(rule.printed) == len(BACKENDS)
    ]
    saved = []
    for backend in BACKENDS:
        with node(backend, 4 if family == "ipv4" else 6) as lab:
            lab.run("ipset", "restore", stdin="\n".join(SETS) + "\n")
            load_together(lab, table, rules)
            saved.append(iptviz.load(lab.save("-c", "-t", table).encode()))
    assert {dump.backend for dump in saved} == {"legacy", "nf_tables"}
    assert saved[0].rule_count == saved[1].rule_count >= len(rules)
    for old, new in (saved, saved[::-1]):
        found = chain_changes(old, new)
        assert [(rule.kind, rule.old, rule.new) for chain in found.chains for rule in chain.rules] == []
        assert not found.differ


def reordered() -> Iterator[tuple[int, str, str]]:
    """Yield rule sets, with their seeds, of which another order is said to change nothing."""
    seed = 0
    while True:
        seed += 1
        old = random_rules(seed)
        new = moved(old, seed, chains=4)
        found = chain_changes(iptviz.load(old.encode()), iptviz.load(new.encode()))
        if found.reordered and not found.differ:
            yield seed, old, new


def what_came_out(lab: Wire, rules: str, seed: int) -> list[Seen | None]:
    lab.router.load(NOTHING + rules)
    return [lab.send(sent)[0] for sent in random_packets(seed, PACKETS)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_packets_fare_the_same_where_another_order_changes_nothing(backend: str) -> None:
    with wire(backend) as lab:
        for seed, old, new in islice(reordered(), RULE_SETS):
            # A packet may come late on a busy machine; a rule set that is wrong is so each time.
            tries = (what_came_out(lab, old, seed) == what_came_out(lab, new, seed) for _ in range(TRIES))
            assert any(tries), f"seed {seed}\n{old}\n{new}"
