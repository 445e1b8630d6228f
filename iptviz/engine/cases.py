"""Answers under conditions: walk, and where a condition decides, walk again under both of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.assumed import Assumed, essential
from iptviz.engine.condition import Assumption
from iptviz.engine.walk import ChainWalk, Effect, Faults, UndecidedError, Walker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.packet import Packet

MOST_CASES = 64
"""More cases than this are not told apart: nobody reads them, and each condition may double them."""


class Case(NamedTuple):
    """What happens when all of `when` hold; `chains` has the walk of each chain that was asked."""

    when: tuple[Assumption, ...]
    walk: ChainWalk
    chains: dict[str, ChainWalk]


class Cases(NamedTuple):
    """All cases; `skipped` has the assumptions of those left unexplored because there were too many.

    `rounded` says that some shares are not exact: see `chance.product`.
    """

    cases: list[Case]
    faults: Faults
    skipped: list[tuple[Assumption, ...]]
    rounded: bool = False


def explore(table: Table, packet: Packet, rules: Sequence[Rule]) -> Cases:
    """Walk `rules` as one chain of `table` under every combination of answers that makes a difference."""
    found = Cases([], Faults({}, {}), [])
    rounded = False
    pending: list[tuple[Assumption, ...]] = [()]
    while pending:
        when = pending.pop()
        if len(found.cases) + len(pending) >= MOST_CASES:
            found.skipped.append(when)
            continue
        walker = Walker(table, packet, Assumed(when))
        try:
            walk = walker.walk(rules)
        except UndecidedError as undecided:
            pending += [(*when, Assumption(undecided.condition, holds)) for holds in (False, True)]
            continue
        found.cases.append(Case(when, walk, walker.chains))
        found.faults.loops.update(walker.faults.loops)
        found.faults.missing.update(walker.faults.missing)
        rounded |= walker.rounded
    merged = [case._replace(when=essential(case.when)) for case in _merge(found.cases)]
    return found._replace(cases=merged, rounded=rounded)


def _merge(cases: list[Case]) -> list[Case]:
    """Join cases that differ in the answer to their last condition and agree in everything else.

    They come in the order of a depth-first search, so partners are neighbours.
    """
    merged: list[Case] = []
    for case in cases:
        current = case
        while merged and (joined := _join(merged[-1], current)):
            merged.pop()
            current = joined
        merged.append(current)
    return merged


def _join(one: Case, other: Case) -> Case | None:
    """Return one case for both, or None where they differ in a share or in what is marked on the way."""
    if not one.when or one.when[:-1] != other.when[:-1] or one.when[-1] != other.when[-1].opposite():
        return None
    if _shares(one) != _shares(other) or _effects(one) != _effects(other):
        return None
    return one._replace(when=one.when[:-1])


def _shares(case: Case) -> tuple[dict[Rule, Fraction], Fraction]:
    return {rule: end.share for rule, end in case.walk.ends.items() if end.share}, case.walk.leftover


def _effects(case: Case) -> set[Effect]:
    return {effect for walk in (case.walk, *case.chains.values()) for effect in walk.effects}
