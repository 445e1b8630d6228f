"""A listing of nft in pseudonyms, as text or JSON; what holds addresses that must keep their order, or names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.text import to_bytes
from iptviz.nft.cleaned import clean
from iptviz.nft.json_parts import is_json
from iptviz.nft.text_reader import TextReader
from iptviz.redact.native.lines import LineWriter
from iptviz.redact.native.words import HEX_RANGE, dotted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.nft.cleaned import Cleaned
    from iptviz.redact.native.words import NativeWords

_LEFT_OUT = "redacted"
"""What stands in place of what is none of nft's language: who reads that leaves it out, too."""

_MANAGED = "# Warning: table {} {} is managed by iptables-nft, do not touch!\n"
_WILDCARD = re.compile(r'"([^"\s*+]{1,15})\*"')
_IN_RANGE = re.compile(
    r"-(?<=[0-9A-Fa-f:.\] ]-)(?= ?\[?(?:[0-9]{1,3}\.[0-9]|[0-9A-Fa-f]{0,4}:[0-9A-Fa-f.]*+:))"
)
"""What stands between the addresses of a range."""

_LONGEST = 48
"""No address in brackets takes more signs."""

_JSON_RANGE = re.compile(r'"range":\s*\[\s*"([^"\s]{3,45})",\s*"([^"\s]{3,45})"\s*\]')


def written(text: str, words: NativeWords) -> str:
    """Return what nft printed in pseudonyms; lines keep their numbers, and what is not read is not there."""
    return "".join(_written(clean(to_bytes(text)), words))


def _written(cleaned: Cleaned, words: NativeWords) -> Iterator[str]:
    if is_json(cleaned.text):
        from iptviz.redact.native.json import json_written

        yield from json_written(cleaned.text, words, _LEFT_OUT)
    else:
        yield from _text_written(cleaned.text, words)
    if cleaned.managed:
        yield "" if cleaned.text.endswith("\n") else "\n"
    for family, table in sorted(cleaned.managed):
        yield _MANAGED.format(words.by_kind[""][family], words.names.table(table))


def _text_written(text: str, words: NativeWords) -> Iterator[str]:
    writer, at = LineWriter(text, words), 0
    for start, end in _left_out(text):
        yield from writer.written(at, start)
        yield _LEFT_OUT + "\n" * text.count("\n", start, end)
        at = end
    yield from writer.written(at, len(text))


def _left_out(text: str) -> list[tuple[int, int]]:
    """Return where a text is none of nft's language."""
    reader = TextReader(text)
    reader.read()
    return sorted(reader.left_out)


def ranges_of(text: str) -> Iterator[str]:
    """Yield what holds the ranges of addresses of a listing, as a dump would have them."""
    for found in _IN_RANGE.finditer(text):
        before = text[max(0, found.start() - _LONGEST) : found.start()].rstrip()
        yield f"{before}-{text[found.end() : found.end() + _LONGEST].lstrip()}"
    yield from (f"{found[1]}-{found[2]}" for found in _JSON_RANGE.finditer(text))
    yield from (f"{dotted(found[1])}-{dotted(found[2])}" for found in HEX_RANGE.finditer(text))


def wildcards_of(text: str) -> Iterator[str]:
    """Yield what stands before the `*` of interfaces in a listing."""
    yield from (found[1] for found in _WILDCARD.finditer(text))
