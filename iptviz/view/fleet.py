"""The view of a fleet: whether nodes agree, groups of those that do, odd nodes, and what `check` finds."""

from __future__ import annotations

from collections import Counter
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from iptviz.checks.between_nodes import MODES, duration_text
from iptviz.checks.finding import SEVERITIES
from iptviz.checks.wording import listed, text
from iptviz.documents.fleet_odd import named_by, not_compared
from iptviz.documents.fleet_v1 import time_text
from iptviz.questions.wanted import INFO
from iptviz.view.blocks import Fact, Facts, Heading, Notes, Table, View, later
from iptviz.view.heat import heat_map
from iptviz.view.labels import note_texts
from iptviz.view.node_names import node_names
from iptviz.view.nodes import Cell, Columns, TableRow, texts
from iptviz.view.numbers import counted
from iptviz.view.odd_nodes import groups_table, odd_nodes, worst_text
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.fleets.differing import Rightly
    from iptviz.fleets.summary import NodeFacts, Nodes, Noticed
    from iptviz.questions.fleet import FleetResult
    from iptviz.view.blocks import Block, HeatMap
    from iptviz.view.odd_nodes import OddNodes

    Named = Callable[[Nodes], tuple[str, ...]]

CHECKS = Columns("findings", ("SEVERITY", "ID", "NODES", "WHICH", "FINDING"), summary="FINDING", wrapped=True)
UNREADABLE = Columns("unreadable", ("SOURCE", "REASON"), wrapped=True)
_MOST_CHECKS = 12
_MOST_UNREADABLE = 10
_MAP_ROWS, _MAP_COLUMNS = 20, 40
"""So much of the map fits a terminal; a page has more of it."""
_FIRST = {"fleet-tie", "fleet-divided", "fleet-own", "fleet-few", "fleet-incomplete", "fleet-other-cluster"}
"""Remarks without which the verdict would be misread."""


def fleet_view(result: FleetResult, *, fold: bool = True) -> View:
    """Return the view of `result`; unfolded, with all nodes, all their findings, and all groups."""
    heat = heat_map(result)
    return _view(result, fold=fold, of_map=tuple(_map_blocks(heat)))


def fleet_page_view(result: FleetResult, *, fold: bool = True) -> View:
    """Return the same for a page, which shows the map as one of colours."""
    heat = heat_map(result)
    of_map = (Heading("Nodes and service ports", level=2), heat)
    return _view(result, fold=fold, of_map=of_map)


def _view(result: FleetResult, *, fold: bool, of_map: tuple[Block, ...]) -> View:
    named = named_by(result.summary)
    odd = odd_nodes(result)
    return View(
        f"iptviz fleet: {counted(len(result.summary.nodes), 'node')}",
        "",
        (
            *_headed("Groups of nodes", *groups_table(result, odd, named, fold=fold)),
            *of_map,
            Heading("All nodes", level=2),
            Facts(later(lambda: tuple(_facts(result)))),
            *_headed("Findings of check, by cause", *_checks(result, named, fold=fold)),
            *_headed("Not read", *_unreadable(result, fold=fold)),
            Notes(later(lambda: note_texts([note for note in result.notes if note.id not in _FIRST]))),
        ),
        document=result.to_dict,
        lead=(Facts(later(lambda: tuple(_verdict(result, odd, named)))),),
    )


def _headed(heading: str, table: Table, *facts: Fact) -> Iterator[Block]:
    """Yield a table with its heading, and what it leaves out; nothing for one without rows."""
    if table.rows:
        yield Heading(heading, level=2)
        yield table
        yield Facts(lambda: facts)


# --- the verdict ---------------------------------------------------------------------------------------------


def _verdict(result: FleetResult, odd: Sequence[OddNodes], named: Named) -> Iterator[Fact]:
    count = sum(one.nodes.bit_count() for one in odd)
    is_bad = count or not_compared(result) or _incomplete(result)
    yield Fact("Verdict", _verdict_text(result, count), "bad" if is_bad else "good", "verdict")
    if odd:
        yield Fact("Worst", worst_text(result, odd, named), "bad")
    for note in note_texts([note for note in result.notes if note.id in _FIRST]):
        yield Fact("Note", note, "bad")
    if unreadable := len(result.summary.unreadable):
        yield Fact("Not read", f"{counted(unreadable, 'source')} (see below)", "bad")


def _verdict_text(result: FleetResult, odd: int) -> str:
    total, apart = len(result.summary.nodes), not_compared(result).bit_count()
    if not total:
        return "no node read"
    ports = counted(result.compared, "service port")
    if total == 1 and result.truth != "api":
        return f"1 node with {ports}; no other to compare it with"
    cut = _incomplete(result)
    alike = total - odd - apart - cut
    if not result.compared and not odd:
        return f"no service port compared: {counted(total, 'node')} without any that others show"
    of_all = "the node" if total == 1 else f"all {total:,} nodes"
    who = of_all if alike == total else f"{alike:,} of {counted(total, 'node')}"
    agree = "agrees" if alike == 1 else "agree"
    with_api = " with the API" if result.truth == "api" else ""
    return "; ".join(
        (
            f"{who} {agree}{with_api} on {ports}",
            *([f"{counted(odd, 'node')} {'differs' if odd == 1 else 'differ'}"] if odd else []),
            *([counted(cut, "incomplete dump")] if cut else []),
            *([f"{counted(apart, 'node')} not compared"] if apart else []),
        )
    )


def _incomplete(result: FleetResult) -> int:
    """Return how many nodes say nothing otherwise in dumps that lack lines: they may not agree."""
    told = not_compared(result) | reduce(or_, (odd.nodes for odd in result.odd), 0)
    return sum(not node.complete and not told >> place & 1 for place, node in enumerate(result.summary.nodes))


# --- the map -------------------------------------------------------------------------------------------------


def _map_blocks(heat: HeatMap) -> Iterator[Block]:
    """Yield the map as lines of signs, below a ruler that counts the service ports."""
    if len(heat.columns) < 2 or len(heat.rows) < 2:
        return
    count = min(len(heat.columns), _MAP_COLUMNS)
    ruler = "".join(str(number % 10) for number in range(1, count + 1))
    columns = Columns("map", ("NODES", "WHICH", ruler), spared=("NODES",))
    rows = (
        TableRow(texts((f"{len(row.names):,}", row.title, row.states[:count])))
        for row in heat.rows[:_MAP_ROWS]
    )
    yield Heading("Nodes and service ports", level=2)
    yield Table(columns, tuple(rows))
    yield Facts(lambda: tuple(_legend(heat, count)))


def _legend(heat: HeatMap, count: int) -> Iterator[Fact]:
    yield Fact("Signs", ", ".join(f"{sign} {meaning}" for sign, meaning in heat.signs))
    numbered = (f"{number} {column.title}" for number, column in enumerate(heat.columns[:count], 1))
    yield Fact("Columns", ", ".join(numbered))
    if heat.alike:
        yield Fact("Alike", f"{counted(heat.alike, 'service port')} the same on all nodes")
    rows, columns = len(heat.rows) - _MAP_ROWS, len(heat.columns) + heat.left_out - count
    left = [
        *([counted(rows, "row")] if rows > 0 else []),
        *([counted(columns, "column")] if columns > 0 else []),
    ]
    if left:
        yield Fact("More", f"{' and '.join(left)} (-f html, --json)")


# --- facts on all nodes --------------------------------------------------------------------------------------


def _facts(result: FleetResult) -> Iterator[Fact]:
    nodes = result.summary.nodes
    if result.rightly:
        yield Fact("Rightly different", ", ".join(map(_rightly, result.rightly)))
    for label, said in (
        ("Modes", lambda node: [MODES.get(node.mode, node.mode)]),
        ("kube-proxy", lambda node: [node.era]),
        ("Backends", lambda node: [node.backend]),
        ("CNIs", lambda node: node.cnis),
    ):
        if told := _by_count(nodes, said):
            yield Fact(label, told)
    if saved := _saved(result):
        yield Fact("Saved", saved)
    if incomplete := sum(not node.complete for node in nodes):
        yield Fact("Incomplete", f"{incomplete:,} of {counted(len(nodes), 'dump')}")


_WHY = {"local policy": "Local policy", "topology": "topology (zones)", "mode": "modes of kube-proxy"}


def _rightly(one: Rightly) -> str:
    return f"{counted(one.ports, 'service port')} by {printable(_WHY.get(one.why, one.why))}"


def _by_count(nodes: tuple[NodeFacts, ...], said: Callable[[NodeFacts], Iterable[str]]) -> str:
    """Return how many nodes have each value, that of most nodes first; that alone where all have it."""
    counts = Counter(value for node in nodes for value in said(node) if value)
    if not counts:
        return ""
    told = [
        printable(value) if count == len(nodes) else f"{printable(value)} ({count:,})"
        for value, count in sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    ]
    return listed(told, _MOST_VALUES)


_MOST_VALUES = 8


def _saved(result: FleetResult) -> str:
    """Return when the oldest rules were saved, and how much later the newest; empty where nothing tells it."""
    times = sorted((node.saved, node.label) for node in result.summary.nodes if node.saved is not None)
    if not times:
        return ""
    (first, oldest), (last, _) = times[0], times[-1]
    unknown = len(result.summary.nodes) - len(times)
    rest = f"; not known of {counted(unknown, 'node')}" if unknown else ""
    if last - first < 1:
        return f"{time_text(first)}{rest}"
    ends = f"oldest {time_text(first)} ({oldest}), newest {time_text(last)}"
    return printable(f"{ends}, {duration_text(last - first)} apart{rest}")


# --- what check says -----------------------------------------------------------------------------------------


def _checks(result: FleetResult, named: Named, *, fold: bool) -> tuple[Table, *tuple[Fact, ...]]:
    """Return a row for each cause that the same nodes have, and what is left out."""
    causes: dict[tuple[str, str, Nodes], list[Noticed]] = {}
    for one in result.summary.noticed.values():
        if not (fold and one.finding.severity == INFO):
            causes.setdefault((one.finding.severity, one.finding.id, one.nodes), []).append(one)

    def harm(cause: tuple[str, str, Nodes]) -> tuple[int, int, str]:
        return SEVERITIES.index(cause[0]), -cause[2].bit_count(), cause[1]

    ordered = sorted(causes, key=harm)
    shown = ordered[:_MOST_CHECKS] if fold else ordered
    rows = tuple(_cause_row(*cause, causes[cause], named) for cause in shown)
    hidden = sum(one.finding.severity == INFO for one in result.summary.noticed.values()) if fold else 0
    return Table(CHECKS, rows), *_left_out(len(ordered) - len(shown), hidden)


def _left_out(causes: int, info: int) -> Iterator[Fact]:
    said = [
        *([counted(causes, "more cause")] if causes else []),
        *([f"{info:,} of severity info"] if info else []),
    ]
    if said:
        yield Fact("More", f"{', '.join(said)} (--all)")


def _cause_row(severity: str, what: str, nodes: Nodes, found: list[Noticed], named: Named) -> TableRow:
    more = f" (and {counted(len(found) - 1, 'more such finding')})" if len(found) > 1 else ""
    return TableRow(
        (
            Cell("fate", severity),
            Cell("text", what),
            Cell("number", f"{nodes.bit_count():,}"),
            Cell("text", node_names(named(nodes))),
            Cell("text", printable(_said(found[0], named)) + more),
        ),
        mood="bad" if severity in {"critical", "high"} else "",
    )


def _said(one: Noticed, named: Named) -> str:
    """Return what a finding says; where it says something else of other nodes, of which one this is."""
    first = named(one.nodes & -one.nodes)[0]
    return text(one.finding) if one.said else f"e.g. {first}: {text(one.finding)}"


# --- what could not be read ----------------------------------------------------------------------------------


def _unreadable(result: FleetResult, *, fold: bool) -> tuple[Table, *tuple[Fact, ...]]:
    found = result.summary.unreadable
    shown = found[:_MOST_UNREADABLE] if fold and len(found) > _MOST_UNREADABLE + 1 else found
    rows = (TableRow(texts((printable(one.source), printable(one.reason)))) for one in shown)
    left = len(found) - len(shown)
    more = (Fact("More", f"{counted(left, 'more source')} (--all)"),) if left else ()
    return Table(UNREADABLE, tuple(rows)), *more
