"""The host beside its dump: addresses and routes, sets and lists, the kernel's settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.xtables.address import Network, parse_network

if TYPE_CHECKING:
    from collections.abc import Mapping

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
        kind = self.address_type(address)
        if kind is not None:
            return kind == "LOCAL"
        if self.local is None:
            return None
        meeting = [own for own in self.local if own.meets(address)]
        return None if meeting and not _is_host(address) else bool(meeting)

    @staticmethod
    def may_be_multicast(address: Network) -> bool:
        """Whether a multicast address may be among those of `address`."""
        return any(network.meets(address) for kind, network in FIXED_TYPES if kind == "MULTICAST")

    def address_type(self, address: Network) -> str | None:
        """Return the type that the kernel's routing gives `address` (`-m addrtype`), where it is known."""
        for kind, network in FIXED_TYPES:
            if network.contains(address):
                return kind
        if self.local is not None and _is_host(address) and address in self.local:
            return "LOCAL"
        route = self.routes.lookup(address) if self.routes else None
        # `ip route` alone lists no local addresses. What it says of others is sure where it is asked first, or
        # the node's own are known: they may lie within a blackhole, as those of Calico's tunnels do.
        if route is not None and route.table != "local" and self.local is None:
            return None
        return route.kind.upper() if route and route.kind not in {"unicast", "throw", "nat"} else None


def _is_host(address: Network) -> bool:
    return address.mask == (1 << (32 if address.version == 4 else 128)) - 1


def _network(text: str) -> Network:
    network = parse_network(text)
    assert network is not None  # noqa: S101 - a constant of this module
    return network


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
