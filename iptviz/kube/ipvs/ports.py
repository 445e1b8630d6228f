"""Every service port that virtual servers of IPVS keep, and what comes of a connection to each frontend."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.endpoint_form import EndpointForm
from iptviz.kube.frontend_answer import FrontendAnswer
from iptviz.kube.ipvs.tracing import trace_virtual
from iptviz.kube.service_ports import ServicePort

if TYPE_CHECKING:
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.ipvs.frontends import VirtualFrontends


def virtual_ports(frontends: VirtualFrontends) -> list[ServicePort]:
    """Return every service port, in the order in which ipvsadm prints them."""
    return [_port(frontends, group) for group in frontends.by_service]


def _port(frontends: VirtualFrontends, group: list[Frontend]) -> ServicePort:
    return ServicePort(
        service=group[0].service,
        protocol=group[0].protocol,
        answers=tuple(_answer(frontends, frontend) for frontend in group),
        source_ranges=(),
        health_check=None,
    )


def _answer(frontends: VirtualFrontends, frontend: Frontend) -> FrontendAnswer:
    """Return the answer at a frontend; a server of weight 0 is none of its endpoints: it gets nothing new."""
    trace = trace_virtual(frontend, complete=frontends.listing.complete)
    usual = trace.usual
    taking = [end for end in usual.endpoints if end.share or usual.unshared]
    return FrontendAnswer(
        frontend=frontend,
        service=trace.service,
        chain=None,
        endpoints=tuple(EndpointForm(end.address, end.port, end.share) for end in taking),
        leftover=usual.leftover,
        verdict=usual.verdict,
        affinity=trace.affinity_seconds,
        masquerade=(),
        local_only=bool(frontends.is_local(frontend)),
        unseen=tuple(hop.chain for hop in usual.lacking),
        unshared=usual.unshared,
    )
