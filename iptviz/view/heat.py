"""Nodes of a fleet by the service ports that differ between them: a sign for each, equal rows as one."""

from __future__ import annotations

from functools import reduce
from operator import or_
from typing import TYPE_CHECKING

from iptviz.checks.finding import SEVERITIES
from iptviz.documents.fleet_odd import members, not_compared, port_name
from iptviz.fleets.summary import labels
from iptviz.records import NamedTuple
from iptviz.view.blocks import HeatColumn, HeatMap, HeatRow
from iptviz.view.node_names import node_names
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.fleets.differing import OddFinding
    from iptviz.fleets.summary import Nodes
    from iptviz.questions.fleet import FleetResult

SAME, MISSING, EXTRA, BOTH, GONE, SURPLUS, OTHER, NODE, UNTOLD = ".-+*XS~!?"
"""A sign for each state of a service port on a node."""

MEANINGS = {
    SAME: "as it should be",
    MISSING: "endpoints missing",
    EXTRA: "extra endpoints",
    BOTH: "endpoints missing and extra",
    GONE: "service missing",
    SURPLUS: "extra service",
    OTHER: "other property or shares, or no majority",
    NODE: "the node itself: mode, release, hooks",
    UNTOLD: "not shown, or not compared",
}
HARMFUL = {GONE, MISSING, EXTRA, BOTH}

_MOST_PIECES = 2
"""So many pieces name the nodes of a row, which is to be as low as a line."""

_SIGNS = {
    "service-missing": GONE,
    "service-extra": SURPLUS,
    "endpoint-missing": MISSING,
    "endpoint-extra": EXTRA,
    "share-differs": OTHER,
    "property-differs": OTHER,
    "no-majority": OTHER,
}
"""The sign of each finding about a service."""

MOST_COLUMNS = 500
"""So many service ports are in a map at most, so that a page of thousands of nodes stays small."""

_OF_NODE = "the node itself"

PortOf = tuple[str, str, str]
"""By what findings are about the same service port: family, name, protocol; all empty: about the node."""


class _States(NamedTuple):
    """What a service port is on the nodes that have it otherwise; each node is in one of the states."""

    by_sign: tuple[tuple[str, Nodes], ...]
    is_node: bool = False

    @property
    def size(self) -> int:
        """On how many nodes something is wrong."""
        return sum(nodes.bit_count() for sign, nodes in self.by_sign if sign != UNTOLD)


def heat_map(result: FleetResult) -> HeatMap:
    """Return the map of a fleet; columns and rows stand in the order of harm, after the nodes that have none."""
    severity, names = _columns(result)
    ordered = sorted(names, key=lambda one: (severity[one], -one.size, -len(names[one]), names[one]))
    shown = ordered[:MOST_COLUMNS]
    rows = tuple(_rows(labels(result.summary.nodes), shown))
    used = set().union(*(row.states for row in rows))
    signs = tuple((sign, meaning) for sign, meaning in MEANINGS.items() if sign in used)
    columns = tuple(HeatColumn(tuple(names[one]), one.is_node) for one in shown)
    differing = sum(len(those) for one, those in names.items() if not one.is_node)
    alike = max(result.compared - differing, 0)
    return HeatMap(columns, rows, signs, alike, sum(len(names[one]) for one in ordered[MOST_COLUMNS:]))


def _columns(result: FleetResult) -> tuple[dict[_States, int], dict[_States, list[str]]]:
    """Return for each way in which ports differ how bad it is at worst (0: most severe), and their names."""
    several = len({odd.family for odd in result.odd if odd.family}) > 1
    by_port: dict[PortOf, list[OddFinding]] = {}
    for odd in result.odd:
        by_port.setdefault(port_of(odd), []).append(odd)
    severities: dict[_States, int] = {}
    names: dict[_States, list[str]] = {}
    apart = not_compared(result)
    for port, found in by_port.items():
        untold = apart | _not_shown_on(result, found[0])
        states = _States(tuple(_states(found, untold)), is_node=not any(port))
        severity = min(SEVERITIES.index(odd.severity) for odd in found)
        severities[states] = min(severities.get(states, severity), severity)
        names.setdefault(states, []).append(port_label(port, several=several))
    return severities, names


def port_of(odd: OddFinding) -> PortOf:
    """Return by what findings are about the same service port."""
    if odd.service is None:
        return ("", "", "")
    return odd.family, port_name(odd), odd.protocol


def port_label(port: PortOf, *, several: bool) -> str:
    """Return what a port is called; `several`: there are ports of both families."""
    family, name, _ = port
    return printable(f"{name} {family}" if several and family else name or _OF_NODE)


def _not_shown_on(result: FleetResult, odd: OddFinding) -> Nodes:
    """Return the nodes whose rules do not show a service port; none of them where that is not known."""
    if odd.service is None or not odd.service.text or odd.id == "service-extra":
        return 0  # where a port is too much on some nodes, those that do not have it are right
    forms = result.summary.ports.get((odd.family, *odd.service[:3], odd.protocol))
    everywhere = (1 << len(result.summary.nodes)) - 1
    return everywhere & ~reduce(or_, forms.values()) if forms else 0


def _states(found: Iterable[OddFinding], not_shown: Nodes) -> Iterator[tuple[str, Nodes]]:
    """Yield the nodes that are in each state but the usual one: each node is in one."""
    by_sign: dict[str, Nodes] = {}
    for odd in found:
        sign = _SIGNS.get(odd.id, NODE)
        by_sign[sign] = by_sign.get(sign, 0) | odd.nodes
    by_sign[BOTH] = by_sign.get(MISSING, 0) & by_sign.get(EXTRA, 0)
    by_sign[UNTOLD] = not_shown
    taken: Nodes = 0
    for sign in _ORDER:
        if nodes := by_sign.get(sign, 0) & ~taken:
            yield sign, nodes
        taken |= nodes


_ORDER = (GONE, SURPLUS, BOTH, MISSING, EXTRA, OTHER, NODE, UNTOLD)
"""The states, those first that count where a node is in several."""


def _rows(names: Sequence[str], columns: Sequence[_States]) -> Iterator[HeatRow]:
    """Yield nodes with equal rows together: those without any harm first, then the most harmful."""
    table = [bytearray(SAME.encode() * len(columns)) for _ in names]
    for place, column in enumerate(columns):
        for sign, nodes in column.by_sign:
            for node in members(nodes):
                table[node][place] = ord(sign)
    alike: dict[bytes, list[str]] = {}
    for name, states in zip(names, table, strict=True):
        alike.setdefault(bytes(states), []).append(name)

    def order(row: tuple[bytes, list[str]]) -> tuple[bool, int, int]:
        harm = sum(row[0].count(sign.encode()) for sign in HARMFUL)
        odd = len(row[0]) - row[0].count(SAME.encode()) - row[0].count(UNTOLD.encode())
        return odd > 0, -harm, -len(row[1])

    for row, those in sorted(alike.items(), key=order):
        yield HeatRow(node_names(those, _MOST_PIECES), tuple(map(printable, those)), row.decode())
