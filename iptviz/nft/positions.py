"""Lines of a text by their places in it."""

from __future__ import annotations

from array import array
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.nft.model import Chain, ChainBody

_REMEMBERED = 1 << 9
"""So many chains that were read are remembered, fewer of long ones."""
_IN_ANY_CASE = 1 << 4
"""So many are, however long: one question asks several of them in turn."""
_ROOM = 1 << 17
"""So many characters the rules of more than these have: what is read of them is twenty times that."""
_STRETCH = 1 << 11
"""Line ends are counted up to every so many characters: the place of each would be much."""


class Numbered:
    """A text, and which line each place of it is in."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.bodies: dict[Chain, ChainBody] = {}
        self._remembered = 0

    def remember(self, chain: Chain, body: ChainBody) -> ChainBody:
        """Remember what was read of a chain, and forget what was read long before: all would be much."""
        self.bodies[chain] = body
        self._remembered += _length(body)
        while len(self.bodies) > (_REMEMBERED if self._remembered <= _ROOM else _IN_ANY_CASE):
            self._remembered -= _length(self.bodies.pop(next(iter(self.bodies))))
        return body

    @cached_property
    def _before(self) -> array[int]:
        """How many line ends are before each stretch of the text."""
        text = self.text
        counts = (text.count("\n", start, start + _STRETCH) for start in range(0, len(text), _STRETCH))
        return array("q", accumulate(counts, initial=0))

    def line_of(self, place: int) -> int:
        """Return the line, counted from 1, that a place is in."""
        stretch = place // _STRETCH
        return self._before[stretch] + self.text.count("\n", stretch * _STRETCH, place) + 1


def _length(body: ChainBody) -> int:
    """Return how many characters the rules of a chain have."""
    return sum(len(rule.text) for rule in body.rules)
