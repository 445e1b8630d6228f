"""What JSON of nft has for expressions, as the text has them (`man libnftables-json`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.nft.constants import RAW
from iptviz.nft.expressions import (
    AnonymousSet,
    Binary,
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
)  # fmt: skip
from iptviz.nft.json_stateful import stateful_of
from iptviz.nft.json_text import as_json
from iptviz.nft.statements import Verdict
from iptviz.nft.words import NotReadError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.expressions import Expression

_DEEPEST = 24


def expression_of(data: Any, depth: int = 0) -> Expression:
    """Return an expression whose constants are yet to be read.

    Raises:
        NotReadError: it is of no known form.
    """
    if depth > _DEEPEST:
        raise NotReadError
    if isinstance(data, str):
        return SetReference(data[1:]) if data.startswith("@") else Value(RAW, data)
    if isinstance(data, int):
        return Value(RAW, data)
    if isinstance(data, list):
        return _folded("|", data, depth)
    kind, inner = only_item(data)
    reader = _READERS.get(kind)
    if reader is None:
        raise NotReadError
    try:
        return reader(inner, depth + 1)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise NotReadError from problem


def only_item(data: Any) -> tuple[str, Any]:
    """Return the name and the value of an object that has one."""
    if not isinstance(data, dict) or len(data) != 1:
        raise NotReadError
    return next(iter(data.items()))


def _folded(operator: str, parts: list[Any], depth: int) -> Expression:
    if not parts:
        raise NotReadError
    first, *others = (expression_of(part, depth + 1) for part in parts)
    for other in others:
        first = Binary(operator, first, other)
    return first


def _operation(operator: str) -> Callable[[Any, int], Expression]:
    return lambda inner, depth: _folded(operator, inner, depth)


def _payload(inner: Any, _depth: int) -> Expression:
    if "base" in inner:
        return RawPayload(str(inner["base"]), int(inner["offset"]), int(inner["len"]))
    return Payload(str(inner["protocol"]), str(inner["field"]))


def _ct(inner: Any, _depth: int) -> Expression:
    family, _, key = str(inner["key"]).rpartition(" ")
    return Ct(key, inner.get("dir", ""), inner.get("family", family))


def listed(value: Any) -> tuple[str, ...]:
    """Return texts that stand alone, or in a list."""
    return tuple(map(str, value)) if isinstance(value, list) else (str(value),)


def _prefix(inner: Any, depth: int) -> Expression:
    base = expression_of(inner["addr"], depth)
    if not isinstance(base, Value):
        raise NotReadError
    return Prefix(base, int(inner["len"]))


def _range(inner: Any, depth: int) -> Expression:
    low, high = (expression_of(end, depth) for end in inner)
    if not isinstance(low, Value) or not isinstance(high, Value):
        raise NotReadError
    return Range(low, high)


def _jhash(inner: Any, depth: int) -> Expression:
    key = expression_of(inner["expr"], depth)
    return Hash("jhash", key, int(inner["mod"]), inner.get("seed"), int(inner.get("offset", 0)))


def _extension(kind: str) -> Callable[[Any, int], Expression]:
    return lambda inner, _depth: Extension(kind, _of_extension(inner), _field(inner))


def _of_extension(inner: Any) -> str:
    return str(inner["name"] if "name" in inner else inner["type"])


def _field(inner: Any) -> str:
    field = str(inner.get("field", ""))
    return f"{field}[{inner['offset']}]" if inner.get("offset") else field


def _ipsec(inner: Any, _depth: int) -> Expression:
    return Ipsec(inner.get("dir", ""), str(inner["key"]), inner.get("family", ""), int(inner.get("spnum", 0)))


_READERS: dict[str, Callable[[Any, int], Expression]] = {
    "payload": _payload,
    "meta": lambda inner, _: Meta(str(inner["key"])),
    "ct": _ct,
    "fib": lambda inner, _: Fib(listed(inner["flags"]), str(inner["result"])),
    "numgen": lambda inner, _: Numgen(inner["mode"], int(inner["mod"]), int(inner.get("offset", 0))),
    "jhash": _jhash,
    "symhash": lambda inner, _: Hash("symhash", None, int(inner["mod"]), None, int(inner.get("offset", 0))),
    "socket": lambda inner, _: Socket(str(inner["key"]), inner.get("level")),
    "osf": lambda inner, _: Osf(str(inner["key"]), inner.get("ttl", "")),
    "rt": lambda inner, _: Rt(str(inner["key"]), inner.get("family", "")),
    "ipsec": _ipsec,
    **{kind: _extension(kind) for kind in ("exthdr", "tcp option", "ip option", "sctp chunk", "dccp option")},
    "concat": lambda inner, depth: Concatenation(tuple(expression_of(part, depth) for part in inner)),
    "prefix": _prefix,
    "range": _range,
    "set": lambda inner, depth: set_of(inner, depth=depth),
    "map": lambda inner, depth: MapLookup(expression_of(inner["key"], depth), map_of(inner["data"], depth)),
    **{operator: _operation(operator) for operator in ("|", "&", "^", "<<", ">>")},
}


# --- sets --------------------------------------------------------------------------------------------------


def set_of(items: Any, *, is_map: bool = False, depth: int = 0) -> AnonymousSet:
    """Return a set within a rule."""
    elements = items if isinstance(items, list) else [items]
    return AnonymousSet(tuple(element_of(item, is_map=is_map, depth=depth) for item in elements))


def map_of(data: Any, depth: int = 0) -> SetReference | AnonymousSet:
    """Return what a lookup looks in: a named map, or one within the rule."""
    if isinstance(data, str) and data.startswith("@"):
        return SetReference(data[1:])
    _, inner = only_item(data)
    return set_of(inner, is_map=True, depth=depth + 1)


def element_of(item: Any, *, is_map: bool, depth: int = 0) -> Element:
    """Return an element; in a map it is a pair of key and data."""
    if is_map and isinstance(item, list) and len(item) == 2:
        key, data = item
        return _keyed(key, depth)._replace(data=data_of(data, depth))
    return _keyed(item, depth)


def _keyed(item: Any, depth: int) -> Element:
    """Return an element by its key, which may have a comment and times."""
    if not isinstance(item, dict) or "elem" not in item:
        return Element(expression_of(item, depth + 1))
    inner = item["elem"]
    if not isinstance(inner, dict) or "val" not in inner:
        raise NotReadError
    return Element(
        expression_of(inner["val"], depth + 1),
        comment=inner.get("comment"),
        timeout=seconds(inner.get("timeout")),
        expires=seconds(inner.get("expires")),
        statements=tuple(stateful_of(name, inner[name]) for name in inner if name in _STATEFUL),
    )


_STATEFUL = ("counter", "limit", "quota", "ct count", "last")


def seconds(value: Any) -> int | None:
    """Return a time in milliseconds, which JSON has in seconds."""
    return value * 1000 if isinstance(value, int) else None


_VERDICTS = frozenset({"accept", "drop", "continue", "return", "queue"})


def verdict_of(kind: str, inner: Any) -> Verdict | None:
    """Return a verdict, None for what is none."""
    if kind in {"jump", "goto"} and isinstance(inner, dict) and "target" in inner:
        return Verdict(kind, str(inner["target"]))
    return Verdict(kind) if kind in _VERDICTS and not inner else None


def data_of(data: Any, depth: int = 0) -> Expression | Verdict:
    """Return what a map has for a key."""
    if isinstance(data, dict) and len(data) == 1:
        found = verdict_of(*only_item(data))
        if found is not None:
            return found
    return expression_of(data, depth + 1)


def or_unreadable(data: Any) -> Expression:
    """Return an expression, that of no known form as its text."""
    try:
        return expression_of(data)
    except NotReadError:
        return Unreadable(as_json(data))
