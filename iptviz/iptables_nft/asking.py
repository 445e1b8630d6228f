"""What statements of nft ask of a packet, as iptables asks it: the inverse of what iptables has nft print.

Source: the `xlate` functions of iptables' extensions, and iptables/nft-shared.c for the options of every rule.
What they print of multiport's `--ports`, of the states SNAT and DNAT, and of times is not what the rule asks: no
words of iptables are made of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.iptables_nft.words import (
    bare,
    masked_words,
    network_words,
    number_of,
    plain_keys,
    protocol_words,
    quoted,
    range_words,
    span_of,
    span_words,
)
from iptviz.nft.expressions import (
    AnonymousSet,
    Binary,
    Ct,
    Fib,
    Meta,
    Numgen,
    Payload,
    Range,
    Value,
    Wildcard,
)
from iptviz.nft.statements import ANY_BIT, NO_BIT, Limit, Match, Quota
from iptviz.nft.symbols import SYMBOLS
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.addresses import show_host
from iptviz.xtables.values.numbers import ALL_BITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Expression
    from iptviz.nft.statements import Statement


class Piece(NamedTuple):
    """A part of a rule: an option of every rule, of which `name` is `-s` and the like, or a match's option.

    `protocol` is what `-p` must name for iptables to take the match; empty for any.
    """

    name: str
    text: str
    protocol: str = ""


BASIC = ("-s", "-d", "-i", "-o", "-p", "-f")
"""The options that every rule may have, in the order of iptables-save."""

_IS = {"==": "", "!=": "! "}


def asked(statement: Statement, version: int) -> Piece | None:
    """Return what a statement asks, in a table of IPv4 or IPv6; None where iptables has no words for it."""
    read = _STATEMENTS.get(type(statement))
    return None if read is None else read(statement, version)


def _match(statement: Match, version: int) -> Piece | None:
    left = statement.left
    read = _FIELDS.get((type(left), *left)) if isinstance(left, (Payload, Meta)) else _FORMS.get(type(left))
    return None if read is None else read(statement, version)


# --- the options of every rule -------------------------------------------------------------------------------

_IP = {"ip": 4, "ip6": 6}
_SIDES = {"saddr": ("-s", "--src-range"), "daddr": ("-d", "--dst-range")}


def _address(match: Match, version: int) -> Piece | None:
    field: Payload = match.left  # type: ignore[assignment]
    if _IP[field.protocol] != version or match.operator not in _IS:
        return None
    option, between = _SIDES[field.field]
    sign = _IS[match.operator]
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
    return None if ends is None else Piece("iprange", f"{_IS[match.operator]}{between} {ends}")


def _interface(option: str) -> Callable[[Match, int], Piece | None]:
    def read(match: Match, _version: int) -> Piece | None:
        name = _interface_words(match.right)
        if name is None or match.operator not in _IS:
            return None
        return Piece(option, f"{_IS[match.operator]}{option} {bare(name)}")

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
    if number is None or not 0 < number < 256 or match.operator not in _IS:
        return None
    return Piece("-p", f"{_IS[match.operator]}-p {protocol_words(number)}")


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
        if match.operator not in _IS or len(spans) < len(keys) or not 0 < places <= _MOST_PORTS:
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


def _masked_flags(match: Match, mask: Expression) -> Piece | None:
    words = [_flag_words(number_of(one)) for one in (mask, match.right)]
    if None in words or match.operator not in _IS:
        return None
    return Piece("tcp", f"{_IS[match.operator]}--tcp-flags {words[0]} {words[1]}", "tcp")


def _type(protocol: str, name: str, option: str, of: int) -> Callable[[Match, int], Piece | None]:
    def read(match: Match, version: int) -> Piece | None:
        number = number_of(match.right)
        if version != of or match.operator not in _IS or number is None or not 0 <= number < 255:
            return None
        return Piece(name, f"{_IS[match.operator]}{option} {number}", protocol)

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
    if _IP[field.protocol] != version or match.operator not in _IS or number is None or not 0 <= number < 64:
        return None
    return Piece("dscp", f"{_IS[match.operator]}--dscp 0x{number:02x}")


def _sender(match: Match, _version: int) -> Piece | None:
    number = number_of(match.right)
    if number is None or match.operator not in _IS or number >> 48:
        return None
    text = ":".join(f"{byte:02x}" for byte in number.to_bytes(6, "big"))
    return Piece("mac", f"{_IS[match.operator]}--mac-source {text}")


def _length(match: Match, _version: int) -> Piece | None:
    ends = span_of(match.operator, match.right)
    if ends is None:
        return None
    return Piece("length", f"{'! ' if match.operator == '!=' else ''}--length {span_words(ends)}")


# --- what the kernel knows of a packet -----------------------------------------------------------------------


def _mark_words(match: Match, mask: int) -> str | None:
    number = number_of(match.right)
    if number is None or match.operator not in _IS or number & ~ALL_BITS:
        return None
    of = "" if mask == ALL_BITS else f"/0x{mask:x}"
    return f"{_IS[match.operator]}--mark 0x{number:x}{of}"


def _mark(match: Match, _version: int) -> Piece | None:
    return _marked("mark", match, ALL_BITS)


def _marked(name: str, match: Match, mask: int | None) -> Piece | None:
    words = None if mask is None or mask & ~ALL_BITS else _mark_words(match, mask)
    return None if words is None else Piece(name, words)


_PACKET_TYPES = {0: "unicast", 1: "broadcast", 2: "multicast"}


def _packet_type(match: Match, _version: int) -> Piece | None:
    number = number_of(match.right)
    if number not in _PACKET_TYPES or match.operator not in _IS:
        return None
    return Piece("pkttype", f"{_IS[match.operator]}--pkt-type {_PACKET_TYPES[number]}")


def _owner(option: str) -> Callable[[Match, int], Piece | None]:
    def read(match: Match, _version: int) -> Piece | None:
        right = match.right
        ends = (right.low, right.high) if isinstance(right, Range) else (right,)
        numbers = [number_of(end) for end in ends]
        if None in numbers or match.operator not in _IS:
            return None
        return Piece("owner", f"{_IS[match.operator]}{option} {'-'.join(map(str, numbers))}")

    return read


def _cpu(match: Match, _version: int) -> Piece | None:
    number = number_of(match.right)
    if number is None or match.operator not in _IS:
        return None
    return Piece("cpu", f"{_IS[match.operator]}--cpu {number}")


# --- connections ---------------------------------------------------------------------------------------------

_STATUS = {1: "EXPECTED", 2: "SEEN_REPLY", 4: "ASSURED", 8: "CONFIRMED"}
_STATES = {1: "INVALID", 8: "NEW", 4: "RELATED", 2: "ESTABLISHED", 64: "UNTRACKED"}
_BIT_SIGNS = {ANY_BIT: "", NO_BIT: "! "}


def _bits(option: str, names: dict[int, str]) -> Callable[[Match], str | None]:
    def read(match: Match) -> str | None:
        bits = number_of(match.right)
        sign = _BIT_SIGNS.get(match.operator)
        if sign is None or not bits or bits & ~sum(names):
            return None
        return f"{sign}{option} {','.join(name for bit, name in names.items() if bits & bit)}"

    return read


def _direction(match: Match) -> str | None:
    number = number_of(match.right)
    if number not in {0, 1} or match.operator not in _IS:
        return None
    return f"--ctdir {'ORIGINAL' if (number == 0) == (match.operator == '==') else 'REPLY'}"


def _tracked_address(option: str) -> Callable[[Match], str | None]:
    def read(match: Match) -> str | None:
        data = getattr(match.right, "data", None)
        network = parse_network(data) if isinstance(data, str) else None
        words = network_words(match.right) if network is None else show_host(network)
        if words is None or match.operator not in _IS:
            return None
        return f"{_IS[match.operator]}{option} {words}"

    return read


def _tracked_port(option: str) -> Callable[[Match], str | None]:
    def read(match: Match) -> str | None:
        ends = span_of(match.operator, match.right) if match.operator in _IS else None
        return None if ends is None else f"{_IS[match.operator]}{option} {span_words(ends)}"

    return read


def _tracked_protocol(match: Match) -> str | None:
    number = number_of(match.right)
    return None if number is None or match.operator not in _IS else f"{_IS[match.operator]}--ctproto {number}"


_CONNTRACK: dict[tuple[str, str], Callable[[Match], str | None]] = {
    ("state", ""): _bits("--ctstate", _STATES),
    ("status", ""): _bits("--ctstatus", _STATUS),
    ("direction", ""): _direction,
    ("protocol", "original"): _tracked_protocol,
    **{
        (f"{field}addr", way): _tracked_address(f"--ct{word}{side}")
        for way, word in (("original", "orig"), ("reply", "repl"))
        for field, side in (("s", "src"), ("d", "dst"))
    },
    **{
        (f"proto-{side}", way): _tracked_port(f"--ct{word}{side}port")
        for way, word in (("original", "orig"), ("reply", "repl"))
        for side in ("src", "dst")
    },
}


def _connection(match: Match, _version: int) -> Piece | None:
    left: Ct = match.left  # type: ignore[assignment]
    if left.key == "mark" and not left.direction:
        return _marked("connmark", match, ALL_BITS)
    if left.key == "helper" and isinstance(match.right, Value) and match.operator in _IS:
        return Piece("helper", f"{_IS[match.operator]}--helper {quoted(str(match.right.data))}")
    read = _CONNTRACK.get((left.key, left.direction))
    words = None if read is None else read(match)
    return None if words is None else Piece("conntrack", words)


# --- routing tables, chance ----------------------------------------------------------------------------------

_KINDS = {number: name.upper() for name, number in SYMBOLS["fib_addrtype"].items()}
_LIMITS = {(): "", ("iif",): " --limit-iface-in", ("oif",): " --limit-iface-out"}
_ENDS = {"saddr": "--src-type", "daddr": "--dst-type"}


def _kind(match: Match, _version: int) -> Piece | None:
    left: Fib = match.left  # type: ignore[assignment]
    option, limit = _ENDS.get(left.flags[0] if left.flags else ""), _LIMITS.get(left.flags[1:])
    names = [_KINDS.get(number_of(key), "") for key in plain_keys(match.right) or ()]  # type: ignore[arg-type]
    if (
        left.result != "type"
        or option is None
        or limit is None
        or match.operator not in _IS
        or not all(names)
    ):
        return None
    return Piece("addrtype", f"{_IS[match.operator]}{option} {','.join(names)}{limit}") if names else None


_OUT_OF = 1 << 31
_DRAWN = {"<": "", ">=": "! "}


def _chance(match: Match) -> Piece | None:
    """Read `meta random & 2147483647 < k`: the kernel draws 31 bits, and compares them with the rule's k."""
    below = number_of(match.right)
    if below is None or not 0 <= below <= _OUT_OF or match.operator not in _DRAWN:
        return None
    words = f"{_DRAWN[match.operator]}--probability {below / _OUT_OF:.11f}"
    return Piece("statistic", f"--mode random {words}")


def _counted(match: Match, _version: int) -> Piece | None:
    left: Numgen = match.left  # type: ignore[assignment]
    number = number_of(match.right)
    if left.mode != "inc" or left.offset or number is None or match.operator not in _IS:
        return None
    return Piece("statistic", f"--mode nth {_IS[match.operator]}--every {left.modulus} --packet {number}")


def _masked(match: Match, version: int) -> Piece | None:
    """Read a comparison of some bits."""
    left: Binary = match.left  # type: ignore[assignment]
    bits = number_of(left.right) if left.operator == "&" else None
    if bits is None:
        return None
    inner = left.left
    if inner == Meta("random"):
        return _chance(match) if bits == _OUT_OF - 1 else None
    if inner in _MARKS:
        return _marked(_MARKS[inner], match, bits)
    if inner == Payload("tcp", "flags"):
        return _masked_flags(match, left.right)
    if inner == Payload("ip", "frag-off"):
        return _fragment(match, version) if bits == _OFFSET else None
    if isinstance(inner, Payload) and inner.field in _SIDES and _IP.get(inner.protocol) == version:
        words = masked_words(match.right, left.right)
        option = _SIDES[inner.field][0]
        known = words is not None and match.operator in _IS
        return Piece(option, f"{_IS[match.operator]}{option} {words}") if known else None
    return None


_MARKS: dict[Any, str] = {Meta("mark"): "mark", Ct("mark"): "connmark"}
_OFFSET = 0x1FFF


def _fragment(match: Match, version: int) -> Piece | None:
    if version != 4 or number_of(match.right) != 0 or match.operator not in _IS:
        return None
    return Piece("-f", "-f" if match.operator == "!=" else "! -f")


_PER = {"second": "sec", "minute": "min", "hour": "hour", "day": "day"}
_BURST = 5


def _limit(limit: Limit, _version: int) -> Piece | None:
    if limit.unit != "packets" or limit.over or limit.per not in _PER:
        return None
    burst = f" --limit-burst {limit.burst}" if limit.burst not in {None, _BURST} else ""
    return Piece("limit", f"--limit {limit.rate}/{_PER[limit.per]}{burst}")


def _quota(quota: Quota, _version: int) -> Piece | None:
    return Piece("quota", f"{'! ' if quota.over else ''}--quota {quota.bytes}")


_STATEMENTS: dict[type, Callable[[Any, int], Piece | None]] = {Match: _match, Limit: _limit, Quota: _quota}

_FORMS: dict[type, Callable[[Match, int], Piece | None]] = {
    Ct: _connection,
    Fib: _kind,
    Numgen: _counted,
    Binary: _masked,
}
"""By the class of what is asked about."""

_FIELDS: dict[tuple[Any, ...], Callable[[Match, int], Piece | None]] = {
    **{(Payload, family, side): _address for family in _IP for side in _SIDES},
    **{(Payload, family, "dscp"): _dscp for family in _IP},
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
    (Meta, "mark"): _mark,
    (Meta, "length"): _length,
    (Meta, "pkttype"): _packet_type,
    (Meta, "cpu"): _cpu,
    **{(Meta, key): _interface("-i") for key in ("iifname", "iif")},
    **{(Meta, key): _interface("-o") for key in ("oifname", "oif")},
    (Meta, "skuid"): _owner("--uid-owner"),
    (Meta, "skgid"): _owner("--gid-owner"),
}
"""By what of the packet is asked about."""
