"""Tables for a terminal."""

from __future__ import annotations

import textwrap
from functools import partial
from typing import TYPE_CHECKING

from iptviz.render.lines import GAP, terminal_text
from iptviz.view.nodes import CaseBranch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.render.lines import StyledLine
    from iptviz.terminal import Style
    from iptviz.view.blocks import Heading, Table, Tree, View
    from iptviz.view.nodes import Below

_BETWEEN = "  "
_NARROWEST = 36
"""Before sentences get narrower than that, other columns are left out."""
_MOODS = {"": "", "good": "", "bad": "bold red"}


def table_text(view: View, style: Style) -> str:
    """Return a view as tables, also of what is a tree elsewhere, with facts and notes."""
    lines = partial(table_lines, width=style.width)
    return terminal_text(
        view,
        style,
        heading=_heading,
        tree=lambda tree: (_cases(tree), lines(tree.flat())),
        table=lines,
        good="",
        note="dim",
    )


def _heading(block: Heading) -> Iterator[StyledLine]:
    yield [(block.text + (f"{GAP}{block.at}" if block.at else ""), "bold")]
    if block.circumstances:
        yield [(block.circumstances, "bold")]


def _cases(tree: Tree) -> Iterator[StyledLine]:
    """Yield when each case comes about."""
    cases = (node.case for node in tree.nodes if isinstance(node, CaseBranch))
    yield from ([(line, "bold")] for case in cases for line in case.lines)


def table_lines(table: Table, width: int) -> Iterator[StyledLine]:
    """Yield the rows of a table that fit a width, and what that costs."""
    if not table.rows:
        return
    grid = _Grid(table)
    spared = grid.spare(width)
    yield grid.line(grid.headings, "bold")
    for row in table.rows:
        yield from grid.lines([cell.text for cell in row.cells], _MOODS[row.mood])
        for line in row.below:
            yield from (
                [(" " * table.indent, ""), (text, "dim")] for text in _below(line, width - table.indent)
            )
    if spared:
        yield [(f"({', '.join(name.lower() for name in spared)} left out to fit this terminal)", "dim")]


def _below(line: Below, width: int) -> list[str]:
    share = f"{line.share:>8}{GAP}" if line.share else ""
    label = f"{line.label}: " if line.label else ""
    text = "  " * line.depth + share + label + line.text
    return _broken(text, width, "  ") if line.label else [text]


def _broken(text: str, width: int, indent: str = "") -> list[str]:
    """Return a text as lines of at most `width` signs, as far as its words allow; later ones are set in."""
    if len(text) <= width:
        return [text]
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


class _Grid:
    """Columns as wide as their widest cell; one that is empty everywhere is left out."""

    def __init__(self, table: Table) -> None:
        self.columns = table.columns
        self.headings = [heading.upper() for heading in table.columns.headings]
        rows = ([cell.text for cell in row.cells] for row in table.rows)
        self.widths = [max(map(len, column)) for column in zip(self.headings, *rows, strict=True)]
        self.used = table.used

    def spare(self, width: int) -> list[str]:
        """Leave out columns, those that can be spared first, until a line fits `width`; return which."""
        gone = []
        for heading in self.columns.spared:
            place = self.columns.headings.index(heading)
            if self._least() > width and place in self.used:
                self.used.remove(place)
                gone.append(heading)
        if self.columns.wrapped:
            self.widths[-1] = min(
                self.widths[-1], max(width - self._total() + self.widths[-1], _NARROWEST // 2)
            )
        return gone

    def _least(self) -> int:
        """Return how wide a line is at least, its sentences broken."""
        return self._total() - (max(self.widths[-1] - _NARROWEST, 0) if self.columns.wrapped else 0)

    def _total(self) -> int:
        return sum(self.widths[place] for place in self.used) + len(_BETWEEN) * (len(self.used) - 1)

    def lines(self, cells: list[str], style: str) -> Iterator[StyledLine]:
        """Yield the lines of a row, several where a sentence is broken."""
        *others, last = cells
        first, *more = _broken(last, self.widths[-1]) if self.columns.wrapped else [last]
        yield self.line([*others, first], style)
        yield from (self.line([*[""] * len(others), text], style) for text in more)

    def line(self, cells: list[str], style: str) -> StyledLine:
        """Return one row."""
        return [(_BETWEEN.join(cells[place].ljust(self.widths[place]) for place in self.used), style)]
