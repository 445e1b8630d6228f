"""Addresses, protocols and interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.condition_kinds import BY_ROUTE
from iptviz.engine.meanings.truth import Truth, known, question
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.protocols import EXTENSION_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import Test
    from iptviz.rules.operands import AddressRange
    from iptviz.xtables.address import Network


def source(test: Test, packet: Packet, _host: Host) -> Truth:
    """The packet's source."""
    return address_truth("source", packet.source, test, test.operand, packet)


def destination(test: Test, packet: Packet, _host: Host) -> Truth:
    """The packet's destination."""
    named = (
        _is_called(packet.destination_name, test) if packet.destination_name and packet.dnat is None else None
    )
    if named is not None:
        return known(test, holds=named)
    return address_truth("destination", packet.destination, test, test.operand, packet)


def _is_called(name: str, test: Test) -> bool | None:
    """Whether an address that is known by name alone is that of a rule; None for a network.

    A listing resolves all addresses in the same way, so that each has one name, or none.
    """
    single = all(network is None or network.mask == full_mask(network.version) for network in test.operand)
    called = test.value.removesuffix("/32").removesuffix("/128")
    return called == name if single and "/" not in called else None


def address_truth(
    side: str, address: Network | None, test: Test, networks: Iterable[Network | None], packet: Packet
) -> Truth:
    """Return whether `address` is in one of `networks`: True and False are known, else it is a question."""
    holds = [_lies_in(address, network) for network in networks]
    if True in holds:
        return known(test, holds=True)
    if None in holds:
        return question(f"{side}-cidr", test.value, test, packet.since(side))
    return known(test, holds=False)


def _lies_in(address: Network | None, network: Network | None) -> bool | None:
    """Whether an address is in `network`; None where that is not known."""
    if network is not None and network.mask == 0:
        return True
    if network is None or address is None or (network.meets(address) and not network.contains(address)):
        return None
    return network.contains(address)


def source_range(test: Test, packet: Packet, _host: Host) -> Truth:
    """Whether the source lies between two addresses."""
    return _range_truth("source", packet.source, test, packet)


def destination_range(test: Test, packet: Packet, _host: Host) -> Truth:
    """Whether the destination lies between two addresses."""
    return _range_truth("destination", packet.destination, test, packet)


def _range_truth(side: str, address: Network | None, test: Test, packet: Packet) -> Truth:
    bounds: AddressRange | None = test.operand
    holds = None if address is None or bounds is None else _lies_between(address, bounds)
    if holds is None:
        return question(f"{side}-range", test.value, test, packet.since(side))
    return known(test, holds=holds)


def _lies_between(address: Network, bounds: AddressRange) -> bool | None:
    """Whether an address, or all of a network, lies in a range; None where only some of it does."""
    if address.version != bounds.version:
        return False
    lowest, highest = address.value, address.value | (full_mask(address.version) & ~address.mask)
    if bounds.first <= lowest and highest <= bounds.last:
        return True
    return False if highest < bounds.first or bounds.last < lowest else None


_SIX = 6


def protocol(test: Test, packet: Packet, host: Host) -> Truth:
    """The packet's protocol; of IPv6 that behind all extension headers (ip6_packet_match in ip6_tables.c)."""
    if test.operand == "all":
        return known(test, holds=True)
    if host.version == _SIX and test.operand in EXTENSION_HEADERS:
        return known(test, holds=False)
    if packet.protocol is None:
        return question("protocol", test.value, test)
    return known(test, holds=test.operand == packet.protocol)


def in_interface(test: Test, packet: Packet, _host: Host) -> Truth:
    """The interface that the packet came in by."""
    return _interface("in-interface", packet.in_interface, test)


def out_interface(test: Test, packet: Packet, host: Host) -> Truth:
    """The interface that the packet leaves by; where routes are known, its destination tells."""
    truth = _interface("out-interface", packet.out_interface, test)
    if isinstance(truth, Assumption) and host.routes is not None and packet.destination is None:
        routed = truth.condition._replace(details=BY_ROUTE, since=packet.since("destination"))
        return truth._replace(condition=routed)
    return truth


def _interface(kind: str, name: str | None, test: Test) -> Truth:
    if test.operand == "+":
        return known(test, holds=True)  # iptables keeps no name for it, so it matches everywhere
    if name is None:
        return question(kind, test.value, test)
    wanted: str = test.operand
    holds = name.startswith(wanted[:-1]) if wanted.endswith("+") else name == wanted
    return known(test, holds=holds)


def fragment(test: Test, packet: Packet, _host: Host) -> Truth:
    """Whether the packet is a later fragment.

    Connection tracking reassembles, so where it runs none is ever seen.
    """
    return question("fragment", "", test) if packet.fragment is None else known(test, holds=packet.fragment)


def source_type(test: Test, packet: Packet, host: Host) -> Truth:
    """Whether the source is of a type, as the node's routing sees it."""
    holds = _is_of_type(packet.source, test.operand, host, local=host.is_local(packet.source))
    if holds is not None:
        return known(test, holds=holds)
    return question("source-type", test.value, test, packet.since("source"))


def destination_type(test: Test, packet: Packet, host: Host) -> Truth:
    """Whether the destination is of a type, as the node's routing sees it."""
    local = packet.to_this_node
    if local is None:
        local = host.is_local(packet.destination)
    holds = _is_of_type(packet.destination, test.operand, host, local=local)
    if holds is not None:
        return known(test, holds=holds)
    if packet.dnat and test.operand == _LOCAL:
        return question("endpoint-local", "DNAT", test)  # another question than before the rewriting
    since = packet.since("destination")
    asked = Condition("destination-type", test.value, rewritten=packet.dnat or "", since=since)
    return Assumption(asked, holds=not test.negated)


_LOCAL, _MULTICAST = ("LOCAL",), ("MULTICAST",)


def _is_of_type(
    address: Network | None, wanted: tuple[str, ...], host: Host, *, local: bool | None
) -> bool | None:
    """Whether an address, of which `local` says whether it is the node's, is of a type that is wanted."""
    kind = "LOCAL" if local else host.address_type(address) if address is not None else None
    if kind is not None:
        return kind in wanted
    if local is False and wanted == _LOCAL:
        return False
    # The address alone tells; a broadcast hangs on the node's networks.
    no_multicast = wanted == _MULTICAST and address is not None and not host.may_be_multicast(address)
    return False if no_multicast else None
