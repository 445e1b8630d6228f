"""The document `iptviz.fleet.v1`: what `iptviz fleet --json` prints. Fields may be added only."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from iptviz.checks.finding import SEVERITIES
from iptviz.checks.wording import sentences
from iptviz.documents.fleet_odd import members, named_by, odd_advice, odd_text
from iptviz.documents.shapes import Shape, findings_shape, frontend_form_shape, service_shape
from iptviz.fleets.summary import labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.fleets.differing import OddFinding
    from iptviz.fleets.summary import NodeFacts, Nodes
    from iptviz.questions.fleet import FleetResult

    Named = Callable[[Nodes], tuple[str, ...]]


def document(result: FleetResult) -> Shape:
    """Return the document as a dict.

    Nodes are named in `nodes` as everywhere else: by their name, else by what stands in for it. `compared` counts
    service ports, `truth` is `majority` or `api`. `rightly` says why some ports are different and shall be.
    A finding of `checks` has the evidence of `example`, one of its nodes.
    """
    named = named_by(result.summary)
    findings = [_finding_shape(result, odd, named(odd.nodes)) for odd in result.odd]
    checks = list(_checks(result, named))
    counts = Counter(found["severity"] for found in (*findings, *(checks if result.checks_count else ())))
    return {
        "schema": "iptviz.fleet.v1",
        "agrees": not result.odd if result.compared else None,
        "truth": result.truth,
        "compared": result.compared,
        "nodes": list(_nodes(result)),
        "groups": [
            {
                "id": group.number,
                "nodes": group.nodes.bit_count(),
                "example": named(group.nodes & -group.nodes)[0],
            }
            for group in result.groups
        ],
        "findings": findings,
        "rightly": [{"why": rightly.why, "ports": rightly.ports} for rightly in result.rightly],
        "checks": checks,
        "checks_count": result.checks_count,
        "unreadable": [one._asdict() for one in result.summary.unreadable],
        "counts": {severity: counts[severity] for severity in SEVERITIES},
        "notes": sentences(result.notes),
    }


def _nodes(result: FleetResult) -> Iterator[Shape]:
    groups = {place: group.number for group in result.groups for place in members(group.nodes)}
    names = labels(result.summary.nodes)
    for place, (name, facts) in enumerate(zip(names, result.summary.nodes, strict=True)):
        yield _node_shape(name, facts, groups.get(place))


def _node_shape(name: str, facts: NodeFacts, group: int | None) -> Shape:
    return {
        "node": name,
        "source": facts.source,
        "group": group,
        "mode": facts.mode,
        "era": facts.era,
        "backend": facts.backend or None,
        "cnis": list(facts.cnis),
        "saved": None if facts.saved is None else time_text(facts.saved),
        "complete": facts.complete,
        "services": facts.services,
    }


def time_text(saved: float) -> str:
    """Return a time as ISO 8601 has it, of UTC; a dump may tell one that no calendar has."""
    try:
        return datetime.fromtimestamp(saved, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return str(saved)


def _finding_shape(result: FleetResult, odd: OddFinding, nodes: tuple[str, ...]) -> Shape:
    return {
        "id": odd.id,
        "severity": odd.severity,
        "family": odd.family or None,
        "service": None if odd.service is None else service_shape(odd.service),
        "protocol": odd.protocol or None,
        "frontend": None if odd.frontend is None else frontend_form_shape(odd.frontend),
        "endpoints": list(odd.endpoints),
        "nodes": list(nodes),
        "of": odd.of,
        "message": odd_text(result, odd, nodes),
        "advice": odd_advice(odd),
    }


def _checks(result: FleetResult, named: Named) -> Iterator[Shape]:
    """Yield what check finds, the most severe first, then what most nodes have."""

    def first(one: tuple[Nodes, bool, Shape]) -> tuple[int, int]:
        return SEVERITIES.index(one[2]["severity"]), -one[0].bit_count()

    causes = tuple(result.summary.noticed.values())
    shapes = findings_shape((cause.finding for cause in causes), None)
    each = ((cause.nodes, bool(cause.said), shape) for cause, shape in zip(causes, shapes, strict=True))
    for nodes, alike, shape in sorted(each, key=first):
        names = named(nodes)
        yield shape | {
            "nodes": list(names),
            "of": len(result.summary.nodes),
            "example": names[0],
            "alike": alike,
        }
