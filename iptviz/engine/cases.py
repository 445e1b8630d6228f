"""Answers under conditions: walk, and where a condition decides, walk again under both of its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.assumed import Assumed, essential
from iptviz.engine.condition import Assumption
from iptviz.engine.walk import ChainWalk, Effect, Faults, UndecidedError, Walker

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    """All cases; `skipped` has the assumptions of those left unexplored because there were too many."""

    cases: list[Case]
    faults: Faults
    skipped: list[tuple[Assumption, ...]]


def explore(table: Table, packet: Packet, rules: Sequence[Rule]) -> Cases:
    """Walk `rules` as one chain of `table` under every combination of answers that makes a difference."""
    found = Cases([], Faults({}, {}), [])
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
    merged = [case._replace(when=essential(case.when)) for case in _merge(found.cases)]
    return found._replace(cases=merged)


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
    """Return one case for both, or None where they differ."""
    if not one.when or one.when[:-1] != other.when[:-1] or one.when[-1] != other.when[-1].opposite():
        return None
    if not _same_shares(one.walk, other.walk):
        return None
    effects = _join_effects(one.walk.effects, other.walk.effects, one.when[-1])
    return Case(one.when[:-1], one.walk._replace(effects=effects), one.chains | other.chains)


def _same_shares(one: ChainWalk, other: ChainWalk) -> bool:
    shares = [{rule: end.share for rule, end in walk.ends.items()} for walk in (one, other)]
    return shares[0] == shares[1] and one.leftover == other.leftover


def _join_effects(one: tuple[Effect, ...], other: tuple[Effect, ...], last: Assumption) -> tuple[Effect, ...]:
    """Effects of both cases stay; one of a single case now needs that case's answer."""
    both = [effect for effect in one if effect in other]
    alone = [effect._replace(needs=(last, *effect.needs)) for effect in one if effect not in other]
    alone += [
        effect._replace(needs=(last.opposite(), *effect.needs)) for effect in other if effect not in one
    ]
    return tuple(both + alone)
