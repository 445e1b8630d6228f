"""What the kernel drops for its addresses alone when it routes a packet that arrived, whatever the rules say.

Source: IPv4: ip_route_input_slow in net/ipv4/route.c, fib_validate_source in net/ipv4/fib_frontend.c, which drop
after PREROUTING. IPv6: ip6_rcv_core in net/ipv6/ip6_input.c, before any rule, and ip6_forward in
net/ipv6/ip6_output.c. A source or destination that is not known is taken as none of these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.engine.marks import known_mark
from iptviz.engine.packet import ANSWER
from iptviz.engine.settings import Settings, Side
from iptviz.supplied.routing_rules import Sought
from iptviz.xtables.address import Network, parse_network

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.supplied.routing_rules import HasMark

    Answer = Callable[[Condition], bool | None]


def _network(text: str) -> Network:
    network = parse_network(text)
    assert network is not None  # noqa: S101 - a constant of this module
    return network


LOOPBACK = _network("127.0.0.0/8")
_OWN_LOOPBACK = _network("127.0.0.1")
_NOWHERE, _EVERYWHERE = _network("0.0.0.0"), _network("255.255.255.255")  # noqa: S104 - addresses of packets
_NO_SOURCES = tuple(map(_network, ("224.0.0.0/4", "255.255.255.255")))
_SIX_LOOPBACK, _SIX_GROUPS = _network("::1"), _network("ff00::/8")
LINK_LOCAL = _network("fe80::/10")
_SIX_UNFORWARDED = {"::": _network("::"), "fe80::/10": LINK_LOCAL}


def lies_in(address: Network | None, network: Network) -> bool:
    """Whether an address, or a network, is known to lie in `network`."""
    return address is not None and network.contains(address)


class Martians:
    """Tells which packets the kernel of a node refuses for their addresses."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self.host = host
        self.settings = settings

    def on_arrival(self, packet: Packet, answer: Answer) -> str | None:
        """Return why a packet is dropped before any rule is asked; None where it is not.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        ends = packet.source, packet.destination
        if lies_in(packet.source, _SIX_GROUPS):
            return "martian source: a multicast address"
        if any(lies_in(end, _SIX_LOOPBACK) for end in ends) and not self._by_loopback(packet, answer):
            return "martian source: ::1 from outside"
        return None

    def when_routed(self, packet: Packet, answer: Answer) -> str | None:
        """Return why a packet is dropped when it is routed after PREROUTING; None where it is not.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        source, destination = packet.source, packet.destination
        if lies_in(destination, _SIX_LOOPBACK) and (packet.dnat or packet.part == ANSWER):
            return "martian destination: ::1 from outside"
        if any(lies_in(source, network) for network in _NO_SOURCES):
            return "martian source: not a unicast address"
        if _NOWHERE in (source, destination):
            allowed = source == _NOWHERE and destination in (None, _NOWHERE, _EVERYWHERE)
            return None if allowed else "martian: 0.0.0.0"
        return (
            self._for_loopback(packet, answer)
            or self._for_own_source(packet, answer)
            or self._by_reverse_path(packet)
        )

    def when_forwarded(self, packet: Packet, answer: Answer) -> str | None:
        """Return why a packet is not forwarded for its source; None where it is.

        What leaves by the interface by which it came is not asked for it (ip6_forward in net/ipv6/ip6_output.c).

        Raises:
            UndecidedError: that hangs on by which interface it came.
        """
        text = next((text for text, one in _SIX_UNFORWARDED.items() if lies_in(packet.source, one)), None)
        if text is None or self._leaves_as_it_came(packet, answer):
            return None
        return f"source {text} is not forwarded to another link"

    def _leaves_as_it_came(self, packet: Packet, answer: Answer) -> bool:
        came, leaves = packet.in_interface, packet.leaves_by
        if came is None:
            return leaves is not None and answered(Condition("in-interface", leaves), answer)
        return came == leaves if leaves else answered(Condition("out-interface", came), answer)

    def _for_loopback(self, packet: Packet, answer: Answer) -> str | None:
        ends = {"destination": packet.destination, "source": packet.source}
        end = next((name for name, address in ends.items() if lies_in(address, LOOPBACK)), None)
        if end is None or self._by_loopback(packet, answer):
            return None
        if self.settings.is_on("route_localnet", _incoming(packet), answer):
            return None
        return f"martian {end}: in 127.0.0.0/8, and route_localnet is not 1"

    def _for_own_source(self, packet: Packet, answer: Answer) -> str | None:
        source = packet.source
        if source is None or source.version != _FOUR:
            return None
        filtered = self.settings.greatest("rp_filter", packet.in_interface)
        looked_up = source == _OWN_LOOPBACK or not lies_in(source, LOOPBACK) or bool(filtered)
        if not looked_up or not self._is_own(packet, source, answer) or self._by_loopback(packet, answer):
            return None
        if self.settings.is_on("accept_local", _incoming(packet), answer):
            return None
        return "martian source: an address of this node, and accept_local is not 1"

    def _is_own(self, packet: Packet, source: Network, answer: Answer) -> bool:
        """Whether a source is known to be one of this node's, or led to it by a route as those that TPROXY needs.

        Where there are such routes, or rules, the kernel looks at more than its addresses (fib_validate_source).
        It looks with the packet's mark if src_valid_mark says so.
        """
        routes = self.host.routes
        if self.host.is_local(source) or routes is None:
            return bool(self.host.is_local(source))
        back = self._way_back(packet, source)
        own = [
            (route := routes.lookup(back._replace(has_mark=mark.told))) is not None and route.kind == "local"
            for mark in (known_mark(0), packet.mark)
        ]
        return (
            own[self.settings.is_on("src_valid_mark", _incoming(packet), answer)]
            if any(own) != all(own)
            else own[0]
        )

    def tells_reverse_path(self, packet: Packet) -> bool:
        """Whether it is known if rp_filter drops a packet that arrived."""
        source, routes = packet.source, self.host.routes
        if self.host.version != _FOUR or self.settings.is_off("rp_filter", packet.in_interface):
            return True
        if (
            source is None
            or routes is None
            or self.settings.greatest("rp_filter", packet.in_interface) is None
        ):
            return False
        back = self._way_back(packet, source)
        route = routes.lookup(back)
        return routes.leads_nowhere(back) if route is None else route.device is not None

    def _way_back(self, packet: Packet, source: Network) -> Sought:
        """Return the search for the way to a source (__fib_validate_source in net/ipv4/fib_frontend.c).

        The mark is only asked about where src_valid_mark says so; where that is not known, either way must do.
        """
        sources = () if packet.destination is None else (packet.destination,)
        return Sought(
            source, sources, "lo", "", self._mark_back(packet), packet.tos, packet.protocol,
            packet.destination_port, packet.source_port, 0,
        )  # fmt: skip

    def _mark_back(self, packet: Packet) -> HasMark:
        plain, marked = known_mark(0).told, packet.mark.told
        if self.settings.is_off("src_valid_mark", packet.in_interface):
            return plain
        if self.settings.greatest("src_valid_mark", packet.in_interface):
            return marked

        def has_mark(value: int, mask: int) -> bool | None:
            either = plain(value, mask)
            return either if either == marked(value, mask) else None

        return has_mark

    def _by_reverse_path(self, packet: Packet) -> str | None:
        """Return why rp_filter drops a packet: 1 asks for a route back by the same interface, 2 for any.

        Without the setting, the routes and the interface it is taken to pass.
        """
        source, routes = packet.source, self.host.routes
        filtered = self.settings.greatest("rp_filter", packet.in_interface)
        if not filtered or source is None or source.version != _FOUR or routes is None:
            return None
        back = self._way_back(packet, source)
        route = routes.lookup(back)
        if route is None:
            return "rp_filter: no route to the source" if routes.leads_nowhere(back) else None
        if route.kind not in _BACK:
            return f"rp_filter: the route to the source is {route.kind}"
        if filtered != _STRICT or route.device in (None, packet.in_interface):
            return None
        return f"rp_filter is 1: the source is routed by {route.device}, not by {packet.in_interface}"

    @staticmethod
    def _by_loopback(packet: Packet, answer: Answer) -> bool:
        """Whether a packet comes in by lo: the node sent it to itself, and it was routed then.

        What nat rewrites on arrival did not: nat had chosen when it was sent. Answers come from elsewhere.
        """
        if packet.in_interface is not None or packet.dnat or packet.part == ANSWER:
            return packet.in_interface == "lo"
        return answered(Condition("in-interface", "lo"), answer)


def _incoming(packet: Packet) -> Side:
    return Side("in-interface", packet.in_interface)


_FOUR = 4
_STRICT = 1
_BACK = {"unicast", "local"}
"""The kinds of routes to a source that rp_filter lets pass; local ones where accept_local is 1."""
