"""The tree: what a person at a terminal reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.render.lines import GAP, terminal_text
from iptviz.render.room import columns_of, cut, hung, padded
from iptviz.view.nodes import CaseBranch, TreeRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.render.room import StyledLine
    from iptviz.terminal import Style
    from iptviz.view.blocks import Heading, Table, View
    from iptviz.view.nodes import Cell, Columns, Node, Spoken

# What stands before a node and before what is below it: for all but the last of its level, and for the last.
_BRANCH, _LAST = ("├── ", "│   "), ("└── ", "    ")

_STYLES = {
    "case": "bold yellow",
    "hook": "bold yellow",
    "chain": "cyan",
    "mark": "magenta",
    "fold": "dim",
    "elided": "dim",
    "verdict": "bold red",
    "missing": "bold red",
}
_LINED = {"chain", "mark"}
"""Their line numbers are set in a column; those of others, whose texts are long, stand behind them."""

_CELLS = {
    "share": "bold green",
    "address": "bold",
    "fate": "bold",
    "rewrite": "magenta",
    "table": "cyan",
    "place": "cyan",
    "chain": "dim",
    "number": "dim",
    "line": "dim",
    "rule": "dim",
    "text": "",
}
# Kinds of rows that stand out as a whole, or by one of their cells.
_ROWS = {"wanted": dict.fromkeys(_CELLS, "reverse"), "miss": dict.fromkeys(_CELLS, "dim")}
_ROWS["refused"] = _CELLS | {"fate": "bold red"}

_WIDEST = 48
"""A cell longer than this does not push the cells to its right in all other rows."""

_LEAST_CUT = 24
"""A column that would be cut to less than this is dropped instead."""

_SET_IN = "    "
"""What stands before the later lines of a text, behind the guide."""


def tree_text(view: View, style: Style) -> str:
    """Return a view as a tree below each heading, with facts and notes."""

    def table(block: Table) -> Iterator[StyledLine]:
        from iptviz.render.table import table_lines  # few trees have one

        return table_lines(block, style)

    return terminal_text(
        view,
        style,
        heading=_heading,
        tree=lambda tree: [_Layout(tree.nodes, style).lines()],
        table=table,
        good="green",
        note="yellow",
    )


def _heading(block: Heading) -> list[StyledLine]:
    beside = [(block.at, "bold cyan"), (block.circumstances, "cyan")]
    line: StyledLine = [(block.text, "bold")]
    for text, style in beside:
        line += [(GAP, ""), (text, style)] if text else []
    return [line]


class _Layout:
    """Lines up the cells of a tree, within a width."""

    def __init__(self, nodes: tuple[Node, ...], style: Style) -> None:
        self.style = style
        self.nodes = list(_walk(nodes))
        rows: dict[str, list[tuple[int, TreeRow]]] = {}
        for guide, node in self.nodes:
            if isinstance(node, TreeRow):
                rows.setdefault(node.columns.name, []).append((len(guide), node))
        self.fits = {name: _Fit(those[0][1].columns, those, style) for name, those in rows.items()}
        lined = [
            (guide, node)
            for guide, node in self.nodes
            if not isinstance(node, TreeRow) and node.kind in _LINED
        ]
        longest = max((len(node.line) for _, node in lined), default=0)
        texts = (len(guide) + columns_of(node.text, style) for guide, node in lined)
        self.text_width = min(max(texts, default=0), style.width - longest - len(GAP))

    def lines(self) -> Iterator[StyledLine]:
        for guide, node in self.nodes:
            below = guide.replace(_BRANCH[0], _BRANCH[1]).replace(_LAST[0], _LAST[1])
            if isinstance(node, TreeRow):
                yield from self.fits[node.columns.name].lines(guide, below, node)
            else:
                yield from self._text(guide, below, node)
        for loss in (loss for fit in self.fits.values() for loss in fit.losses()):
            yield from hung([], [(f"({loss} to fit this terminal)", "dim")], self.style)

    def _text(self, guide: str, below: str, node: Spoken) -> Iterator[StyledLine]:
        """Yield a node's text, with its line number set in a column; further lines go below the first."""
        texts = node.case.lines if isinstance(node, CaseBranch) else (node.text,)
        set_in: StyledLine = [(below + _SET_IN, "dim")]
        for before, text in zip((guide, *[below] * len(texts)), texts, strict=False):
            line = [(text, _STYLES[node.kind])]
            if node.line:
                room = self.text_width - len(guide) if node.kind in _LINED else 0
                behind = " " * max(room - columns_of(text, self.style), 0) + GAP + node.line
                line.append((behind, "dim"))
            yield from hung([(before, "dim")], line, self.style, set_in)


class _Fit:
    """How rows of one sort fit: the columns kept (those with anything in them), and where the last is cut."""

    def __init__(self, columns: Columns, rows: list[tuple[int, TreeRow]], style: Style) -> None:
        self.columns = columns
        self.style = style
        cells = zip(*(row.cells for _, row in rows), strict=True)
        widths = (max(columns_of(cell.text, style) for cell in column) for column in cells)
        self.widths = [min(width, _WIDEST) for width in widths]
        self.kept = [i for i, widest in enumerate(self.widths) if widest]
        self.dropped: list[str] = []
        self.cuts = False
        longest = max(columns_of(row.cells[-1].text, style) for _, row in rows)
        self._shrink(max(depth for depth, _ in rows), longest)

    def _shrink(self, indent: int, longest: int) -> None:
        """Cut the last column, whose longest cell is given, or else drop columns, until the rest fits."""
        end = len(self.widths) - 1
        for heading, what in self.columns.losses:
            left = self.style.width - indent - sum(self.widths[i] + len(GAP) for i in self.kept[:-1])
            may_cut = bool(self.columns.cut) and self.kept[-1] == end
            needed = longest if may_cut else self.widths[self.kept[-1]]
            self.cuts = may_cut and _LEAST_CUT <= left < needed
            if left >= needed or self.cuts:
                return
            column = self.columns.headings.index(heading)
            if column in self.kept:
                self.kept.remove(column)
                self.dropped.append(what)

    def lines(self, guide: str, below: str, row: TreeRow) -> Iterator[StyledLine]:
        """Yield the lines of a row: the cells that are kept, the last of which may be cut or broken."""
        styles = _ROWS.get(row.kind, _CELLS)
        *others, last = (row.cells[place] for place in self.kept)
        line: StyledLine = [(guide, "dim")]
        for place, cell in zip(self.kept, others, strict=False):
            line.append((self._padded(cell, self.widths[place]) + GAP, styles[cell.kind]))
        taken = sum(columns_of(text, self.style) for text, _ in line)
        room = self.style.width - taken
        if self.cuts:
            yield [*line, (cut(last.text, room, self.style), styles[last.kind])]
        elif room >= _LEAST_CUT:
            blanks = " " * (taken - len(guide))
            yield from hung(line, [(last.text, styles[last.kind])], self.style, [(below + blanks, "dim")])
        else:
            cells = [*line[1:], (last.text, styles[last.kind])]
            yield from hung(line[:1], cells, self.style, [(below + _SET_IN, "dim")])

    def _padded(self, cell: Cell, width: int) -> str:
        return padded(cell.text, width, self.style, right=cell.kind == "share")

    def losses(self) -> Iterator[str]:
        """Yield what the width has cost."""
        if self.dropped:
            yield f"{' and '.join(self.dropped)} left out"
        if self.cuts:
            yield f"{self.columns.cut} cut"


def _walk(nodes: tuple[Node, ...]) -> Iterator[tuple[str, Node]]:
    """Yield every node with the guide that stands before it."""
    pending = _level("", nodes)
    while pending:
        branch, below, node = pending.pop()
        yield branch, node
        pending += _level(below, node.children)


def _level(indent: str, nodes: tuple[Node, ...]) -> list[tuple[str, str, Node]]:
    """Return the nodes of one level, the last first, with the guides before each and before what is below."""
    guides = [_BRANCH] * (len(nodes) - 1) + [_LAST]
    return [(indent + at, indent + below, node) for (at, below), node in zip(guides, nodes, strict=False)][
        ::-1
    ]
