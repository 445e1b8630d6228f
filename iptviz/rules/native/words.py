"""Expressions of nft in words, as conditions quote them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.nft.expressions import (
    AnonymousSet,
    Binary,
    CatchAll,
    Concatenation,
    Ct,
    Element,
    Extension,
    Fib,
    Hash,
    Ipsec,
    MapLookup,
    Meta,
    Numgen,
    Osf,
    Payload,
    Prefix,
    Range,
    RawPayload,
    Rt,
    SetReference,
    Socket,
    Unreadable,
    Value,
    Wildcard,
)  # fmt: skip
from iptviz.nft.statements import ANY_BIT, Verdict
from iptviz.nft.symbols import BITS, SYMBOLS
from iptviz.xtables.values.addresses import show_address
from iptviz.xtables.values.protocols import protocol_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.statements import Match

_VERSIONS = {"ipv4_addr": 4, "ipv6_addr": 6}
_MOST_ELEMENTS = 8
_SHORT_KEYS = frozenset({"iif", "oif", "iifname", "oifname", "iiftype", "oiftype", "skuid", "skgid"})


def words_of(expression: Any) -> str:
    """Return an expression, an element or a verdict as nft writes it, long sets shortened."""
    return _WORDS[type(expression)](expression)


def match_words(match: Match, operator: str = "") -> str:
    """Return a comparison as nft writes it; `operator` in place of its own."""
    shown = operator or match.operator
    between = "" if shown in {"==", ANY_BIT} and not isinstance(match.left, Binary) else f"{shown} "
    return f"{words_of(match.left)} {between}{words_of(match.right)}"


def show_constant(kind: str, data: int | str) -> str:
    """Return a constant of a type."""
    if isinstance(data, str):
        return f'"{data}"' if kind in {"ifname", "string"} else data
    if kind in _VERSIONS:
        return show_address(data, _VERSIONS[kind])
    if kind == "inet_proto":
        return protocol_name(str(data))
    if kind == "mark":
        return f"{data:#010x}"
    return _named(kind, data) or str(data)


def _named(kind: str, data: int) -> str:
    names = SYMBOLS.get(kind, {})
    if kind in BITS:
        return ",".join(name for name, bit in names.items() if data & bit)
    return next((name for name, number in names.items() if number == data), "")


def _set(shown: AnonymousSet) -> str:
    more = len(shown.elements) - _MOST_ELEMENTS
    words = [words_of(element) for element in shown.elements[:_MOST_ELEMENTS]]
    return f"{{ {', '.join([*words, *([f'and {more:,} more'] if more > 0 else [])])} }}"


def _element(element: Element) -> str:
    return words_of(element.key) + (f" : {words_of(element.data)}" if element.data is not None else "")


def _extension(asked: Extension) -> str:
    kind = "" if asked.kind == "exthdr" and asked.field else f"{asked.kind} "
    return f"{kind}{asked.name} {asked.field}".rstrip()


def _hash(asked: Hash) -> str:
    key = f" {words_of(asked.key)}" if asked.key is not None else ""
    seed = f" seed {asked.seed:#x}" if asked.seed is not None else ""
    return f"{asked.kind}{key} mod {asked.modulus}{seed}{_offset(asked.offset)}"


def _offset(offset: int) -> str:
    return f" offset {offset}" if offset else ""


def _joined(*words: object) -> str:
    return " ".join(str(word) for word in words if word not in {"", None, 0})


_WORDS: dict[type, Callable[[Any], str]] = {
    Value: lambda one: show_constant(*one),
    Prefix: lambda one: f"{words_of(one.base)}/{one.length}",
    Range: lambda one: f"{words_of(one.low)}-{words_of(one.high)}",
    Wildcard: lambda one: f'"{one.begins}*"',
    CatchAll: lambda _one: "*",
    Payload: lambda one: f"{one.protocol} {one.field}",
    RawPayload: lambda one: f"@{one.base},{one.offset},{one.length}",
    Meta: lambda one: one.key if one.key in _SHORT_KEYS else f"meta {one.key}",
    Ct: lambda one: _joined("ct", one.direction, one.family, one.key),
    Fib: lambda one: f"fib {' . '.join(one.flags)} {one.result}",
    Numgen: lambda one: f"numgen {one.mode} mod {one.modulus}{_offset(one.offset)}",
    Hash: _hash,
    Socket: lambda one: _joined("socket", one.key, "level" if one.level else "", one.level),
    Osf: lambda one: _joined("osf", "ttl" if one.ttl else "", one.ttl, one.key),
    Rt: lambda one: _joined("rt", one.family, one.key),
    Ipsec: lambda one: _joined("ipsec", one.direction, one.family, one.key),
    Extension: _extension,
    Concatenation: lambda one: " . ".join(map(words_of, one.parts)),
    SetReference: lambda one: f"@{one.name}",
    AnonymousSet: _set,
    Binary: lambda one: f"{words_of(one.left)} {one.operator} {words_of(one.right)}",
    MapLookup: lambda one: f"{words_of(one.key)} map {words_of(one.map)}",
    Unreadable: lambda one: one.text,
    Element: _element,
    Verdict: lambda one: f"{one.kind} {one.chain}".rstrip(),
}
