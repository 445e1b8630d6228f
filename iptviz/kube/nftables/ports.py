"""Every service port of kube-proxy's table in nftables mode, and what comes of a connection to each frontend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.endpoint_form import EndpointForm
from iptviz.kube.families import shares_out
from iptviz.kube.frontend_answer import FrontendAnswer
from iptviz.kube.frontends import FRONTEND_KINDS
from iptviz.kube.names import NAMELESS
from iptviz.kube.nftables.alike import AnswersAlike
from iptviz.kube.nftables.frontends import Frontends
from iptviz.kube.nftables.names import LOCAL, read_chain
from iptviz.kube.nftables.tracing import trace_frontend
from iptviz.kube.service_ports import ServicePort

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.kube.frontends import Frontend
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.kube.outcome import FrontendOutcome
    from iptviz.kube.service import ServiceTrace


def native_ports(table: ProxyTable) -> list[ServicePort]:
    """Return every service port, in the order in which the maps first speak of them."""
    frontends = Frontends(table)
    answers = AnswersAlike(table, _following(table))
    return [_port(answers.of, frontends, of_port) for of_port in _by_service(frontends.all())]


def native_ports_of(table: ProxyTable, asked: Iterable[Frontend]) -> list[ServicePort]:
    """Return the service ports that some frontends are of, with all their frontends."""
    frontends = Frontends(table)
    texts = dict.fromkeys(one.suffix or one.service.text for one in asked)
    alike = {one[1:4]: one for text in filter(None, texts) for one in frontends.with_text(text)}
    keys = {_key(one) for one in asked}
    return [
        _port(_following(table), frontends, of_port)
        for of_port in _by_service({**alike, **{one[1:4]: one for one in asked}}.values())
        if _key(of_port[0]) in keys
    ]


def _following(table: ProxyTable) -> Callable[[Frontend], FrontendAnswer]:
    """Return what answers for a frontend as the engine follows it."""

    def answer(frontend: Frontend) -> FrontendAnswer:
        return answer_of(trace_frontend(table, frontend))

    return answer


def _by_service(frontends: Iterable[Frontend]) -> list[list[Frontend]]:
    groups: dict[tuple[str, ...], list[Frontend]] = {}
    for frontend in frontends:
        groups.setdefault(_key(frontend), []).append(frontend)
    return list(groups.values())


def _key(frontend: Frontend) -> tuple[str, ...]:
    """Return what frontends of one service port share: its name; where that was cut, its hash."""
    service = frontend.service
    name = service.text if service is not NAMELESS else frontend.suffix or frontend.text
    return name, frontend.protocol


def _port(
    answer: Callable[[Frontend], FrontendAnswer], frontends: Frontends, of_port: list[Frontend]
) -> ServicePort:
    answers = [answer(one) for one in of_port]
    answers.sort(key=lambda answer: FRONTEND_KINDS.index(answer.frontend.kind))
    ranges = (frontends.source_ranges(one) for one in of_port if one.kind == "load-balancer-ip")
    return ServicePort(
        service=answers[0].service,
        protocol=answers[0].frontend.protocol,
        answers=tuple(answers),
        source_ranges=tuple(dict.fromkeys(network for those in ranges for network in those)),
        health_check=None,
    )


def answer_of(trace: ServiceTrace) -> FrontendAnswer:
    """Return the engine's answer in few words."""
    usual = trace.usual
    differs = len(set(map(_shares_of, trace.outcomes))) > 1
    own = {end.address for end in usual.endpoints}
    ends = dict.fromkeys(end.address for one in trace.outcomes for end in one.endpoints)
    return FrontendAnswer(
        frontend=trace.frontend,
        service=trace.service,
        chain=trace.chain if trace.chains else None,
        endpoints=tuple(EndpointForm(end.address, end.port, end.share) for end in usual.endpoints),
        leftover=usual.leftover,
        verdict=usual.verdict,
        affinity=trace.affinity_seconds,
        masquerade=tuple(mark.needs for mark in usual.masquerade),
        local_only=_is_local(trace),
        # No kernel lists a table that lacks them.
        unseen=tuple(dict.fromkeys((*trace.broken.missing.values(), *(hop.chain for hop in usual.lacking)))),
        depends=differs or bool(trace.broken.loops or trace.broken.missing),
        by_policy=trace.by_policy,
        rounded=trace.rounded,
        elsewhere=tuple(address for address in ends if address not in own),
        kind_untold=trace.frontend.kind_untold,
    )


def _is_local(trace: ServiceTrace) -> bool:
    """Whether clients outside get this node's endpoints alone: kube-proxy drops what finds none of these.

    What has no endpoint on any node it rejects.
    """
    chains = (hop.chain for outcome in trace.outcomes for hop in outcome.hops)
    if any(
        (own := read_chain(chain)) is not None and own.kind == LOCAL for chain in filter(shares_out, chains)
    ):
        return True
    verdict = trace.usual.verdict
    return verdict is not None and verdict.kind == "DROP" and verdict.rule.comment is not None


def _shares_of(outcome: FrontendOutcome) -> object:
    """Return what clients get in one case: equal where they get the same."""
    return outcome.leftover, tuple((end.text, end.share) for end in outcome.endpoints)
