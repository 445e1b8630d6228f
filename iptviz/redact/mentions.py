"""What rules name that may tell of which service a chain is."""

from __future__ import annotations

import re
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from iptviz.grammar.outlines import HOLE, hole_of, parts_of, read_stretch, unquoted
from iptviz.records import NamedTuple
from iptviz.redact.pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.grammar.parts import RuleParts

    Mentioned = tuple[str, str, str, str]
    """A rule's chain, its target, the first destination of that, and its comment; empty where it has none."""


_CHAIN = re.compile(r"-A (\S+)", re.ASCII)


class _Outline(NamedTuple):
    """How many literals a line has, and what finds among these and `fixed` what it names; None: nothing does."""

    holes: int
    fixed: tuple[str, ...] = ()
    find: Callable[[tuple[str, ...]], Mentioned] | None = None


def mentions(table: Table, chains: Iterable[str]) -> Iterator[Mentioned]:
    """Yield what the rules of some chains name, chain by chain."""
    outlines: dict[str, _Outline] = {}
    for piece in pieces(table, (run for chain in chains for run in table.runs_of(chain))):
        stretch, end = read_stretch(piece.text), 0
        literals = list(map(unquoted, stretch.literals)) if '"' in piece.text else stretch.literals
        for number, text in enumerate(stretch.outlines):
            outline = outlines.get(text)
            if outline is None:
                outline = outlines[text] = _outline(text)
            at, end = end, end + outline.holes
            if outline.find is None:
                yield mentioned_by(piece.rule(number))
            else:
                yield outline.find((*literals[at:end], *outline.fixed))


def by_chain(chains: Iterable[str], found: Iterable[Mentioned]) -> Iterator[tuple[str, list[Mentioned]]]:
    """Yield each chain with what its rules name; of these are found those of one chain after the other."""
    groups = groupby(found, itemgetter(0))
    nobody: tuple[str, Iterable[Mentioned]] = ("", ())
    next_chain, rules = next(groups, nobody)
    for chain in chains:
        if chain == next_chain:
            yield chain, list(rules)
            next_chain, rules = next(groups, nobody)
        else:
            yield chain, []


def mentioned_by(rule: Rule) -> Mentioned:
    """Return what a rule names, taken apart by itself, with the chain among whose rules it stands."""
    chain = _CHAIN.match(rule.text)
    return chain[1] if chain else "", *_named(rule.parts)


def _named(parts: RuleParts) -> tuple[str, str, str]:
    comments = (match.option("--comment") for match in parts.matches if match.name == "comment")
    comment = next((option for option in comments if option), None)
    target = parts.target
    return (
        target.name if target else "",
        (target and target.value("--to-destination")) or "",
        comment.values[0] if comment and comment.values else "",
    )


def _outline(text: str) -> _Outline:
    holes, parts = text.count(HOLE), parts_of(text)
    if parts is None:
        return _Outline(holes)
    words = parts.chain, *_named(parts)
    places = (hole_of(word) for word in words)  # the fixed words come after the literals
    find = itemgetter(*(holes + at if place is None else place for at, place in enumerate(places)))
    return _Outline(holes, words, find)
