"""Where a move is said to change nothing, no packet fares otherwise: judged by an interpreter that knows nothing of it.

A long run: IPTVIZ_RULE_SETS=20000 IPTVIZ_FIRST_SEED=1000000 pytest tests/compare/test_moves.py
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from iptviz import load
from iptviz.compare.chains.compared import chain_changes
from iptviz.compare.chains.moves import moved_places
from tests.compare.swaps import moved
from tests.engine.interpreter import interpret
from tests.engine.test_interpreter import WRITERS, packet_of
from tests.kernel.random_tables import random_packets, random_rules

if TYPE_CHECKING:
    from iptviz.compare.chains.forms import ChainChanges
    from tests.engine.concrete import Packet

RULE_SETS = int(os.environ.get("IPTVIZ_RULE_SETS", "240"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
BATCH = 60
PACKETS = 8
HOOKS = ("prerouting", "output")


def compared(old: str, new: str) -> ChainChanges:
    return chain_changes(load((WRITERS[4] + old).encode()), load((WRITERS[4] + new).encode()))


def fate(rules: str, packet: Packet) -> str:
    """What becomes of a packet; of one that is dropped nothing else is left."""
    verdict, end, _ = interpret(rules, packet)
    return verdict if verdict == "DROP" else f"{verdict} {end}"


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + RULE_SETS, BATCH))
def test_no_packet_tells_rules_apart_of_which_the_order_changes_nothing(first: int) -> None:
    said: Counter[bool] = Counter()
    for seed in range(first, first + BATCH):
        hook = HOOKS[seed % 2]
        old = random_rules(seed, 4, hook)
        new = moved(old, seed, chains=1 + seed % 3)
        found = compared(old, new)
        assert {rule.kind for chain in found.chains for rule in chain.rules} <= {"moved"}
        said[found.differ] += old != new
        if not found.differ:
            for sent in random_packets(seed, PACKETS, 4, hook):
                assert fate(old, packet_of(sent)) == fate(new, packet_of(sent)), (
                    f"seed {seed}: {sent}\n{old}\n{new}"
                )
    assert min(said[False], said[True]) > BATCH // 10


def test_some_packet_tells_rules_apart_where_the_order_matters() -> None:
    """Not always: rules before may decide. Were the moves that matter told by chance, it would be seldom."""
    told = tried = 0
    for seed in range(120):
        old = random_rules(seed)
        new = moved(old, seed)
        sure = any(rule.matters for chain in compared(old, new).chains for rule in chain.rules)
        if sure:
            tried += 1
            packets = [packet_of(sent) for sent in random_packets(seed, 3 * PACKETS)]
            told += any(fate(old, packet) != fate(new, packet) for packet in packets)
    assert tried > 10
    assert told > tried / 10


@pytest.mark.parametrize(
    ("order", "places"),
    [
        ([], set()),
        ([0, 1, 2], set()),
        ([1, 2, 3, 0], {3}),
        ([3, 0, 1, 2], {0}),
        ([0, 4, 1, 2, 3, 5], {1}),
        ([2, 3, 0, 1, 4], {0, 1}),
    ],
)
def test_what_moved_is_as_little_as_can_be(order: list[int], places: set[int]) -> None:
    found = moved_places(order)
    assert len(found) == len(places)
    stays = [old for place, old in enumerate(order) if place not in found]
    assert stays == sorted(stays)
