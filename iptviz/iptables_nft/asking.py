"""What statements of nft ask of a packet, as iptables asks it: the inverse of what iptables has nft print.

Source: the `xlate` functions of iptables' extensions, and iptables/nft-shared.c for the options of every rule.
What they print of multiport's `--ports`, of the states SNAT and DNAT, and of times is not what the rule asks: no
words of iptables are made of that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.iptables_nft.headers import HEADER_FIELDS, IP_VERSIONS, OFFSET, SIDES, fragment, masked_flags
from iptviz.iptables_nft.known import (
    KNOWN_FIELDS,
    OUT_OF,
    chance,
    connection,
    counted,
    kind,
    limited,
    marked,
    quoted_bytes,
)
from iptviz.iptables_nft.pieces import IS, Piece
from iptviz.iptables_nft.words import masked_words, number_of
from iptviz.nft.expressions import Binary, Ct, Fib, Meta, Numgen, Payload
from iptviz.nft.statements import Limit, Match, Quota

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.statements import Statement


def asked(statement: Statement, version: int) -> Piece | None:
    """Return what a statement asks, in a table of IPv4 or IPv6; None where iptables has no words for it."""
    read = _STATEMENTS.get(type(statement))
    return None if read is None else read(statement, version)


def _match(statement: Match, version: int) -> Piece | None:
    left = statement.left
    read = _FIELDS.get((type(left), *left)) if isinstance(left, (Payload, Meta)) else _FORMS.get(type(left))
    return None if read is None else read(statement, version)


def _masked(match: Match, version: int) -> Piece | None:
    """Read a comparison of some bits."""
    left: Binary = match.left  # type: ignore[assignment]
    bits = number_of(left.right) if left.operator == "&" else None
    if bits is None:
        return None
    inner = left.left
    if inner == Meta("random"):
        return chance(match) if bits == OUT_OF - 1 else None
    if inner in _MARKS:
        return marked(_MARKS[inner], match, bits)
    if inner == Payload("tcp", "flags"):
        return masked_flags(match, left.right)
    if inner == Payload("ip", "frag-off"):
        return fragment(match, version) if bits == OFFSET else None
    if isinstance(inner, Payload) and inner.field in SIDES and IP_VERSIONS.get(inner.protocol) == version:
        words = masked_words(match.right, left.right)
        option = SIDES[inner.field][0]
        known = words is not None and match.operator in IS
        return Piece(option, f"{IS[match.operator]}{option} {words}") if known else None
    return None


_MARKS: dict[Any, str] = {Meta("mark"): "mark", Ct("mark"): "connmark"}

_STATEMENTS: dict[type, Callable[[Any, int], Piece | None]] = {
    Match: _match,
    Limit: limited,
    Quota: quoted_bytes,
}

_FORMS: dict[type, Callable[[Match, int], Piece | None]] = {
    Ct: connection,
    Fib: kind,
    Numgen: counted,
    Binary: _masked,
}
"""By the class of what is asked about."""

_FIELDS = {**HEADER_FIELDS, **KNOWN_FIELDS}
