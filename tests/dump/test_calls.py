"""What is told at once of all jumps of a table is what going from jump to jump tells."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

import iptviz

if TYPE_CHECKING:
    from iptviz.dump.table import Table

CHAINS = ("INPUT", "A", "B", "C", "D", "E", "F")
TARGETS = ("ACCEPT", "LOST")
RULES = st.lists(st.tuples(st.sampled_from(CHAINS), st.sampled_from(CHAINS + TARGETS)), max_size=14)


def made(rules: list[tuple[str, str]]) -> Table:
    """A table of these rules, each a chain and what it jumps to, in this order."""
    declared = "".join(f":{chain} {'ACCEPT' if chain == 'INPUT' else '-'} [0:0]\n" for chain in CHAINS)
    lines = "".join(f"-A {chain} -j {target}\n" for chain, target in rules)
    return iptviz.load(f"*filter\n{declared}{lines}COMMIT\n".encode()).tables["filter"]


def ahead(rules: list[tuple[str, str]], chains: set[str]) -> set[str]:
    """The chains one jump further."""
    return {target for chain, target in rules if chain in chains and target in CHAINS}


@given(RULES)
def test_only_jumps(rules: list[tuple[str, str]]) -> None:
    """A chain to which one rule alone jumps is found by that rule."""
    table = made(rules)
    times = Counter(target for _, target in rules)
    for chain in CHAINS:
        at = table.calls.only_jump(chain.encode())
        assert (at is not None) == (times[chain] == 1)
        assert at is None or table.rule_at(at).jump == chain


@given(RULES, st.sets(st.sampled_from(CHAINS)))
def test_reached(rules: list[tuple[str, str]], hooks: set[str]) -> None:
    """What chains lead to are they themselves, and what jumps lead to from there."""
    wanted = set(hooks)
    for _ in CHAINS:
        wanted |= ahead(rules, wanted)
    assert table_reached(rules, hooks) == wanted


def table_reached(rules: list[tuple[str, str]], hooks: set[str]) -> set[str]:
    """What the table's calls say that some chains lead to."""
    reached = made(rules).calls.reached(*(hook.encode() for hook in hooks))
    return {chain.decode() for chain in reached}


@given(RULES, st.integers(0, 8))
def test_shallow(rules: list[tuple[str, str]], most: int) -> None:
    """No way is longer than so many jumps where nothing is left after one more; a loop is longer than any."""
    further = set(CHAINS)
    for _ in range(most + 1):
        further = ahead(rules, further)
    calls = made(rules).calls
    assert calls.are_shallow(most) == (not further)
    longest = len(calls.deepest(chain.encode() for chain in CHAINS)) - 1
    assert calls.are_shallow(len(CHAINS)) == (not calls.maybe_looped)
    assert bool(calls.maybe_looped) or calls.are_shallow(most) == (longest <= most)
