"""What statements of nft ask of what the kernel knows of a packet beside its headers, as iptables asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.iptables_nft.pieces import IS, Piece
from iptviz.iptables_nft.words import network_words, number_of, plain_keys, quoted, span_of, span_words
from iptviz.nft.expressions import Ct, Fib, Meta, Numgen, Range, Value
from iptviz.nft.statements import ANY_BIT, NO_BIT, Match
from iptviz.nft.symbols import SYMBOLS
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.addresses import show_host
from iptviz.xtables.values.numbers import ALL_BITS

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.statements import Limit, Quota

# --- what the kernel knows of a packet -----------------------------------------------------------------------


def _mark_words(match: Match, mask: int) -> str | None:
    number = number_of(match.right)
    if number is None or match.operator not in IS or number & ~ALL_BITS:
        return None
    of = "" if mask == ALL_BITS else f"/0x{mask:x}"
    return f"{IS[match.operator]}--mark 0x{number:x}{of}"


def _mark(match: Match, _version: int) -> Piece | None:
    return marked("mark", match, ALL_BITS)


def marked(name: str, match: Match, mask: int | None) -> Piece | None:
    """Read a comparison with a mark, of which a mask may choose bits."""
    words = None if mask is None or mask & ~ALL_BITS else _mark_words(match, mask)
    return None if words is None else Piece(name, words)


_PACKET_TYPES = {0: "unicast", 1: "broadcast", 2: "multicast"}


def _packet_type(match: Match, _version: int) -> Piece | None:
    number = number_of(match.right)
    if number not in _PACKET_TYPES or match.operator not in IS:
        return None
    return Piece("pkttype", f"{IS[match.operator]}--pkt-type {_PACKET_TYPES[number]}")


def _owner(option: str) -> Callable[[Match, int], Piece | None]:
    def read(match: Match, _version: int) -> Piece | None:
        right = match.right
        ends = (right.low, right.high) if isinstance(right, Range) else (right,)
        numbers = [number_of(end) for end in ends]
        if None in numbers or match.operator not in IS:
            return None
        return Piece("owner", f"{IS[match.operator]}{option} {'-'.join(map(str, numbers))}")

    return read


def _cpu(match: Match, _version: int) -> Piece | None:
    number = number_of(match.right)
    if number is None or match.operator not in IS:
        return None
    return Piece("cpu", f"{IS[match.operator]}--cpu {number}")


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
    if number not in {0, 1} or match.operator not in IS:
        return None
    return f"--ctdir {'ORIGINAL' if (number == 0) == (match.operator == '==') else 'REPLY'}"


def _tracked_address(option: str) -> Callable[[Match], str | None]:
    def read(match: Match) -> str | None:
        data = getattr(match.right, "data", None)
        network = parse_network(data) if isinstance(data, str) else None
        words = network_words(match.right) if network is None else show_host(network)
        if words is None or match.operator not in IS:
            return None
        return f"{IS[match.operator]}{option} {words}"

    return read


def _tracked_port(option: str) -> Callable[[Match], str | None]:
    def read(match: Match) -> str | None:
        ends = span_of(match.operator, match.right) if match.operator in IS else None
        return None if ends is None else f"{IS[match.operator]}{option} {span_words(ends)}"

    return read


def _tracked_protocol(match: Match) -> str | None:
    number = number_of(match.right)
    return None if number is None or match.operator not in IS else f"{IS[match.operator]}--ctproto {number}"


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


def connection(match: Match, _version: int) -> Piece | None:
    """Read what is asked of connection tracking."""
    left: Ct = match.left  # type: ignore[assignment]
    if left.key == "mark" and not left.direction:
        return marked("connmark", match, ALL_BITS)
    if left.key == "helper" and isinstance(match.right, Value) and match.operator in IS:
        return Piece("helper", f"{IS[match.operator]}--helper {quoted(str(match.right.data))}")
    read = _CONNTRACK.get((left.key, left.direction))
    words = None if read is None else read(match)
    return None if words is None else Piece("conntrack", words)


# --- routing tables, chance ----------------------------------------------------------------------------------

_KINDS = {number: name.upper() for name, number in SYMBOLS["fib_addrtype"].items()}
_LIMITS = {(): "", ("iif",): " --limit-iface-in", ("oif",): " --limit-iface-out"}
_ENDS = {"saddr": "--src-type", "daddr": "--dst-type"}


def kind(match: Match, _version: int) -> Piece | None:
    """Read what kind of address the routing tables say one is."""
    left: Fib = match.left  # type: ignore[assignment]
    option, limit = _ENDS.get(left.flags[0] if left.flags else ""), _LIMITS.get(left.flags[1:])
    names = [_KINDS.get(number_of(key), "") for key in plain_keys(match.right) or ()]  # type: ignore[arg-type]
    if left.result != "type" or option is None or limit is None or match.operator not in IS or not all(names):
        return None
    return Piece("addrtype", f"{IS[match.operator]}{option} {','.join(names)}{limit}") if names else None


OUT_OF = 1 << 31
_DRAWN = {"<": "", ">=": "! "}


def chance(match: Match) -> Piece | None:
    """Read `meta random & 2147483647 < k`: the kernel draws 31 bits, and compares them with the rule's k."""
    below = number_of(match.right)
    if below is None or not 0 <= below <= OUT_OF or match.operator not in _DRAWN:
        return None
    words = f"{_DRAWN[match.operator]}--probability {below / OUT_OF:.11f}"
    return Piece("statistic", f"--mode random {words}")


def counted(match: Match, _version: int) -> Piece | None:
    """Read `numgen inc mod 3 1`: every third packet."""
    left: Numgen = match.left  # type: ignore[assignment]
    number = number_of(match.right)
    if left.mode != "inc" or left.offset or number is None or match.operator not in IS:
        return None
    return Piece("statistic", f"--mode nth {IS[match.operator]}--every {left.modulus} --packet {number}")


_PER = {"second": "sec", "minute": "min", "hour": "hour", "day": "day"}
_BURST = 5


def limited(limit: Limit, _version: int) -> Piece | None:
    """Read how often a rule may match."""
    if limit.unit != "packets" or limit.over or limit.per not in _PER:
        return None
    burst = f" --limit-burst {limit.burst}" if limit.burst not in {None, _BURST} else ""
    return Piece("limit", f"--limit {limit.rate}/{_PER[limit.per]}{burst}")


def quoted_bytes(quota: Quota, _version: int) -> Piece | None:
    """Read how many bytes a rule matches."""
    return Piece("quota", f"{'! ' if quota.over else ''}--quota {quota.bytes}")


KNOWN_FIELDS: dict[tuple[Any, ...], Callable[[Match, int], Piece | None]] = {
    (Meta, "mark"): _mark,
    (Meta, "pkttype"): _packet_type,
    (Meta, "cpu"): _cpu,
    (Meta, "skuid"): _owner("--uid-owner"),
    (Meta, "skgid"): _owner("--gid-owner"),
}
"""By what is asked about, what reads a comparison with it."""
