"""A view in lines for a terminal, as trees and tables share it: the dump, facts, notes, and what parts them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.terminal import paint
from iptviz.view.blocks import Facts, Heading, Notes, Table, Tree
from iptviz.view.text import note_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.terminal import Span, Style
    from iptviz.view.blocks import Block, Fact, View

    StyledLine = list[Span]

GAP = "   "
"""Between what stands side by side."""


def terminal_text(
    view: View,
    style: Style,
    *,
    heading: Callable[[Heading], Iterable[StyledLine]],
    tree: Callable[[Tree], Iterable[Iterable[StyledLine]]],
    table: Callable[[Table], Iterable[StyledLine]],
    good: str,
    note: str,
) -> str:
    """Return a view with an empty line between its parts.

    `heading` returns the lines of a heading, which stand right above a tree or facts, `tree` the parts of a tree,
    `table` the lines of a table; `good` is the style of facts that are good, `note` that of notes.
    """

    def lines(block: Block) -> Iterable[StyledLine]:
        match block:
            case Table():
                return table(block)
            case Facts():
                return _fact_lines(block.facts, good)
            case Notes():
                return ([(note_line(text), note)] for text in block.texts)
            case _:
                return ()

    def parts() -> Iterator[Iterable[StyledLine]]:
        yield [[(view.source, "dim")]] if view.source else []
        above: list[StyledLine] = []
        for block in view.blocks:
            if isinstance(block, Heading):
                above += heading(block)
                continue
            first, *others = tree(block) if isinstance(block, Tree) else [lines(block)]
            if isinstance(block, Tree | Facts):
                yield (*above, *first)
            else:
                yield above
                yield first
            yield from others
            above = []

    return paint(_parted(parts()), style)


def _fact_lines(facts: tuple[Fact, ...], good: str) -> Iterator[StyledLine]:
    """Yield a line for each fact, with the labels in a column; `good` is the style of what is."""
    styles = {"": "", "good": good, "bad": "bold red"}
    width = max((len(fact.label) for fact in facts), default=0)
    for fact in facts:
        beside = styles["bad"] if fact.mood == "bad" else "bold"
        yield [(f"{fact.label:{width}}  ", beside), (fact.text, styles[fact.mood])]


def _parted(parts: Iterable[Iterable[StyledLine]]) -> Iterator[StyledLine]:
    """Yield the lines of all parts that have any, with an empty line between two parts."""
    begun = False
    for part in parts:
        first = True
        for line in part:
            if first and begun:
                yield []
            first, begun = False, True
            yield line
