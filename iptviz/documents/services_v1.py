"""The document `iptviz.services.v1`: what `iptviz services --json` prints. Fields may be added only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.causes import failure_text
from iptviz.checks.era import era_remark
from iptviz.checks.wording import sentence, sentences
from iptviz.documents.pods_v1 import with_pods
from iptviz.documents.shapes import (
    Shape,
    condition_shape,
    conditions_shape,
    decider_shape,
    findings_shape,
    frontend_form_shape,
    number_shape,
    service_shape,
    several_shape,
    share_shape,
    source_shape,
)
from iptviz.kube.era import NEWEST_KNOWN, VIRTUAL_SERVERS
from iptviz.kube.frontends import CHAIN
from iptviz.kube.releases import spans_text
from iptviz.rules.form import virtual_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.compare.ports.form import FrontendForm, PortForm
    from iptviz.kube.era import Era
    from iptviz.kube.published import PublishedPort
    from iptviz.paths.fares import Fare
    from iptviz.questions.services import ServicesResult


def document(result: ServicesResult) -> Shape:
    """Return the document as a dict."""
    return {
        "schema": "iptviz.services.v1",
        "dump": source_shape(result.dump, complete=result.dump.complete),
        **several_shape(result.snapshot),
        "services": list(elements(result)),
        "total": sum(answer.total for answer in result.answers),
        "era": _era(result.era),
        "published": list(_of_all(result, lambda answer: map(_published, answer.published))),
        "notes": [note for answer in result.answers for note in sentences(answer.notes)],
        "findings": list(_of_all(result, lambda answer: findings_shape(answer.findings, result.snapshot))),
    }


def elements(result: ServicesResult) -> Iterator[Shape]:
    """Yield the service ports of the document, each made when it is asked for."""
    return _of_all(result, lambda answer: map(_service, answer.forms))


def _of_all(result: ServicesResult, shapes: Callable[[ServicesResult], Iterable[Shape]]) -> Iterator[Shape]:
    """Yield shapes of each answer; where the node has several dumps, with the number of theirs."""
    for answer in result.answers:
        for shape in shapes(answer):
            yield with_pods(shape, result.snapshot) | number_shape(result.snapshot, answer.dump)


def _era(era: Era) -> Shape:
    return {
        "mode": "ipvs" if era.mode == VIRTUAL_SERVERS else era.mode,
        "text": sentence(era_remark(era)),
        "releases": [f"1.{minor}" for minor in sorted(era.releases) if minor <= NEWEST_KNOWN],
        "mixed": era.mixed,
        "kubelet": spans_text(era.kubelet) if any(cue.of == "kubelet" for cue in era.cues) else None,
        "evidence": [
            {"text": cue.text, "line": cue.line or None, "releases": spans_text(cue.releases)}
            for cue in era.evidence
        ],
    }


def _published(port: PublishedPort) -> Shape:
    return {
        "protocol": port.protocol or None,
        "address": port.address,
        "ports": port.ports,
        "destination": port.destination,
        "by": port.by,
        "of": port.of,
        "line": port.rule.line,
        "when": list(map(condition_shape, port.when)),
        "taken_by": [rule.line for rule in port.taken_by],
    }


def _service(port: PortForm) -> Shape:
    usual = port.usual
    virtual = virtual_of(usual.rule)
    return {
        "service": service_shape(port.service),
        "protocol": port.protocol,
        "chain": usual.chain,
        "frontends": [_frontend(one) for one in port.frontends if one.kind != CHAIN],
        "endpoints": _endpoints(usual),
        "leftover": share_shape(usual.leftover),
        "session_affinity": None if port.affinity is None else {"seconds": port.affinity},
        "verdict": _verdict(usual),
        "masquerade": None if virtual else [conditions_shape(needs) for needs in usual.masquerade or ()],
        "policy": {
            "internal": port.internal_policy,  # null where no rule shows it
            "external": port.external_policy,
        },
        "outside": _outside(port),
        "source_ranges": list(port.source_ranges or ()),
        "health_check_node_port": port.health_check,
        "balance": _balance(usual),
        "unseen_chains": list(usual.unseen),
        **({"scheduler": virtual.scheduler or None} if virtual else {}),
    }


def _frontend(frontend: FrontendForm) -> Shape:
    """Return a frontend and how clients fare at it; null where that was not looked at."""
    fares = [_fare(fare) for fare in frontend.fares] or None
    return frontend_form_shape(frontend) | {"reached": fares}


def _fare(fare: Fare) -> Shape:
    """Return how some kinds of clients fare alike; `by` decides why most of what fails does, `reason` says it."""
    return {
        "clients": list(fare.clients),
        "word": fare.word,
        "at_least": share_shape(fare.at_least),
        "at_most": share_shape(fare.at_most),
        "by": decider_shape(fare.failures[0].cause.by) if fare.failures else None,
        "reason": failure_text(fare.failures[0]) if fare.failures else None,
    }


def _endpoints(frontend: FrontendForm) -> list[Shape]:
    """Return the endpoints with their shares, null where they are not printed or a rule is not understood."""
    return [
        {"address": end.address, "port": end.port, **share_shape(end.share)} for end in frontend.endpoints
    ]


def _outside(port: PortForm) -> list[Shape]:
    """Return what an outside client meets at each frontend where that differs from the first one."""
    usual = _compared(port.usual)
    return [
        {"frontend": frontend_form_shape(frontend), **_met(frontend)}
        for frontend in port.frontends[1:]
        if _compared(frontend) != usual
    ]


def _compared(frontend: FrontendForm) -> tuple[object, ...]:
    return frontend.endpoints, frontend.leftover, frontend.verdict, frontend.refusing


def _met(frontend: FrontendForm) -> Shape:
    return {
        "chain": frontend.chain,
        "endpoints": _endpoints(frontend),
        "leftover": share_shape(frontend.leftover),
        "verdict": _verdict(frontend),
    }


def _verdict(frontend: FrontendForm) -> Shape | None:
    return None if frontend.verdict is None else {"kind": frontend.verdict, "line": frontend.verdict_line}


def _balance(frontend: FrontendForm) -> Shape | None:
    balance = frontend.balance
    if balance is None:
        return None
    return {
        "endpoints": balance.endpoints,
        "even": balance.even,
        "least": float(balance.least),
        "most": float(balance.most),
        "deviation": float(balance.deviation),
    }
