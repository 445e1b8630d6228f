"""The service that a packet is for, and whether it gets to an endpoint of that."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Literal

from iptviz.engine.path import steps_of
from iptviz.kube.families import ENDPOINT_CHAIN
from iptviz.kube.find import find
from iptviz.kube.frontends import SERVICE_KINDS
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import ports_of
from iptviz.kube.target import AddressTarget
from iptviz.paths.model import ACCEPT, is_among
from iptviz.records import NamedTuple
from iptviz.xtables.address import full_mask, split_endpoint
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.engine.outcome import Outcome
    from iptviz.engine.packet import Packet
    from iptviz.kube.frontends import Frontend
    from iptviz.questions.packet import PacketResult

NOT_DNATED: Literal["not DNATed"] = "not DNATed"
Astray = Literal["", "not DNATed", "no endpoint"]
"""How a packet that is let on misses the service that it is for; empty where it does not."""


class Meant(NamedTuple):
    """A service's frontend to which a packet goes: where, of which service port, with which endpoints' addresses.

    The endpoints are looked up when something is sent elsewhere than by kube-proxy's own chains.
    """

    at: str
    name: str
    endpoints: Callable[[], frozenset[str] | None]

    def missed_by(self, outcome: Outcome) -> Astray:
        """Return how an outcome misses the service, if it does; what is refused never left."""
        if outcome.verdict != ACCEPT:
            return ""
        end = outcome.packet.dnat
        if end is None:
            return NOT_DNATED
        own = None if _is_by_endpoint_chain(outcome) else self.endpoints()
        return "" if own is None or is_among(split_endpoint(end)[0], own) else "no endpoint"


def _is_by_endpoint_chain(outcome: Outcome) -> bool:
    steps = (step for step in steps_of(outcome.path)[0] if step.table == "nat")
    return any(step.chain.startswith(ENDPOINT_CHAIN) for step in steps)


def meant_by(result: PacketResult) -> Meant | None:
    """Return the frontend that a packet is for, where the dump knows it and no rule is missing that may DNAT it.

    Nothing is said of a connection that exists: nat decided on it before.
    """
    for dump in _showing_nat(result):
        own = frontends_at(dump, result.asked)
        if own and result.asked.protocol:
            return Meant(own[0].at, own[0].claimant or own[0].text, cache(partial(_endpoints, dump, own)))
    return None


def is_for_service(result: PacketResult, either: Iterable[PacketResult]) -> bool:
    """Whether a packet is for a service that one of several dumps knows, and this one shows what may DNAT it."""
    return any(True for _ in _showing_nat(result)) and any(meant_by(each) is not None for each in either)


def _showing_nat(result: PacketResult) -> Iterator[Dump]:
    """Yield the dumps with all rules of nat; none where others may DNAT the packet, or a connection exists."""
    known = result.evidence
    if known is None or known.beyond or not result.complete or result.asked.state != "NEW":
        return
    for dump in result.dumps:
        nat = dump.tables.get("nat")
        if nat is not None and not nat.shown.is_excerpt:
            yield dump


def frontends_at(dump: Dump, asked: Packet) -> list[Frontend]:
    """Return the frontends of services at the address and port that a packet is for, if it is for one alone."""
    to = asked.destination
    if to is None or to.mask != full_mask(to.version) or asked.destination_port is None:
        return []
    address = show_host(to)
    found = find(dump, AddressTarget(address, asked.destination_port, asked.protocol))
    return [one for one in found.frontends if one.kind in SERVICE_KINDS and one.address == address]


def _endpoints(dump: Dump, frontends: list[Frontend]) -> frozenset[str] | None:
    """Return the addresses of a service port's endpoints; None where the dump does not show all."""
    _, ports = ports_of(dump, frontends, Naming(dump, ()))
    if any(answer.unseen or answer.unread for port in ports for answer in port.answers):
        return None
    return frozenset(end.address for port in ports for end in port.all_endpoints)
