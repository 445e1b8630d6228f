"""Rules that a text quotes twice, in its prose and in the whole: they count once."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from iptviz.intake.dialect import LineKind
from iptviz.intake.draft import Draft, Piece, chain_of
from iptviz.intake.plain import DumpForm
from iptviz.intake.remark import LineNote, remark
from iptviz.intake.text import split_lines
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

REPEATED = "rule-repeated"
_COUNTERS = re.compile(rb"\[\d+:\d+\] ")


class _Quoted(NamedTuple):
    """A rule of a text: its words, its line, and the number of the unbroken stretch that it stands in."""

    text: bytes
    line: int
    stretch: int


def count_once(drafts: Iterable[Draft], notes: list[LineNote]) -> None:
    """Leave out what stands in several stretches of the lines of a dump that is no whole one.

    Of the same rules the one counts that stands among most rules of its chain. Within one stretch rules may be
    the same, and so may they in `iptables -S` and a diff: some programs write them so.
    """
    loose = [
        draft
        for draft in drafts
        if draft.form == DumpForm.RULES and not (draft.of_rules or draft.of_diff or draft.ended_by_commit)
    ]
    dropped = _dropped(_rules(loose, {line for note in notes for line in _joined(note)}))
    if not dropped:
        return
    for draft in loose:
        draft.pieces = [kept for piece in draft.pieces for kept in _without(piece, dropped)]
    lines = sorted(dropped)
    notes += (LineNote(line, line, REPEATED, skipped=True) for line in lines)
    loose[0].gaps.append(remark("rules-repeated", lines[0], lines=tuple(lines)))


def _joined(note: LineNote) -> Iterable[int]:
    return range(note.first, note.last + 1) if note.reason == "joined" else ()


def _rules(drafts: Iterable[Draft], joined: set[int]) -> list[_Quoted]:
    """Return the rules with their stretches: a line that is no part of one, or empty, ends one."""
    rules: list[_Quoted] = []
    stretch, expected = 0, 0
    for piece in (piece for draft in drafts for piece in draft.pieces if piece.kind is not LineKind.COMMENT):
        while expected in joined:
            expected += 1
        stretch += piece.line != expected
        lines = split_lines(piece.text)
        expected = piece.line + len(lines)
        if piece.kind is LineKind.RULE:
            rules += (
                _Quoted(_COUNTERS.sub(b"", text, count=1).strip(), piece.line + at, stretch)
                for at, text in enumerate(lines)
            )
    return rules


def _dropped(rules: list[_Quoted]) -> set[int]:
    """Return the lines of rules that stand in another stretch, too, among more of their chain."""
    if not rules or rules[0].stretch == rules[-1].stretch:
        return set()
    places: dict[bytes, list[_Quoted]] = defaultdict(list)
    sizes: dict[tuple[bytes, int], int] = defaultdict(int)
    for rule in rules:
        places[rule.text].append(rule)
        sizes[chain_of(rule.text), rule.stretch] += 1
    dropped: set[int] = set()
    for same in places.values():
        chain = chain_of(same[0].text)
        kept = max(same, key=lambda rule: (sizes[chain, rule.stretch], -rule.stretch)).stretch
        dropped |= {rule.line for rule in same if rule.stretch != kept}
    return dropped


def _without(piece: Piece, dropped: set[int]) -> list[Piece]:
    if piece.kind is not LineKind.RULE:
        return [piece]
    lines = split_lines(piece.text)
    if dropped.isdisjoint(range(piece.line, piece.line + len(lines))):
        return [piece]
    return [
        Piece(piece.kind, text, piece.line + at)
        for at, text in enumerate(lines)
        if piece.line + at not in dropped
    ]
