"""The document `iptviz.trace.v1`: what `iptviz trace --json` prints. Fields may be added, none may change.

A share that the dump does not print, or that hangs on what it does not show, is null in both of its forms: a
number would be taken for one. The chain of an endpoint is null where, in nftables mode, the service's own chain
sends connections to it. The kind of a frontend is `chain` where an excerpt shows a service's chain alone.

Of virtual servers of IPVS, `chain` is null, and so is `masquerade`, which rules decide that were not looked at;
`scheduler` picks endpoints, which have `weight` and `forwarding`. Their lines are those of what ipvsadm prints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks.wording import sentence, sentences
from iptviz.documents.paths_v1 import paths_shape
from iptviz.documents.pods_v1 import with_pods
from iptviz.documents.shapes import (
    Shape,
    condition_shape,
    conditions_shape,
    counters_shape,
    findings_shape,
    frontend_shape,
    left_open_shape,
    number_shape,
    service_shape,
    several_shape,
    share_shape,
    source_shape,
)
from iptviz.dump.model import Dump
from iptviz.engine.chance import total
from iptviz.kube.comments import way_of_comment
from iptviz.kube.families import PROXY_TABLES, shares_out
from iptviz.kube.observed import LEVEL
from iptviz.rules.form import ServerPlace, is_virtual, virtual_of
from iptviz.rules.iptables import dump_rule

if TYPE_CHECKING:
    from fractions import Fraction

    from iptviz.kube.frontends import Frontend
    from iptviz.kube.observed import Observation
    from iptviz.kube.outcome import Endpoint, FrontendOutcome, Hop, Verdict
    from iptviz.kube.service import ServiceTrace
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.trace import TraceResult
    from iptviz.rules.form import Place


def document(result: TraceResult) -> dict[str, Any]:
    """Return `result` as `iptviz.trace.v1`."""
    found = {
        "schema": "iptviz.trace.v1",
        "dump": source_shape(result.dump, complete=result.complete),
        **several_shape(result.snapshot),
        "target": result.target,
        "services": [service for answer in result.answers for service in _services(answer, result.snapshot)],
        "notes": [note for answer in result.answers for note in sentences(answer.notes)],
        "findings": [
            finding | number_shape(result.snapshot, answer.dump)
            for answer in result.answers
            for finding in findings_shape(answer.findings, result.snapshot)
        ],
    }
    return with_pods(found, result.snapshot) | _since(result)


def _since(result: TraceResult) -> Shape:
    """Return what changed of the services since an older dump, where there is one."""
    if all(answer.changes is None for answer in result.answers):
        return {}
    from iptviz.documents.diff_v1 import ports_shape

    return {
        "changed_since": [
            {"since": answer.since.source, **ports_shape(answer.changes)}
            | number_shape(result.snapshot, answer.dump)
            for answer in result.answers
            if answer.changes is not None and answer.since is not None
        ]
    }


def _services(answer: TraceResult, node: Snapshot | None) -> list[Shape]:
    return [
        _service(traced, siblings, answer.wanted)
        | paths_shape(answer.paths[place] if answer.paths else None)
        | _observations(answer, place)
        | _pinned(answer, place)
        | number_shape(node, answer.dump)
        for place, (traced, siblings) in enumerate(zip(answer.services, answer.siblings, strict=True))
    ]


def _pinned(result: TraceResult, place: int) -> Shape:
    """Return the clients that stay with an endpoint, where a listing of nft shows a service with affinity."""
    if not result.pinned or result.services[place].affinity_seconds is None:
        return {}
    return {
        "pinned": [
            {
                "client": one.client,
                "endpoint": one.endpoint,
                "expires_seconds": None if one.expires is None else one.expires / 1000,
                "line": one.rule.line or None,
            }
            for one in result.pinned[place]
        ]
    }


def _observations(result: TraceResult, place: int) -> Shape:
    """Return what the counters tell; nothing where the dump has none."""
    if not any(result.observed):
        return {}
    older = result.since if isinstance(result.since, Dump) else None
    return {"observed": [_observation(observation, older) for observation in result.observed[place]]}


def _observation(observation: Observation, since: Dump | None) -> Shape:
    everything = observation.connections
    return {
        "chain": observation.chain,
        "since": since.source if since is not None else None,
        "connections": everything,
        "verdict": observation.verdict,
        "p": observation.p,
        "test": "chi-square",
        "level": LEVEL,
        "needed": observation.needed,
        "problems": sentences(observation.problems),
        "rules": [
            {
                "line": seen.via.line,
                "chain": dump_rule(seen.via).jump,
                "connections": seen.connections,
                "observed": seen.connections / everything if everything else None,
                "expected": _of_unknown(share_shape(seen.expected), unknown=observation.unshared),
            }
            for seen in observation.seen
        ],
    }


def _service(traced: ServiceTrace, siblings: tuple[Frontend, ...], wanted: frozenset[Place]) -> Shape:
    seconds = traced.affinity_seconds
    shape = {
        "service": service_shape(traced.service),
        "frontend": frontend_shape(traced.frontend),
        "chain": traced.chain,
        "session_affinity": None if seconds is None else {"seconds": seconds},
        **_outcome(traced.usual),
        "cases": [_outcome(outcome) for outcome in traced.outcomes] if len(traced.outcomes) > 1 else [],
        "also": [frontend_shape(frontend) for frontend in siblings],
        **left_open_shape(traced.left_open),
        **_picked(traced),
    }
    if wanted:
        share = total(endpoint.share for endpoint in traced.usual.endpoints if endpoint.rule in wanted)
        shape["target_share"] = _of_unknown(share_shape(share), unknown=traced.usual.unshared)
    return shape


def _picked(traced: ServiceTrace) -> Shape:
    """Return what is else of a virtual server of IPVS; nothing where rules choose endpoints."""
    virtual = virtual_of(traced.frontend.rule)
    if virtual is None:
        return {}
    leftover = _of_unknown(share_shape(traced.usual.leftover), unknown=traced.usual.unshared)
    return {"scheduler": virtual.scheduler or None, "masquerade": None, "leftover": leftover}


def _outcome(outcome: FrontendOutcome) -> Shape:
    return {
        "when": [condition_shape(need) for need in outcome.when],
        "endpoints": [_endpoint(endpoint, outcome) for endpoint in outcome.endpoints],
        "leftover": _of_unknown(share_shape(outcome.leftover), unknown=_is_partly_lacking(outcome)),
        **({"lacking": [_lacking(hop, outcome) for hop in outcome.lacking]} if outcome.lacking else {}),
        "verdict": _verdict(outcome.verdict),
        "masquerade": [
            conditions_shape(masquerade.needs) | {"line": masquerade.rule.line or None}
            for masquerade in outcome.masquerade
        ],
    }


def _is_partly_lacking(outcome: FrontendOutcome) -> bool:
    """Whether chains that are not shown get a share of connections that is not printed."""
    return outcome.unshared and bool(outcome.lacking and outcome.endpoints)


def _lacking(hop: Hop, outcome: FrontendOutcome) -> Shape:
    """Return what connections come to and the dump does not show; its share is a part of `leftover`."""
    address = way_of_comment(hop.via.comment) or None
    share = _of_unknown(share_shape(hop.share), unknown=outcome.unshared)
    return {"chain": hop.chain, **share, "line": hop.via.line or None, "comment_names": address}


def _of_unknown(share: Shape, *, unknown: bool) -> Shape:
    """Return a share, of nulls where the dump does not print it."""
    return dict.fromkeys(share) if unknown else share


def _endpoint(endpoint: Endpoint, outcome: FrontendOutcome) -> Shape:
    return {
        "address": endpoint.address,
        "port": endpoint.port,
        "chain": _own_chain(endpoint.rule),
        **_of_unknown(share_shape(endpoint.share), unknown=outcome.unshared),
        "lines": [endpoint.via.line or None, endpoint.rule.line or None],
        "counters": _counters(endpoint.rule),
        "rule_counters": _counters(endpoint.via),
        "rule_chance": _of_unknown(share_shape(_own_chance(endpoint)), unknown=outcome.unshared),
        "hairpin_line": (endpoint.hairpin.line or None) if endpoint.hairpin else None,
        **_weighed(endpoint.rule),
    }


def _weighed(place: Place) -> Shape:
    """Return weight and forwarding of a real server of IPVS; nothing of a rule."""
    real = place.real if isinstance(place, ServerPlace) else None
    return {} if real is None else {"weight": real.weight, "forwarding": real.forward or None}


def _own_chance(endpoint: Endpoint) -> Fraction:
    """Return what a rule takes of the connections that come to it; where nft draws for all at once, of those."""
    return endpoint.chance if endpoint.drawn is None else endpoint.drawn


def _own_chain(rule: Place) -> str | None:
    """Return the chain of an endpoint's rule; in nftables mode that may be the service's; IPVS has none."""
    if is_virtual(rule):
        return None
    return None if rule.table.name in PROXY_TABLES and shares_out(rule.chain) else rule.chain


def _counters(rule: Place) -> Shape | None:
    return None if rule.counters is None else counters_shape(rule.counters)


def _verdict_text(verdict: Verdict) -> str:
    why = verdict.rule.comment or verdict.rule.text
    if verdict.marked is None:
        return why
    from iptviz.checks.source_ranges import marked_drop  # up to 1.24 alone

    return f"{sentence(marked_drop(verdict.marked))} ({why})"


def _verdict(verdict: Verdict | None) -> Shape | None:
    if verdict is None:
        return None
    return {
        "kind": verdict.kind,
        "line": verdict.rule.line or None,
        "text": _verdict_text(verdict),
        "with": verdict.answer,
    }
