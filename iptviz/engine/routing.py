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

from iptviz.engine.bridging import Bridges
from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.engine.host import FIXED_TYPES
from iptviz.engine.martians import LINK_LOCAL, LOOPBACK, Martians, lies_in
from iptviz.engine.meanings.connections import UNTRACKED
from iptviz.engine.moves import Lost, On
from iptviz.engine.packet import ANSWER
from iptviz.engine.settings import Settings, Side
from iptviz.supplied.routing_rules import REFUSING, Sought
from iptviz.xtables.address import Network, full_mask
from iptviz.xtables.values.addresses import show_host
from iptviz.xtables.values.numbers import Masked, show_mark

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.supplied.route_lines import Route
    from iptviz.supplied.routing_rules import HasMark

    Answer = Callable[[Condition], bool | None]

_FOUR = 4
_LEAST_TTL = 2
_HERE = {"local", "broadcast", "anycast"}
"""The kinds of routes that take a packet to this node."""
_ALWAYS_JOINED = {"224.0.0.1", "ff01::1", "ff02::1"}
"""All hosts are of these groups (ip_mc_up in net/ipv4/igmp.c, ipv6_add_dev in net/ipv6/addrconf.c)."""
_FORWARDING = {4: "net.ipv4.ip_forward", 6: "net.ipv6.conf.all.forwarding"}


class Routing:
    """What the kernel of a node decides about packets beside its rules, of which some may `ask_ttl`.

    `asks_own`: whether an address that nobody knows is the node's is asked of all that it sends, not only of
    what is not tracked: of two nodes both are to be asked.
    """

    def __init__(
        self, host: Host, asks_ttl: Callable[[], bool] = lambda: False, *, asks_own: bool = False
    ) -> None:
        self.host = host
        self.asks_own = asks_own
        self.asks_ttl = asks_ttl
        self.settings = Settings(host)
        self.martians = Martians(host, self.settings)
        self.bridges = Bridges(host)

    def started(self, packet: Packet, answer: Answer) -> On | Lost:
        """Take a packet off the wire, or from a program of this node, before any rule is asked.

        All of hook OUTPUT sees the interface of this first route, whatever nat does.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        if packet.route == "OUTPUT":
            routed = self._sent_on(packet, answer)
            return self._unless_unsent(routed._replace(out_interface=routed.leaves_by), answer)
        why = self.martians.on_arrival(packet, answer)
        return On(packet) if why is None else Lost(packet, why)

    def remarked(self, packet: Packet, answer: Answer, *, sure: bool) -> On | Lost:
        """Route a packet of this node again where mangle has changed its mark; `sure`: no other table has.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        routed = self._sent_on(packet, answer)
        if sure or routed.leaves_by == packet.leaves_by:
            return self._unless_unsent(routed, answer)
        return On(routed._replace(leaves_by=None))

    def resent(self, packet: Packet, answer: Answer) -> On | Lost:
        """Route a packet of this node again, whose destination nat has changed, or given back.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        if not packet.dnat and not packet.part:
            return On(packet)
        return self._unless_unsent(self._sent_on(packet, answer), answer)

    def _unless_unsent(self, packet: Packet, answer: Answer) -> On | Lost:
        """Lose a packet of this node that no route takes, or from loopback where it is not routed elsewhere."""
        why = self._unsent(packet, answer)
        return On(packet) if why is None else Lost(packet, why)

    def _unsent(self, packet: Packet, answer: Answer) -> str | None:
        unknown = packet.dnat is None and packet.destination is None
        side = Side("out-interface", packet.leaves_by)
        if unknown or side.name == "lo":
            return None
        if not lies_in(packet.source, LOOPBACK):
            return self._refused(packet, answer)
        if self.settings.is_on("route_localnet", side, answer) or self._is_local(packet, answer):
            return None
        return "no route from 127.0.0.0/8 to another host, where route_localnet is not 1"

    def _refused(self, packet: Packet, answer: Answer) -> str | None:
        """Return why no route takes a packet that is not for this node; None where one does, or none is known."""
        routes, sought = self.host.routes, self._sought(packet, answer)
        may_be_own = packet.route == "OUTPUT" and self.host.is_local(packet.destination) is not False
        if routes is None or sought is None or may_be_own:
            return None
        route = routes.lookup(sought)
        if route is not None:
            return f"route is {route.kind}" if route.kind in REFUSING else None
        return "no route to the destination" if routes.leads_nowhere(sought) else None

    def _sent_on(self, packet: Packet, answer: Answer) -> Packet:
        """Return a packet with the interface by which it leaves now, None where that is not known."""
        local = self._is_own(packet.destination) if packet.to_this_node is None else packet.to_this_node
        if packet.route == "OUTPUT" and local:
            return packet._replace(leaves_by="lo")
        if packet.route != "OUTPUT" and lies_in(packet.destination, LINK_LOCAL):
            return packet._replace(leaves_by=packet.in_interface)  # ip6_route_input looks at that link alone
        route = self._route_of(packet, answer) if self.host.out_interface is None else None
        leads_on = route is not None and route.kind not in REFUSING  # which IPv6 shows with lo
        return packet._replace(leaves_by=route.device if route and leads_on else self.host.out_interface)

    def _is_own(self, address: Network | None) -> bool | None:
        """Whether what this node sends to an address stays on it."""
        local = self.host.is_local(address)
        return True if not local and address is not None and self.host.is_anycast(address) else local

    def _route_of(self, packet: Packet, answer: Answer) -> Route | None:
        """Return the route of a packet as it is now; None for none, or where that is not known."""
        ends = self._ends(packet, answer)
        return next(iter(ends)) if ends is not None and len(ends) == 1 else None

    def _ends(self, packet: Packet, answer: Answer) -> frozenset[Route | None] | None:
        """Return the routes of which a packet takes one; where its mark alone may tell, that is asked."""
        routes, sought = self.host.routes, self._sought(packet, answer)
        if routes is None or sought is None:
            return None
        return routes.ends(sought)

    def _sought(self, packet: Packet, answer: Answer) -> Sought | None:
        """Return what routing looks for, where marks choose the route with the mark that it is said to have."""
        sought, routes = self._sought_without(packet), self.host.routes
        if sought is None or routes is None or packet.mark.known is not None:
            return sought
        ends = routes.ends(sought)
        return (
            sought
            if ends is not None and len(ends) == 1
            else sought._replace(has_mark=_asking(packet, answer))
        )

    @staticmethod
    def _is_for_many(address: Network) -> bool:
        """Whether a program chooses the interface, by its address or an option (ip_route_output_key_hash_rcu)."""
        return any(kind != "LOCAL" and network.contains(address) for kind, network in FIXED_TYPES)

    def _sought_without(self, packet: Packet) -> Sought | None:
        """Return what routing looks for; None for an unknown destination, or one for which a program chooses.

        What a program sends has no source at first, unless it is bound to one; a stream is routed once more with
        it (ip_route_connect in include/net/route.h), as is what nat or mangle change. What arrives is of the user
        who owns the namespace, and bound to no interface (ip_route_input_slow in net/ipv4/route.c).
        """
        to, source = packet.destination, packet.source
        if to is None or (packet.route == "OUTPUT" and self._is_for_many(to)):
            return None
        sources: tuple[Network, ...] = () if source is None else (source,)
        if packet.route == "OUTPUT" and source is not None and packet.protocol != "tcp" and not packet.dnat:
            sources = (source, Network(source.version, 0, full_mask(source.version)))
        found = Sought(
            to, sources, packet.in_interface, "", packet.mark.told, packet.tos, packet.protocol,
            packet.source_port, packet.destination_port, 0,
        )  # fmt: skip
        if packet.route != "OUTPUT":
            return found
        return found._replace(in_interface="lo", out_interface=None, uid=(packet.owner or (None, None))[0])

    def looped(self, packet: Packet, answer: Answer) -> On:
        """Return a packet that the node sends to itself as it comes in again, any other as it is.

        Raises:
            UndecidedError: that hangs on where DNAT has sent it.
        """
        if packet.route != "OUTPUT":
            return On(packet)
        own = self.host.is_local(packet.destination)
        if not self._is_led_back(packet, answer):
            if not self._comes_back(packet, answer):
                return On(packet)
            own = own is not False  # else it is for any router of a network
        statuses = packet.statuses | {"CONFIRMED"}  # after POSTROUTING: nf_confirm of nf_conntrack_proto.c
        return On(packet._replace(route="INPUT", in_interface="lo", to_this_node=own, statuses=statuses))

    def _is_led_back(self, packet: Packet, answer: Answer) -> bool:
        """Whether a route of some table, as one that its mark chooses, leads a packet of this node to it."""
        route = self._route_of(packet, answer) if packet.leaves_by == "lo" else None
        return route is not None and route.kind in _HERE and route.table != "local"

    def _comes_back(self, packet: Packet, answer: Answer) -> bool:
        """Whether a packet of this node is for this node; an unknown address is taken for another host's.

        But what is not tracked may be so since a program of this node has the address, as a DNS cache does.
        """
        is_taken = packet.state != UNTRACKED and not self.asks_own
        if packet.dnat is None and packet.to_this_node is None and is_taken:
            return bool(self._is_own(packet.destination))
        return self._is_local(packet, answer)

    def arrived(self, packet: Packet, answer: Answer) -> On | Lost:
        """Deliver to this node or forward.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        if packet.in_interface != "lo":
            why = self.martians.when_routed(packet, answer)
            if why is not None:
                return self._unless_bridged(packet, why, answer)
        delivered = self._delivered(packet, answer)
        if delivered is not None:
            return delivered
        forwarded = self._sent_on(packet._replace(route="FORWARD", to_this_node=False), answer)
        of_ttl = self.asks_ttl() or (packet.ttl is not None and packet.ttl < _LEAST_TTL)
        bridged = self.bridges.passed_on(forwarded, answer, of_ttl=of_ttl)
        if bridged is not None:
            return bridged
        why = self._unforwarded(forwarded, answer)
        if why is not None:
            return self._unless_bridged(packet, why, answer)
        if _expires(packet, answer):
            return Lost(packet, "time to live exceeded, not forwarded")
        why = self._refused(packet, answer)
        if why is not None:
            return Lost(packet, why)
        if packet.ttl is None:
            return On(forwarded._replace(ttl_taken=packet.ttl_taken + 1))
        return On(forwarded._replace(ttl=packet.ttl - 1))

    def _unless_bridged(self, packet: Packet, why: str, answer: Answer) -> On | Lost:
        """Lose a packet that is not routed, unless a bridge passes it on."""
        forwarded = self._sent_on(packet._replace(route="FORWARD", to_this_node=False), answer)
        return On(forwarded) if self.bridges.pass_unrouted(forwarded, answer) else Lost(packet, why)

    def _delivered(self, packet: Packet, answer: Answer) -> On | Lost | None:
        """Deliver what is for this node, for many, or led here by a route; None for other packets."""
        if self._is_local(packet, answer) and not self._led_elsewhere(packet, answer):
            return On(packet._replace(route="INPUT", to_this_node=True))
        many = self._for_many(packet, answer)
        if many is not None:
            return many
        elsewhere = lies_in(packet.destination, LINK_LOCAL)  # that of another link
        if not elsewhere and self._is_led_here(packet, answer):
            return On(packet._replace(route="INPUT", to_this_node=False))
        return None

    def _is_local_by(self, packet: Packet, answer: Answer) -> bool:
        """Whether a link-local address is that of the interface by which a packet came: each link has its own."""
        addresses = (self.host.addresses or {}).items()
        names = [name for name, held in addresses if any(one.address == packet.destination for one in held)]
        if not names or packet.route == "OUTPUT":
            return True
        if packet.in_interface is None:
            return answered(Condition("in-interface", ", ".join(names)), answer)
        return packet.in_interface in names

    def _led_elsewhere(self, packet: Packet, answer: Answer) -> bool:
        """Whether a rule that is asked before the node's own addresses are leads a packet away from it."""
        routes = self.host.routes
        if routes is None or routes.local_first:
            return False
        sought = self._sought(packet, answer)
        ends = None if sought is None else routes.before_local(sought)
        elsewhere = {route is not None and route.kind not in _HERE for route in ends or ()}
        if len(elsewhere) == 1:
            return elsewhere.pop()
        return not answered(Condition("delivery", packet.mark.label or "any"), answer)

    def _is_led_here(self, packet: Packet, answer: Answer) -> bool:
        """Whether a route takes a packet to this node that is for none of its addresses.

        One that TPROXY has given to a socket needs such a route, by its mark, and somebody has seen to it.
        """
        routes = self.host.routes
        told = routes is not None and (self.host.version in routes.has_rules or not packet.proxied)
        ends = self._ends(packet, answer) if told else None
        kinds = {route is not None and route.kind in _HERE for route in ends or ()}
        if len(kinds) == 1:
            return kinds.pop()
        if not kinds and not packet.proxied:
            return False
        return answered(Condition("delivery", packet.mark.label or "any"), answer)

    def _for_many(self, packet: Packet, answer: Answer) -> On | Lost | None:
        """Deliver a broadcast, an anycast, or what is for a group of which this node is; None for other packets.

        What is for another group is dropped, not forwarded: multicast routing is taken to be off.
        """
        to = packet.destination
        if to is None or to.mask != full_mask(to.version) or packet.to_this_node is not None:
            return None
        kind = self.host.address_type(to)
        mine = On(packet._replace(route="INPUT", to_this_node=False))
        if kind == "BROADCAST" or (kind == "ANYCAST" and (to.version == _FOUR or self.host.is_anycast(to))):
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
        """Return why this node forwards no such packet; None where it does, or nothing is known.

        What TPROXY has given to a socket is never forwarded (ip_forward in net/ipv4/ip_forward.c and ip6_forward
        in net/ipv6/ip6_output.c drop a packet that has one).
        """
        if packet.proxied:
            return f"TPROXY: routing does not deliver mark {packet.mark.label or 'any'} to this node"
        address = packet.destination or packet.source
        version = self.host.version if address is None else address.version
        side = Side("in-interface", packet.in_interface)
        setting = self.settings.unforwarding(version, side, answer)
        return f"not forwarded: {setting} is 0" if setting else self.martians.when_forwarded(packet, answer)

    def _is_local(self, packet: Packet, answer: Answer) -> bool:
        local = packet.to_this_node
        if local is None:
            local = self.host.is_local(packet.destination)
        if local and packet.to_this_node is None and lies_in(packet.destination, LINK_LOCAL):
            local = self._is_local_by(packet, answer)
        if local is not None:
            return local
        if not packet.dnat or packet.part == ANSWER:
            return answered(Condition("destination-type", "LOCAL", since=packet.since("destination")), answer)
        # Where a connection was sent is one endpoint; a first packet may be sent to each of many.
        chosen = packet.destination if packet.part else None
        return answered(Condition("endpoint-local", show_host(chosen) if chosen else "DNAT"), answer)


def _asking(packet: Packet, answer: Answer) -> HasMark:
    """Return what tells of the mark of a packet, and asks for what is not known of it."""

    def has_mark(value: int, mask: int) -> bool:
        found = packet.mark.equals(value, mask)
        if isinstance(found, bool):
            return found
        origin = packet.mark.origin
        return answered(Condition(origin.field, show_mark(Masked(*found)), since=origin.since), answer)

    return has_mark


def _expires(packet: Packet, answer: Answer) -> bool:
    """Whether the time to live does not suffice to forward a packet; one that no rule changed is taken to."""
    if packet.ttl is not None:
        return packet.ttl < _LEAST_TTL
    since = packet.since("ttl")
    if since is None:
        return False
    return answered(Condition("ttl", f"0:{_LEAST_TTL - 1}", since=since), answer)
