"""Keyed pseudonyms of names: the same name becomes the same word everywhere, and no dictionary undoes it."""

from __future__ import annotations

from hashlib import sha256

from iptviz.kube.names import base32
from iptviz.redact.addresses import Addresses

KEY_BYTES = 32
_BLOCK = 64
_PADS = (0x36, 0x5C)
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
        self._inner, self._outer = (bytes(byte ^ pad for byte in key.ljust(_BLOCK, b"\0")) for pad in _PADS)
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

    def number(self, kind: str, number: int | str, least: int, most: int) -> int:
        """Return the pseudonym of a number, or a name, which is a number of a range."""
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
            word = base32(digest).lower().translate(_LETTERS)[:length]
            if word not in taken:
                taken.add(word)
                return word
        raise AssertionError("more names than words of this length")

    def _random(self, data: bytes) -> int:
        return int.from_bytes(self._digest(data)[:8], "big")

    def _digest(self, data: bytes) -> bytes:
        """Return the HMAC of `data` (RFC 2104), which `hmac` takes several times as long for."""
        return sha256(self._outer + sha256(self._inner + data).digest()).digest()
