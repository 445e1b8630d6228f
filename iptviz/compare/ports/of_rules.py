"""The normal form of the service ports of a dump.

What its rules do not tell is left open: an excerpt lacks chains, a listing does not print ports or chances, a
rule that refuses tells no external IP from a load balancer's, and older kube-proxies left no trace of a policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.ports.form import FrontendForm, PortForm
from iptviz.kube.era import era_of
from iptviz.kube.families import SOURCE_RANGES
from iptviz.kube.frontends import CHAIN, EXPOSED_KINDS
from iptviz.kube.marks import hides_mark
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from iptviz.compare.ports.form import Untold
    from iptviz.dump.model import Dump
    from iptviz.kube.endpoint_form import EndpointForm
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.outcome import Needs
    from iptviz.kube.service_ports import ServicePort
    from iptviz.paths.fares import Fare, Reached


def forms_of(
    dump: Dump, ports: Sequence[ServicePort], reached: Sequence[Sequence[Reached]] = ()
) -> tuple[PortForm, ...]:
    """Return the forms of service ports of `dump`, with how clients fare at their frontends where that is known.

    `reached` has for each port what `iptviz.paths.many_fares.reached_in` returns, or is empty: nobody looked.
    """
    lacking = _lacking_in(dump)
    return tuple(map(lacking.port, ports, reached or ((),) * len(ports)))


def port_form(dump: Dump, port: ServicePort, reached: Sequence[Reached] = ()) -> PortForm:
    """Return the form of one service port of `dump`, as `forms_of` does."""
    return _lacking_in(dump).port(port, reached)


def native_forms(
    ports: Sequence[ServicePort], reached: Sequence[Sequence[Reached]] = ()
) -> tuple[PortForm, ...]:
    """Return the forms of service ports of nftables mode, as `forms_of` does: its rules show every policy."""
    lacking = _Lacking(is_excerpt=False, internal_unseen=False, mark_hidden=False)
    return tuple(map(lacking.port, ports, reached or ((),) * len(ports)))


def virtual_forms(ports: Sequence[ServicePort], *, policies_told: bool) -> tuple[PortForm, ...]:
    """Return the forms of service ports in IPVS; `policies_told`: sets tell external policies.

    Nobody looks at how clients fare, or at what masquerades them.
    """
    lacking = _Lacking(
        is_excerpt=False, internal_unseen=True, mark_hidden=True, external_unseen=not policies_told
    )
    return tuple(lacking.port(port, ()) for port in ports)


def _lacking_in(dump: Dump) -> _Lacking:
    unseen = era_of(dump).hides_policy
    return _Lacking(
        is_excerpt=dump.is_excerpt, internal_unseen=unseen, mark_hidden=hides_mark(dump.tables.get("nat"))
    )


class _Lacking(NamedTuple):
    """What all rules of a dump may lack: it is an excerpt; nothing in it would show an internal policy Local.

    `mark_hidden` is whether the mark is not printed by which connections are masqueraded, `external_unseen`
    whether nothing would show an external policy Local.
    """

    is_excerpt: bool
    internal_unseen: bool
    mark_hidden: bool
    external_unseen: bool = False

    def port(self, port: ServicePort, reached: Sequence[Reached]) -> PortForm:
        """Return the form of a service port."""
        fares = [one.fares or None for one in reached] or [None] * len(port.answers)
        frontends = tuple(map(self._frontend, port.answers, fares))
        return PortForm(
            service=port.service,
            protocol=port.protocol,
            frontends=frontends,
            affinity=port.affinity,
            internal_policy=_policy(one for one in frontends if one.kind == "cluster-ip"),
            external_policy=_policy(one for one in frontends if one.kind in EXPOSED_KINDS),
            source_ranges=port.source_ranges if any(map(_asks_for_sources, port.answers)) else None,
            health_check=port.health_check,
            suffix=next(filter(None, (answer.frontend.suffix for answer in port.answers)), ""),
            properties_told=bool(port.endpoints),
        )

    def _frontend(self, answer: FrontendAnswer, fares: tuple[Fare, ...] | None) -> FrontendForm:
        frontend, verdict = answer.frontend, answer.verdict
        return FrontendForm(
            kind=frontend.kind,
            address=frontend.address,
            port=frontend.port,
            protocol=frontend.protocol,
            endpoints=_endpoints(answer),
            leftover=answer.leftover,
            verdict=verdict and verdict.kind,
            local_only=self._local_only(answer),
            masquerade=self._masquerade(answer),
            at_addresses=frontend.addresses and frontend.addresses[:2],
            reached=fares,
            untold=_untold(answer),
            chain=answer.chain,
            rule=frontend.rule,
            refusing=verdict and verdict.rule,
            unseen=answer.unseen,
            lacks_port=frontend.lacks_port,
            unled=frontend.leads_to if frontend.kind == CHAIN else "",
        )

    def _local_only(self, answer: FrontendAnswer) -> bool | None:
        """Return whether clients outside get this node's endpoints alone; None where no rule would show it."""
        if answer.local_only:
            return True
        unseen = self.internal_unseen if answer.frontend.kind == "cluster-ip" else self.external_unseen
        hidden = answer.unseen or unseen
        return None if hidden or not answer.endpoints else False

    def _masquerade(self, answer: FrontendAnswer) -> tuple[Needs, ...] | None:
        """Return when connections are masqueraded; None where no rule shows it, and one might be there."""
        hidden = self.is_excerpt or self.mark_hidden or not answer.endpoints
        return None if hidden and not answer.masquerade else answer.masquerade


def _policy(frontends: Iterable[FrontendForm]) -> str | None:
    shown = {frontend.local_only for frontend in frontends}
    return "Local" if True in shown else "Cluster" if False in shown else None


def _endpoints(answer: FrontendAnswer) -> Sequence[EndpointForm]:
    """Return the endpoints: the very same, where their shares are known."""
    if answer.shares_known:
        return answer.endpoints
    return tuple(end._replace(share=None) for end in answer.endpoints)


def _asks_for_sources(answer: FrontendAnswer) -> bool:
    """Whether a frontend is one of a load balancer whose rules would show source ranges, were there any."""
    frontend = answer.frontend
    may_be = frontend.kind == "load-balancer-ip" or answer.kind_untold
    return may_be and not frontend.is_refused


_NOTHING: frozenset[Untold] = frozenset()
_UNTOLD: tuple[tuple[Callable[[FrontendAnswer], object], frozenset[Untold]], ...] = (
    (lambda answer: answer.frontend.unprinted, frozenset({"port"})),
    (lambda answer: answer.kind_untold or _is_refused(answer.frontend), frozenset({"kind"})),
    (lambda answer: answer.unseen, frozenset({"endpoints", "shares"})),
    (lambda answer: answer.nat_unseen, frozenset({"endpoints", "nat"})),
    (lambda answer: answer.unread, frozenset({"endpoints", "shares", "rule"})),
    (lambda answer: answer.unshared, frozenset({"shares", "chances"})),
)
"""What an answer does not tell, by what is so of it."""


def _untold(answer: FrontendAnswer) -> frozenset[Untold]:
    if answer.plain and not answer.kind_untold:  # most are, and kube-proxy's own form tells all
        return _NOTHING
    found = [what for is_so, what in _UNTOLD if is_so(answer)]
    return _NOTHING.union(*found) if found else _NOTHING


def _is_refused(frontend: Frontend) -> bool:
    """Whether its rule refuses in filter external IPs and load balancers' alike: see KUBE-EXTERNAL-SERVICES."""
    at_once = frontend.kind in {"external-ip", "load-balancer-ip"} and frontend.is_refused
    return at_once and frontend.rule.chain != SOURCE_RANGES
