"""The kernel's routing between netfilter's hooks: who takes a packet, where it leaves, and what is dropped there.

Source: ip_route_input_rcu in net/ipv4/route.c and ip6_mc_input in net/ipv6/ip6_input.c, which deliver what is for
many; net/ipv4/ip_forward.c, which takes one off the time to live before FORWARD is asked; __mkroute_output in
net/ipv4/route.c, which gives 127.0.0.0/8 no route out of the node, asked when a program sends, and again after
nat OUTPUT has changed the destination (ip_route_me_harder in net/ipv4/netfilter.c), before filter OUTPUT.
The mark that counts is the one at that time: with nat PREROUTING's, with mangle OUTPUT's (ipt_mangle_out in
net/ipv4/netfilter/iptable_mangle.c), not with those of later tables.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.engine.martians import LOOPBACK, Martians, lies_in
from iptviz.engine.meanings.connections import UNTRACKED
from iptviz.engine.moves import Lost, On
from iptviz.engine.packet import ANSWER
from iptviz.engine.settings import Settings, Side
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.supplied.route_lines import Route

    Answer = Callable[[Condition], bool | None]

_REFUSING_ROUTES = {"unreachable", "blackhole", "prohibit"}
_LEAST_TTL = 2
_DELIVERED = {"BROADCAST", "ANYCAST"}
_ALWAYS_JOINED = {"224.0.0.1", "ff01::1", "ff02::1"}
"""All hosts are of these groups (ip_mc_up in net/ipv4/igmp.c, ipv6_add_dev in net/ipv6/addrconf.c)."""
_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


class Routing:
    """What the kernel of a node decides about packets beside its rules."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.settings = Settings(host)
        self.martians = Martians(host, self.settings)

    def started(self, packet: Packet, answer: Answer) -> On | Lost:
        """Take a packet off the wire, or from a program of this node, before any rule is asked.

        All of hook OUTPUT sees the interface of this first route, whatever nat does.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        if packet.route == "OUTPUT":
            routed = self._sent_on(packet)
            return self._unless_unsent(routed._replace(out_interface=routed.leaves_by), answer)
        why = self.martians.on_arrival(packet, answer)
        return On(packet) if why is None else Lost(packet, why)

    def remarked(self, packet: Packet, *, sure: bool) -> Packet:
        """Route a packet of this node again where mangle has changed its mark; `sure`: no other table has."""
        routed = self._sent_on(packet)
        return routed if sure or routed.leaves_by == packet.leaves_by else routed._replace(leaves_by=None)

    def resent(self, packet: Packet, answer: Answer) -> On | Lost:
        """Route a packet of this node again, whose destination nat has changed, or given back.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        return (
            self._unless_unsent(self._sent_on(packet), answer) if packet.dnat or packet.part else On(packet)
        )

    def _unless_unsent(self, packet: Packet, answer: Answer) -> On | Lost:
        """Lose a packet of this node from loopback that goes elsewhere, where loopback is not routed there."""
        unknown = packet.dnat is None and packet.destination is None
        side = Side("out-interface", packet.leaves_by)
        if unknown or not lies_in(packet.source, LOOPBACK) or side.name == "lo":
            return On(packet)
        if self.settings.is_on("route_localnet", side, answer) or self._is_local(packet, answer):
            return On(packet)
        return Lost(packet, "no route from 127.0.0.0/8 to another host, where route_localnet is not 1")

    def _sent_on(self, packet: Packet) -> Packet:
        """Return a packet with the interface by which it leaves now, None where that is not known."""
        local = self.host.is_local(packet.destination) if packet.to_this_node is None else packet.to_this_node
        if packet.route == "OUTPUT" and local:
            return packet._replace(leaves_by="lo")
        route = self._route_of(packet) if self.host.out_interface is None else None
        return packet._replace(leaves_by=route.device if route else self.host.out_interface)

    def _route_of(self, packet: Packet) -> Route | None:
        """Return the route of a packet with the mark that it has now."""
        if self.host.routes is None or packet.destination is None:
            return None

        def has_mark(value: int, mask: int) -> bool | None:
            found = packet.mark.equals(value, mask)
            return found if isinstance(found, bool) else None

        return self.host.routes.lookup(packet.destination, has_mark)

    def looped(self, packet: Packet, answer: Answer) -> On:
        """Return a packet that the node sends to itself as it comes in again, any other as it is.

        Raises:
            UndecidedError: that hangs on where DNAT has sent it.
        """
        if packet.route != "OUTPUT" or not self._comes_back(packet, answer):
            return On(packet)
        statuses = packet.statuses | {"CONFIRMED"}  # after POSTROUTING: nf_confirm of nf_conntrack_proto.c
        return On(packet._replace(route="INPUT", in_interface="lo", to_this_node=True, statuses=statuses))

    def _comes_back(self, packet: Packet, answer: Answer) -> bool:
        """Whether a packet of this node is for this node; an unknown address is taken for another host's.

        But what is not tracked may be so since a program of this node has the address, as a DNS cache does.
        """
        if packet.dnat is None and packet.to_this_node is None and packet.state != UNTRACKED:
            return bool(self.host.is_local(packet.destination))
        return self._is_local(packet, answer)

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
        many = self._for_many(packet, answer)
        if many is not None:
            return many
        why = self._unforwarded(packet, answer)
        if why is not None:
            return Lost(packet, why)
        route = self._route_of(packet)
        if _expires(packet, answer):
            return Lost(packet, "time to live exceeded, not forwarded")
        if route is not None and route.kind in _REFUSING_ROUTES:
            return Lost(packet, f"route is {route.kind}")
        forwarded = self._sent_on(packet._replace(route="FORWARD", to_this_node=False))
        if packet.ttl is None:
            return On(forwarded._replace(ttl_taken=packet.ttl_taken + 1))
        return On(forwarded._replace(ttl=packet.ttl - 1))

    def _for_many(self, packet: Packet, answer: Answer) -> On | Lost | None:
        """Deliver a broadcast, an anycast, or what is for a group of which this node is; None for other packets.

        What is for another group is dropped, not forwarded: multicast routing is taken to be off.
        """
        to = packet.destination
        if to is None or to.mask != full_mask(to.version) or packet.to_this_node is not None:
            return None
        kind = self.host.address_type(to)
        mine = On(packet._replace(route="INPUT", to_this_node=False))
        if kind in _DELIVERED:
            return mine
        if kind != "MULTICAST":
            return None
        group = show_host(to)
        if group in _ALWAYS_JOINED or answered(Condition("group", group), answer):
            return mine
        return Lost(packet, f"not a member of {group}, no multicast routing")

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
        if not packet.dnat or packet.part == ANSWER:
            return answered(Condition("destination-type", "LOCAL", since=packet.since("destination")), answer)
        # Where a connection was sent is one endpoint; a first packet may be sent to each of many.
        chosen = packet.destination if packet.part else None
        return answered(Condition("endpoint-local", show_host(chosen) if chosen else "DNAT"), answer)


def _expires(packet: Packet, answer: Answer) -> bool:
    """Whether the time to live does not suffice to forward a packet; one that no rule changed is taken to."""
    if packet.ttl is not None:
        return packet.ttl < _LEAST_TTL
    since = packet.since("ttl")
    if since is None:
        return False
    return answered(Condition("ttl", f"0:{_LEAST_TTL - 1}", since=since), answer)
