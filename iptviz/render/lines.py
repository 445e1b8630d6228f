"""A view in lines for a terminal, as trees and tables share it: the dump, facts, notes, and what parts them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from iptviz.render.room import columns_of, hung, padded
from iptviz.terminal import paint
from iptviz.view.blocks import Facts, Heading, Notes, Table, Tree
from iptviz.view.changes import Changes
from iptviz.view.text import note_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.render.room import StyledLine
    from iptviz.terminal import Style
    from iptviz.view.blocks import Block, Fact, View
    from iptviz.view.changes import ChangeLine

GAP = "   "
"""Between what stands side by side."""
_HUNG: StyledLine = [("    ", "")]
"""What stands before the later lines of what is too long for one."""
_NOTE = "note: "


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
    """Return a view with an empty line between its parts; sentences longer than a line are broken.

    `heading` returns the lines of a heading, which stand right above a tree or facts, `tree` the parts of a tree,
    `table` the lines of a table; `good` is the style of facts that are good, `note` that of notes.
    """
    makers: dict[type, Callable[[Any], Iterable[StyledLine]]] = {
        Table: table,
        Facts: lambda block: _fact_lines(block.facts, good, style),
        Notes: lambda block: _note_lines(block.texts, note, style),
        Changes: lambda block: _change_lines(block.lines, style),
    }

    def lines(block: Block) -> Iterable[StyledLine]:
        make = makers.get(type(block))
        return make(block) if make else ()

    def parts(blocks: tuple[Block, ...]) -> Iterator[Iterable[StyledLine]]:
        above: list[StyledLine] = []
        for block in blocks:
            if isinstance(block, Heading):
                above += _fitting(heading(block), style)
                continue
            first, *others = tree(block) if isinstance(block, Tree) else [lines(block)]
            if isinstance(block, Tree | Facts | Changes):
                yield (*above, *first)
            else:
                yield above
                yield first
            yield from others
            above = []

    source = [_fitting([[(view.source, "dim")]], style)] if view.source else []
    return paint(_parted(chain(parts(view.lead), source, parts(view.blocks))), style)


def _fitting(lines: Iterable[StyledLine], style: Style) -> Iterator[StyledLine]:
    """Yield lines, those broken that are too long."""
    for line in lines:
        yield from hung([], line, style, _HUNG)


def _note_lines(texts: Iterable[str], note: str, style: Style) -> Iterator[StyledLine]:
    """Yield the lines of each note; `note` is the style of all."""
    for text in texts:
        yield from hung([], [(note_line(text), note)], style, [(" " * len(_NOTE), "")])


def _fact_lines(facts: tuple[Fact, ...], good: str, style: Style) -> Iterator[StyledLine]:
    """Yield the lines of each fact, with the labels in a column; `good` is the style of what is."""
    styles = {"": "", "good": good, "bad": "bold red"}
    width = max((columns_of(fact.label, style) for fact in facts), default=0)
    for fact in facts:
        beside = styles["bad"] if fact.mood == "bad" else "bold"
        label = padded(fact.label, width, style) + "  "
        yield from hung([(label, beside)], [(fact.text, styles[fact.mood])], style)


_SIGNED = {"+": "green", "-": "red", "~": "yellow", "": ""}
"""The colour of a line of what changed, by its sign."""


def _change_lines(lines: Iterable[ChangeLine], style: Style) -> Iterator[StyledLine]:
    """Yield the lines of what changed; words that differ stand out by colour."""
    for line in lines:
        how = "bold red" if line.is_bad else _SIGNED[line.sign]
        blanks = "  " * line.depth
        place = [(f"{GAP}({line.place})", "dim")] if line.place else []
        pieces = [(text, f"{how} bold reverse".strip() if differs else how) for text, differs in line.pieces]
        sign = f"{line.sign or ' '} " if line.sign or line.depth else ""
        yield from hung([(blanks + sign, how)], [*pieces, *place], style, [(f"{blanks}    ", "")])


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
