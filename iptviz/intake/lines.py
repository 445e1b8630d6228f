"""From byte offsets to line numbers, counting each stretch of a large dump at most once."""

from __future__ import annotations

from bisect import bisect_right, insort

LineMap = list[tuple[int, int]]
"""Where a text was put together from another: (line here, line there), each good until the next pair."""


class Lines:
    """The lines of `data`; a line is counted from the nearest place before it that is already known.

    With a `line_map` the numbers are those of the text that the lines were taken from.
    """

    def __init__(self, data: bytes, line_map: LineMap | None = None) -> None:
        self._data = data
        self._known = [(0, 1)]
        self._map = line_map

    def at(self, offset: int) -> int:
        """Return the line, counted from 1, on which the byte at `offset` stands."""
        line = self._count(offset)
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

    def end(self, offset: int) -> int:
        """Return the offset just after the line that holds `offset`."""
        return self._data.find(b"\n", offset) + 1 or len(self._data)
