"""How much room text takes at a terminal, and how it is broken into lines where that is too much."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from iptviz.terminal import in_ascii

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.terminal import Span, Style

    StyledLine = list[Span]

_PART = re.compile(r"(?:\(?(?:lines?|rule|--?[A-Za-z][\w-]*) )?[^ ]+(?: %| lines? \d[^ ]*)*")
"""What stays in one line: a word; `line`, `rule` or an option and what is behind it; a number and `%`."""
_ELEMENT = re.compile(r"(?:[^,]|,(?= ))+,?|,")
_LEAST = 20
"""Into less room than this nothing is broken: a terminal itself does no worse."""
_WIDE = {"W", "F"}
_WITHOUT_WIDTH = {"Mn", "Me", "Cf"}
_JAMO = range(0x1160, 0x1200)
"""Vowels and final consonants of Korean, which stand in the room of the consonant before them."""


def columns_of(text: str, style: Style) -> int:
    """Return how many columns a terminal gives to a text: two to wide signs of East Asia, none to accents."""
    if text.isascii():
        return len(text)
    return len(in_ascii(text)) if style.ascii_only else sum(map(_columns_of_sign, text))


@cache
def _columns_of_sign(sign: str) -> int:
    from unicodedata import category, east_asian_width  # most answers have no such signs

    if category(sign) in _WITHOUT_WIDTH or ord(sign) in _JAMO:
        return 0
    return 2 if east_asian_width(sign) in _WIDE else 1


def padded(text: str, width: int, style: Style, *, right: bool = False) -> str:
    """Return a text with blanks behind it, or before it, until it takes `width` columns."""
    blanks = " " * (width - columns_of(text, style))
    return blanks + text if right else text + blanks


def cut(text: str, room: int, style: Style) -> str:
    """Return a text that takes at most `room` columns, with dots where its end is missing."""
    if columns_of(text, style) <= room:
        return text
    left = room - columns_of("…", style)
    for end, sign in enumerate(text):
        left -= columns_of(sign, style)
        if left < 0:
            return f"{text[:end]}…"
    return text


def longest_word(text: str, style: Style) -> int:
    """Return how many columns the longest part of a text takes that is not broken."""
    return max(columns_of(text[start:end], style) for start, end in _words(text))


def broken(text: str, room: int, style: Style) -> list[str]:
    """Return a text as lines of at most `room` columns, as far as its words allow."""
    if columns_of(text, style) <= room:
        return [text]
    return [text[start:end] for start, end in _stretches(text.rstrip(" "), (room, room), style)]


def hung(
    first: StyledLine, spans: StyledLine, style: Style, below: StyledLine | None = None
) -> Iterator[StyledLine]:
    """Yield lines that fit: spans behind `first`, and what is left of them behind `below`, by default blanks."""
    text = "".join(words for words, _ in spans)
    taken = _taken(first, style)
    if taken + columns_of(text, style) <= style.width:
        yield [*first, *spans]
        return
    below = [(" " * taken, "")] if below is None else below
    rooms = _left(taken, style), _left(_taken(below, style), style)
    for place, (start, end) in enumerate(_stretches(text.rstrip(" "), rooms, style)):
        yield [*(below if place else first), *_sliced(spans, start, end)]


def _left(taken: int, style: Style) -> int:
    return max(style.width - taken, _LEAST)


def _taken(line: StyledLine, style: Style) -> int:
    return sum(columns_of(text, style) for text, _ in line)


def _words(text: str) -> list[tuple[int, int]]:
    """Return where each part begins and ends that is not broken; blanks before all of it belong to the first."""
    (_, end), *others = [part.span() for part in _PART.finditer(text)] or [(0, 0)]
    return [(0, end), *others]


def _stretches(text: str, rooms: tuple[int, int], style: Style) -> Iterator[tuple[int, int]]:
    """Yield where each line begins and ends; `rooms` are how many columns the first may take, and the others.

    Of a list without blanks that is longer than a line, each element is a word.
    """
    start = end = 0
    room, others = rooms
    for word in _words(text):
        fits = columns_of(text[slice(*word)], style) <= others
        for begin, stop in [word] if fits else _elements(text, *word):
            if end > start and columns_of(text[start:stop], style) > room:
                yield start, end
                start, room = begin, others
            end = stop
    yield start, end


def _elements(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where each element of a list begins and ends, its comma included."""
    return (part.span() for part in _ELEMENT.finditer(text, start, end))


def _sliced(spans: Iterable[Span], start: int, end: int) -> Iterator[Span]:
    """Yield the pieces of spans between two places of their text."""
    for text, how in spans:
        piece = text[max(start, 0) : max(end, 0)]
        if piece:
            yield piece, how
        start, end = start - len(text), end - len(text)
