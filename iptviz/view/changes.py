"""A block of what changed: lines that came, went or say what differs, of which words stand out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Sign = Literal["+", "-", "~", ""]
"""What came, what went, what is another now; empty: what says more of the line above."""

Piece = tuple[str, bool]
"""A stretch of a line, and whether it is what differs."""

_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s]+|\s+')
"""A word of a rule; what stands in quotes is one."""

_MOST_WORDS = 200
"""Rules of more words are shown as they are: nobody would find the one that differs by its colour."""


class ChangeLine(NamedTuple):
    """A line of what changed: its sign, its text in pieces, and how deep it is set in.

    `place` is where it stands, as `line 12`; `is_bad` that it is what to look at first.
    """

    sign: Sign
    pieces: tuple[Piece, ...]
    depth: int = 0
    place: str = ""
    is_bad: bool = False

    @property
    def text(self) -> str:
        """The line without its sign."""
        return "".join(text for text, _ in self.pieces)


class Changes(NamedTuple):
    """Lines of what changed, one below the other."""

    tell: Callable[[], tuple[ChangeLine, ...]]

    @property
    def lines(self) -> tuple[ChangeLine, ...]:
        """The lines in order."""
        return self.tell()


def line(sign: Sign, text: str, depth: int = 0, place: str = "", *, is_bad: bool = False) -> ChangeLine:
    """Return a line of which no words stand out."""
    return ChangeLine(sign, ((text, False),), depth, place, is_bad)


def apart(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Return two texts in pieces, each with whether the other text lacks it, word by word."""
    from difflib import SequenceMatcher  # few rules are changed in their place

    before, after = _WORD.findall(old), _WORD.findall(new)
    if max(len(before), len(after)) > _MOST_WORDS:
        return ((old, False),), ((new, False),)
    blocks = SequenceMatcher(None, before, after, autojunk=False).get_opcodes()
    return (
        tuple(_joined((before[start:end], tag != "equal") for tag, start, end, _, _ in blocks)),
        tuple(_joined((after[start:end], tag != "equal") for tag, _, _, start, end in blocks)),
    )


def _joined(stretches: Iterable[tuple[list[str], bool]]) -> Iterator[Piece]:
    return (("".join(words), differs) for words, differs in stretches if words)
