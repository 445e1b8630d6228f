"""From TARGET to the virtual servers it names, and the real server that it names, if it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.find import Found, is_named
from iptviz.kube.frontends import VIRTUAL
from iptviz.kube.spellings import KINDS
from iptviz.kube.target import AddressTarget, NameTarget, NodePortTarget, ParsedTarget
from iptviz.rules.form import ServerPlace
from iptviz.xtables.address import parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.kube.frontends import Frontend
    from iptviz.kube.ipvs.frontends import VirtualFrontends


def find(frontends: VirtualFrontends, target: ParsedTarget) -> Found:
    """Return what `target` names among virtual servers; nothing found is an empty list."""
    if isinstance(target, AddressTarget):
        found = [one for frontend in frontends.all for one in _at(frontend, target)]
        return Found(found) if found else _by_real_server(frontends, target)
    if isinstance(target, NodePortTarget):
        return Found([one for one in frontends.all if _is_at_port(one, target)])
    if isinstance(target, NameTarget):
        found = [one for one in frontends.all if is_named(one, target)]
        if not found and target.namespace in KINDS:  # what kubectl calls services, as in `svc/web`
            found = [one for one in frontends.all if is_named(one, target._replace(namespace=None))]
        return Found(found)
    return Found([])


def _at(frontend: Frontend, target: AddressTarget) -> Iterator[Frontend]:
    """Yield a frontend where it is at an address: a node port with the virtual server that it has there."""
    asked = parse_network(target.address)
    if target.port not in {None, frontend.port} or target.protocol not in {None, frontend.protocol}:
        return
    if frontend.addresses is None:
        if parse_network(frontend.address or "") == asked:
            yield frontend
        return
    for place in frontend.addresses.rules:
        if isinstance(place, ServerPlace) and parse_network(place.virtual.address) == asked:
            yield frontend._replace(address=target.address, rule=place)


def _by_real_server(frontends: VirtualFrontends, target: AddressTarget) -> Found:
    """Find the real servers at an address, and the frontends that lead to them."""
    asked = parse_network(target.address)
    led: list[Frontend] = []
    wanted: list[ServerPlace] = []
    for frontend in frontends.all:
        place = frontend.rule
        servers = place.virtual.servers if isinstance(place, ServerPlace) else ()
        fitting = [
            place._replace(real=server, number=number)
            for number, server in enumerate(servers, 1)
            if isinstance(place, ServerPlace)
            and parse_network(split_endpoint(server.end)[0]) == asked
            and target.port in {None, split_endpoint(server.end)[1]}
            and target.protocol in {None, frontend.protocol}
        ]
        led += [frontend] if fitting else []
        wanted += fitting
    return Found(led, frozenset(wanted))


def _is_at_port(frontend: Frontend, target: NodePortTarget) -> bool:
    """Whether a port of the node may be meant: what is known to be at an address of a service is none."""
    of_node = frontend.kind in {"node-port", VIRTUAL}
    return of_node and frontend.port == target.port and target.protocol in {None, frontend.protocol}
