"""The words of one rule, read from the left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.tokens import read_number, unquoted

if TYPE_CHECKING:
    from collections.abc import Collection

_DEEPEST = 24
"""So many brackets may stand within each other; nft itself refuses less."""

END = ""
_ENDS = (END,) * 5


class NotReadError(Exception):
    """What stands here is of no known form."""


class Words:
    """The words of a rule, of which those before `at` are read."""

    __slots__ = ("at", "depth", "size", "words")

    def __init__(self, words: list[str]) -> None:
        self.size = len(words)
        self.words = [*words, *_ENDS]
        self.at = 0
        self.depth = 0

    def peek(self, ahead: int = 0) -> str:
        """Return the next word, or one of the few behind it; `END` behind the last."""
        return self.words[self.at + ahead]

    def take(self) -> str:
        """Return the next word and go on behind it.

        Raises:
            NotReadError: there is none.
        """
        word = self.words[self.at]
        if word == END:
            raise NotReadError
        self.at += 1
        return word

    def skip(self, word: str) -> bool:
        """Go on behind a word if it stands here; whether it does."""
        if self.words[self.at] != word:
            return False
        self.at += 1
        return True

    def expect(self, word: str) -> None:
        """Go on behind a word that must stand here."""
        if not self.skip(word):
            raise NotReadError

    def one_of(self, words: Collection[str]) -> str:
        """Return the next word, which must be one of some."""
        if self.peek() not in words:
            raise NotReadError
        return self.take()

    def number(self) -> int:
        """Return the next word, which must be a number."""
        number = read_number(self.take())
        if number is None:
            raise NotReadError
        return number

    def text(self) -> str:
        """Return the next word without quotes."""
        return unquoted(self.take())

    def deeper(self) -> None:
        """Go into brackets."""
        self.depth += 1
        if self.depth > _DEEPEST:
            raise NotReadError

    def higher(self) -> None:
        """Leave brackets."""
        self.depth -= 1
