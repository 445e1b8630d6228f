"""What is read of a rule, put into the one form that all its spellings have: constants get their types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.constants import typed, typed_data
from iptviz.nft.expressions import (
    AnonymousSet,
    Binary,
    Concatenation,
    Element,
    MapLookup,
    Prefix,
    Range,
    SetReference,
    Value,
)  # fmt: skip
from iptviz.nft.fields import address_type, type_of
from iptviz.nft.statements import ANY_BIT, Assign, Match, Nat, Reject, Verdict, VerdictMap
from iptviz.nft.symbols import BITS, SYMBOLS

if TYPE_CHECKING:
    from iptviz.nft.expressions import Expression, Type

_PORTS: Type = ("inet_service",)
STRING: Type = ("string",)


def finished(expression: Expression, types: Type) -> Expression:
    """Return an expression with all its constants read, of which `types` are the types; maps, too."""
    if isinstance(expression, MapLookup):
        key = finished(expression.key, type_of(expression.key))
        found = typed(expression.map, type_of(key))
        if isinstance(found, AnonymousSet | SetReference):
            with_data = typed_data(found, types)
            return MapLookup(key, with_data if isinstance(with_data, AnonymousSet) else found)
    if isinstance(expression, Concatenation) and len(types) != len(expression.parts):
        return Concatenation(tuple(finished(part, type_of(part)) for part in expression.parts))
    return typed(expression, types)


def own(expression: Expression) -> Expression:
    """Return something of the packet with its constants read, as in `meta mark & 0x4000`."""
    return finished(expression, type_of(expression))


def made_match(left: Expression, operator: str, right: Expression, mask: Expression | None = None) -> Match:
    """Return a comparison; without an operator that of the left's type is meant.

    With a `mask` it is one of `tcp flags syn / syn,ack`.
    """
    types = type_of(left)
    value = finished(right, types)
    if mask is not None:
        return Match(Binary("&", own(left), finished(mask, types)), operator or "==", value)
    if isinstance(value, AnonymousSet) and (alone := _alone(value)) is not None:
        return Match(own(left), operator or "==", alone)
    implied = (
        ANY_BIT if types and types[0] in BITS and not isinstance(value, AnonymousSet | SetReference) else "=="
    )
    return Match(own(left), operator or implied, value)


def _alone(found: AnonymousSet) -> Expression | None:
    """Return the only key of a set, which asks the same without the set."""
    plain = len(found.elements) == 1 and found.elements[0] == Element(found.elements[0].key)
    return found.elements[0].key if plain else None


def made_vmap(key: Expression, found: AnonymousSet | SetReference) -> VerdictMap:
    """Return a lookup of verdicts."""
    key = own(key)
    read = typed(found, type_of(key))
    return VerdictMap(key, read if isinstance(read, AnonymousSet) else found)


def made_assign(target: Expression, value: Expression) -> Assign:
    """Return an assignment."""
    return Assign(own(target), finished(value, type_of(target)))


_OF_PORTS = frozenset({"redirect", "masquerade"})


def made_nat(nat: Nat, table_family: str) -> Nat:
    """Return what nat does with addresses and ports read, and flags in order."""
    if nat.kind in _OF_PORTS and nat.port is None:  # what they are given without a colon is a port
        nat = nat._replace(address=None, port=nat.address)
    family = nat.family or (table_family if table_family in {"ip", "ip6"} else "")
    address = None if nat.address is None else finished(nat.address, _nat_types(nat.address, family))
    port = None if nat.port is None else finished(nat.port, _PORTS)
    return nat._replace(family=family, address=address, port=port, flags=tuple(sorted(nat.flags)))


def finished_address(expression: Expression, family: str) -> Expression:
    """Return an address, or a map of some, with its constants read; `family` may be empty."""
    return finished(expression, _nat_types(expression, family))


def _nat_types(address: Expression, family: str) -> Type:
    kinds = address_type(family) or _guessed(address)
    if isinstance(address, MapLookup) and isinstance(address.map, AnonymousSet):
        data = [element.data for element in address.map.elements]
        joined = any(isinstance(one, Concatenation) for one in data)
        return (*kinds, *_PORTS) if joined else kinds
    return kinds


def _guessed(address: Expression) -> Type:
    base = (
        address.low
        if isinstance(address, Range)
        else address.base
        if isinstance(address, Prefix)
        else address
    )
    if not isinstance(base, Value):
        return ()
    return address_type("ip6" if ":" in str(base.data) else "ip")


_DEFAULT_REJECTS = {"ip": ("icmp", 3), "ip6": ("icmpv6", 4)}
_CODES = {"icmp": "icmp_code", "icmpv6": "icmpv6_code", "icmpx": "icmpx_code"}


def made_reject(kind: str, code: object, family: str) -> Reject | None:
    """Return an answer; without a kind that of a family of tables; None where the code is not known."""
    if not kind:
        return Reject(*_DEFAULT_REJECTS.get(family, ("icmpx", 1)))
    if kind == "tcp reset":
        return Reject(kind)
    if isinstance(code, int):
        return Reject(kind, code)
    number = SYMBOLS[_CODES[kind]].get(str(code)) if kind in _CODES else None
    if number is None and str(code).isascii() and str(code).isdigit() and kind in _CODES:
        number = int(str(code)[:3])
    return None if number is None else Reject(kind, number)


def finished_element(element: Element) -> Element:
    """Return what a rule puts into a set, with its constants read as far as their types are told."""
    data = element.data
    read = data if data is None or isinstance(data, Verdict) else finished(data, ())
    return element._replace(key=own(element.key), data=read)
