"""The address that MASQUERADE makes a packet's source, where what is known of the node leaves no doubt.

Source: IPv4: nf_nat_masquerade_ipv4 in net/netfilter/nf_nat_masquerade.c asks inet_select_addr in
net/ipv4/devinet.c for an address of the interface that the packet leaves by: one of scope global that is no
secondary one; the route's own `src` does not count. IPv6: ipv6_dev_get_saddr in net/ipv6/addrconf.c, which
prefers the destination, where that is the node's own, and beyond the link an address of scope global of that
interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.xtables.address import Network, parse_network

if TYPE_CHECKING:
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.supplied.interface_addresses import InterfaceAddress

_ON_LINK = tuple(filter(None, map(parse_network, ("fe80::/10", "ff00::/8"))))
_FOUR = 4


def masqueraded(host: Host, packet: Packet) -> Network | None:
    """Return the source that a packet gets where it leaves now; None where that is not certain."""
    version = host.version if packet.destination is None else packet.destination.version
    if version != _FOUR and (own := _own(host, packet.destination)) is not None:
        return own.address if own.first else None
    known = [
        one
        for one in (host.addresses or {}).get(packet.out_interface or "", ())
        if one.address.version == version
    ]
    wide = [one for one in known if one.scope == "global" and (one.first or version != _FOUR)]
    if len(wide) != 1 or not wide[0].first or not all(one.scope for one in known):
        return None
    return wide[0].address if version == _FOUR or _is_beyond_the_link(packet.destination) else None


def _own(host: Host, destination: Network | None) -> InterfaceAddress | None:
    """Return a destination beyond the link as an address of the node; None where none is known to be it."""
    every = (one for some in (host.addresses or {}).values() for one in some)
    found = next((one for one in every if one.address == destination), None)
    return found if _is_beyond_the_link(destination) else None


def _is_beyond_the_link(destination: Network | None) -> bool:
    return destination is not None and not any(network.meets(destination) for network in _ON_LINK)


def addresses_of(host: Host, interface: str | None) -> tuple[Network, ...] | None:
    """Return the addresses of an interface in the kernel's order, of the version that is asked about.

    None: not known; an interface of which no address is known may have one that was not shown.
    """
    if not interface or host.addresses is None:
        return None
    found = host.addresses.get(interface, ())
    own = tuple(one.address for one in found if one.address.version == host.version)
    return own if own or interface in (host.interfaces or ()) else None
