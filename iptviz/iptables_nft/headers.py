"""What statements of nft ask of headers and devices, as iptables asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.iptables_nft.pieces import IS, Piece
from iptviz.iptables_nft.words import (
    bare,
    network_words,
    number_of,
    plain_keys,
    protocol_words,
    range_words,
    span_of,
    span_words,
)
from iptviz.nft.expressions import AnonymousSet, Meta, Payload, Range, Value, Wildcard
from iptviz.nft.statements import ANY_BIT, NO_BIT, Match

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Expression
    from iptviz.nft.statements import Statement

# --- the options of every rule -------------------------------------------------------------------------------

IP_VERSIONS = {"ip": 4, "ip6": 6}
SIDES = {"saddr": ("-s", "--src-range"), "daddr": ("-d", "--dst-range")}


def _address(match: Match, version: int) -> Piece | None:
    field: Payload = match.left  # type: ignore[assignment]
    if IP_VERSIONS[field.protocol] != version or match.operator not in IS:
        return None
    option, between = SIDES[field.field]
    sign = IS[match.operator]
    if isinstance(match.right, Range):
        ends = range_words(match.right)
        return None if ends is None else Piece("iprange", f"{sign}{between} {ends}")
    network = network_words(match.right)
    return None if network is None else Piece(option, f"{sign}{option} {network}")


def again(piece: Piece, match: Statement) -> Piece | None:
    """Return an option of every rule that the rule has already in other words, None where there are none."""
    if piece.name not in {"-s", "-d"} or not isinstance(match, Match):
        return None
    ends = range_words(match.right)
    between = "--src-range" if piece.name == "-s" else "--dst-range"
    return None if ends is None else Piece("iprange", f"{IS[match.operator]}{between} {ends}")


def _interface(option: str) -> Callable[[Match, int], Piece | None]:
    def read(match: Match, _version: int) -> Piece | None:
        name = _interface_words(match.right)
        if name is None or match.operator not in IS:
            return None
        return Piece(option, f"{IS[match.operator]}{option} {bare(name)}")

    return read


def _interface_words(right: Expression) -> str | None:
    """Return the name of an interface, or how several begin; a name that ends in `+` iptables takes for those."""
    if isinstance(right, Wildcard):
        return f"{right.begins}+" if right.begins else None
    name = right.data if isinstance(right, Value) else None
    if not isinstance(name, str) or name[:1] in {"", "!", "-"}:
        return None
    return None if name.endswith("+") else name


def _protocol(match: Match, version: int) -> Piece | None:
    if match.left == Payload("ip", "protocol") and version != 4:
        return None
    number = number_of(match.right)
    if number is None or not 0 < number < 256 or match.operator not in IS:
        return None
    return Piece("-p", f"{IS[match.operator]}-p {protocol_words(number)}")


# --- headers -------------------------------------------------------------------------------------------------

_MOST_PORTS = 15
_SAYS = {"sport": "--sport", "dport": "--dport"}


def _port(match: Match, _version: int) -> Piece | None:
    field: Payload = match.left  # type: ignore[assignment]
    option, name = _SAYS[field.field], field.protocol
    sign = "! " if match.operator == "!=" else ""
    if isinstance(match.right, AnonymousSet):
        keys = plain_keys(match.right) or []
        spans = [span for key in keys if (span := span_of("==", key)) is not None]
        places = sum(1 + (low != high) for low, high in spans)
        if match.operator not in IS or len(spans) < len(keys) or not 0 < places <= _MOST_PORTS:
            return None
        return Piece("multiport", f"{sign}{option}s {','.join(map(span_words, spans))}", name)
    ends = span_of(match.operator, match.right)
    return None if ends is None else Piece(name, f"{sign}{option} {span_words(ends)}", name)


_FLAGS = {1: "FIN", 2: "SYN", 4: "RST", 8: "PSH", 16: "ACK", 32: "URG"}


def _flag_words(bits: int | None) -> str | None:
    if bits is None or bits & ~sum(_FLAGS):
        return None
    return ",".join(name for bit, name in _FLAGS.items() if bits & bit) or "NONE"


def _flags(match: Match, _version: int) -> Piece | None:
    """Read `tcp flags syn`, which asks for any of some bits, and `tcp flags ! syn`, which asks for none."""
    words = _flag_words(number_of(match.right))
    if words is None or match.operator not in {ANY_BIT, NO_BIT}:
        return None
    sign = "! " if match.operator == ANY_BIT else ""
    return Piece("tcp", f"{sign}--tcp-flags {words} NONE", "tcp")


def masked_flags(match: Match, mask: Expression) -> Piece | None:
    """Read `tcp flags syn / syn,ack`, which names the flags that are looked at."""
    words = [_flag_words(number_of(one)) for one in (mask, match.right)]
    if None in words or match.operator not in IS:
        return None
    return Piece("tcp", f"{IS[match.operator]}--tcp-flags {words[0]} {words[1]}", "tcp")


def _type(protocol: str, name: str, option: str, of: int) -> Callable[[Match, int], Piece | None]:
    def read(match: Match, version: int) -> Piece | None:
        number = number_of(match.right)
        if version != of or match.operator not in IS or number is None or not 0 <= number < 255:
            return None
        return Piece(name, f"{IS[match.operator]}{option} {number}", protocol)

    return read


_COMPARED = {"==": "--{}-eq", "!=": "! --{}-eq", "<": "--{}-lt", ">": "--{}-gt"}


def _hops(name: str, of: int) -> Callable[[Match, int], Piece | None]:
    def read(match: Match, version: int) -> Piece | None:
        number = number_of(match.right)
        form = _COMPARED.get(match.operator)
        if version != of or form is None or number is None or not 0 <= number < 256:
            return None
        return Piece(name, f"{form.format(name)} {number}")

    return read


def _dscp(match: Match, version: int) -> Piece | None:
    field: Payload = match.left  # type: ignore[assignment]
    number = number_of(match.right)
    if (
        IP_VERSIONS[field.protocol] != version
        or match.operator not in IS
        or number is None
        or not 0 <= number < 64
    ):
        return None
    return Piece("dscp", f"{IS[match.operator]}--dscp 0x{number:02x}")


def _sender(match: Match, _version: int) -> Piece | None:
    number = number_of(match.right)
    if number is None or match.operator not in IS or number >> 48:
        return None
    text = ":".join(f"{byte:02x}" for byte in number.to_bytes(6, "big"))
    return Piece("mac", f"{IS[match.operator]}--mac-source {text}")


def _length(match: Match, _version: int) -> Piece | None:
    ends = span_of(match.operator, match.right)
    if ends is None:
        return None
    return Piece("length", f"{'! ' if match.operator == '!=' else ''}--length {span_words(ends)}")


OFFSET = 0x1FFF
"""The bits of a fragment's offset."""


def fragment(match: Match, version: int) -> Piece | None:
    """Read a comparison of the offset with 0: that of the first fragment is."""
    if version != 4 or number_of(match.right) != 0 or match.operator not in IS:
        return None
    return Piece("-f", "-f" if match.operator == "!=" else "! -f")


HEADER_FIELDS: dict[tuple[Any, ...], Callable[[Match, int], Piece | None]] = {
    **{(Payload, family, side): _address for family in IP_VERSIONS for side in SIDES},
    **{(Payload, family, "dscp"): _dscp for family in IP_VERSIONS},
    **{
        (Payload, protocol, side): _port
        for protocol in ("tcp", "udp", "udplite", "sctp", "dccp", "th")
        for side in _SAYS
    },
    (Payload, "tcp", "flags"): _flags,
    (Payload, "ip", "protocol"): _protocol,
    (Payload, "icmp", "type"): _type("icmp", "icmp", "--icmp-type", 4),
    (Payload, "icmpv6", "type"): _type("ipv6-icmp", "icmp6", "--icmpv6-type", 6),
    (Payload, "ip", "ttl"): _hops("ttl", 4),
    (Payload, "ip6", "hoplimit"): _hops("hl", 6),
    (Payload, "ether", "saddr"): _sender,
    (Meta, "l4proto"): _protocol,
    (Meta, "length"): _length,
    **{(Meta, key): _interface("-i") for key in ("iifname", "iif")},
    **{(Meta, key): _interface("-o") for key in ("oifname", "oif")},
}
"""By what of the packet is asked about, what reads a comparison with it."""
