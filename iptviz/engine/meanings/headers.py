"""Ports, flags, types, lengths and other fields of the packet's headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.meanings.truth import Truth, either, known, question, quoted
from iptviz.xtables.values.numbers import Range, show_range
from iptviz.xtables.values.protocols import LAST_PORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import Test
    from iptviz.rules.operands import Owner, TcpFlags
    from iptviz.xtables.values.icmp import IcmpType
    from iptviz.xtables.values.numbers import Masked


def holds_number(bounds: Range, number: int) -> bool:
    """Whether a number lies in a range."""
    return bounds.first <= number <= bounds.last


def source_port(test: Test, packet: Packet, _host: Host) -> Truth:
    """The source port."""
    return _port("source", packet.source_port, test, packet)


def destination_port(test: Test, packet: Packet, _host: Host) -> Truth:
    """The destination port."""
    return _port("destination", packet.destination_port, test, packet)


_ALL_PORTS = Range(0, LAST_PORT)


def _port(side: str, port: int | None, test: Test, packet: Packet) -> Truth:
    if port is not None:
        return known(test, holds=holds_number(test.operand, port))
    if test.operand == _ALL_PORTS:
        return known(test, holds=True)
    return question(f"{side}-port", test.value, test, packet.since(f"{side}_port"))


def tcp_flags(test: Test, packet: Packet, _host: Host) -> Truth:
    """Flags of TCP."""
    flags: TcpFlags | None = test.operand
    if packet.tcp_flags is None:
        return question("match", test.value, test)
    return either(test, holds=None if flags is None else packet.tcp_flags & flags.looked_at == flags.wanted)


def multiport(test: Test, packet: Packet, _host: Host) -> Truth:
    """A port of one side or of either, in one of several ranges."""
    sides, ranges = test.operand
    answers = [_in_ranges(getattr(packet, f"{side}_port"), ranges) for side in sides]
    if True in answers:
        return known(test, holds=True)
    if None in answers:
        lines = [line for side in sides if (line := packet.since(f"{side}_port")) is not None]
        since = max(lines, default=None)
        if len(sides) == 1 and test.value:
            return question(f"{sides[0]}-port", test.value, test, since)
        return quoted(test, since)
    return known(test, holds=False)


def _in_ranges(port: int | None, ranges: Iterable[Range | None]) -> bool | None:
    if port is None:
        return None
    found = [None if bounds is None else holds_number(bounds, port) for bounds in ranges]
    return True if True in found else None if None in found else False


def icmp_type(test: Test, packet: Packet, _host: Host) -> Truth:
    """Types of ICMP and ICMPv6, with a code or without."""
    wanted: IcmpType = test.operand
    if wanted.type is None:
        return known(test, holds=True)
    if packet.icmp_type is None:
        return quoted(test)
    own_type, own_code = packet.icmp_type
    if own_type != wanted.type:
        return known(test, holds=False)
    if wanted.code is None:
        return known(test, holds=True)
    return either(test, holds=None if own_code is None else own_code == wanted.code)


def length(test: Test, packet: Packet, _host: Host) -> Truth:
    """The length of the packet from its network header on, in bytes."""
    if packet.length is None:
        return question("length", show_range(test.operand), test, packet.since("length"))
    return known(test, holds=holds_number(test.operand, packet.length))


_LAST_TTL = 0xFF


def ttl(test: Test, packet: Packet, _host: Host) -> Truth:
    """Time to live, or the hop limit of IPv6."""
    if test.operand is None:
        return quoted(test, packet.since("ttl"))
    if packet.ttl is not None:
        return known(test, holds=holds_number(test.operand, packet.ttl))
    # It is asked about the one with which the packet came: what was taken off since is added again.
    first, last = test.operand.first + packet.ttl_taken, min(test.operand.last + packet.ttl_taken, _LAST_TTL)
    if first > last:
        return known(test, holds=False)
    if (first, last) == (0, _LAST_TTL):
        return known(test, holds=True)
    return question("ttl", show_range(Range(first, last)), test, packet.since("ttl"))


def tos(test: Test, packet: Packet, _host: Host) -> Truth:
    """Bits of the type of service: DSCP and ECN are parts of it."""
    wanted: Masked | None = test.operand
    if packet.tos is None or wanted is None:
        return quoted(test, packet.since("tos"))
    return known(test, holds=packet.tos & wanted.mask == wanted.value)


LOOPBACK = "lo"


def mac(test: Test, packet: Packet, _host: Host) -> Truth:
    """The sender's MAC address; what comes in by lo has none, and no test of one holds, negated or not.

    Source: net/netfilter/xt_mac.c, which asks for a device of Ethernet before it negates.
    """
    if packet.in_interface == LOOPBACK:
        return False
    return either(test, holds=None if packet.mac is None else packet.mac.upper() == test.operand)


def bridge_port(test: Test, packet: Packet, _host: Host) -> Truth:
    """The bridge port that the packet came in by, or leaves by; what the node sends has none (xt_physdev.c)."""
    if packet.route == "OUTPUT" or packet.in_interface == LOOPBACK:
        return known(test, holds=False)
    return question(test.kind, test.value, test) if test.kind == BRIDGED else quoted(test)


BRIDGED = "bridge-port"
"""The kind of a test whether the packet came in by a bridge port, whichever that is."""


def packet_type(test: Test, packet: Packet, _host: Host) -> Truth:
    """To this host, to all, to a group, or to another host, on the link."""
    own = packet.packet_type
    return either(test, holds=None if own is None else own == test.operand)


def owner(test: Test, packet: Packet, _host: Host) -> Truth:
    """The user and the groups of the program that sends; what only passes through has none.

    Source: net/netfilter/xt_owner.c, where a packet without a socket matches if all options are inverted.
    """
    wanted: Owner | None = test.operand
    if packet.route == "FORWARD":
        return known(test, holds=False)
    if wanted is None or not packet.owner:
        return quoted(test)
    if wanted.place is None or wanted.numbers is None:
        return known(test, holds=True)
    own = packet.owner[wanted.place]
    holds = None if own is None else holds_number(wanted.numbers, own)
    return either(test, holds=None if wanted.supplementary and not holds else holds)
