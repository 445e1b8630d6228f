"""Neighbouring fields that must differ from constants, which nft may have loaded as one comparison of both.

`tcp sport != 80 tcp dport != 443` is loaded as one comparison of four bytes, which holds where either differs
(payload_do_merge in nft's src/rule.c); the listing says the same as for two. nft 0.9.8 and 1.0.6 do so, 1.1.0 not
("nftables: do mot merge payloads on negation"), nor 1.0.6.1 and packages of earlier ones which took that over.
A listing tells who listed, not who loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.expressions import Payload, RawPayload, Value
from iptviz.nft.statements import Match
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.nft.expressions import Expression
    from iptviz.nft.statements import Statement


class Neighbours(NamedTuple):
    """Comparisons with `!=` that stand one behind the other, as their fields do in the packet."""

    matches: tuple[Match, ...]


class _Bytes(NamedTuple):
    """Where a field lies: the header (`ll`, `nh` or `th`), its first byte there, and the one behind its last."""

    header: str
    first: int
    end: int


def _laid_out(header: str, first: int, fields: str) -> dict[str, _Bytes]:
    """Read fields as they follow each other, each with the number of its bytes."""
    found = {}
    for name, size in (field.split(":") for field in fields.split()):
        found[name] = _Bytes(header, first, first + int(size))
        first += int(size)
    return found


_PORTS = "sport:2 dport:2"
_ICMP = "type:1 code:1 checksum:2"
_LAYOUTS = {
    "ether": _laid_out("ll", 0, "daddr:6 saddr:6 type:2"),
    "ip": _laid_out("nh", 2, "length:2 id:2 frag-off:2 ttl:1 protocol:1 checksum:2 saddr:4 daddr:4"),
    "ip6": _laid_out("nh", 4, "length:2 nexthdr:1 hoplimit:1 saddr:16 daddr:16"),
    "icmp": _laid_out("th", 0, f"{_ICMP} id:2 sequence:2")
    | _laid_out("th", 4, "gateway:4")
    | _laid_out("th", 6, "mtu:2"),
    "icmpv6": _laid_out("th", 0, f"{_ICMP} id:2 sequence:2")
    | _laid_out("th", 4, "parameter-problem:4")
    | _laid_out("th", 4, "packet-too-big:4")
    | _laid_out("th", 4, "max-delay:2"),
    "igmp": _laid_out("th", 0, "type:1 mrt:1 checksum:2 group:4"),
    "th": _laid_out("th", 0, _PORTS),
    "tcp": _laid_out("th", 0, f"{_PORTS} sequence:4 ackseq:4")
    | _laid_out("th", 13, "flags:1 window:2 checksum:2 urgptr:2"),
    "udp": _laid_out("th", 0, f"{_PORTS} length:2 checksum:2"),
    "udplite": _laid_out("th", 0, f"{_PORTS} csumcov:2 checksum:2"),
    "sctp": _laid_out("th", 0, f"{_PORTS} vtag:4 checksum:4"),
    "dccp": _laid_out("th", 0, _PORTS),
    "ah": _laid_out("th", 0, "nexthdr:1 hdrlength:1 reserved:2 spi:4 sequence:4"),
    "esp": _laid_out("th", 0, "spi:4 sequence:4"),
    "comp": _laid_out("th", 0, "nexthdr:1 flags:1 cpi:2"),
}
"""Fields of whole bytes; those of some bits are never compared together with others."""
_MOST = {"ll": 16, "nh": 4, "th": 4}
"""How many bytes are compared at once (payload_can_merge in nft's src/payload.c)."""


def with_neighbours(statements: Sequence[Statement]) -> Iterator[Statement | Neighbours]:
    """Yield the statements of a rule, in place of comparisons that may be one their neighbourhood.

    nft takes as many as fit from left to right. What it joined it lists side by side, in the order of the bytes.
    """
    run: list[Match] = []
    for statement in statements:
        if isinstance(statement, Match) and run and _joins(run, statement):
            run.append(statement)
            continue
        yield from _told(run)
        run = []
        if isinstance(statement, Match) and _place(statement) is not None:
            run = [statement]
        else:
            yield statement
    yield from _told(run)


def _told(run: Sequence[Match]) -> tuple[Match | Neighbours, ...]:
    return (Neighbours(tuple(run)),) if len(run) > 1 else tuple(run)


def _joins(run: Sequence[Match], match: Match) -> bool:
    first, last, place = _place(run[0]), _place(run[-1]), _place(match)
    if first is None or last is None or place is None:
        return False
    return (
        last.header == place.header
        and last.end == place.first
        and place.end - first.first <= _MOST.get(place.header, 0)
    )


def _place(match: Match) -> _Bytes | None:
    """Return where the field lies that must differ from one constant; None for any other comparison."""
    return _bytes_of(match.left) if match.operator == "!=" and isinstance(match.right, Value) else None


_BITS = 8


def _bytes_of(left: Expression) -> _Bytes | None:
    if isinstance(left, Payload):
        return _LAYOUTS.get(left.protocol, {}).get(left.field)
    if isinstance(left, RawPayload) and not left.offset % _BITS and not left.length % _BITS:
        return _Bytes(left.base, left.offset // _BITS, (left.offset + left.length) // _BITS)
    return None
