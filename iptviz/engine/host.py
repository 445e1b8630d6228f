"""The host beside its dump: addresses and routes, sets and lists, the kernel's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.marks import known_mark
from iptviz.records import NamedTuple
from iptviz.supplied.routing_rules import REFUSING, Sought
from iptviz.xtables.address import Network, full_mask, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iptviz.ipset.saved import IpSet
    from iptviz.supplied.interface_addresses import InterfaceAddress
    from iptviz.supplied.recent import RecentList
    from iptviz.supplied.routes import Routes


class Host(NamedTuple):
    """A node as far as more than its dump tells of it; None is not known.

    `local` are all addresses of the node, `interfaces` the names of all its interfaces, `addresses` those of
    each. `out_interface` is where the packet that is asked about leaves it. `sysctls` are the kernel's settings
    by name. `version` is the one of IP that is asked about, 4 or 6.
    """

    local: frozenset[Network] | None = None
    routes: Routes | None = None
    sets: Mapping[str, IpSet] | None = None
    recent: Mapping[str, RecentList] | None = None
    out_interface: str | None = None
    interfaces: frozenset[str] | None = None
    addresses: Mapping[str, tuple[InterfaceAddress, ...]] | None = None
    sysctls: Mapping[str, str] | None = None
    version: int = 4

    def sysctl(self, name: str) -> str | None:
        """Return one of the kernel's settings; None where it is not known."""
        return None if self.sysctls is None else self.sysctls.get(name)

    def is_local(self, address: Network | None) -> bool | None:
        """Whether `address` is one of the node's own; None where that is not known."""
        if address is None:
            return None
        if _LOOPBACK[address.version].contains(address):
            return True
        if any(network.contains(address) for _, network in FIXED_TYPES):
            return False
        routed = self.routes.local_route(address) if self.routes else None
        if routed is not None:
            return routed.kind == "local"
        if self.local is None:
            told = self.routes is not None and address.version in self.routes.has_local
            return False if told and _is_host(address) else None
        meeting = [own for own in self.local if own.meets(address)]
        return None if meeting and not _is_host(address) else bool(meeting)

    @staticmethod
    def may_be_multicast(address: Network) -> bool:
        """Whether a multicast address may be among those of `address`."""
        return any(network.meets(address) for kind, network in FIXED_TYPES if kind == "MULTICAST")

    def address_type(self, address: Network) -> str | None:
        """Return the type that the kernel's routing gives `address` (`-m addrtype`), where it is known.

        UNICAST is one of which routing has nothing else to say. IPv4 asks the table `local` alone, in which
        nothing is UNREACHABLE and the like; IPv6 asks all tables, as for a packet of this node without a mark.
        Source: net/netfilter/xt_addrtype.c, __inet_dev_addr_type in net/ipv4/fib_frontend.c.
        """
        for kind, network in FIXED_TYPES:
            if network.contains(address):
                return kind
        if self.local is not None and _is_host(address) and address in self.local:
            return "LOCAL"
        return self._type_of_four(address) if address.version == _FOUR else self._type_of_six(address)

    def _type_of_four(self, address: Network) -> str | None:
        routed = self.routes.local_route(address) if self.routes else None
        if routed is not None and routed.kind in _LOCAL_KINDS:
            return routed.kind.upper()
        if not _is_host(address):
            return None
        if any(address in own.broadcasts for own in self._own()):
            return "BROADCAST"
        return "UNICAST" if self._tells_broadcasts() else None

    def _tells_broadcasts(self) -> bool:
        """Whether all broadcast addresses of IPv4 are known: by the table `local`, or by all own networks."""
        if self.routes is not None and _FOUR in self.routes.has_local:
            return True
        with_networks = {own.address for own in self._own() if own.network is not None}
        return bool(self.local) and all(
            own in with_networks or _LOOPBACK[_FOUR].contains(own)
            for own in self.local or ()
            if own.version == _FOUR
        )

    def _type_of_six(self, address: Network) -> str | None:
        if self.is_anycast(address):
            return "ANYCAST"
        if self.routes is None:
            return None
        sought = asked_by_node(address)
        route = self.routes.lookup(sought)
        in_local = route is not None and route.table == "local"
        if (
            self.local is None and _SIX not in self.routes.has_local and not in_local
        ):  # it goes before: it may have it
            return None
        if route is not None and route.kind in _LOCAL_KINDS:
            return route.kind.upper()
        if route is None:
            return "UNREACHABLE" if self.routes.leads_nowhere(sought) else None
        if route.kind in REFUSING:
            return "UNREACHABLE"
        # ipv6_anycast_destination in include/net/ip6_route.h: the first address of a network on a link
        first = route.gateway is None and address == route.network._replace(mask=address.mask)
        return "ANYCAST" if first and route.network.mask.bit_count() < _LEAST_SIX_LINK else "UNICAST"

    def is_anycast(self, address: Network) -> bool:
        """Whether an address of IPv6 is that of any router of a network in which this node has an address."""
        if address.version == _FOUR or not _is_host(address):
            return False
        routed = self.routes.local_route(address) if self.routes else None
        if routed is not None and routed.kind == "anycast":
            return True
        return any(
            own.anycast == address and self.sysctl(f"net.ipv6.conf.{name}.forwarding") != "0"
            for name, addresses in (self.addresses or {}).items()
            for own in addresses
        )

    def interface_of(self, address: Network) -> str | None:
        """Return the interface that has an address, be it a broadcast address, where that is known."""
        if _LOOPBACK[address.version].contains(address):
            return "lo"
        routed = self.routes.local_route(address) if self.routes else None
        if routed is not None:
            return routed.device
        having = (
            name
            for name, addresses in (self.addresses or {}).items()
            if any(address in (own.address, *own.broadcasts) for own in addresses)
        )
        return next(having, None)

    def _own(self) -> Iterator[InterfaceAddress]:
        for addresses in (self.addresses or {}).values():
            yield from addresses


def asked_by_node(address: Network) -> Sought:
    """Return the search for a route that matches of addresses make: without a source, a mark, or a user."""
    nowhere = Network(address.version, 0, full_mask(address.version))
    return Sought(address, (nowhere,), "lo", "", known_mark(0).told, tos=0, uid=0)


def _is_host(address: Network) -> bool:
    return address.mask == (1 << (32 if address.version == 4 else 128)) - 1


def _network(text: str) -> Network:
    network = parse_network(text)
    assert network is not None  # noqa: S101 - a constant of this module
    return network


_FOUR, _SIX = 4, 6
_LEAST_SIX_LINK = 127
_LOCAL_KINDS = {"local", "broadcast", "anycast", "multicast"}
_LOOPBACK = {4: _network("127.0.0.0/8"), 6: _network("::1")}
FIXED_TYPES = (
    ("LOCAL", _LOOPBACK[4]),
    ("LOCAL", _LOOPBACK[6]),
    ("MULTICAST", _network("224.0.0.0/4")),
    ("MULTICAST", _network("ff00::/8")),
    ("BROADCAST", _network("255.255.255.255")),
)

UNKNOWN_HOST = Host()
"""A host of which the dump alone is there."""
