"""Keyed pseudonyms of names: the same name becomes the same word everywhere, and no dictionary undoes it."""

from __future__ import annotations

import hmac
from base64 import b32encode

from iptviz.redact.addresses import Addresses

KEY_BYTES = 32
_LETTERS = str.maketrans("234567", "ghjkmn")


class Secrets:
    """Makes pseudonyms with one key and remembers them.

    `known` are those of an earlier time, by kind, and `addresses` those of addresses.
    """

    def __init__(
        self,
        key: bytes,
        known: dict[str, dict[str, str]] | None = None,
        *,
        addresses: dict[str, str] | None = None,
    ) -> None:
        self.key = key
        self.known: dict[str, dict[str, str]] = known or {}
        self._taken: dict[str, set[str]] = {}
        self.addresses = Addresses(self._random, addresses)

    def word(self, kind: str, name: str, *, length: int = 8, upper: bool = False) -> str:
        """Return the pseudonym of `name`, which is a `kind` of thing: letters, and as many as asked for."""
        if not name:
            return ""
        words = self.known.setdefault(kind, {})
        if name not in words:
            words[name] = self._fresh(kind, name, length)
        return words[name].upper() if upper else words[name]

    def number(self, kind: str, number: int, least: int, most: int) -> int:
        """Return the pseudonym of a number of a range."""
        words = self.known.setdefault(kind, {})
        taken = self._taken_of(kind)
        turn = 0
        while str(number) not in words:
            fresh = str(least + self._random(f"{kind}/{turn}/{number}".encode()) % (most - least + 1))
            turn += 1
            if fresh not in taken:
                taken.add(fresh)
                words[str(number)] = fresh
        return int(words[str(number)])

    def _taken_of(self, kind: str) -> set[str]:
        """Return the pseudonyms that things of a kind have."""
        if kind not in self._taken:
            self._taken[kind] = set(self.known.get(kind, {}).values())
        return self._taken[kind]

    def _fresh(self, kind: str, name: str, length: int) -> str:
        taken = self._taken_of(kind)
        for turn in range(len(taken) + 1):
            digest = self._digest(f"{kind}/{turn}/{name}".encode("utf-8", "surrogateescape"))
            word = b32encode(digest).decode("ascii").lower().translate(_LETTERS)[:length]
            if word not in taken:
                taken.add(word)
                return word
        raise AssertionError("more names than words of this length")

    def _random(self, data: bytes) -> int:
        return int.from_bytes(self._digest(data)[:8], "big")

    def _digest(self, data: bytes) -> bytes:
        return hmac.digest(self.key, data, "sha256")
