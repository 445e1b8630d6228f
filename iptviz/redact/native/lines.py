"""The lines of nft's text in pseudonyms: of those that differ in names and addresses alone, one is looked at."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.redact.native.text import TextWriter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.redact.native.words import NativeWords

_OTHER = r'[^\s{},;"=!<>&|^()#\\]'
_LITERAL = re.compile(rf"((?<!{_OTHER}){_OTHER}*[.:/]{_OTHER}+)")
"""A name or an address with a sign that no word of the language has."""

_CHAIN = re.compile(r'\tchain ([^\s{};"#,=!<>&|^()\\]+) \{\n')

_REMEMBERED = 1 << 12
_AT_ONCE = 1 << 12
"""So many lines are joined at once."""


class LineWriter:
    """Writes one text; `_known` has of lines, by what they are without their literals, the kinds of these."""

    def __init__(self, text: str, words: NativeWords) -> None:
        self._text = text
        self._changes = words.by_kind
        self._writer = TextWriter(text, words)
        self._known: dict[tuple[object, ...], tuple[str, ...]] = {}

    def written(self, start: int, end: int) -> Iterator[str]:
        """Yield what becomes of a part of the text, lines together."""
        done: list[str] = []
        while start < end:
            stop = self._text.find("\n", start, end) + 1 or end
            done.append(self._line(start, stop))
            start = stop
            if len(done) == _AT_ONCE:
                yield "".join(done)
                done = []
        yield "".join(done)

    def _line(self, start: int, stop: int) -> str:
        text = self._text[start:stop]
        if text == "\n":
            return text
        head = _CHAIN.fullmatch(text)
        if head and self._writer.enter("chain"):
            return f"\tchain {self._changes['chain'][head[1]]} {{\n"
        if text == "\t}\n" and self._writer.leave():
            return text
        place = self._writer.place
        if place is None:
            return self._writer.line(start, stop)
        parts = _LITERAL.split(text)
        shape = (place, *parts[::2])
        kinds = self._known.get(shape)
        if kinds is not None:
            return self._filled(parts, kinds)
        line = self._writer.line(start, stop)
        self._learn(shape, parts, line)
        return line

    def _learn(self, shape: tuple[object, ...], parts: list[str], line: str) -> None:
        """Remember a line of which literals alone change, and behind which the same is expected as before it."""
        found = self._writer.found
        if self._writer.place != shape[0] or [word for word, _ in found] != parts[1::2]:
            return
        kinds = tuple(kind for _, kind in found)
        if self._filled(parts, kinds) == line:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[shape] = kinds

    def _filled(self, parts: list[str], kinds: tuple[str, ...]) -> str:
        """Return a line that is taken apart, with what its literals become."""
        literals = [self._changes[kind][literal] for kind, literal in zip(kinds, parts[1::2], strict=True)]
        whole = parts.copy()
        whole[1::2] = literals
        return "".join(whole)
