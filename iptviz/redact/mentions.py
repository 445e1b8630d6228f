"""What rules name that may tell of which service a chain is."""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING

from iptviz.grammar.outlines import HOLE, hole_of, parts_of, read_stretch, unquoted
from iptviz.records import NamedTuple
from iptviz.redact.bulk import read_bulk
from iptviz.redact.pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.grammar.parts import RuleParts
    from iptviz.redact.bulk import Mentioned


_CHAIN = re.compile(r"-A (\S+)", re.ASCII)


class _Outline(NamedTuple):
    """How many literals a line has, and what finds among these and `fixed` what it names; None: nothing does."""

    holes: int
    fixed: tuple[str, ...] = ()
    find: Callable[[tuple[str, ...]], Mentioned] | None = None


def mentions(table: Table, chains: Collection[str]) -> Iterator[Mentioned]:
    """Yield what the rules of some chains name, which are in the order of `chain_names`, chain by chain."""
    wanted = {*chains}
    for found in _mentions(table, chains):
        yield from [one for one in found if one[0] in wanted]


def _mentions(table: Table, chains: Collection[str]) -> Iterator[Iterable[Mentioned]]:
    """Yield the same, and perhaps what rules of other chains name, of many rules at a time."""
    outlines: dict[str, _Outline] = {}
    for piece in pieces(table, table.runs_in_turn(chains)):
        whole = piece.text
        bulk = read_bulk(whole)
        if bulk is not None:
            form, rows = bulk
            yield form.mentioned(rows)
            continue
        stretch, end = read_stretch(whole), 0
        literals = list(map(unquoted, stretch.literals)) if '"' in whole else stretch.literals
        for number, text in enumerate(stretch.outlines):
            outline = outlines.get(text)
            if outline is None:
                outline = outlines[text] = _outline(text)
            at, end = end, end + outline.holes
            if outline.find is None:
                yield [mentioned_by(piece.rule(number))]
            else:
                yield [outline.find((*literals[at:end], *outline.fixed))]


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
