"""The questions `trace` and `services` of virtual servers of IPVS: what rules do besides is not looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.ports.of_rules import virtual_forms
from iptviz.intake.remark import remark
from iptviz.kube.era import VIRTUAL_SERVERS, Era
from iptviz.kube.frontends import VIRTUAL
from iptviz.kube.ipvs.finding import find
from iptviz.kube.ipvs.frontends import VirtualFrontends
from iptviz.kube.ipvs.ports import virtual_ports
from iptviz.kube.ipvs.tracing import is_served, trace_virtual
from iptviz.kube.names import NAMELESS
from iptviz.kube.target import NameTarget, parse_target
from iptviz.questions.trace_notes import address_notes
from iptviz.questions.ways import evidence_of
from iptviz.rules.form import virtual_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.compare.ports.form import PortForm
    from iptviz.kube.find import Found
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.service import ServiceTrace
    from iptviz.kube.service_ports import ServicePort
    from iptviz.node.snapshot import Snapshot
    from iptviz.node.virtual_servers import IpvsListing
    from iptviz.questions.ways import Beside
    from iptviz.supplied.ipvs import VirtualServer
    from iptviz.supplied.service_names import Candidate

ERA = Era(VIRTUAL_SERVERS, frozenset(), (), frozenset())
"""Virtual servers do not tell who made them, or when."""


def frontends_of(
    node: Snapshot, listing: IpvsListing, names: Sequence[Candidate], beside: Beside
) -> VirtualFrontends:
    """Return the frontends of a listing, with the kinds that sets tell and the names that a list does.

    Raises:
        DumpError: the sets that are supplied cannot be read.
    """
    return VirtualFrontends(listing, evidence_of(node, listing.family, beside).host.sets, names)


def traced_at(
    frontends: VirtualFrontends, target: str
) -> tuple[Found, tuple[ServiceTrace, ...], tuple[tuple[Frontend, ...], ...], list[Item]]:
    """Return what a listing says of TARGET: what it names, each traced, their other frontends, and notes."""
    listing, parsed = frontends.listing, parse_target(target)
    found = find(frontends, parsed)
    services = tuple(trace_virtual(one, complete=listing.complete) for one in found.frontends)
    notes: list[Item] = []
    if not services:
        notes.append(remark("target-absent", typed=target, there="listing"))
        if isinstance(parsed, NameTarget):
            notes += _nameless(frontends)
        notes += _unlisted(listing)
    servers = _servers(found.frontends)
    notes += _of_listing(listing, servers)
    for virtual in servers if listing.complete else ():
        notes += _of_server(virtual)
    notes += address_notes(parsed, found, target)
    return found, services, tuple(_siblings(frontends, traced.frontend) for traced in services), notes


def notes_of(frontends: VirtualFrontends, ports: Iterable[ServicePort]) -> list[Item]:
    """Return what a listing lacks, and what its services depend on."""
    own = [answer.frontend for port in ports for answer in port.answers]
    servers, listing = _servers(own), frontends.listing
    notes = [*_nameless(frontends), *_unlisted(listing), *_of_listing(listing, servers)]
    notes += _counted(servers) if listing.complete else ()
    untold = sum(one.kind == VIRTUAL for one in own)
    if untold:
        notes.append(remark("ipvs-kinds-untold", count=untold))
    return notes


def ports_in(frontends: VirtualFrontends) -> list[ServicePort]:
    """Return every service port of a listing."""
    return virtual_ports(frontends)


def forms_at(frontends: VirtualFrontends, ports: Sequence[ServicePort]) -> tuple[PortForm, ...]:
    """Return the service ports in the normal form."""
    return virtual_forms(ports, policies_told=frontends.kinds_told)


def _siblings(frontends: VirtualFrontends, asked: Frontend) -> tuple[Frontend, ...]:
    """Return the other frontends of the service port of one."""
    return tuple(
        other
        for group in frontends.by_service
        if any(_places(one) & _places(asked) for one in group)
        for other in group
        if not _places(other) & _places(asked)
    )


def _places(frontend: Frontend) -> frozenset[object]:
    return frozenset((frontend.rule, *(frontend.addresses.rules if frontend.addresses else ())))


def _nameless(frontends: VirtualFrontends) -> Iterator[Item]:
    """Yield that nothing names services."""
    if all(one.service is NAMELESS for one in frontends.all):
        yield remark("ipvs-nameless")


def _unlisted(listing: IpvsListing) -> Iterator[Item]:
    if listing.unplaced:
        yield remark("ipvs-not-at-addresses", count=listing.unplaced)


def _servers(frontends: Iterable[Frontend]) -> list[VirtualServer]:
    return [virtual for one in frontends if (virtual := virtual_of(one.rule)) is not None]


def _of_listing(listing: IpvsListing, servers: Sequence[VirtualServer]) -> Iterator[Item]:
    """Yield what is not known of virtual servers: what rules do, and shares that their schedulers do not tell."""
    if servers:
        yield remark("ipvs-rules-not-asked")
    if not listing.complete:
        yield remark("ipvs-partial", source=listing.source)
        return
    unknown = dict.fromkeys(one.scheduler for one in servers if one.servers and one.shares is None)
    yield from (remark("ipvs-shares-unknown", scheduler=scheduler) for scheduler in unknown)


_UNCHANGED = ("route", "tunnel")
"""How real servers get connections whose destination stays what it was."""


def _of_server(virtual: VirtualServer) -> Iterator[Item]:
    """Yield which real servers get nothing new, and which are no destination of DNAT."""
    at = f"{virtual.protocol} {virtual.at}"
    drained = tuple(server.end for server in virtual.servers if server.weight == 0)
    if drained:
        yield remark("ipvs-drained", virtual.line, at=at, ends=drained, served=is_served(virtual))
    for forward in _UNCHANGED:
        ends = tuple(server.end for server in virtual.servers if server.forward == forward)
        if ends:
            yield remark("ipvs-not-rewritten", virtual.line, at=at, ends=ends, forward=forward)


def _counted(servers: Sequence[VirtualServer]) -> Iterator[Item]:
    """Yield at how many virtual servers that is so, with the line of the first."""
    drained = [one for one in servers if any(server.weight == 0 for server in one.servers)]
    if drained:
        yield remark("ipvs-drained-at", drained[0].line, count=len(drained))
    unchanged = [one for one in servers if any(server.forward in _UNCHANGED for server in one.servers)]
    if unchanged:
        yield remark("ipvs-not-rewritten-at", unchanged[0].line, count=len(unchanged))
