"""Lines for a terminal that trees and tables share: the dump, facts, notes, and what parts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.terminal import Span
    from iptviz.view.blocks import Fact, View

    StyledLine = list[Span]

GAP = "   "
"""Between what stands side by side."""


def source_lines(view: View) -> Iterator[StyledLine]:
    """Yield the line on the dump, if it is one that the view is about."""
    if view.source:
        yield [(view.source, "dim")]


def fact_lines(facts: tuple[Fact, ...], good: str) -> Iterator[StyledLine]:
    """Yield a line for each fact, with the labels in a column; `good` is the style of what is."""
    styles = {"": "", "good": good, "bad": "bold red"}
    width = max((len(fact.label) for fact in facts), default=0)
    for fact in facts:
        yield [(f"{fact.label:{width}}  ", "bold"), (fact.text, styles[fact.mood])]


def note_lines(notes: Iterable[str], style: str) -> Iterator[StyledLine]:
    """Yield a line for each note."""
    yield from ([(f"note: {note}", style)] for note in notes)


def parted(parts: Iterable[Iterable[StyledLine]]) -> Iterator[StyledLine]:
    """Yield the lines of all parts that have any, with an empty line between two parts."""
    begun = False
    for part in parts:
        first = True
        for line in part:
            if first and begun:
                yield []
            first, begun = False, True
            yield line
