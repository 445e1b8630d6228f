"""What happens to a new connection that comes to a virtual server of IPVS.

Without a real server of some weight the kernel answers with ICMP port unreachable (ip_vs_leave in
net/netfilter/ipvs/ip_vs_core.c). What rules do to the connection, before and behind that, is not looked at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.engine.effects import BrokenJumps
from iptviz.kube.outcome import Endpoint, FrontendOutcome, Hop, Verdict
from iptviz.kube.service import ServiceTrace, first_packet
from iptviz.rules.form import ServerPlace
from iptviz.xtables.address import split_endpoint

if TYPE_CHECKING:
    from fractions import Fraction

    from iptviz.kube.frontends import Frontend
    from iptviz.supplied.ipvs import RealServer, VirtualServer

MORE_SERVERS = "real servers that ipvsadm may not have printed"
"""What connections may come to as well, where only a part of the output is there."""


def trace_virtual(frontend: Frontend, *, complete: bool) -> ServiceTrace:
    """Follow new connections to the real servers of a frontend; `complete`: all of them are listed."""
    if not isinstance(frontend.rule, ServerPlace):
        raise TypeError(frontend)
    return ServiceTrace(
        frontend=frontend,
        packet=first_packet(frontend),
        outcomes=(_outcome(frontend.rule, complete=complete),),
        affinity_seconds=frontend.rule.virtual.persistent,
        broken=BrokenJumps({}, {}, {}),
        left_open=(),
        rounded=False,
        preempted=(),
    )


def _outcome(place: ServerPlace, *, complete: bool) -> FrontendOutcome:
    virtual = place.virtual
    shares = virtual.shares if complete else None
    lacking = () if complete else (Hop(MORE_SERVERS, CERTAIN, place),)
    refused = complete and not is_served(virtual)
    return FrontendOutcome(
        when=(),
        endpoints=tuple(
            _endpoint(place, number, server, NEVER if shares is None else shares[number - 1])
            for number, server in enumerate(virtual.servers, 1)
        ),
        leftover=CERTAIN if refused or not virtual.servers else NEVER,
        verdict=Verdict("REJECT", place, answer=_UNREACHABLE[_version(place)]) if refused else None,
        masquerade=(),
        hops=(),
        others=(),
        empty_chains=(),
        lacking=lacking,
        unshared=shares is None and bool(virtual.servers) and not refused,
    )


_UNREACHABLE = {4: "icmp-port-unreachable", 6: "icmp6-port-unreachable"}


def _version(place: ServerPlace) -> int:
    return 6 if ":" in place.virtual.address else 4


def is_served(virtual: VirtualServer) -> bool:
    """Whether some real server may get new connections: one of weight 0 gets none."""
    return any(server.weight != 0 for server in virtual.servers)


def _endpoint(place: ServerPlace, number: int, server: RealServer, share: Fraction) -> Endpoint:
    address, port = split_endpoint(server.end)
    real = place._replace(real=server, number=number)
    return Endpoint(
        address=address,
        port=port,
        share=share,
        rule=real,
        via=real,
        before=CERTAIN,
        chance=share,
        hairpin=None,
        local_hairpin=True,  # KUBE-LOOP-BACK has endpoints of this node alone, and was not asked
    )
