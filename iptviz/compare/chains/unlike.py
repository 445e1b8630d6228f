"""Where two texts of rules differ: the chains of which a line is not in both, told without any index.

Equal stretches are matched in the order of both texts. A chain all of whose lines stand in such stretches has the
same rules in the same order on both sides, whatever became of the chains around it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.compare.chains.texts import pieces

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.intake.index import Span

    Text = tuple[bytes, Sequence[Span]]
    """A text, and which stretches of whole lines of it are rules."""

_CHAIN = re.compile(rb"^-A (\S++)", re.MULTILINE)
_DECLARED = re.compile(rb"^:(\S++)", re.MULTILINE)
_WINDOW, _WIDEST = 1 << 14, 1 << 20
"""How many bytes are looked through for where both texts are the same again: at first, and at most."""
_MOST_CHANGES = 512
"""Where more differs in so many places, nearly all does: another spelling, or another order."""


def unlike_chains(old: Text, new: Text) -> frozenset[bytes] | None:
    """Return the chains of which a rule may differ, counters apart; None: too much does.

    All others have the same lines on both sides, in the same order.
    """
    return _named(_CHAIN, old, new)


def unlike_declarations(old: Text, new: Text) -> frozenset[bytes] | None:
    """Return the chains of which a declaration may differ, of two texts of these; None: too much does."""
    return _named(_DECLARED, old, new)


def _named(wanted: re.Pattern[bytes], old: Text, new: Text) -> frozenset[bytes] | None:
    """Return the names in the lines that are not matched; None: too many are not."""
    sides = _Side(old), _Side(new)
    found: set[bytes] = set()
    for _ in range(_MOST_CHANGES):
        _skip_equal(*sides)
        if not (sides[0].text or sides[1].text):
            return frozenset(found)
        apart = _apart(*sides)
        if apart is None:
            return None
        for side, length in zip(sides, apart, strict=True):
            found.update(wanted.findall(side.taken(length)))
    return None


class _Side:
    """What of one text was not looked at yet; `text` is the beginning of it, without counters."""

    def __init__(self, text: Text) -> None:
        self._pieces = pieces(*text)
        self.text = b""

    def fill(self, size: int = 1) -> None:
        """Take more of the text, until there are so many bytes, or no more."""
        while len(self.text) < size and (piece := next(self._pieces, b"")):
            self.text += piece

    def taken(self, length: int) -> bytes:
        """Take so many bytes away, and return them."""
        taken, self.text = self.text[:length], self.text[length:]
        return taken


def _skip_equal(old: _Side, new: _Side) -> None:
    """Take whole lines away that are the same at the beginning of both."""
    while True:
        old.fill()
        new.fill()
        size = min(len(old.text), len(new.text))
        alike = size if old.text[:size] == new.text[:size] else _common(old.text, new.text, size)
        if not alike == len(old.text) == len(new.text):  # else both may break off within the same line
            alike = old.text.rfind(b"\n", 0, alike) + 1
        old.taken(alike)
        new.taken(alike)
        if not alike or alike < size:
            return


def _common(old: bytes, new: bytes, size: int) -> int:
    """Return how many of the first bytes are the same, which are fewer than `size`."""
    low, high = 0, size
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if old[low:middle] == new[low:middle] else (low, middle - 1)
    return low


def _apart(old: _Side, new: _Side) -> tuple[int, int] | None:
    """Return after how many bytes of each side both have the same line again; None: none is near."""
    if not (old.text and new.text):
        return len(old.text), len(new.text)
    size = _WINDOW
    while size <= _WIDEST:
        old.fill(size)
        new.fill(size)
        places = _places(new.text[:size])
        for line, at in _places(old.text[:size]).items():
            if line in places:
                return at, places[line]
        if max(len(old.text), len(new.text)) <= size:
            return len(old.text), len(new.text)
        size *= 8
    return None


def _places(text: bytes) -> dict[bytes, int]:
    """Return where each whole line first begins."""
    places: dict[bytes, int] = {}
    at = 0
    for line in text.split(b"\n")[:-1]:
        places.setdefault(line, at)
        at += len(line) + 1
    return places
