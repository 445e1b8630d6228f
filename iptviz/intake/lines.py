"""From byte offsets to line numbers, counting each stretch of a large dump at most once."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right, insort
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

LineMap = list[tuple[int, int]]
"""Where a text was put together from another: (line here, line there), each good until the next pair."""

_FEW = 1024
"""After so many lines were counted, where all end is found once: to keep what is known in order takes longer."""


class Lines:
    """The lines of `data`; the first are counted, each from the nearest place before it that is already known.

    With a `line_map` the numbers are those of the text that the lines were taken from.
    """

    def __init__(self, data: bytes, line_map: LineMap | None = None) -> None:
        self._data = data
        self._known = [(0, 1)]
        self._map = line_map

    @property
    def mapped(self) -> bool:
        """Whether the numbers are those of another text, in which lines may stand in another order."""
        return self._map is not None

    def at(self, offset: int) -> int:
        """Return the line, counted from 1, on which the byte at `offset` stands."""
        line = self._count(offset) if len(self._known) < _FEW else 1 + bisect_left(self._ends, offset)
        if self._map is None:
            return line
        here, there = self._map[max(bisect_right(self._map, (line, 1 << 62)) - 1, 0)]
        return there + line - here

    def _count(self, offset: int) -> int:
        nearest = bisect_right(self._known, (offset, len(self._data) + 2)) - 1
        known, line = self._known[nearest]
        if known == offset:
            return line
        line += self._data.count(b"\n", known, offset)
        insort(self._known, (offset, line))
        return line

    @cached_property
    def _ends(self) -> Sequence[int]:
        """Where the lines end, in order."""
        from array import array  # few questions ask for so many lines

        return array("Q", (found.start() for found in re.finditer(rb"\n", self._data)))

    def end(self, offset: int) -> int:
        """Return the offset just after the line that holds `offset`."""
        return self._data.find(b"\n", offset) + 1 or len(self._data)
