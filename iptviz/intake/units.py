"""The runs of lines that the scanner finds in a text, as units that are put into tables one after another."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from iptviz.intake import index
from iptviz.intake.suspect import odd_places
from iptviz.intake.text import split_lines
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Unit(NamedTuple):
    """A run of lines, the first of them `line`; `odd` is whether a rule in it may have to be repaired."""

    kind: int
    text: bytes
    line: int
    odd: bool


def units_of(data: bytes) -> Iterator[Unit]:
    """Yield the units of a text, in its order and without gaps."""
    line = 1
    places = odd_places(data)
    for run in index.runs(data):
        kind = index.kind_of(run)
        odd = places is None or bisect_left(places, run.start()) < bisect_left(places, run.end())
        if kind == index.DECLARATIONS and (b"\n: " in run[0] or run[0].startswith(b": ")):
            yield from _one_by_one(run[0], line, odd=odd)
        else:
            yield Unit(kind, run[0], line, odd)
        line += data.count(b"\n", *run.span())


def _one_by_one(text: bytes, line: int, *, odd: bool) -> Iterator[Unit]:
    """Yield lines that begin with a colon as units of their own: one before a blank is no declaration."""
    for number, declaration in enumerate(split_lines(text), line):
        kind = index.NOISE if declaration.startswith(b": ") else index.DECLARATIONS
        yield Unit(kind, declaration, number, odd)
