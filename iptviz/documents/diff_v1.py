"""The document `iptviz.diff.v1`: what `iptviz diff --json` prints. Fields may be added only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import sentences
from iptviz.compare.ports.differences import FRONTEND_CHANGES
from iptviz.documents.differing import property_text, reached_text
from iptviz.documents.shapes import (
    Shape,
    decider_shape,
    exact_text,
    findings_shape,
    frontend_form_shape,
    service_shape,
    share_shape,
    source_mode_shape,
    source_shape,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from iptviz.compare.chains.forms import ChainChange, RuleChange, RuleForm
    from iptviz.compare.ports.differences import (
        ChangedPort,
        EndpointDifference,
        PortChanges,
        PortDifference,
        ReachedDifference,
    )
    from iptviz.compare.ports.form import EndpointForm, FrontendForm, PortForm
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.fares import Fare
    from iptviz.questions.diff import DiffResult
    from iptviz.questions.diff_pair import PairDiff


def document(result: DiffResult) -> Shape:
    """Return the document as a dict.

    `services` and `chains` are null where they were not compared. Rules of service ports that differ are told
    with these; `explained` counts them.
    """
    from iptviz.documents.diff_asked_v1 import equivalent_shape, packet_shape

    old, new = result.sources(0)[0], result.sources(1)[0]
    return {
        "schema": "iptviz.diff.v1",
        "old": source_shape(old, complete=old.complete),
        "new": source_shape(new, complete=new.complete),
        **_several(result),
        "mode": {"old": source_mode_shape(old), "new": source_mode_shape(new)},
        "expected": [
            {"id": item.id.removeprefix("mode-"), "text": text}
            for item, text in zip(result.expected, sentences(result.expected), strict=True)
        ],
        "differs": result.differs,
        "services": _services(result),
        "chains": _chains(result),
        "findings": [shape for pair in result.pairs for shape in _found(result.snapshot, pair, "new")],
        "findings_gone": [shape for pair in result.pairs for shape in _found(result.old, pair, "gone")],
        "findings_changed": [
            {"old": old, "new": new}
            for pair in result.pairs
            for old, new in zip(
                _changed_at(result.old, pair, 0), _changed_at(result.snapshot, pair, 1), strict=True
            )
        ],
        "packet": None if result.fates is None else packet_shape(result.fates),
        "equivalent": list(map(equivalent_shape, result.equivalences)) or None,
        "namespace": result.namespace,
        "not_compared": sentences(result.not_compared),
        "notes": sentences(result.notes),
    }


def _several(result: DiffResult) -> Shape:
    """Return all dumps and listings that are compared of both sides, where one has several."""
    sides = {"old": result.sources(0), "new": result.sources(1)}
    if all(len(sources) == 1 for sources in sides.values()):
        return {}
    return {
        "dumps": {
            side: [source_shape(one, complete=one.complete) | {"number": one.number} for one in sources]
            for side, sources in sides.items()
        }
    }


def _family(result: DiffResult, pair: PairDiff) -> Shape:
    """Return the field `family`, where dumps of several families are compared; elsewhere nothing."""
    return {"family": pair.new.family} if len(result.pairs) > 1 else {}


# --- services --------------------------------------------------------------------------------------------------


def _services(result: DiffResult) -> Shape | None:
    shown = [pair for pair in result.pairs if pair.ports is not None]
    if not shown:
        return None
    parts = [(ports_shape(pair.ports), _family(result, pair)) for pair in shown if pair.ports is not None]
    return {
        **{
            change: [shape | family for part, family in parts for shape in part[change]]
            for change in ("added", "removed", "changed")
        },
        "compared": sum(part["compared"] for part, _ in parts),
    }


def ports_shape(ports: PortChanges) -> Shape:
    """Return the service ports that came, went and changed, and how many were compared."""
    return {
        "added": list(map(_port, ports.added)),
        "removed": list(map(_port, ports.removed)),
        "changed": [entry for port in ports.changed for entry in _changed(port)],
        "compared": ports.compared,
    }


def _port(port: PortForm) -> Shape:
    """Return a service port that only one side has: its frontends, and the endpoints of the first."""
    first = port.frontends[0]
    return {
        "service": service_shape(port.service),
        "protocol": port.protocol,
        "frontends": list(map(frontend_form_shape, port.frontends)),
        "endpoints": list(map(_endpoint, first.endpoints)),
        "verdict": first.verdict,
    }


def _endpoint(end: EndpointForm) -> Shape:
    return {"address": end.address, "port": end.port, **share_shape(end.share)}


def _changed(port: ChangedPort) -> Iterator[Shape]:
    """Yield an entry for each group of frontends that differ alike; what is of the port stands in the first."""
    for frontends, differing in _grouped(port):
        yield {
            "service": service_shape(port.new.service),
            "protocol": port.new.protocol,
            "frontend": frontend_form_shape(frontends[0]),
            "frontends": list(map(frontend_form_shape, frontends)),
            "endpoints_added": _ends(differing, "endpoint added"),
            "endpoints_removed": _ends(differing, "endpoint removed"),
            "endpoint_ports_changed": [
                {"old": one.old and one.old.text, "new": one.new and one.new.text}
                for one in differing
                if one.kind == "endpoint port"
            ],
            "shares_changed": [_share(one) for one in differing if one.kind == "share"],
            "frontends_added": [
                frontend_form_shape(one.new) for one in differing if one.kind == "frontend added" and one.new
            ],
            "frontends_removed": [
                frontend_form_shape(one.old)
                for one in differing
                if one.kind == "frontend removed" and one.old
            ],
            "frontend_kinds": [
                {"old": frontend_form_shape(one.old), "new": frontend_form_shape(one.new)}
                for one in differing
                if one.kind == "frontend kind" and one.old and one.new
            ],
            "reached": [_reached(one) for one in differing if one.kind == "reached"],
            "other": list(_others(differing)),
        }


def _grouped(port: ChangedPort) -> list[tuple[tuple[FrontendForm, ...], list[PortDifference]]]:
    """Return the differences of a service port by frontends; those of the whole port stand with the first."""
    groups = by_frontends(port)
    of_port = groups.pop((), [])
    if not groups:
        return [((port.new.frontends[0],), of_port)]
    (first, own), *others = groups.items()
    return [(first, [*of_port, *own]), *others]


def by_frontends(port: ChangedPort) -> dict[tuple[FrontendForm, ...], list[PortDifference]]:
    """Return the differences of a service port by the frontends that they concern, none for the whole port.

    Which frontends came or went is of the port.
    """
    groups: dict[tuple[FrontendForm, ...], list[PortDifference]] = {}
    for one in port.differences:
        groups.setdefault(() if one.kind in FRONTEND_CHANGES else one.frontends, []).append(one)
    return groups


def _ends(differing: Iterable[PortDifference], kind: str) -> list[str]:
    return [end.text for one in differing if one.kind == kind for end in (one.old or one.new,) if end]  # type: ignore[union-attr]


def _share(one: EndpointDifference) -> Shape:
    end = one.new or one.old
    return {
        "endpoint": end and end.text,
        "old": one.old and exact_text(one.old.share),
        "new": one.new and exact_text(one.new.share),
        "follows": one.follows,
    }


def _reached(one: ReachedDifference) -> Shape:
    return {
        "clients": list(one.clients),
        "old": _fare(one.old),
        "new": _fare(one.new),
        "single_clients": one.of_single,
        "text": reached_text(one),
    }


def _fare(fare: Fare) -> Shape:
    by = fare.failures[0].cause.by if fare.failures else None
    return {
        "word": fare.word,
        "at_least": float(fare.at_least),
        "at_most": float(fare.at_most),
        "by": decider_shape(by),
    }


def _others(differing: Iterable[PortDifference]) -> Iterator[str]:
    """Yield in words what has no field of its own."""
    for one in differing:
        if one.kind == "reached":
            yield reached_text(one)
        elif one.kind not in _WITH_FIELDS:
            yield property_text(one)  # type: ignore[arg-type]


_WITH_FIELDS = {"endpoint added", "endpoint removed", "endpoint port", "share", *FRONTEND_CHANGES}


# --- chains ----------------------------------------------------------------------------------------------------


def _chains(result: DiffResult) -> Shape | None:
    shown = [(pair, pair.chains) for pair in result.pairs if pair.chains is not None]
    if not shown:
        return None
    by_kind = {
        kind: [
            _chain(one) | _family(result, pair)
            for pair, _ in shown
            for one in pair.told_chains
            if one.kind == kind
        ]
        for kind in ("added", "removed", "changed")
    }
    return {
        **by_kind,
        "explained": sum(change.explained_rules for _, changes in shown for change in changes.chains),
    }


def _chain(change: ChainChange) -> Shape:
    return {
        "table": change.table,
        "chain": change.chain,
        "old_line": change.old_line,
        "new_line": change.new_line,
        "policy": {"old": change.old_policy, "new": change.new_policy} if change.policy_changed else None,
        "inert": change.inert,
        "rules": list(map(_rule_change, change.unexplained)),
    }


def _rule_change(change: RuleChange) -> Shape:
    return {
        "kind": change.kind,
        "old": _rule(change.old),
        "new": _rule(change.new),
        "matters": change.matters,
        "crosses": [
            {"rule": _rule(one.rule), "before": one.before, "decides": one.decides}
            for one in change.crossings
        ],
    }


def _rule(form: RuleForm | None) -> Shape | None:
    return None if form is None else {"line": form.line or None, "text": form.text}


# --- findings --------------------------------------------------------------------------------------------------


def _found(node: Snapshot, pair: PairDiff, which: str) -> list[Shape]:
    found: Mapping[str, Iterable[object]] = pair.findings._asdict()
    return findings_shape(found[which], node)  # type: ignore[arg-type]


def _changed_at(node: Snapshot, pair: PairDiff, place: int) -> list[Shape]:
    return findings_shape((both[place] for both in pair.findings.changed), node)
