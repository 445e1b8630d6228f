"""Lines of a text by their places in it."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.nft.model import Chain, ChainBody

_REMEMBERED = 1 << 9


class Numbered:
    """A text, and which line each place of it is in."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.bodies: dict[Chain, ChainBody] = {}

    def remember(self, chain: Chain, body: ChainBody) -> ChainBody:
        """Remember what was read of a chain, and forget what was read long before: all would be much."""
        self.bodies[chain] = body
        if len(self.bodies) > _REMEMBERED:
            del self.bodies[next(iter(self.bodies))]
        return body

    @cached_property
    def _ends(self) -> array[int]:
        return array("q", (found.start() for found in re.finditer("\n", self.text)))

    def line_of(self, place: int) -> int:
        """Return the line, counted from 1, that a place is in."""
        return bisect_left(self._ends, place) + 1
