"""The tables of what `nft -j` printed."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

from iptviz.intake.remark import LineNote, remark
from iptviz.nft.json_model import JsonChain, JsonSet
from iptviz.nft.json_parts import parts_of
from iptviz.nft.json_text import as_json
from iptviz.nft.model import KeptChain, NamedObject, Ruleset, SetOrMap, Table
from iptviz.nft.positions import Numbered

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.nft.model import Chain


def read_json(text: str) -> Ruleset:
    """Return the tables of all objects `{"nftables": [...]}` in a text."""
    ruleset = Ruleset("json")
    source = Numbered(text)
    places = count(1)
    for part in parts_of(text):
        if part.kind == "item":
            _take(ruleset, part.item, next(places))
        elif part.kind == "between":
            _leave_out(ruleset, source, part.start, part.end)
        elif part.kind == "open":
            ruleset.remarks.append(remark("nft-json-open", source.line_of(min(part.start, len(text) - 1))))
    return ruleset


def _leave_out(ruleset: Ruleset, source: Numbered, start: int, end: int) -> None:
    text = source.text[start:end]
    if text.strip():
        first = source.line_of(start + len(text) - len(text.lstrip()))
        ruleset.notes.append(
            LineNote(first, source.line_of(start + len(text.rstrip()) - 1), "not-nft", skipped=True)
        )


_ADDING = ("add", "create")


def _take(ruleset: Ruleset, item: Any, place: int) -> None:
    if not isinstance(item, dict):
        return
    for kind, inner in item.items():
        if kind in _ADDING:
            _take(ruleset, inner, place)
        elif kind == "metainfo":
            ruleset.version = str(inner.get("version", "")) if isinstance(inner, dict) else ""
        elif isinstance(inner, dict) and "family" in inner:
            _KINDS.get(kind, _object)(ruleset, kind, inner, place)


def _table_of(ruleset: Ruleset, inner: dict[str, Any], name: str = "table") -> Table:
    key = (str(inner["family"]), str(inner.get(name, "")))
    found = ruleset.tables.get(key)
    if found is None:
        found = ruleset.tables[key] = Table(*key)
    return found


def _handle(inner: dict[str, Any]) -> int | None:
    handle = inner.get("handle")
    return handle if isinstance(handle, int) else None


def _flags(inner: dict[str, Any]) -> tuple[str, ...]:
    flags = inner.get("flags", [])
    return tuple(sorted(map(str, flags))) if isinstance(flags, list) else (str(flags),)


def _comment(inner: dict[str, Any]) -> str | None:
    comment = inner.get("comment")
    return None if comment is None else str(comment)


def _table(ruleset: Ruleset, _kind: str, inner: dict[str, Any], place: int) -> None:
    table = _table_of(ruleset, inner, "name")
    table.object = place
    table.handle, table.flags, table.comment = _handle(inner), _flags(inner), _comment(inner)


def _chain_of(ruleset: Ruleset, inner: dict[str, Any], name: str) -> Chain:
    table = _table_of(ruleset, inner)
    key = str(inner.get(name, ""))
    found = table.chains.get(key)
    if found is None:
        found = table.chains[key] = KeptChain(table, key, JsonChain())
    return found


def _chain(ruleset: Ruleset, _kind: str, inner: dict[str, Any], place: int) -> None:
    chain = _chain_of(ruleset, inner, "name")
    chain.handle = _handle(inner)
    if isinstance(chain.reader, JsonChain):
        chain.reader.head, chain.reader.object = inner, place


def _rule(ruleset: Ruleset, _kind: str, inner: dict[str, Any], place: int) -> None:
    chain = _chain_of(ruleset, inner, "chain")
    if isinstance(chain.reader, JsonChain):
        chain.reader.rules.append((place, inner))


def _set(ruleset: Ruleset, kind: str, inner: dict[str, Any], _place: int) -> None:
    table, name = _table_of(ruleset, inner), str(inner.get("name", ""))
    reader = JsonSet(inner, is_map=kind == "map")
    table.sets[name] = SetOrMap(table, name, reader, is_map=kind == "map", handle=_handle(inner))


def _element(ruleset: Ruleset, _kind: str, inner: dict[str, Any], _place: int) -> None:
    found = _table_of(ruleset, inner).sets.get(str(inner.get("name", "")))
    if found is not None and isinstance(found.reader, JsonSet):
        found.reader.added.append(inner.get("elem"))


def _object(ruleset: Ruleset, kind: str, inner: dict[str, Any], _place: int) -> None:
    name = str(inner.get("name", ""))
    text = as_json({key: value for key, value in inner.items() if key not in _PLACES})
    table = _table_of(ruleset, inner)
    table.objects[kind, name] = NamedObject(kind, name, text, 0, _handle(inner), _comment(inner))


_PLACES = ("family", "table", "name", "handle")
_KINDS: dict[str, Callable[[Ruleset, str, dict[str, Any], int], None]] = {
    "table": _table,
    "chain": _chain,
    "rule": _rule,
    "set": _set,
    "map": _set,
    "element": _element,
}
