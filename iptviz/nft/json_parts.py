"""The items of what `nft -j` printed, one after the other: all of a large listing never stand in memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_BEGIN = re.compile(r'\{\s*"nftables"\s*:\s*\[\s*')
_COMMA = re.compile(r"\s*,\s*")
_END = re.compile(r"\s*\]\s*\}")


class Part(NamedTuple):
    """A part of a text, from one place up to another.

    `kind` is `begin` or `end` of a listing, `item`, `open` where a listing is cut short, or `between`: what is
    none of them. `item` is what an item holds.
    """

    kind: str
    start: int
    end: int
    item: Any = None


def is_json(text: str) -> bool:
    """Whether a text holds what `nft -j` printed."""
    return _BEGIN.search(text) is not None


def parts_of(text: str) -> Iterator[Part]:
    """Yield the parts of all objects `{"nftables": [...]}` in a text, and what stands between them."""
    at = 0
    while found := _BEGIN.search(text, at):
        yield Part("between", at, found.start())
        yield Part("begin", found.start(), found.end())
        at = yield from _items(text, found.end())
    yield Part("between", at, len(text))


def _items(text: str, at: int) -> Generator[Part, None, int]:
    """Yield each item of a list, and return where it ends. Where one is cut short, all before it are there."""
    from json import JSONDecoder

    decoder = JSONDecoder()
    comma: re.Match[str] | None = None
    while True:
        start = at
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        yield Part("item", start, at, item)
        comma = _COMMA.match(text, at)
        if comma is None:
            break
        at = comma.end()
    end = _END.match(text, at)
    yield Part("end", at, end.end()) if end else Part("open", at, len(text))
    return end.end() if end else len(text)
