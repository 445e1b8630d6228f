"""The kernel's routing between netfilter's hooks: who takes a packet, where it leaves, and what is dropped there.

Source: net/ipv4/ip_forward.c, which takes one off the time to live before FORWARD is asked; __mkroute_output in
net/ipv4/route.c, which gives 127.0.0.0/8 no route out of the node, asked when a program sends, and again after
nat OUTPUT has changed the destination (ip_route_me_harder in net/ipv4/netfilter.c), before filter OUTPUT.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.engine.martians import LOOPBACK, Martians, lies_in
from iptviz.engine.moves import Lost, On
from iptviz.engine.settings import Settings, Side

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet

    Answer = Callable[[Condition], bool | None]

_REFUSING_ROUTES = {"unreachable", "blackhole", "prohibit"}
_LEAST_TTL = 2
_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


class Routing:
    """What the kernel of a node decides about packets beside its rules."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.settings = Settings(host)
        self.martians = Martians(host, self.settings)

    def started(self, packet: Packet, answer: Answer) -> On | Lost:
        """Take a packet off the wire, or from a program of this node, before any rule is asked.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        sent = packet.route == "OUTPUT"
        why = self._unsent("OUTPUT", packet, answer) if sent else self.martians.on_arrival(packet, answer)
        return On(packet) if why is None else Lost(packet, why)

    def resent(self, packet: Packet, answer: Answer) -> On | Lost:
        """Route a packet of this node again, whose destination nat has changed.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        why = self._unsent("POSTROUTING", packet, answer) if packet.dnat else None
        return On(packet) if why is None else Lost(packet, why)

    def _unsent(self, chain: str, packet: Packet, answer: Answer) -> str | None:
        """Return why a packet of this node finds no route, None where it does: loopback's stay on lo."""
        if packet.dnat is None and packet.destination is None:
            return None
        if not lies_in(packet.source, LOOPBACK):
            return None
        side = Side("out-interface", self.outgoing(chain, packet))
        if side.name == "lo" or self.settings.is_on("route_localnet", side, answer):
            return None
        if self._is_local(packet, answer):
            return None
        return "no route from 127.0.0.0/8 to another host, where route_localnet is not 1"

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

    def looped(self, packet: Packet, _answer: Answer) -> On:
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
        if packet.in_interface != "lo":
            why = self.martians.when_routed(packet, answer)
            if why is not None:
                return Lost(packet, why)
        if self._is_local(packet, answer):
            return On(packet._replace(route="INPUT", to_this_node=True))
        why = self._unforwarded(packet, answer)
        if why is not None:
            return Lost(packet, why)
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

    def unseen(self, packet: Packet, routes: Collection[str]) -> tuple[str, ...]:
        """Return the settings that may drop a packet that arrived, and are not known; it took one of `routes`."""
        found = []
        if "FORWARD" in routes and not self.settings.tells_forwarding(self.host.version, packet.in_interface):
            found.append(_FORWARDING[self.host.version])
        if {"FORWARD", "INPUT"} & set(routes) and not self.martians.tells_reverse_path(packet):
            found.append("rp_filter")
        return tuple(found)

    def _unforwarded(self, packet: Packet, answer: Answer) -> str | None:
        """Return why this node forwards no such packet; None where it does, or nothing is known."""
        address = packet.destination or packet.source
        version = self.host.version if address is None else address.version
        side = Side("in-interface", packet.in_interface)
        setting = self.settings.unforwarding(version, side, answer)
        return f"not forwarded: {setting} is 0" if setting else self.martians.when_forwarded(packet)

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
