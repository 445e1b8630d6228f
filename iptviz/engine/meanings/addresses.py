"""Addresses, protocols and interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.condition_kinds import BY_ROUTE
from iptviz.engine.meanings.truth import Truth, either, known, question, quoted
from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, full_mask
from iptviz.xtables.values.addresses import show_network
from iptviz.xtables.values.protocols import EXTENSION_HEADERS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import Test
    from iptviz.rules.operands import AddressRange, TypeOnInterface


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
    local = host.is_local(packet.source)
    return _of_type(_Typed("source", packet.source, local, test.operand), test, packet, host)


def destination_type(test: Test, packet: Packet, host: Host) -> Truth:
    """Whether the destination is of a type, as the node's routing sees it."""
    local = packet.to_this_node
    if local is None:
        local = host.is_local(packet.destination)
    return _of_type(_Typed("destination", packet.destination, local, test.operand), test, packet, host)


def type_on_interface(test: Test, packet: Packet, host: Host) -> Truth:
    """Whether an address is of a type on one interface; else it is quoted.

    Of IPv4 an address that another interface has is UNICAST there, of IPv6 it is only not LOCAL.
    """
    wanted: TypeOnInterface = test.operand
    address = packet.source if wanted.side == "source" else packet.destination
    kind = None if address is None else host.address_type(address)
    name = packet.in_interface if wanted.by == "in" else packet.out_interface
    holds = None if kind is None or address is None else _holds_on(wanted.types, address, kind, host, name)
    if wanted.types == _LOCAL and host.is_local(address) is False:
        holds = False
    return either(test, holds=holds, since=packet.since(wanted.side))


def _holds_on(
    types: tuple[str, ...], address: Network, kind: str, host: Host, name: str | None
) -> bool | None:
    """Whether an address of a known type is of one that is wanted on the interface `name`; None: not known."""
    there = _kind_there(address, kind, host, name)
    if address.version != _SIX:
        return None if there is None else there in types
    told = all(_is_of_class(address, one) for one in _kept(types, _BY_ADDRESS))
    routed = _kept(types, _ROUTED_SIX)
    if not told or not routed:
        return told
    return None if there is None or routed != _LOCAL else there in routed


def _kind_there(address: Network, kind: str, host: Host, name: str | None) -> str | None:
    """Return the type of an address on an interface; None where that is not known."""
    if kind in {"UNICAST", "MULTICAST"} or address == _TO_ALL:
        return kind
    having = host.interface_of(address)
    if name is None or having is None:
        return None
    return kind if having == name else "UNICAST"


_TO_ALL = Network(4, 0xFFFFFFFF, 0xFFFFFFFF)


class _Typed(NamedTuple):
    """An end of a packet, its address, whether that is known to be the node's, and the types that are asked."""

    side: str
    address: Network | None
    local: bool | None
    wanted: tuple[str, ...]


_LOCAL, _MULTICAST = ("LOCAL",), ("MULTICAST",)
_OF_FOUR = ("UNICAST", "LOCAL", "BROADCAST", "ANYCAST", "MULTICAST")
"""What IPv4 calls addresses: it asks the table `local` alone, for which those of other routes are UNICAST."""
_ROUTED_SIX = ("LOCAL", "ANYCAST", "UNREACHABLE")
_SIX = 6
_ALL_BITS = full_mask(_SIX)
_NOWHERE = Network(_SIX, 0, _ALL_BITS)
_MAPPED = Network(_SIX, 0xFFFF << 32, _ALL_BITS & ~0xFFFFFFFF)
_GROUPS = Network(_SIX, 0xFF << 120, 0xFF << 120)
_BY_ADDRESS = {"UNSPEC": (_NOWHERE,), "MULTICAST": (_GROUPS,), "UNICAST": (_NOWHERE, _MAPPED, _GROUPS)}
"""What IPv6 tells by the address alone (ipv6_addr_type): the networks of the type, of UNICAST all others."""


def _of_type(asked: _Typed, test: Test, packet: Packet, host: Host) -> Truth:
    version = host.version if asked.address is None else asked.address.version
    if version == _SIX:
        return _of_six(asked, test, packet, host)
    return _routed(asked._replace(wanted=_kept(asked.wanted, _OF_FOUR)), test, packet, host)


def _kept(wanted: tuple[str, ...], types: Iterable[str]) -> tuple[str, ...]:
    return tuple(one for one in wanted if one in types)


def _of_six(asked: _Typed, test: Test, packet: Packet, host: Host) -> Truth:
    """An address must be of each type that it tells itself, and of one of those that routing tells.

    Source: match_type6 in net/netfilter/xt_addrtype.c.
    """
    routed, told = _kept(asked.wanted, _ROUTED_SIX), _kept(asked.wanted, _BY_ADDRESS)
    if routed and "UNREACHABLE" not in routed:  # the node's own and any router's addresses are UNICAST
        if told and told != ("UNICAST",):
            return known(test, holds=False)
        told = ()
    answers = {_is_of_class(asked.address, one) for one in told}
    if False in answers or len(told) > 1:
        return known(test, holds=False)
    if None not in answers:
        return (
            _routed(asked._replace(wanted=routed), test, packet, host) if routed else known(test, holds=True)
        )
    since = packet.since(asked.side)
    if routed:
        return quoted(test, since)
    holds = test.negated == (told == ("UNICAST",))
    return Assumption(
        Condition(f"{asked.side}-cidr", ",".join(map(show_network, _BY_ADDRESS[told[0]])), since=since),
        holds=holds,
    )


def _is_of_class(address: Network | None, wanted: str) -> bool | None:
    """Whether an address is of a type that it tells itself; None where that is not known."""
    answers = {_lies_in(address, network) for network in _BY_ADDRESS[wanted]}
    inside = True if True in answers else None if None in answers else False
    return inside if inside is None else inside != (wanted == "UNICAST")


def _routed(asked: _Typed, test: Test, packet: Packet, host: Host) -> Truth:
    """Whether routing calls an address one of some types."""
    holds = _is_of_type(asked.address, asked.wanted, host, local=asked.local) if asked.wanted else False
    if holds is not None:
        return known(test, holds=holds)
    since, value = packet.since(asked.side), ",".join(asked.wanted)
    if asked.side == "source":
        return question("source-type", value, test, since)
    if packet.dnat and asked.wanted == _LOCAL:
        return question("endpoint-local", "DNAT", test)  # another question than before the rewriting
    of = Condition("destination-type", value, rewritten=packet.dnat or "", since=since)
    return Assumption(of, holds=not test.negated)


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
