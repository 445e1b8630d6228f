"""Ports, flags, types, lengths and other fields of the packet's headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.meanings.truth import Truth, asked, either, known, question, unknown
from iptviz.xtables.values.numbers import read_dashed_range, read_open_range, read_uint, show_range
from iptviz.xtables.values.protocols import LAST_PORT, read_decimal_ports, read_ports, read_tcp_flags

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option
    from iptviz.xtables.values.numbers import Range

_PORT_SIDES = {"--sport": "source", "--dport": "destination"}


def ports(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """Ports and flags of tcp; ports of udp, udplite, sctp and dccp."""
    if option.name == "--syn":
        return _tcp_flags(match, option, packet, ("FIN,SYN,RST,ACK", "SYN"))
    if option.name == "--tcp-flags":
        return _tcp_flags(match, option, packet, option.values)
    side = _PORT_SIDES.get(option.name)
    read = read_decimal_ports if match.name == "dccp" else read_ports
    bounds = read(option.values[0]) if side else None
    if side is None or bounds is None:
        return asked(match, option)
    port: int | None = getattr(packet, f"{side}_port")
    if port is not None:
        return known(option, holds=bounds.first <= port <= bounds.last)
    if bounds == (0, LAST_PORT):
        return known(option, holds=True)
    return question(f"{side}-port", show_range(bounds), option, packet.since(f"{side}_port"))


def _tcp_flags(match: Match, option: Option, packet: Packet, values: tuple[str, ...]) -> Truth:
    looked_at, wanted = (read_tcp_flags(value) for value in values[:2])
    if packet.tcp_flags is None:
        return question("match", f"--tcp-flags {values[0]} {values[1]}", option)
    if looked_at is None or wanted is None:
        return asked(match, option)
    return known(option, holds=packet.tcp_flags & looked_at == wanted)


def multiport(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """Up to fifteen ports; `--ports` is satisfied by either side."""
    ranges = [read_ports(port) for port in option.values[0].split(",")]
    sides = _MULTIPORT_SIDES[option.name]
    numbers = [getattr(packet, f"{side}_port") for side in sides]
    answers = [_in_ranges(number, ranges) for number in numbers]
    if True in answers:
        return known(option, holds=True)
    if None in answers:
        lines = [line for side in sides if (line := packet.since(f"{side}_port")) is not None]
        return asked(match, option, max(lines, default=None))
    return known(option, holds=False)


_MULTIPORT_SIDES = {
    "--sports": ("source",),
    "--dports": ("destination",),
    "--ports": ("source", "destination"),
}


def _in_ranges(port: int | None, ranges: Iterable[Range | None]) -> bool | None:
    if port is None:
        return None
    found = [None if bounds is None else bounds.first <= port <= bounds.last for bounds in ranges]
    return True if True in found else None if None in found else False


def icmp(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """ICMP and ICMPv6 types, with a code or without."""
    from iptviz.xtables.values.icmp import ANY_TYPE, read_icmp_type  # names that few dumps need

    wanted = read_icmp_type(option.values[0], "ipv6" if match.name == "icmp6" else "ipv4")
    if wanted == ANY_TYPE:
        return known(option, holds=True)
    if wanted is None or packet.icmp_type is None:
        return asked(match, option)
    if packet.icmp_type[0] != wanted.type:
        return known(option, holds=False)
    if wanted.code is None:
        return known(option, holds=True)
    own = packet.icmp_type[1]
    return either(match, option, holds=None if own is None else own == wanted.code)


def length(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The length of the packet from its network header on, in bytes."""
    bounds = read_open_range(option.values[0], 0xFFFF)
    if packet.length is None or bounds is None:
        return asked(match, option)
    return known(option, holds=bounds.first <= packet.length <= bounds.last)


_COMPARISONS = {"eq": int.__eq__, "lt": int.__lt__, "gt": int.__gt__}


def ttl(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """Time to live, or the hop limit of IPv6."""
    number = read_uint(option.values[0])
    if packet.ttl is None or number is None:
        return asked(match, option, packet.since("ttl"))
    return known(option, holds=_COMPARISONS[option.name.rpartition("-")[2]](packet.ttl, number))


def dscp(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The upper six bits of the type of service."""
    wanted = dscp_value(option)
    if packet.tos is None or wanted is None:
        return asked(match, option, packet.since("tos"))
    return known(option, holds=packet.tos >> 2 == wanted)


def dscp_value(option: Option) -> int | None:
    """Return the code point that an option names by number or class; None for an unknown class."""
    if not option.name.endswith("-class"):
        return read_uint(option.values[0])
    from iptviz.xtables.values.headers import dscp_of_class

    return dscp_of_class(option.values[0])


def tos(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """Bits of the type of service; a symbolic name stands for all bits but those of ECN."""
    from iptviz.xtables.values.headers import read_tos

    wanted = read_tos(option.values[0])
    if packet.tos is None or wanted is None:
        return asked(match, option, packet.since("tos"))
    return known(option, holds=packet.tos & wanted.mask == wanted.value)


def ecn(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The two ECN bits of the network header; those of TCP are conditions."""
    if option.name != "--ecn-ip-ect" or packet.tos is None:
        return asked(match, option, packet.since("tos"))
    number = read_uint(option.values[0])
    return unknown(match.text()) if number is None else known(option, holds=packet.tos & 3 == number)


def mac(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The sender's MAC address; a packet that this node sends has none."""
    if packet.mac is None:
        return asked(match, option)
    return known(option, holds=packet.mac.upper() == option.values[0].upper())


def packet_type(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """To this host, to all, to a group, or to another host, on the link."""
    from iptviz.xtables.values.headers import read_packet_type

    if packet.packet_type is None:
        return asked(match, option)
    return known(option, holds=packet.packet_type == read_packet_type(option.values[0]))


def owner(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The user and the group of the program that sends; what only passes through has none.

    Source: net/netfilter/xt_owner.c, where a packet without a socket matches if all options are inverted.
    """
    if packet.route == "FORWARD":
        return known(option, holds=False)
    if option.name == "--socket-exists" and packet.owner:
        return known(option, holds=True)
    place = {"--uid-owner": 0, "--gid-owner": 1}.get(option.name)
    own = packet.owner[place] if packet.owner and place is not None else None
    if own is None:
        return asked(match, option)
    numbers = read_dashed_range(option.values[0])
    if numbers is None:
        return asked(match, option)
    return known(option, holds=numbers.first <= own <= numbers.last)
