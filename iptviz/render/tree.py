"""The tree: what a person at a terminal reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.terminal import Piece, Style, paint
from iptviz.view.trace import trace_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.questions.graph import GraphResult
    from iptviz.questions.packet import PacketResult
    from iptviz.questions.trace import TraceResult
    from iptviz.view.chain_graph import GraphView
    from iptviz.view.facts import Fact
    from iptviz.view.packet import PacketView
    from iptviz.view.trace import Node, TraceView

Line = list[Piece]

_GAP = "   "
# What stands before a node and before what is below it: for all but the last of its level, and for the last.
_BRANCH, _LAST = ("├── ", "│   "), ("└── ", "    ")
_GUIDE = len(_BRANCH[0])

_STYLES = {
    "case": "bold yellow",
    "chain": "cyan",
    "mark": "magenta",
    "fold": "dim",
    "elided": "dim",
    "verdict": "bold red",
}
_MOODS = {"good": "green", "bad": "bold red"}


class _Sort(NamedTuple):
    """Rows that line up: what a narrow terminal loses, the first first; what may be cut: the last column."""

    drop_order: dict[int, str]
    cut: str = ""


_SORTS = {
    "endpoint": _Sort({3: "the endpoints' chains", 2: "how the shares come about"}),
    "outcome": _Sort({5: "what decided", 4: "the marks"}),
    "step": _Sort({5: "the rules", 2: "their numbers"}, cut="the rules"),
}
_REFUSED = ("bold green", "bold red", "bold", "magenta", "magenta", "dim")
# The kinds of nodes that are rows: of which sort, and the style of each cell.
_ROWS = {
    "endpoint": ("endpoint", ("bold green", "bold", "", "dim", "dim")),
    "wanted": ("endpoint", ("reverse",) * 5),
    "accepted": ("outcome", ("bold green", "bold", *_REFUSED[2:])),
    "refused": ("outcome", _REFUSED),
    "step": ("step", ("cyan", "cyan", "dim", "dim", "", "dim")),
    "miss": ("step", ("dim",) * 6),
}
_WIDEST = 48
"""A cell longer than this does not push the cells to its right in all other rows."""

_LEAST_CUT = 24
"""A column that would be cut to less than this is dropped instead."""


def trace_tree(result: TraceResult, style: Style, *, fold: bool) -> str:
    """Return the tree of a trace."""
    return paint(_lines(trace_view(result, fold=fold), style.width), style)


def packet_tree(result: PacketResult, style: Style, *, fold: bool) -> str:
    """Return the tree of a packet's outcomes."""
    from iptviz.view.packet import packet_view  # a trace shall not wait for it

    return paint(_packet_lines(packet_view(result, fold=fold), style.width), style)


def graph_tree(result: GraphResult, style: Style, *, fold: bool) -> str:
    """Return the tree of a jump graph."""
    from iptviz.view.chain_graph import graph_view
    from iptviz.view.graph_tree import graph_nodes

    view = graph_view(result, fold=fold)
    return paint(_graph_lines(view, graph_nodes(view), style.width), style)


def _graph_lines(view: GraphView, nodes: tuple[Node, ...], width: int) -> Iterator[Line]:
    yield [(view.source, "dim")]
    yield []
    yield [(view.asked, "bold")]
    yield from _Layout(nodes, width).lines()
    yield from _notes(view.notes)


def _lines(view: TraceView, width: int) -> Iterator[Line]:
    yield [(view.source, "dim")]
    for service in view.services:
        yield []
        yield [(service.heading, "bold"), (_GAP, ""), (service.frontend, "bold cyan")]
        yield from _Layout(service.nodes, width).lines()
        yield []
        yield from _facts(service.facts)
    yield from _notes(view.notes)


def _packet_lines(view: PacketView, width: int) -> Iterator[Line]:
    yield [(view.source, "dim")]
    yield []
    yield [(view.asked, "bold"), (_GAP, ""), (view.circumstances, "cyan")]
    yield from _Layout(view.nodes, width).lines()
    yield []
    yield from _facts(view.facts)
    yield from _notes(view.notes)


def _notes(notes: tuple[str, ...]) -> Iterator[Line]:
    if notes:
        yield []
        yield from ([(f"note: {note}", "yellow")] for note in notes)


class _Layout:
    """Lines up the cells of a tree, within a width."""

    def __init__(self, nodes: tuple[Node, ...], width: int) -> None:
        self.nodes = list(_walk(nodes))
        rows: dict[str, list[tuple[int, tuple[str, ...]]]] = {}
        for guide, node in self.nodes:
            if node.kind in _ROWS:
                rows.setdefault(_ROWS[node.kind][0], []).append((len(guide), node.cells))
        self.fits = {sort: _Fit(_SORTS[sort], those, width) for sort, those in rows.items()}
        lined = [len(guide) + len(node.cells[0]) for guide, node in self.nodes if _is_lined(node)]
        longest = max((len(node.cells[1]) for _, node in self.nodes if _is_lined(node)), default=0)
        self.text_width = min(max(lined, default=0), width - longest - len(_GAP))

    def lines(self) -> Iterator[Line]:
        for guide, node in self.nodes:
            if node.kind in _ROWS:
                sort, styles = _ROWS[node.kind]
                yield [(guide, "dim"), *self.fits[sort].row(len(guide), node.cells, styles)]
            else:
                yield from self._text(guide, node)
        for loss in (loss for fit in self.fits.values() for loss in fit.losses()):
            yield [(f"({loss} to fit this terminal)", "dim")]

    def _text(self, guide: str, node: Node) -> Iterator[Line]:
        """Yield a node's text, with its line number set in a column; further lines go below the first."""
        first, *more = node.cells[0].split("\n")
        line = [(guide, "dim"), (first, _STYLES[node.kind])]
        if node.cells[1]:
            padding = self.text_width - len(guide) - len(first) if _is_lined(node) else 0
            line.append((" " * padding + _GAP + node.cells[1], "dim"))
        yield line
        below = guide.replace(_BRANCH[0], _BRANCH[1]).replace(_LAST[0], _LAST[1])
        yield from ([(below, "dim"), (text, _STYLES[node.kind])] for text in more)


class _Fit:
    """How rows of one sort fit: the columns kept (those with anything in them), and where the last is cut."""

    def __init__(self, sort: _Sort, rows: list[tuple[int, tuple[str, ...]]], width: int) -> None:
        self.sort = sort
        self.widths = [
            min(max(map(len, column)), _WIDEST) for column in zip(*(cells for _, cells in rows), strict=True)
        ]
        self.kept = [i for i, widest in enumerate(self.widths) if widest]
        self.dropped: list[str] = []
        self.width = width
        self.cuts = False
        self._shrink(max(depth for depth, _ in rows), max(len(cells[-1]) for _, cells in rows))

    def _shrink(self, indent: int, longest: int) -> None:
        """Cut the last column, whose longest cell is given, or else drop columns, until the rest fits."""
        end = len(self.widths) - 1
        for column, what in self.sort.drop_order.items():
            left = self.width - indent - sum(self.widths[i] + len(_GAP) for i in self.kept[:-1])
            may_cut = bool(self.sort.cut) and self.kept[-1] == end
            needed = longest if may_cut else self.widths[self.kept[-1]]
            self.cuts = may_cut and _LEAST_CUT <= left < needed
            if left >= needed or self.cuts:
                return
            if column in self.kept:
                self.kept.remove(column)
                self.dropped.append(what)

    def row(self, indent: int, cells: tuple[str, ...], styles: tuple[str, ...]) -> Iterator[Piece]:
        """Yield the cells that are kept, shares flush right, the last cut to what is left of the width."""
        used = indent
        for i in self.kept[:-1]:
            flush_right = i == 0 and cells[0].endswith("%")
            text = cells[i].rjust(self.widths[i]) if flush_right else cells[i].ljust(self.widths[i])
            used += len(text) + len(_GAP)
            yield text + _GAP, styles[i]
        last = cells[self.kept[-1]]
        if self.cuts and len(last) > self.width - used:
            last = last[: max(self.width - used - 1, 0)] + "…"
        yield last, styles[self.kept[-1]]

    def losses(self) -> Iterator[str]:
        """Yield what the width has cost."""
        if self.dropped:
            yield f"{' and '.join(self.dropped)} left out"
        if self.cuts:
            yield f"{self.sort.cut} cut"


def _is_lined(node: Node) -> bool:
    """Whether the node's line number is set in the column of line numbers; a verdict is too long for it."""
    return node.kind in {"chain", "mark"}


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


def _facts(facts: tuple[Fact, ...]) -> Iterator[Line]:
    width = max(len(fact.label) for fact in facts)
    for fact in facts:
        yield [(f"{fact.label:{width}}  ", "bold"), (fact.text, _MOODS.get(fact.mood, ""))]
