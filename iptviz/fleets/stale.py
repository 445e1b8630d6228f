"""Nodes whose rules stand still: they lead to endpoints that are gone, and not to those that came."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from iptviz.fleets.differing import OddFinding
from iptviz.fleets.summary import places

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.fleets.differing import FleetId
    from iptviz.fleets.summary import Nodes, Summary

_LEAST_SERVICES = 2
"""Of so many services a node must have what is gone: one may be in the middle of a roll-out."""

_LATER = 600.0
"""So many seconds before the others rules were saved earlier, and are not out of date."""


def standing_still(summary: Summary, odd: Sequence[OddFinding]) -> Iterator[OddFinding]:
    """Yield nodes that of several services have endpoints that they should not have, and lack others."""
    extra, missing = (_by_node(odd, id_) for id_ in ("endpoint-extra", "endpoint-missing"))
    saved = [node.saved for node in summary.nodes if node.saved is not None]
    usual = median(saved) if saved else 0.0
    by_values: dict[tuple[int, int], Nodes] = {}
    for place in sorted(extra.keys() & missing.keys()):
        both = extra[place] & missing[place]
        if len({one[1:3] for one in both}) >= _LEAST_SERVICES:
            behind = usual - (summary.nodes[place].saved or usual)
            values = len(both), int(behind) if behind >= _LATER else 0
            by_values[values] = by_values.get(values, 0) | 1 << place
    for (ports, seconds), nodes in by_values.items():
        yield OddFinding(
            "stale-node", "critical", "", None, "", None, (), nodes, len(summary.nodes),
            (("ports", ports), ("seconds", seconds)),
        )  # fmt: skip


def _by_node(odd: Sequence[OddFinding], id_: FleetId) -> dict[int, set[tuple[str, ...]]]:
    """Return for each node the service ports of which something is said."""
    found: dict[int, set[tuple[str, ...]]] = {}
    for one in odd:
        if one.id == id_ and one.service is not None:
            named = one.service.namespace, one.service.name or one.at, one.service.port_name
            for place in places(one.nodes):
                found.setdefault(place, set()).add((one.family, *named, one.protocol))
    return found
