"""What is known when a question is asked, of the packet and from answers, and what is left open."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from iptviz.engine.fields import STATES, Field, interfaces, network_region
from iptviz.engine.host import UNKNOWN_HOST, Host
from iptviz.engine.nodes import TooLargeError
from iptviz.engine.regions import Region, region_of
from iptviz.engine.unknowns import Unknowns, too_much
from iptviz.xtables.values.protocols import protocol_number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from iptviz.engine.condition import Assumption, Condition
    from iptviz.engine.packet import Packet


def answers_of(assumptions: Sequence[Assumption], family: str = "ipv4") -> Callable[[Condition], bool | None]:
    """Return what answers conditions as far as `assumptions`, which can all be so, imply it."""
    unknowns = Unknowns(family)
    unknowns.assume(assumptions)
    return unknowns.told


def known_fields(packet: Packet, host: Host = UNKNOWN_HOST) -> dict[Field, Region]:
    """Return the regions in which fields of a packet lie, as it was described; interfaces are the node's."""
    there = host.interfaces and region_of([bounds for name in host.interfaces for bounds in interfaces(name)])
    states = (packet.state,) if packet.state else ()
    interface = there if packet.in_interface is None else interfaces(packet.in_interface)
    found = {
        "protocol": _number(protocol_number(packet.protocol) if packet.protocol else None),
        "source": packet.source and network_region(packet.source),
        "destination": packet.destination and network_region(packet.destination),
        "source-port": _number(packet.source_port),
        "ttl": _number(packet.ttl),
        "length": _number(packet.length),
        "destination-port": _number(packet.destination_port),
        "in-interface": interface,
        "out-interface": interfaces(packet.out_interface) if packet.out_interface else there,
        "state": _number(STATES.index(states[0]) if states else None),
    }
    return {Field(kind): region for kind, region in found.items() if region}


def _number(number: int | None) -> Region | None:
    return None if number is None else ((number, number + 1),)


Answered = TypeVar("Answered")


def within_bounds(
    begin: Callable[[Collection[Field]], Unknowns], ask: Callable[[Unknowns], Answered]
) -> Answered:
    """Return what `ask` does; where that is too large, with the questions left open that make it so.

    Raises:
        PacketError: it is too large even so.
    """
    open_: set[Field] = set()
    while True:
        unknowns = begin(open_)
        try:
            return ask(unknowns)
        except TooLargeError:
            busiest = unknowns.busiest() - open_
            if not busiest:
                raise too_much() from None
            open_ |= busiest
