"""The tree: what a person at a terminal reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.render.lines import GAP, terminal_text
from iptviz.view.nodes import CaseBranch, TreeRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.render.lines import StyledLine
    from iptviz.terminal import Span, Style
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


def tree_text(view: View, style: Style) -> str:
    """Return a view as a tree below each heading, with facts and notes."""

    def table(block: Table) -> Iterator[StyledLine]:
        from iptviz.render.table import table_lines  # few trees have one

        return table_lines(block, style.width)

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
        width, ellipsis = style.width, "..." if style.ascii_only else "…"
        self.nodes = list(_walk(nodes))
        rows: dict[str, list[tuple[int, TreeRow]]] = {}
        for guide, node in self.nodes:
            if isinstance(node, TreeRow):
                rows.setdefault(node.columns.name, []).append((len(guide), node))
        self.fits = {name: _Fit(those[0][1].columns, those, width, ellipsis) for name, those in rows.items()}
        lined = [
            (guide, node)
            for guide, node in self.nodes
            if not isinstance(node, TreeRow) and node.kind in _LINED
        ]
        longest = max((len(node.line) for _, node in lined), default=0)
        texts = (len(guide) + len(node.text) for guide, node in lined)
        self.text_width = min(max(texts, default=0), width - longest - len(GAP))

    def lines(self) -> Iterator[StyledLine]:
        for guide, node in self.nodes:
            if isinstance(node, TreeRow):
                yield [(guide, "dim"), *self.fits[node.columns.name].row(len(guide), node)]
            else:
                yield from self._text(guide, node)
        for loss in (loss for fit in self.fits.values() for loss in fit.losses()):
            yield [(f"({loss} to fit this terminal)", "dim")]

    def _text(self, guide: str, node: Spoken) -> Iterator[StyledLine]:
        """Yield a node's text, with its line number set in a column; further lines go below the first."""
        first, *more = node.case.lines if isinstance(node, CaseBranch) else (node.text,)
        line = [(guide, "dim"), (first, _STYLES[node.kind])]
        if node.line:
            padding = self.text_width - len(guide) - len(first) if node.kind in _LINED else 0
            line.append((" " * padding + GAP + node.line, "dim"))
        yield line
        below = guide.replace(_BRANCH[0], _BRANCH[1]).replace(_LAST[0], _LAST[1])
        yield from ([(below, "dim"), (text, _STYLES[node.kind])] for text in more)


class _Fit:
    """How rows of one sort fit: the columns kept (those with anything in them), and where the last is cut."""

    def __init__(self, columns: Columns, rows: list[tuple[int, TreeRow]], width: int, ellipsis: str) -> None:
        self.columns = columns
        self.ellipsis = ellipsis
        cells = zip(*(row.cells for _, row in rows), strict=True)
        self.widths = [min(max(len(cell.text) for cell in column), _WIDEST) for column in cells]
        self.kept = [i for i, widest in enumerate(self.widths) if widest]
        self.dropped: list[str] = []
        self.width = width
        self.cuts = False
        self._shrink(max(depth for depth, _ in rows), max(len(row.cells[-1].text) for _, row in rows))

    def _shrink(self, indent: int, longest: int) -> None:
        """Cut the last column, whose longest cell is given, or else drop columns, until the rest fits."""
        end = len(self.widths) - 1
        for heading, what in self.columns.losses:
            left = self.width - indent - sum(self.widths[i] + len(GAP) for i in self.kept[:-1])
            may_cut = bool(self.columns.cut) and self.kept[-1] == end
            needed = longest if may_cut else self.widths[self.kept[-1]]
            self.cuts = may_cut and _LEAST_CUT <= left < needed
            if left >= needed or self.cuts:
                return
            column = self.columns.headings.index(heading)
            if column in self.kept:
                self.kept.remove(column)
                self.dropped.append(what)

    def row(self, indent: int, row: TreeRow) -> Iterator[Span]:
        """Yield the cells that are kept, shares flush right, the last cut to what is left of the width."""
        styles = _ROWS.get(row.kind, _CELLS)
        used = indent
        for i in self.kept[:-1]:
            text = _padded(row.cells[i], self.widths[i]) + GAP
            used += len(text)
            yield text, styles[row.cells[i].kind]
        last = row.cells[self.kept[-1]]
        text = last.text
        if self.cuts and len(text) > self.width - used:
            text = text[: max(self.width - used - len(self.ellipsis), 0)] + self.ellipsis
        yield text, styles[last.kind]

    def losses(self) -> Iterator[str]:
        """Yield what the width has cost."""
        if self.dropped:
            yield f"{' and '.join(self.dropped)} left out"
        if self.cuts:
            yield f"{self.columns.cut} cut"


def _padded(cell: Cell, width: int) -> str:
    return cell.text.rjust(width) if cell.kind == "share" else cell.text.ljust(width)


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
