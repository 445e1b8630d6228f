"""The JSON of nft in pseudonyms: the same items, each value by the name that it has and what stands beside it."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from iptviz.nft.expressions import RawPayload
from iptviz.nft.fields import type_of
from iptviz.nft.json_expressions import or_unreadable
from iptviz.nft.json_parts import parts_of
from iptviz.redact.native.lines import LineWriter
from iptviz.redact.native.vocabulary import JSON_NAMES, NAMED_AS, TYPES, VOCABULARY
from iptviz.redact.native.words import NAMED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from iptviz.redact.native.words import NativeWords

    Reader = Callable[[Any], Any]

_Kinds = tuple[str, ...]
_VERSION = re.compile(r"[0-9.]{1,20}", re.ASCII)
_PAIR = 2
_OF_ANY_DEVICE = {"missing", "exists"}
_TOO_DEEP: dict[str, None] = {"redacted": None}

_NAT = {"addr": ("address", "port"), "port": ("port",)}


def json_written(text: str, words: NativeWords, left_out: str) -> Iterator[str]:
    """Yield what becomes of a text with JSON of nft; `left_out` stands in place of what is none."""
    from json import dumps

    writer = JsonWriter(words)
    before = ""
    for part in parts_of(text):
        if part.kind == "between":
            around = text[part.start : part.end]
            yield f"\n{left_out}\n" if around.strip() else "\n" * around.count("\n")
        elif part.kind == "begin":
            yield '{"nftables": ['
            before = ""
        elif part.kind == "item":
            yield before + dumps(writer.item(part.item), ensure_ascii=False)
            before = ", "
        elif part.kind == "end":
            yield "]}"


class JsonWriter:
    """Writes the items of one listing."""

    def __init__(self, words: NativeWords) -> None:
        self._words = words
        self._sets: dict[tuple[str, str, str], tuple[_Kinds, _Kinds]] = {}
        named = self._named
        self._readers: Mapping[str, Reader] = {
            "expr": self._statements,
            "match": self._match,
            **dict.fromkeys(("map", "vmap"), partial(self._lookup, ())),
            "mangle": self._assignment,
            **dict.fromkeys(("dnat", "snat", "masquerade", "redirect", "tproxy"), self._nat),
            **dict.fromkeys(("dup", "fwd"), self._to_devices),
            "xt": lambda found: self._each(found, {"name": named("extension")}),
            "meter": lambda found: self._each(found, {"name": named("set")}),
            "target": named("chain"),
            "flowtable": named("set"),
            "comment": named("comment"),
            **dict.fromkeys(
                ("prefix", "counter", "quota", "limit", "ct helper", "ct timeout", "ct expectation", "synproxy",
                 "secmark"), named("own"),
            ),
        }  # fmt: skip
        """By its name, what reads the value of it; what has no other is read as it stands."""

    def item(self, item: Any) -> Any:
        """Return an item of a listing in pseudonyms; nothing is left of one that nests too deep."""
        try:
            return self._item(item)
        except RecursionError:
            return _TOO_DEEP

    def _item(self, item: Any) -> Any:
        if not isinstance(item, dict):
            return self._value(item)
        return {self._key(kind): self._about(kind, inner) for kind, inner in item.items()}

    def _about(self, kind: str, inner: Any) -> Any:
        """Return what is said of a table, a chain, a rule, a set or an object."""
        if kind in {"add", "create"}:
            return self._item(inner)
        if kind == "metainfo":
            return self._each(inner, dict.fromkeys(inner, self._told) if isinstance(inner, dict) else {})
        named = self._named
        own = {
            "table": named("table"), "chain": named("chain"), "name": named(NAMED_AS.get(kind, "own")),
            "dev": named("device"), "type": named("helper" if kind.startswith("ct ") else ""), "map": self._value,
        }  # fmt: skip
        if isinstance(inner, dict) and kind in {"set", "map", "element"}:
            own["elem"] = partial(self._elements, *self._kinds_of_set(kind, inner))
        return self._each(inner, own)

    def _told(self, value: Any) -> Any:
        """Return what nft says of itself: its version, but no other text."""
        if not isinstance(value, str):
            return self._value(value)
        return value if _VERSION.fullmatch(value) else "redacted"

    def _kinds_of_set(self, kind: str, said: dict[str, Any]) -> tuple[_Kinds, _Kinds]:
        """Return of what kinds keys and data of a set are, or of one that an element is added to."""
        place = str(said.get("family")), str(said.get("table")), str(said.get("name"))
        if kind != "element":
            self._sets[place] = _declared(said.get("type")), _declared(said.get("map"))
        return self._sets.get(place, ((), ()))

    # --- values ------------------------------------------------------------------------------------------------

    def _each(self, found: Any, own: Mapping[str, Reader]) -> Any:
        """Return an object whose values `own` reads, as far as it has readers for them."""
        if not isinstance(found, dict):
            return self._value(found)
        return {
            self._key(name): own[name](value) if name in own else self._said(name, value)
            for name, value in found.items()
        }

    def _key(self, name: str) -> str:
        known = name in JSON_NAMES or all(part in VOCABULARY for part in name.split(" "))
        return name if known else self._words.names.text(name)

    def _said(self, name: str, value: Any) -> Any:
        return self._readers.get(name, self._value)(value)

    def _value(self, value: Any) -> Any:
        return self._typed((), value)

    def _named(self, kind: str) -> Reader:
        return partial(self._typed, (kind,))

    def _typed(self, kinds: _Kinds, value: Any) -> Any:
        """Return a value that is compared with something of some kinds, or stands in its place."""
        kind = kinds[0] if len(kinds) == 1 else ""
        if isinstance(value, str):
            return self._text(kind, value)
        if isinstance(value, bool) or not isinstance(value, (int, list, dict)):
            return value
        if isinstance(value, int):
            return self._number(kind, value)
        if isinstance(value, list):
            return [self._typed(kinds, each) for each in value]
        return {self._key(name): self._inner(kinds, name, inner) for name, inner in value.items()}

    def _inner(self, kinds: _Kinds, name: str, inner: Any) -> Any:
        """Return what an object that is a value has by a name."""
        if name in {"set", "&", "|", "^"}:
            return self._typed(kinds, inner)
        if name == "concat" and isinstance(inner, list):
            padded = (*(kinds if len(kinds) > 1 else ()), *("",) * len(inner))
            return [self._typed((kind,), each) for kind, each in zip(padded, inner, strict=False)]
        if name == "range" and _is_pair(inner):
            return self._range(kinds, inner)
        if name == "prefix" and isinstance(inner, dict):
            return self._prefix(kinds, inner)
        if name == "map":
            return self._lookup(kinds, inner)
        if name == "elem":
            return self._each(inner, {"val": partial(self._typed, kinds)})
        return self._said(name, inner)

    def _text(self, kind: str, text: str) -> str:
        if text[:1] == "@":
            return f"@{self._words.names.set(text[1:])}"
        if kind == "device" and (text.isdecimal() or text in _OF_ANY_DEVICE):
            return text
        if kind in NAMED:
            return self._words.named(kind, text)
        if " " in text and all(part in VOCABULARY or part == "." for part in text.split(" ")):
            return text
        return self._words.unquoted(kind, text)

    def _number(self, kind: str, number: int) -> int:
        if number < 0 or not (kind in {"port", "address"} or kind.startswith("nh/")):
            return number
        return int(self._words.unquoted(kind, str(number)), 0)

    def _range(self, kinds: _Kinds, ends: list[Any]) -> list[Any]:
        """Return a range; that of ports begins with the lower one still."""
        hidden = [self._typed(kinds, end) for end in ends]
        if all(isinstance(end, int) for end in hidden):
            return sorted(hidden)
        if not all(isinstance(end, str) for end in ends):
            return hidden
        in_order = list(self._words.secrets.addresses.of_range(ends[0], ends[1]))
        return hidden if in_order == ends else in_order

    def _prefix(self, kinds: _Kinds, inner: dict[str, Any]) -> Any:
        address, length = inner.get("addr"), inner.get("len")
        if isinstance(address, str) and isinstance(length, int):
            hidden = self._words.address(f"{address}/{length}")
            if hidden is not None:
                return {"addr": hidden.rpartition("/")[0], "len": length}
        return self._each(inner, {"addr": partial(self._typed, kinds)})

    def _elements(self, key: _Kinds, data: _Kinds, found: Any) -> Any:
        """Return the elements of a set or a map; those of a map are pairs."""
        if not isinstance(found, list):
            return self._typed(key, found)
        return [
            [self._typed(key, item[0]), self._typed(data, item[1])]
            if _is_pair(item)
            else self._typed(key, item)
            for item in found
        ]

    # --- statements --------------------------------------------------------------------------------------------

    def _statements(self, found: Any) -> Any:
        """Return the statements of a rule; one that is a text is one of nft's text."""
        if not isinstance(found, list):
            return self._value(found)
        return [self._line(each) if isinstance(each, str) else self._value(each) for each in found]

    def _line(self, text: str) -> str:
        return "".join(LineWriter(text, self._words).written(0, len(text)))

    def _match(self, found: Any) -> Any:
        """Return a comparison: what is compared with goes by what is asked about."""
        if not isinstance(found, dict):
            return self._value(found)
        kinds = _kinds_of(found.get("left"))
        mask = _mask_of(found) if kinds == ("address",) else None
        if mask is None:
            return self._each(found, {"right": partial(self._typed, kinds)})
        parts = self._value(found["left"]["&"][:1])
        return self._each(found, {
            "left": lambda _: {"&": [*parts, self._words.mask(mask)]},
            "right": lambda text: self._words.masked(text, mask),
        })  # fmt: skip

    def _lookup(self, data_kinds: _Kinds, found: Any) -> Any:
        """Return what looks something up: the keys go by what is asked about."""
        if not isinstance(found, dict) or "key" not in found:
            return self._value(found)
        elements = partial(self._elements, _kinds_of(found["key"]), data_kinds)
        return self._each(found, {"data": lambda data: self._each(data, {"set": elements})})

    def _assignment(self, found: Any) -> Any:
        """Return an assignment: the value goes by what it is given to."""
        key = found.get("key") if isinstance(found, dict) else None
        return self._each(found, {"value": partial(self._typed, _kinds_of(key))})

    def _nat(self, found: Any) -> Any:
        """Return where an address is rewritten to."""
        return self._each(found, {name: partial(self._typed, kinds) for name, kinds in _NAT.items()})

    def _to_devices(self, found: Any) -> Any:
        """Return where a packet is copied or sent to: an address, an interface or both."""
        return self._each(found, {"addr": self._address_or_device, "dev": self._named("device")})

    def _address_or_device(self, value: Any) -> Any:
        if isinstance(value, str) and not value.startswith("@"):
            return self._words.address(value) or self._words.names.device(value)
        return self._value(value)


def _is_pair(item: Any) -> bool:
    return isinstance(item, list) and len(item) == _PAIR


def _mask_of(found: dict[str, Any]) -> str | None:
    """Return with what an address is masked that is compared with another one, None where it is not."""
    left = found["left"]
    parts = left.get("&") if isinstance(left, dict) else None
    if not isinstance(parts, list) or len(parts) != _PAIR or not isinstance(found.get("right"), str):
        return None
    return parts[1] if isinstance(parts[1], str) else None


def _declared(said: Any) -> _Kinds:
    """Return the kinds of the types of a set: names, or what is asked about."""
    if isinstance(said, dict):
        return _kinds_of(said.get("typeof"))
    names = [str(part) for part in said] if isinstance(said, list) else str(said or "").split(" . ")
    return tuple(TYPES.get(name, "") for name in names)


def _kinds_of(asked: Any) -> _Kinds:
    """Return the kinds of what an expression asks about."""
    if isinstance(asked, dict) and "osf" in asked:
        return ("genre",)
    read = or_unreadable(asked)
    if isinstance(read, RawPayload):
        return (f"{read.base}/{read.offset}/{read.length}",)
    return tuple(TYPES.get(kind, "") for kind in type_of(read))
