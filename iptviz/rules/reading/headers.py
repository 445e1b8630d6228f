"""Ports, flags, types, lengths and other fields of the packet's headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.rules.reading.words import if_read, option_test, unread
from iptviz.xtables.values.numbers import (
    Masked,
    Range,
    read_dashed_range,
    read_open_range,
    read_uint,
    show_range,
)
from iptviz.xtables.values.protocols import read_decimal_ports, read_ports, read_tcp_flags

if TYPE_CHECKING:
    from iptviz.grammar.parts import Match
    from iptviz.rules.form import Test
    from iptviz.xtables.option import Option

_PORT_KINDS = {"--sport": "source-port", "--dport": "destination-port"}
_SYN = ("FIN,SYN,RST,ACK", "SYN")


def ports(match: Match, option: Option) -> Test:
    """Ports and flags of tcp; ports of udp, udplite, sctp and dccp. Test: a `Range`, or `TcpFlags`."""
    if option.name in {"--syn", "--tcp-flags"}:
        return _tcp_flags(match, option, option.values[:2] or _SYN)
    if option.name == "--tcp-option":
        return option_test("tcp-options", match, option)
    kind = _PORT_KINDS.get(option.name)
    if kind is None:
        return unread(match, option)
    read = read_decimal_ports if match.name == "dccp" else read_ports
    bounds = read(option.values[0])
    return if_read(kind, match, option, bounds, "" if bounds is None else show_range(bounds))


def _tcp_flags(match: Match, option: Option, values: tuple[str, ...]) -> Test:
    from iptviz.rules.operands import TcpFlags

    looked_at, wanted = map(read_tcp_flags, values)
    operand = None if looked_at is None or wanted is None else TcpFlags(looked_at, wanted)
    return option_test("tcp-flags", match, option, operand, f"--tcp-flags {' '.join(values)}")


_MULTIPORT_SIDES = {
    "--sports": ("source",),
    "--dports": ("destination",),
    "--ports": ("source", "destination"),
}


def multiport(match: Match, option: Option) -> Test:
    """Up to fifteen ports; `--ports` is satisfied by either side. Test: `PortLists`."""
    from iptviz.rules.operands import PortLists

    ranges = tuple(map(read_ports, option.values[0].split(",")))
    value = "" if None in ranges else ",".join(show_range(bounds) for bounds in ranges if bounds)
    return option_test("multiport", match, option, PortLists(_MULTIPORT_SIDES[option.name], ranges), value)


def icmp(match: Match, option: Option) -> Test:
    """ICMP and ICMPv6 types, with a code or without. Test: an `IcmpType`."""
    from iptviz.xtables.values.icmp import read_icmp_type  # names that few dumps need

    wanted = read_icmp_type(option.values[0], "ipv6" if match.name == "icmp6" else "ipv4")
    return if_read("icmp-type", match, option, wanted)


def length(match: Match, option: Option) -> Test:
    """The length of the packet from its network header on. Test: a `Range` of bytes."""
    return if_read("length", match, option, read_open_range(option.values[0], 0xFFFF))


_LAST_TTL = 0xFF
_COMPARISONS = {
    "eq": lambda number: Range(number, number),
    "lt": lambda number: Range(0, number - 1),
    "gt": lambda number: Range(number + 1, _LAST_TTL),
}


def ttl(match: Match, option: Option) -> Test:
    """Time to live, or the hop limit of IPv6. Test: a `Range`, empty if it ends before it begins."""
    number = read_uint(option.values[0])
    bounds = None if number is None else _COMPARISONS[option.name.rpartition("-")[2]](number)
    return option_test("ttl", match, option, bounds)


_DSCP_SHIFT, _DSCP_BITS, _ECN_BITS = 2, 0xFC, 0x03


def dscp(match: Match, option: Option) -> Test:
    """The upper six bits of the type of service. Test: `Masked`."""
    number = dscp_value(option)
    operand = None if number is None else Masked(number << _DSCP_SHIFT, _DSCP_BITS)
    return option_test("tos", match, option, operand)


def dscp_value(option: Option) -> int | None:
    """Return the code point that an option names by number or class; None for an unknown class."""
    if not option.name.endswith("-class"):
        return read_uint(option.values[0])
    from iptviz.xtables.values.headers import dscp_of_class

    return dscp_of_class(option.values[0])


def tos(match: Match, option: Option) -> Test:
    """Bits of the type of service; a symbolic name stands for all bits but those of ECN. Test: `Masked`."""
    from iptviz.xtables.values.headers import read_tos

    return option_test("tos", match, option, read_tos(option.values[0]))


def ecn(match: Match, option: Option) -> Test:
    """The two ECN bits of the network header; those of TCP are not read. Test: `Masked`."""
    if option.name != "--ecn-ip-ect":
        return option_test("tcp-options", match, option)
    number = read_uint(option.values[0])
    return option_test("tos", match, option, None if number is None else Masked(number, _ECN_BITS))


def mac(match: Match, option: Option) -> Test:
    """The sender's MAC address. Test: its text in capitals."""
    return option_test("mac", match, option, option.values[0].upper())


def packet_type(match: Match, option: Option) -> Test:
    """To this host, to all, to a group, or to another host, on the link. Test: the word; None is no type."""
    from iptviz.xtables.values.headers import read_packet_type

    return option_test("packet-type", match, option, read_packet_type(option.values[0]))


def owner(match: Match) -> list[Test]:
    """The user and the groups of the program that sends. Test: `Owner`, None for what is not read."""
    return [_owner(match, option) for option in match.options]


def _owner(match: Match, option: Option) -> Test:
    from iptviz.rules.operands import Owner

    if option.name in {_SOCKET, _SUPPLEMENTARY}:
        exists = option_test("owner", match, option, Owner(None, None))
        return exists._replace(quote=f"-m owner {_SOCKET}")
    place = {"--uid-owner": 0, "--gid-owner": 1}.get(option.name)
    numbers = None if place is None else read_dashed_range(option.values[0])
    wider = place == 1 and match.option(_SUPPLEMENTARY) is not None
    operand = None if numbers is None else Owner(place, numbers, supplementary=wider)
    test = option_test("owner", match, option, operand)
    return test._replace(quote=f"{test.quote} {_SUPPLEMENTARY}") if wider else test


_SOCKET, _SUPPLEMENTARY = "--socket-exists", "--suppl-groups"
"""The second one alone, too, matches whatever has a socket (`match ^ invert` in net/netfilter/xt_owner.c)."""
