"""Chains and sets whose source is JSON: read when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.nft.element_reader import typed_in_full
from iptviz.nft.expressions import Element, Unreadable
from iptviz.nft.fields import type_of
from iptviz.nft.json_expressions import element_of, expression_of, listed, only_item, seconds
from iptviz.nft.json_statements import read_json_rule
from iptviz.nft.json_text import as_json
from iptviz.nft.model import Base, ChainBody, Read, Rule, SetHead
from iptviz.nft.words import NotReadError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.nft.expressions import Type
    from iptviz.nft.model import Chain, SetOrMap


class JsonChain:
    """A chain of JSON: what is said of it, and its rules, each with its place among the objects."""

    line = 0
    plain_text = None

    def __init__(self) -> None:
        self.head: dict[str, Any] = {}
        self.rules: list[tuple[int, dict[str, Any]]] = []
        self.object = 0
        self._read: ChainBody | None = None

    def base(self, _chain: Chain) -> Base | None:
        """Return where it is hooked in."""
        said = self.head
        if "hook" not in said:
            return None
        priority = said.get("prio")
        devices = listed(said["dev"]) if "dev" in said else ()
        flags = listed(said["flags"]) if "flags" in said else ()
        return Base(
            str(said.get("type", "")), str(said["hook"]), priority if isinstance(priority, int) else None,
            str(said.get("policy", "accept")), devices, flags,
        )  # fmt: skip

    def body(self, chain: Chain) -> ChainBody:
        """Return its rules and its comment."""
        if self._read is None:
            rules = tuple(
                Rule(chain.table, chain.name, number, 0, rule, _handle(rule), _read, place)
                for number, (place, rule) in enumerate(self.rules, 1)
            )
            comment = self.head.get("comment")
            self._read = ChainBody(rules, None if comment is None else str(comment))
        return self._read

    def count(self) -> int:
        """Return how many rules there are."""
        return len(self.rules)

    def may_say(self, word: str) -> bool:
        """Whether a word may stand in a rule."""
        return any(word in as_json(rule) for rule in self.rules)

    @property
    def source_text(self) -> str:
        """All that the source has of the chain."""
        return "\n".join(map(as_json, (self.head, *self.rules)))


def _handle(rule: dict[str, Any]) -> int | None:
    handle = rule.get("handle")
    return handle if isinstance(handle, int) else None


def _read(rule: Rule) -> Read:
    return read_json_rule(rule.source, rule.table.family)


_SAID = frozenset(
    {"flags", "timeout", "size", "comment", "type", "map", "elem", "family", "table", "name", "handle"}
)


class JsonSet:
    """A set or map of JSON; `added` are elements that stand apart from it."""

    line = 0

    def __init__(self, said: dict[str, Any], *, is_map: bool) -> None:
        self.said = said
        self.is_map = is_map
        self.added: list[Any] = []

    def head(self, _found: SetOrMap) -> SetHead:
        """Return what is said beside the elements."""
        said = self.said
        size = said.get("size")
        comment = said.get("comment")
        return SetHead(
            _types(said.get("type")),
            _types(said.get("map")) if self.is_map else None,
            tuple(sorted(listed(said["flags"]))) if "flags" in said else (),
            seconds(said.get("timeout")),
            size if isinstance(size, int) else None,
            None if comment is None else str(comment),
            tuple(f"{name} {as_json(value)}" for name, value in said.items() if name not in _SAID),
        )

    is_of_hosts = False  # a long list of JSON is read sooner than searched

    @property
    def source_text(self) -> str:
        """All that the source has of the set."""
        return "\n".join(map(as_json, (self.said, *self.added)))

    def elements(self, found: SetOrMap, word: str) -> Iterator[tuple[int, Element]]:
        """Yield elements: those in whose text a word stands."""
        head = found.head
        for items in (self.said.get("elem", []), *self.added):
            for item in items if isinstance(items, list) else [items]:
                if not word or word in as_json(item):
                    yield 0, self._element(item, head)

    def _element(self, item: Any, head: SetHead) -> Element:
        try:
            return typed_in_full(element_of(item, is_map=self.is_map), head.key_type, head.data_type)
        except NotReadError:
            return Element(Unreadable(as_json(item)))


def _types(said: Any) -> Type:
    """Read the types of a set: names, or expressions since nft 1.1.2."""
    if isinstance(said, dict):
        try:
            name, inner = only_item(said)
            return type_of(expression_of(inner)) if name == "typeof" else ()
        except NotReadError:
            return ()
    names = [str(part) for part in said] if isinstance(said, list) else str(said or "").split(" . ")
    return tuple(name for name in names if name)
