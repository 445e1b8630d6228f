"""The document `iptviz.services.v1`: what `iptviz services --json` prints. Fields may be added only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.era import era_remark
from iptviz.checks.wording import sentence, sentences
from iptviz.documents.shapes import (
    Shape,
    conditions_shape,
    dump_shape,
    findings_shape,
    frontend_shape,
    service_shape,
    share_shape,
)
from iptviz.kube.era import NEWEST_KNOWN
from iptviz.kube.releases import spans_text

if TYPE_CHECKING:
    from iptviz.kube.era import Era
    from iptviz.kube.frontend_answer import EndpointShare, FrontendAnswer
    from iptviz.kube.outcome import Verdict
    from iptviz.kube.published import PublishedPort
    from iptviz.kube.service_ports import ServicePort
    from iptviz.questions.services import ServicesResult


def document(result: ServicesResult) -> Shape:
    """Return the document as a dict."""
    return {
        "schema": "iptviz.services.v1",
        "dump": dump_shape(result.dump, complete=result.dump.complete),
        "services": [_service(one) for one in result.services],
        "total": result.total,
        "era": _era(result.era),
        "published": [_published(one) for one in result.published],
        "notes": sentences(result.notes),
        "findings": findings_shape(result.findings),
    }


def _era(era: Era) -> Shape:
    return {
        "mode": era.mode,
        "text": sentence(era_remark(era)),
        "releases": [f"1.{minor}" for minor in sorted(era.releases) if minor <= NEWEST_KNOWN],
        "mixed": era.mixed,
        "kubelet": spans_text(era.kubelet) if any(cue.of == "kubelet" for cue in era.cues) else None,
        "evidence": [
            {"text": cue.text, "line": cue.line, "releases": spans_text(cue.releases)} for cue in era.evidence
        ],
    }


def _published(one: PublishedPort) -> Shape:
    return {
        "protocol": one.protocol,
        "address": one.address,
        "ports": one.ports,
        "destination": one.destination,
        "by": one.by,
        "of": one.of,
        "line": one.rule.line,
    }


def _service(one: ServicePort) -> Shape:
    return {
        "service": service_shape(one.service),
        "protocol": one.protocol,
        "chain": one.usual.chain,
        "frontends": [frontend_shape(answer.frontend) for answer in one.answers],
        "endpoints": _endpoints(one.endpoints),
        "leftover": share_shape(one.usual.leftover),
        "session_affinity": None if one.affinity is None else {"seconds": one.affinity},
        "verdict": _verdict(one.verdict),
        "masquerade": [conditions_shape(needs) for needs in one.usual.masquerade],
        "policy": {"internal": one.internal_policy, "external": one.external_policy},
        "outside": _outside(one),
        "source_ranges": list(one.source_ranges),
        "health_check_node_port": one.health_check,
        "balance": _balance(one),
        "unseen_chains": list(one.usual.unseen),
    }


def _endpoints(endpoints: tuple[EndpointShare, ...]) -> list[Shape]:
    return [{"address": end.address, "port": end.port, **share_shape(end.share)} for end in endpoints]


def _outside(one: ServicePort) -> list[Shape]:
    """Return what an outside client meets at each frontend where that differs from the first one."""
    usual = one.usual
    return [
        {"frontend": frontend_shape(answer.frontend), **_met(answer)}
        for answer in one.answers[1:]
        if (answer.endpoints, answer.verdict, answer.leftover)
        != (usual.endpoints, usual.verdict, usual.leftover)
    ]


def _met(answer: FrontendAnswer) -> Shape:
    return {
        "chain": answer.chain,
        "endpoints": _endpoints(answer.endpoints),
        "leftover": share_shape(answer.leftover),
        "verdict": _verdict(answer.verdict),
    }


def _verdict(verdict: Verdict | None) -> Shape | None:
    return None if verdict is None else {"kind": verdict.kind, "line": verdict.rule.line}


def _balance(one: ServicePort) -> Shape | None:
    balance = one.balance
    if balance is None:
        return None
    return {
        "endpoints": balance.endpoints,
        "even": balance.even,
        "least": float(balance.least),
        "most": float(balance.most),
        "deviation": float(balance.deviation),
    }
