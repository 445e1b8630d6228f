"""The rules of a table in pieces of whole lines, so that many are read at once, but never all."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.dump.rule import Rule
from iptviz.intake.text import to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.rule import RuleTable
    from iptviz.intake.index import Span

_PIECES = 200
"""Rules are read in about so many pieces: who is told of each sees how far they have come."""

_OF_A_CHAIN = re.compile(rb"(?:\[[\d:]++\] )?-A (\S++) [^\n]*+\n(?:(?:\[[\d:]++\] )?-A \1 [^\n]*+\n){0,99}")


class Piece:
    """Whole lines of rules, from one byte of a table's text up to another."""

    def __init__(self, table: RuleTable, at: int, end: int) -> None:
        self.table = table
        self._at = at
        self._end = end

    @property
    def line(self) -> int:
        """The line of the first rule."""
        return self.table.lines.at(self._at)

    @property
    def text(self) -> str:
        """The lines, each with a line end."""
        text = to_text(self.table.data[self._at : self._end])
        return text if text.endswith("\n") else f"{text}\n"

    def rule(self, number: int) -> Rule:
        """Return the rule of a line, counted from 0."""
        return Rule(self.table, self._spans[number])

    @cached_property
    def _spans(self) -> list[Span]:
        spans, at = [], self._at
        while at < self._end:
            spans.append((at, self.table.lines.end(at)))
            at = spans[-1][1]
        return spans


def pieces(table: RuleTable, spans: Iterable[Span]) -> Iterator[Piece]:
    """Yield spans of whole lines in pieces, those that follow one another as if they were one."""
    joined = list(_joined(spans))
    size = sum(end - at for at, end in joined) // _PIECES
    for begun, end in joined:
        at = begun
        while at < end:
            after = min(_behind_chain(table, at + size), end)
            yield Piece(table, at, after)
            at = after


def _behind_chain(table: RuleTable, at: int) -> int:
    """Return the end of the line that holds a place, and of the next rules that are of the same chain."""
    after = table.lines.end(at)
    more = _OF_A_CHAIN.match(table.data, table.data.rfind(b"\n", 0, after - 1) + 1)
    return max(after, more.end()) if more else after


def _joined(spans: Iterable[Span]) -> Iterator[Span]:
    begun = ended = 0
    for at, end in spans:
        if at != ended:
            if ended > begun:
                yield begun, ended
            begun = at
        ended = end
    if ended > begun:
        yield begun, ended
