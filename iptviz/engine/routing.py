"""The kernel's routing between netfilter's hooks: who takes a packet, where it leaves, and what is dropped there.

Source: net/ipv4/ip_forward.c, which takes one off the time to live before FORWARD is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.engine.moves import Lost, On

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet

    Answer = Callable[[Condition], bool | None]

_REFUSING_ROUTES = {"unreachable", "blackhole", "prohibit"}
_LEAST_TTL = 2


class Routing:
    """What the kernel of a node decides about packets beside its rules."""

    def __init__(self, host: Host) -> None:
        self.host = host

    def outgoing(self, chain: str, packet: Packet) -> str | None:
        """Return where a packet leaves, as a built-in chain sees it; None where that is not known."""
        destination = packet.destination
        if chain == "OUTPUT" and packet.original is not None:
            destination = packet.original.destination  # all of this hook sees the route from before nat
        if packet.route == "OUTPUT" and self.host.is_local(destination):
            return "lo"
        if self.host.out_interface is None and self.host.routes and destination is not None:
            route = self.host.routes.lookup(destination)
            return route.device if route else None
        return self.host.out_interface

    def looped(self, packet: Packet) -> On:
        """Return a packet that the node sends to itself as it comes in again, any other as it is."""
        if packet.route != "OUTPUT" or not self.host.is_local(packet.destination):
            return On(packet)
        statuses = packet.statuses | {"CONFIRMED"}  # after POSTROUTING: nf_confirm of nf_conntrack_proto.c
        return On(packet._replace(route="INPUT", in_interface="lo", to_this_node=True, statuses=statuses))

    def arrived(self, packet: Packet, answer: Answer) -> On | Lost:
        """Deliver to this node or forward.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        if self._is_local(packet, answer):
            return On(packet._replace(route="INPUT", to_this_node=True))
        route = (
            self.host.routes.lookup(packet.destination) if self.host.routes and packet.destination else None
        )
        if _expires(packet, answer):
            return Lost(packet, "time to live exceeded, not forwarded")
        if route is not None and route.kind in _REFUSING_ROUTES:
            return Lost(packet, f"route is {route.kind}")
        forwarded = packet._replace(route="FORWARD", to_this_node=False)
        if packet.ttl is None:
            return On(forwarded._replace(ttl_taken=packet.ttl_taken + 1))
        return On(forwarded._replace(ttl=packet.ttl - 1))

    def _is_local(self, packet: Packet, answer: Answer) -> bool:
        local = packet.to_this_node
        if local is None:
            local = self.host.is_local(packet.destination)
        if local is not None:
            return local
        return answered(
            Condition("endpoint-local", "DNAT")
            if packet.dnat
            else Condition("destination-type", "LOCAL", since=packet.since("destination")),
            answer,
        )


def _expires(packet: Packet, answer: Answer) -> bool:
    """Whether the time to live does not suffice to forward a packet; one that no rule changed is taken to."""
    if packet.ttl is not None:
        return packet.ttl < _LEAST_TTL
    since = packet.since("ttl")
    if since is None:
        return False
    return answered(Condition("ttl", f"0:{_LEAST_TTL - 1}", since=since), answer)
