"""Constants, read by the type of what they stand beside: `ssh` is 22 beside a port, `new` is 8 beside a state."""

from __future__ import annotations

import re
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton
from typing import TYPE_CHECKING

from iptviz.nft.expressions import (
    AnonymousSet,
    Binary,
    CatchAll,
    Concatenation,
    Element,
    Prefix,
    Range,
    Value,
    Wildcard,
)  # fmt: skip
from iptviz.nft.statements import Verdict
from iptviz.nft.symbols import SYMBOLS
from iptviz.nft.tokens import milliseconds, read_number
from iptviz.xtables.values.protocols import protocol_number, service_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from iptviz.nft.expressions import Expression, Type

RAW = "raw"
"""The type of a constant that nobody has read yet: its data is its text, or what JSON has for it."""


def _address(text: str, version: int) -> int | None:
    try:
        return int.from_bytes(inet_pton(AF_INET if version == 4 else AF_INET6, text), "big")
    except (OSError, ValueError):  # ValueError: a sign that is no byte
        return None


def _mac(text: str) -> int | None:
    parts = text.split(":")
    digits = all(re.fullmatch("[0-9a-fA-F]{1,2}", part) for part in parts)
    return int("".join(part.zfill(2) for part in parts), 16) if digits and len(parts) == 6 else None


def _class(text: str) -> int | None:
    """Read `1:2` as tc does: both halves are hexadecimal."""
    if text in {"none", "root"}:
        return 0 if text == "none" else 0xFFFFFFFF
    found = re.fullmatch("([0-9a-fA-F]{0,4}):([0-9a-fA-F]{0,4})", text)
    return int(found[1] or "0", 16) << 16 | int(found[2] or "0", 16) if found else read_number(text)


def _service(text: str) -> int | None:
    number = read_number(text)
    return service_port(text) if number is None and not text[:1].isdigit() else number


def _protocol(text: str) -> int | None:
    number = read_number(text)
    return protocol_number(text) if number is None and not text[:1].isdigit() else number


def _time(text: str) -> int | None:
    return milliseconds(text.strip('"'))


def _name(_text: str) -> None:
    """Names are texts."""


_NAMES = frozenset({"ifname", "fib_name", "string", "ct_label", "cgroupsv2", "hour", "time_of_day", "ifkind"})
_READERS: dict[str, Callable[[str], int | None]] = {
    "ipv4_addr": lambda text: _address(text, 4),
    "ipv6_addr": lambda text: _address(text, 6),
    "ether_addr": _mac,
    "inet_service": _service,
    "inet_proto": _protocol,
    "classid": _class,
    "time": _time,
    **dict.fromkeys(_NAMES, _name),
}
_BITS_OF = {"ipv4_addr": 32, "ipv6_addr": 128, "ether_addr": 48, "mark": 32, "inet_service": 16}
_FIBS = {"fib_index": "iface_index", "fib_name": "ifname"}
_EXISTS = {"missing": 0, "0": 0, "false": 0, "exists": 1, "1": 1, "true": 1}


def _number(text: str, kind: str) -> int | None:
    reader = _READERS.get(kind)
    if reader is not None:
        return reader(text)
    known = SYMBOLS.get(kind, {})
    return known[text.lower()] if text.lower() in known else read_number(text)


@lru_cache(maxsize=1 << 10)
def read_word(text: str, kind: str) -> Value | Prefix | Range | Wildcard | CatchAll:
    """Read one word of a type: a value, a prefix, a range, or a text that ends in `*`.

    What is none of the type stays a text.
    """
    if kind in _FIBS:
        return Value("boolean", _EXISTS[text]) if text in _EXISTS else read_word(text, _FIBS[kind])
    if text == "*":
        return CatchAll()
    number = _number(text, kind)
    if number is not None:
        return Value(kind, number)
    if kind in _NAMES:
        return _text(text, kind)
    return _prefix(text, kind) or _range(text, kind) or Value(kind, text)


def _text(text: str, kind: str) -> Value | Wildcard:
    if text.endswith("*") and not text.endswith("\\*"):
        return Wildcard(kind, text[:-1])
    return Value(kind, text.removesuffix("\\*") + "*" if text.endswith("\\*") else text)


def _prefix(text: str, kind: str) -> Prefix | None:
    base, slash, length = text.partition("/")
    number, bits = _number(base, kind) if slash else None, read_number(length)
    if number is None or bits is None or bits > _BITS_OF.get(kind, 128):
        return None
    return Prefix(Value(kind, number), bits)


def _range(text: str, kind: str) -> Range | None:
    """Read `80-90`, where names may have dashes, too."""
    at = text.find("-")
    while at > 0:
        low, high = _number(text[:at].strip(), kind), _number(text[at + 1 :].strip(), kind)
        if low is not None and high is not None:
            return Range(Value(kind, low), Value(kind, high))
        at = text.find("-", at + 1) if text.count("-") <= _MOST_DASHES else -1
    return None


_MOST_DASHES = 8
_SECONDS = {"time"}


def read_constant(data: object, kind: str) -> Expression:
    """Read what JSON has for a constant of a type, or a word."""
    if isinstance(data, bool):
        return Value("boolean", int(data))
    if isinstance(data, int):
        if kind in _FIBS:
            return Value("boolean", data) if data in {0, 1} else Value(_FIBS[kind], data)
        return Value(kind, data * 1000 if kind in _SECONDS else data)
    return read_word(str(data), kind)


def typed(expression: Expression, types: Type) -> Expression:
    """Return an expression whose constants are read by the types of what they stand beside."""
    reader = _TYPED.get(type(expression))
    return expression if reader is None else reader(expression, types)


def _kind(types: Type) -> str:
    return types[0] if len(types) == 1 else ""


def _value(raw: Value, types: Type) -> Expression:
    return read_constant(raw.data, _kind(types)) if raw.type == RAW else raw


def _single(raw: Value, types: Type) -> Value:
    """Read the end of a range, or the base of a prefix: what is no single value stays a text."""
    read = _value(raw, types)
    return read if isinstance(read, Value) else Value(_kind(types), str(raw.data))


def _concatenated(raw: Concatenation, types: Type) -> Expression:
    kinds = types if len(types) == len(raw.parts) else ("",) * len(raw.parts)
    return Concatenation(tuple(typed(part, (kind,)) for part, kind in zip(raw.parts, kinds, strict=True)))


def _worked_out(raw: Binary, types: Type) -> Expression:
    left = typed(raw.left, types)
    right = typed(raw.right, ("integer",) if raw.operator in {"<<", ">>"} else types)
    if isinstance(left, Value) and isinstance(right, Value):
        result = _result(raw.operator, left.data, right.data)
        if result is not None:
            return Value(left.type, result)
    return Binary(raw.operator, left, right)


def _result(operator: str, left: int | str, right: int | str) -> int | None:
    if isinstance(left, str) or isinstance(right, str):
        return None
    if operator == "<<":
        return left << right if right <= _WIDEST else None
    return {"|": left | right, "&": left & right, "^": left ^ right, ">>": left >> min(right, _WIDEST)}.get(
        operator
    )


_WIDEST = 128


def typed_element(element: Element, types: Type) -> Element:
    """Return an element whose key is read by its types."""
    return Element(typed(element.key, types), *element[1:])


def typed_data(found: Expression, types: Type) -> Expression:
    """Return a map in which the data of each element is read by its types."""
    if not isinstance(found, AnonymousSet):
        return found
    return AnonymousSet(tuple(Element(one.key, _data(one.data, types), *one[2:]) for one in found.elements))


def _data(data: Expression | Verdict | None, types: Type) -> Expression | Verdict | None:
    return data if data is None or isinstance(data, Verdict) else typed(data, types)


_TYPED: dict[type, Callable[[Any, Type], Expression]] = {
    Value: _value,
    Prefix: lambda raw, types: Prefix(_single(raw.base, types), raw.length),
    Range: lambda raw, types: Range(_single(raw.low, types), _single(raw.high, types)),
    Concatenation: _concatenated,
    Binary: _worked_out,
    AnonymousSet: lambda raw, types: AnonymousSet(tuple(typed_element(one, types) for one in raw.elements)),
}
