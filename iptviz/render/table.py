"""Tables for a terminal."""

from __future__ import annotations

from functools import partial
from itertools import zip_longest
from typing import TYPE_CHECKING

from iptviz.render.lines import GAP, terminal_text
from iptviz.render.room import broken, columns_of, hung, longest_word, padded
from iptviz.view.nodes import CaseBranch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.render.room import StyledLine
    from iptviz.terminal import Style
    from iptviz.view.blocks import Heading, Table, Tree, View
    from iptviz.view.nodes import Below

_BETWEEN = "  "
_NARROWEST = 36
"""Sentences that would get narrower than that stand below their row."""
_BROKEN_TO = 30
"""So narrow may cells get before a column is left out."""
_MOODS = {"": "", "good": "", "bad": "bold red"}


def table_text(view: View, style: Style) -> str:
    """Return a view as tables, also of what is a tree elsewhere, with facts and notes."""
    lines = partial(table_lines, style=style)
    return terminal_text(
        view,
        style,
        heading=_heading,
        tree=lambda tree: (_cases(tree, style), lines(tree.flat())),
        table=lines,
        good="",
        note="dim",
    )


def _heading(block: Heading) -> Iterator[StyledLine]:
    yield [(block.text + (f"{GAP}{block.at}" if block.at else ""), "bold")]
    if block.circumstances:
        yield [(block.circumstances, "bold")]


def _cases(tree: Tree, style: Style) -> Iterator[StyledLine]:
    """Yield when each case comes about."""
    cases = (node.case for node in tree.nodes if isinstance(node, CaseBranch))
    for line in (line for case in cases for line in case.lines):
        yield from hung([], [(line, "bold")], style, [(" " * 6, "")])


def table_lines(table: Table, style: Style) -> Iterator[StyledLine]:
    """Yield the rows of a table so that they fit, and what that costs."""
    if not table.rows:
        return
    grid = _Grid(table, style)
    yield from grid.lines(grid.headings, "bold")
    for row in table.rows:
        cells = [cell.text for cell in row.cells]
        yield from grid.lines(cells, _MOODS[row.mood])
        for text in grid.below(cells):
            yield from hung([(" " * table.indent, "")], [(text, _MOODS[row.mood])], style)
        for line in row.below:
            yield from _below(line, table.indent, style)
    if grid.spared:
        said = f"(columns left out to fit this terminal: {', '.join(grid.spared)})"
        yield from hung([], [(said, "dim")], style)


def _below(line: Below, indent: int, style: Style) -> Iterable[StyledLine]:
    """Return the lines of what stands below a row; only a sentence is broken."""
    blanks = " " * (indent + 2 * line.depth)
    if line.label or line.is_sentence:
        text = f"{line.label}: {line.text}" if line.label else line.text
        return hung([(blanks, "")], [(text, "dim")], style, [(f"{blanks}  ", "")])
    share = f"{line.share:>8}{GAP}" if line.share else ""
    return [[(blanks, ""), (share + line.text, "dim")]]


class _Grid:
    """Columns as wide as their widest cell, as far as all fit; one that is empty everywhere is left out.

    Where they do not fit, sentences go below their rows first of all; then columns are left out, those that can
    be spared first; what is left is broken at words; and what is still too wide goes below the rows, too.
    """

    def __init__(self, table: Table, style: Style) -> None:
        self.style = style
        self.columns = table.columns
        self.headings = [heading.upper() for heading in table.columns.headings]
        columns = (table.texts(place) for place in range(len(self.headings)))
        self._texts = [
            list(dict.fromkeys((heading, *texts)))
            for heading, texts in zip(self.headings, columns, strict=True)
        ]
        self.widths = [max(columns_of(text, style) for text in column) for column in self._texts]
        self.used = table.used
        self.sentences = len(self._texts) - 1 if table.columns.wrapped else None
        self.moved = list(self._move_sentences())
        self.spared: list[str] = []
        if self._excess(self.widths) > 0:
            self._fit()

    def _excess(self, widths: list[int]) -> int:
        """By how much a line is too long."""
        total = sum(widths[place] for place in self.used) + len(_BETWEEN) * (len(self.used) - 1)
        return total - self.style.width

    def _move_sentences(self) -> Iterator[int]:
        """Take the column of sentences away, and yield its place, where it would get too narrow."""
        if self.sentences is None or self.sentences not in self.used:
            return
        excess = max(self._excess(self.widths), 0)
        if excess > max(self.widths[self.sentences] - _NARROWEST, 0):
            self.used.remove(self.sentences)
            yield self.sentences
        else:
            self.widths[self.sentences] -= excess

    def _fit(self) -> None:
        """Leave columns out, break others, and move what is too wide still, until a line fits."""
        least = [max(longest_word(text, self.style) for text in column) for column in self._texts]
        narrow = [min(width, max(word, _BROKEN_TO)) for width, word in zip(self.widths, least, strict=True)]
        self.spared = list(self._spare(narrow))
        widest = list(self.widths)
        while not self._break(least) and len(self.used) > 1:
            self.moved.insert(0, self.used.pop())
            self.widths = list(widest)

    def _spare(self, narrow: list[int]) -> Iterator[str]:
        """Leave out columns until a line of narrow cells fits, those first that can be spared; yield which."""
        for heading in self.columns.spared:
            place = self.columns.headings.index(heading)
            if self._excess(narrow) > 0 and place in self.used and len(self.used) > 1:
                self.used.remove(place)
                yield self.headings[place]

    def _break(self, least: list[int]) -> bool:
        """Make the widest columns narrower, down to their longest words; tell whether a line fits then."""
        while (excess := self._excess(self.widths)) > 0:
            wide = [place for place in self.used if self.widths[place] > least[place]]
            if not wide:
                return False
            widest, *others = sorted(wide, key=lambda place: -self.widths[place])
            floor = max([least[widest], *(self.widths[place] for place in others[:1])])
            self.widths[widest] -= min(excess, max(self.widths[widest] - floor, 1))
        return True

    def below(self, cells: list[str]) -> Iterator[str]:
        """Yield what of a row goes below it; sentences speak for themselves."""
        for place in self.moved:
            if cells[place]:
                label = "" if place == self.sentences else f"{self.columns.spoken(place)}: "
                yield label + cells[place]

    def lines(self, cells: list[str], mood: str) -> Iterator[StyledLine]:
        """Yield the lines of a row, several where a cell is broken."""
        texts = [cells[place] for place in self.used]
        blanks = [self.widths[place] - columns_of(cells[place], self.style) for place in self.used]
        if min(blanks) >= 0:
            yield [
                (_BETWEEN.join([text + " " * count for text, count in zip(texts, blanks, strict=True)]), mood)
            ]
            return
        parts = (broken(cells[place], self.widths[place], self.style) for place in self.used)
        for line in zip_longest(*parts, fillvalue=""):
            row = (
                padded(text, self.widths[place], self.style)
                for place, text in zip(self.used, line, strict=True)
            )
            yield [(_BETWEEN.join(row), mood)]
