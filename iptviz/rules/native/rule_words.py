"""Rules of nft in nft's own words, where they were read from JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.nft.expressions import AnonymousSet, Concatenation, MapLookup, SetReference
from iptviz.nft.statements import (
    Assign,
    Counter,
    Match,
    Nat,
    Notrack,
    Reject,
    SetUpdate,
    Verdict,
    VerdictMap,
    Xt,
)
from iptviz.rules.native.words import match_words, words_of
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Element, Expression
    from iptviz.nft.model import Rule
    from iptviz.nft.statements import Statement

_WITH_FAMILY = (Concatenation, SetReference, AnonymousSet, MapLookup)
"""What nft writes the family of an address before: what is not one address."""


def rule_words(rule: Rule) -> str:
    """Return a rule as nft lists it: as it stands in a text, else made of JSON.

    It is JSON where a statement is of a form that is not written here.
    """
    if isinstance(rule.source, str):
        return rule.text
    writers = [_WORDS.get(type(one)) for one in rule.statements]
    words = [writer(one) for writer, one in zip(writers, rule.statements, strict=True) if writer is not None]
    if len(words) < len(writers) or None in words:
        return rule.text
    comment = [f'comment "{rule.comment}"'] if rule.comment is not None else []
    return " ".join([*filter(None, words), *comment])


def element_words(element: Element) -> str:
    """Return an element of a set or map as nft lists it."""
    parts = [words_of(element.key)]
    if element.timeout is not None:
        parts.append(f"timeout {duration(element.timeout)}")
    if element.expires is not None:
        parts.append(f"expires {duration(element.expires)}")
    if element.comment is not None:
        parts.append(f'comment "{element.comment}"')
    if element.data is not None:
        parts.append(f": {words_of(element.data)}")
    return " ".join(parts)


_UNITS = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1))


def duration(milliseconds: int) -> str:
    """Return a time as nft writes it: `2h59m55s`."""
    left, parts = milliseconds, []
    for unit, length in _UNITS:
        count, left = divmod(left, length)
        parts += [f"{count}{unit}"] if count else []
    return "".join(parts) or "0s"


def _nat(statement: Nat) -> str | None:
    if statement.is_prefix:
        return None
    to = ""
    if statement.address is not None:
        family = f" {statement.family}" if isinstance(statement.address, _WITH_FAMILY) else ""
        to = f"{family} to {_destination(statement.address, statement.port)}"
    elif statement.port is not None:
        to = f" to :{words_of(statement.port)}"
    return " ".join([f"{statement.kind}{to}", *statement.flags])


def _destination(address: Expression, port: Expression | None) -> str:
    host = words_of(address)
    return host if port is None else join_endpoint(host, words_of(port))


def _counter(statement: Counter) -> str:
    if statement.packets is None:
        return "counter"
    return f"counter packets {statement.packets} bytes {statement.bytes or 0}"


def _reject(statement: Reject) -> str | None:
    if statement.kind == "tcp reset":
        return "reject with tcp reset"
    return "reject" if statement.code == _PLAIN.get(statement.kind) else None


_PLAIN = {"icmp": 3, "icmpv6": 4, "icmpx": 1}
"""The code with which nft does not write how is answered: that a port is not reachable."""


def _update(statement: SetUpdate) -> str | None:
    if statement.statements or statement.data is not None or statement.timeout is not None:
        return None
    return f"{statement.operation} @{statement.set} {{ {words_of(statement.key)} }}"


def _assign(statement: Assign) -> str:
    return f"{words_of(statement.target)} set {words_of(statement.value)}"


_WORDS: dict[type[Statement], Callable[[Any], str | None]] = {
    Match: match_words,
    Verdict: words_of,
    VerdictMap: lambda one: f"{words_of(one.key)} vmap {words_of(one.map)}",
    Nat: _nat,
    Assign: _assign,
    Counter: _counter,
    Reject: _reject,
    SetUpdate: _update,
    Notrack: lambda _one: "notrack",
    Xt: lambda one: " ".join(filter(None, ("xt", one.kind, f'"{one.name}"'))),
}
