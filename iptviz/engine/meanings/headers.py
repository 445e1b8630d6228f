"""Ports, flags, types, lengths and other fields of the packet's headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition_kinds import Ports
from iptviz.engine.meanings.truth import Truth, asked, either, known, question, unknown
from iptviz.xtables.address import parse_number
from iptviz.xtables.names import service_port
from iptviz.xtables.numbers import read_uint

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option

_PORT_SIDES = {"--sport": "source", "--dport": "destination"}


def ports(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """Ports and flags of tcp; ports of udp, udplite, sctp and dccp."""
    if option.name == "--syn":
        return _tcp_flags(match, option, packet, ("FIN,SYN,RST,ACK", "SYN"))
    if option.name == "--tcp-flags":
        return _tcp_flags(match, option, packet, option.values)
    side = _PORT_SIDES.get(option.name)
    bounds = port_range(option.values[0]) if side else None
    if side is None or bounds is None:
        return asked(match, option)
    port: int | None = getattr(packet, f"{side}_port")
    if port is not None:
        return known(option, holds=bounds.low <= port <= bounds.high)
    if bounds == Ports(0, 65535):
        return known(option, holds=True)
    text = str(bounds.low) if bounds.low == bounds.high else f"{bounds.low}:{bounds.high}"
    return question(f"{side}-port", text, option, packet.since(f"{side}_port"))


def _tcp_flags(match: Match, option: Option, packet: Packet, values: tuple[str, ...]) -> Truth:
    looked_at, wanted = (_flags(value) for value in values[:2])
    if packet.tcp_flags is None:
        return question("match", f"--tcp-flags {values[0]} {values[1]}", option)
    if not looked_at | wanted <= set(TCP_FLAGS):
        return asked(match, option)
    return known(option, holds=packet.tcp_flags & looked_at == wanted)


TCP_FLAGS = ("FIN", "SYN", "RST", "PSH", "ACK", "URG")


def _flags(text: str) -> set[str]:
    names = set(text.upper().split(",")) - {"NONE"}
    return set(TCP_FLAGS) if "ALL" in names else names


def port_range(text: str) -> Ports | None:
    """Read `80`, `http`, `80:90`, `:90` or `80:`; None for a name that nobody knows."""
    low, colon, high = text.partition(":")
    first = _port_number(low) if low or not colon else 0
    last = (_port_number(high) if high else 65535) if colon else first
    return None if first is None or last is None else Ports(first, last)


def _port_number(text: str) -> int | None:
    number = parse_number(text)
    return service_port(text) if number is None else number


def multiport(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """Up to fifteen ports; `--ports` is satisfied by either side."""
    ranges = [port_range(port) for port in option.values[0].split(",")]
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


def _in_ranges(port: int | None, ranges: Iterable[Ports | None]) -> bool | None:
    if port is None:
        return None
    found = [None if bounds is None else bounds.low <= port <= bounds.high for bounds in ranges]
    return True if True in found else None if None in found else False


def printed_value(kind: str, text: str, family: str = "ipv4") -> str:
    """Return a value as iptables-save prints it: names become numbers."""
    from iptviz.xtables.saving import Saving
    from iptviz.xtables.values import KINDS  # a hundred kinds, of which few dumps need any here

    return KINDS[kind](text, Saving(family, "legacy"))


def icmp(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """ICMP and ICMPv6 types, with a code or without."""
    family = "ipv6" if match.name == "icmp6" else "ipv4"
    kind = "icmpv6-type" if match.name == "icmp6" else "icmp-type"
    text = printed_value(kind, option.values[0], family)
    if text == "any":
        return known(option, holds=True)
    type_text, slash, code_text = text.partition("/")
    wanted, code = read_uint(type_text), read_uint(code_text) if slash else None
    if wanted is None or packet.icmp_type is None or (slash and code is None):
        return asked(match, option)
    if packet.icmp_type[0] != wanted:
        return known(option, holds=False)
    if code is None:
        return known(option, holds=True)
    own = packet.icmp_type[1]
    return either(match, option, holds=None if own is None else own == code)


def length(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The length of the packet from its network header on, in bytes."""
    bounds = port_range(option.values[0])  # a range of the same spelling
    if packet.length is None or bounds is None:
        return asked(match, option)
    return known(option, holds=bounds.low <= packet.length <= bounds.high)


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
    name = option.values[0].upper()
    if name in {"BE", "EF"}:
        return 0 if name == "BE" else 0x2E
    digits = name[2:]
    if name[:2] == "CS" and digits in tuple("01234567"):
        return int(digits) << 3
    if name[:2] == "AF" and len(digits) == 2 and digits[0] in "1234" and digits[1] in "123":
        return int(digits[0]) << 3 | int(digits[1]) << 1
    return None


def tos(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """Bits of the type of service; a symbolic name stands for all bits but those of ECN."""
    value = printed_value("set-tos", option.values[0])
    number, slash, mask = value.partition("/")
    wanted, bits = read_uint(number), read_uint(mask) if slash else 0xFF
    if packet.tos is None or wanted is None or bits is None:
        return asked(match, option, packet.since("tos"))
    return known(option, holds=packet.tos & bits == wanted)


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
    wanted = option.values[0].lower()
    if packet.packet_type is None:
        return asked(match, option)
    return known(
        option, holds=packet.packet_type == {"bcast": "broadcast", "mcast": "multicast"}.get(wanted, wanted)
    )


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
    low, _, high = option.values[0].partition("-")
    first, last = read_uint(low), read_uint(high or low)
    return (
        asked(match, option) if first is None or last is None else known(option, holds=first <= own <= last)
    )
