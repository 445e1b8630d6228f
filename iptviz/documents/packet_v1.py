"""The document `iptviz.packet.v1`: what `iptviz packet --json` prints. Fields may be added, none may change.

A `verdict` is UNKNOWN where chains or rules decide that the dump does not show: a script that knows the others
alone shall stop there, and not take it for one of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks.wording import sentences
from iptviz.documents.shapes import (
    Shape,
    condition_shape,
    findings_shape,
    left_open_shape,
    number_shape,
    several_shape,
    share_shape,
    source_shape,
)
from iptviz.dump.model import Dump
from iptviz.engine.path import MISSED, POLICY, steps_of
from iptviz.questions.packet_fields import FIELDS, attributes
from iptviz.xtables.address import split_endpoint

if TYPE_CHECKING:
    from iptviz.engine.outcome import Outcome
    from iptviz.engine.packet import Packet
    from iptviz.engine.path import Step
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.packet import PacketResult


def document(result: PacketResult) -> dict[str, Any]:
    """Return `result` as `iptviz.packet.v1`."""
    return {
        "schema": "iptviz.packet.v1",
        "dump": source_shape(result.dump, complete=result.complete),
        **several_shape(result.snapshot),
        **_listing(result),
        "packet": _packet(result.asked, result.hook),
        "assumed": list(map(condition_shape, result.given)),
        **left_open_shape(result.left_open),
        "outcomes": [_outcome(result, outcome) for outcome in result.outcomes],
        "notes": sentences(result.notes),
        "findings": findings_shape(result.findings, result.snapshot),
    }


def _listing(result: PacketResult) -> Shape:
    """Return the field `nft`, the listing of which tables are asked beside those of dumps; else nothing."""
    beside = [source for source in result.sources[1:] if not isinstance(source, Dump)]
    return {"nft": source_shape(beside[0], complete=beside[0].complete)} if beside else {}


def _source(result: PacketResult, step: Step) -> Shape:
    """Return the dump of a step by its number, where there are several, or the listing by its file."""
    source = result.sources[step.layer]
    if isinstance(source, Dump):
        return number_shape(result.snapshot, source)
    return {"source": source.source} if len(result.sources) > 1 else {}


def _packet(packet: Packet, hook: str) -> Shape:
    """Return the packet as it was described; null is unknown, an empty interface is none at all."""
    values = attributes(packet, hook)
    return {field.key: field.shown(values) for field in FIELDS.values()}


def _outcome(result: PacketResult, outcome: Outcome) -> Shape:
    steps, complete = steps_of(outcome.path)
    return {
        "verdict": outcome.verdict,
        **_share(outcome),
        "when": [condition_shape(need) for need in outcome.when],
        "first": [condition_shape(need) for need in outcome.first],
        "route": outcome.route or None,
        "line": (outcome.by.line or None) if outcome.by else None,
        "text": outcome.by.text if outcome.by else None,
        "dnat": outcome.packet.dnat,
        **_pod(result.snapshot, outcome.packet.dnat),
        "snat": outcome.packet.snat,
        "mark": outcome.packet.mark.text,
        "mark_bits": outcome.packet.mark.label,
        "path": [step_shape(step) | _source(result, step) for step in steps],
        "path_complete": complete,
        "path_of": [condition_shape(need) for need in outcome.client],
    }


def _pod(node: Snapshot | None, dnat: str | None) -> Shape:
    """Return the pod that a DNAT leads to, null where none is known; nothing where no pods are."""
    if node is None or node.pods is None:
        return {}
    return {"pod": (node.pod_at(*split_endpoint(dnat)) or None) if dnat else None}


def _share(outcome: Outcome) -> Shape:
    """Return the share; where questions were left open also its bounds, and null for it where they differ."""
    share = share_shape(outcome.share)
    if outcome.at_most is None:
        return share
    exact = share if outcome.share == outcome.most else dict.fromkeys(share)
    return {**exact, "at_least": share, "at_most": share_shape(outcome.most)}


_EFFECTS = {MISSED: "no match: {}", POLICY: "policy {}"}


def effect_text(step: Step) -> str:
    """Return what happened at a step."""
    return _EFFECTS.get(step.kind, "{}").format(step.effect)


def step_shape(step: Step) -> Shape:
    """Return a stop of a packet."""
    rule = step.rule
    return {
        "table": step.table,
        "chain": step.chain,
        "rule": rule.number if rule else None,
        "line": (rule.line or None) if rule else None,
        "effect": effect_text(step),
        "text": rule.text if rule else None,
    }
