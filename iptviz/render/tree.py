"""The tree: what a person at a terminal reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.terminal import Style, render
from iptviz.view.trace import Node, trace_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text
    from rich.tree import Tree

    from iptviz.trace import TraceResult
    from iptviz.view.facts import Fact
    from iptviz.view.trace import ServiceView, TraceView

_COLUMN_GAP = "   "
_GUIDE = 4
"""Columns that each level of a rich Tree takes."""

# What an endpoint's row loses on a narrow terminal: its chain first, then how the share comes about.
_DROP_ORDER = (3, 2)

_STYLES = {
    "case": "bold yellow",
    "chain": "cyan",
    "mark": "magenta",
    "fold": "dim",
    "verdict": "bold red",
}
_CELL_STYLES = ("bold green", "bold", "", "dim", "dim")
_MOODS = {"good": "green", "bad": "bold red"}


def trace_tree(result: TraceResult, style: Style, *, fold: bool) -> str:
    """Return the tree of a trace."""
    view = trace_view(result, fold=fold)
    return "".join(_pieces(view, style))


def _pieces(view: TraceView, style: Style) -> Iterator[str]:
    from rich.text import Text

    yield render(Text(view.source, style="dim"), style)
    for service in view.services:
        yield "\n"
        yield render(_tree(service, style), style)
        yield "\n"
        yield render(_facts(service.facts), style)
    if view.notes:
        yield "\n"
        yield render(Text("\n").join(Text(f"note: {note}", style="yellow") for note in view.notes), style)


def _tree(service: ServiceView, style: Style) -> Tree:
    from rich.text import Text
    from rich.tree import Tree

    heading = Text.assemble((service.heading, "bold"), "   ", (service.frontend, "bold cyan"))
    tree = Tree(heading, guide_style="dim")
    _Layout(service.nodes, style.width).fill(tree)
    return tree


class _Layout:
    """Lines up the cells of a service's tree, within a width."""

    def __init__(self, nodes: tuple[Node, ...], width: int) -> None:
        self.nodes = nodes
        self.lines = list(_walk(nodes, 1))
        rows = [(depth, node) for depth, node in self.lines if _is_row(node)]
        self.dropped = self._columns_to_drop(rows, width)
        self.widths = [
            max((len(node.cells[i]) for _, node in rows), default=0) for i in range(len(_CELL_STYLES))
        ]
        lined = [_GUIDE * depth + len(node.cells[0]) for depth, node in self.lines if _is_lined(node)]
        self.text_width = max(lined, default=0)

    @staticmethod
    def _columns_to_drop(rows: list[tuple[int, Node]], width: int) -> set[int]:
        dropped: set[int] = set()
        for column in _DROP_ORDER:
            kept = [i for i in range(len(_CELL_STYLES)) if i not in dropped]
            needed = [
                _GUIDE * depth + sum(len(node.cells[i]) + len(_COLUMN_GAP) for i in kept)
                for depth, node in rows
            ]
            if max(needed, default=0) <= width:
                break
            dropped.add(column)
        return dropped

    def fill(self, tree: Tree) -> None:
        """Add all nodes to `tree`, without recursion: an edited dump may be deep."""
        pending = [(tree, 1, node) for node in reversed(self.nodes)]
        while pending:
            parent, depth, node = pending.pop()
            branch = parent.add(self._text(node, depth))
            pending += [(branch, depth + 1, child) for child in reversed(node.children)]

    def _text(self, node: Node, depth: int) -> Text:
        from rich.text import Text

        if _is_row(node):
            return self._row(node)
        text = Text(node.cells[0], style=_STYLES[node.kind])
        if node.cells[1]:
            padding = self.text_width - _GUIDE * depth - len(node.cells[0]) if _is_lined(node) else 0
            text.append(" " * padding + _COLUMN_GAP + node.cells[1], style="dim")
        return text

    def _row(self, node: Node) -> Text:
        from rich.text import Text

        row = Text(style="reverse" if node.kind == "wanted" else "")
        for i, cell in enumerate(node.cells):
            if i in self.dropped:
                continue
            padded = cell.rjust(self.widths[i]) if i == 0 else cell.ljust(self.widths[i])
            row.append(padded, style=_CELL_STYLES[i])
            row.append(_COLUMN_GAP)
        row.rstrip()
        return row


def _is_row(node: Node) -> bool:
    return node.kind in {"endpoint", "wanted"}


def _is_lined(node: Node) -> bool:
    """Whether the node's line number is set in the column of line numbers; a verdict is too long for it."""
    return node.kind in {"chain", "mark"}


def _walk(nodes: tuple[Node, ...], depth: int) -> Iterator[tuple[int, Node]]:
    pending = [(depth, node) for node in reversed(nodes)]
    while pending:
        level, node = pending.pop()
        yield level, node
        pending += [(level + 1, child) for child in reversed(node.children)]


def _facts(facts: tuple[Fact, ...]) -> Text:
    from rich.text import Text

    width = max(len(fact.label) for fact in facts)
    text = Text()
    for fact in facts:
        text.append(f"{fact.label:{width}}  ", style="bold")
        text.append(fact.text + "\n", style=_MOODS.get(fact.mood, ""))
    text.rstrip()
    return text
