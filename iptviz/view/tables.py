"""Answers as tables: what trees show below each other, in columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.chance import CERTAIN
from iptviz.view.chain_graph import graph_view
from iptviz.view.labels import dump_label
from iptviz.view.numbers import percent
from iptviz.view.packet import packet_view
from iptviz.view.trace import trace_view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.questions.graph import GraphResult
    from iptviz.questions.packet import PacketResult
    from iptviz.questions.trace import TraceResult
    from iptviz.view.facts import Fact
    from iptviz.view.trace import Node

_ENDPOINTS = ("CASE", "SHARE", "ENDPOINT", "HOW", "CHAIN", "LINES")
_OUTCOMES = ("CASE", "SHARE", "VERDICT", "DESTINATION", "SOURCE", "MARK", "DECIDED")
_JUMPS = ("FROM", "TO", "RULES")


class Grid(NamedTuple):
    """Rows below headings, with lines above and facts below; `spared` names the columns that can go first."""

    above: tuple[str, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    facts: tuple[Fact, ...] = ()
    spared: tuple[str, ...] = ()


class TablesView(NamedTuple):
    """A line on the dump, one table or several, and notes."""

    source: str
    grids: tuple[Grid, ...]
    notes: tuple[str, ...]


def trace_tables(result: TraceResult, *, fold: bool) -> TablesView:
    """Return a table of endpoints, and of what gets none, for each frontend."""
    view = trace_view(result, fold=fold)
    grids = (
        Grid(
            (f"{one.heading}   {one.frontend}", *_cases(one.nodes)),
            _ENDPOINTS,
            tuple(_rows(one.nodes, len(_ENDPOINTS))),
            one.facts,
            ("HOW", "LINES", "CHAIN"),
        )
        for one in view.services
    )
    return TablesView(view.source, tuple(grids), view.notes)


def packet_tables(result: PacketResult, *, fold: bool) -> TablesView:
    """Return a table of outcomes."""
    view = packet_view(result, fold=fold)
    above = (view.asked, view.circumstances, *_cases(view.nodes))
    rows = tuple(_rows(view.nodes, len(_OUTCOMES)))
    grid = Grid(above, _OUTCOMES, rows, view.facts, ("MARK", "DECIDED", "SOURCE"))
    return TablesView(view.source, (grid,), view.notes)


def graph_tables(result: GraphResult, *, fold: bool) -> TablesView:
    """Return a table of jumps, and of what leads nowhere."""
    view = graph_view(result, fold=fold)
    names = {one.id: " · ".join(one.lines) for one in view.nodes}
    joined = {end for link in view.links for end in (link.tail, link.head)}
    rows = [(names[link.tail], names[link.head], link.text) for link in view.links]
    rows += [(name, "", "") for place, name in names.items() if place not in joined]
    return TablesView(
        dump_label(result.dump, complete=result.dump.complete),
        (Grid((view.asked,), _JUMPS, tuple(rows)),),
        view.notes,
    )


def _cases(nodes: tuple[Node, ...]) -> Iterator[str]:
    """Yield when each case comes about."""
    for node in nodes:
        if node.kind == "case":
            yield from node.cells[0].split("\n")


def _rows(nodes: tuple[Node, ...], width: int, case: str = "") -> Iterator[tuple[str, ...]]:
    """Yield a row of `width` cells for each endpoint, outcome and refusal below `nodes`."""
    for node in nodes:
        if node.kind == "case":
            letter, colon, _ = node.cells[0].partition(": when ")
            yield from _rows(node.children, width, letter if colon else "")
        elif len(node.cells) == width - 1:
            yield (case, *node.cells)
        elif node.kind in {"verdict", "fold"}:
            yield (case, *_split(node.cells[0]), *[""] * (width - 4), node.cells[1])
        else:
            yield from _rows(node.children, width, case)


def _split(text: str) -> tuple[str, str]:
    """Return the share that a verdict speaks of, and the verdict; a fold speaks of none."""
    share, colon, fate = text.partition(": ")
    return (share.replace("every connection", percent(CERTAIN)), fate) if colon else ("", text)
