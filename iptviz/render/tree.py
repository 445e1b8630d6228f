"""The tree: what a person at a terminal reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.terminal import Piece, Style, paint
from iptviz.view.trace import trace_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.questions.trace import TraceResult
    from iptviz.view.facts import Fact
    from iptviz.view.trace import Node, ServiceView, TraceView

Line = list[Piece]

_GAP = "   "
# What stands before a node and before what is below it: for all but the last of its level, and for the last.
_BRANCH, _LAST = ("├── ", "│   "), ("└── ", "    ")
_GUIDE = len(_BRANCH[0])

# What an endpoint's row loses on a narrow terminal, the first first.
_DROP_ORDER = {3: "the endpoints' chains", 2: "how the shares come about"}

_STYLES = {"case": "bold yellow", "chain": "cyan", "mark": "magenta", "fold": "dim", "verdict": "bold red"}
_CELL_STYLES = ("bold green", "bold", "", "dim", "dim")
_WANTED = "reverse"
_MOODS = {"good": "green", "bad": "bold red"}


def trace_tree(result: TraceResult, style: Style, *, fold: bool) -> str:
    """Return the tree of a trace."""
    return paint(_lines(trace_view(result, fold=fold), style.width), style)


def _lines(view: TraceView, width: int) -> Iterator[Line]:
    yield [(view.source, "dim")]
    for service in view.services:
        yield []
        yield [(service.heading, "bold"), (_GAP, ""), (service.frontend, "bold cyan")]
        yield from _Layout(service, width).lines()
        yield []
        yield from _facts(service.facts)
    if view.notes:
        yield []
        yield from ([(f"note: {note}", "yellow")] for note in view.notes)


class _Layout:
    """Lines up the cells of a service's tree, within a width."""

    def __init__(self, service: ServiceView, width: int) -> None:
        self.nodes = list(_walk(service.nodes))
        rows = [(len(guide), node.cells) for guide, node in self.nodes if _is_row(node)]
        self.kept = _columns_that_fit(rows, width)
        self.widths = [max((len(cells[i]) for _, cells in rows), default=0) for i in range(len(_CELL_STYLES))]
        lined = [len(guide) + len(node.cells[0]) for guide, node in self.nodes if _is_lined(node)]
        longest = max((len(node.cells[1]) for _, node in self.nodes if _is_lined(node)), default=0)
        self.text_width = min(max(lined, default=0), width - longest - len(_GAP))

    def lines(self) -> Iterator[Line]:
        for guide, node in self.nodes:
            if _is_row(node):
                yield [(guide, "dim"), *self._row(node)]
            else:
                yield from self._text(guide, node)
        dropped = " and ".join(what for column, what in _DROP_ORDER.items() if column not in self.kept)
        if dropped:
            yield [(f"({dropped} left out to fit this terminal)", "dim")]

    def _row(self, node: Node) -> Iterator[Piece]:
        for i in self.kept:
            cell, width = node.cells[i], self.widths[i]
            gap = _GAP if i != self.kept[-1] else ""
            text = cell.rjust(width) if i == 0 else cell.ljust(width)
            yield text + gap, _WANTED if node.kind == "wanted" else _CELL_STYLES[i]

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


def _columns_that_fit(rows: list[tuple[int, tuple[str, ...]]], width: int) -> list[int]:
    """Return the columns of endpoint rows to be shown in `width`; each row comes with its indentation."""
    kept = list(range(len(_CELL_STYLES)))
    widths = [max((len(cells[i]) for _, cells in rows), default=0) for i in kept]
    indent = max((depth for depth, _ in rows), default=0)
    for column in _DROP_ORDER:
        if indent + sum(widths[i] + len(_GAP) for i in kept) - len(_GAP) <= width:
            break
        kept.remove(column)
    return kept


def _is_row(node: Node) -> bool:
    return node.kind in {"endpoint", "wanted"}


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
