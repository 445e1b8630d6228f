"""Values of one dimension of a set, as integers under a mask: all that `ipset` calls an element's part."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator


class Block(NamedTuple):
    """All integers that agree with `value` in the bits of `mask`; `value` has no other bits."""

    value: int
    mask: int


def full(width: int) -> int:
    """Return the mask of one value of `width` bits."""
    return (1 << width) - 1


def spanning(first: int, last: int, width: int) -> Iterator[Block]:
    """Yield the largest blocks that together are `first` to `last`: at most two for each bit."""
    while first <= last:
        free = (first & -first).bit_length() - 1 if first else width
        size = min(free, (last - first + 1).bit_length() - 1)
        yield Block(first, full(width) ^ full(size))
        first += 1 << size


class Level:
    """The entries of a set by their part in one dimension; below each part is a further level, or its end.

    An end is True for an entry with the flag `nomatch`. A lookup takes one dictionary access for each mask.
    """

    __slots__ = ("_masks", "_order", "_sorted")

    def __init__(self) -> None:
        self._masks: dict[int, dict[int, Level | bool]] = {}
        self._order: list[int] = []
        self._sorted: dict[int, list[int]] = {}

    def add(self, blocks: tuple[Block, ...], *, nomatch: bool) -> None:
        """Add an entry: one block for this level and one for each level below."""
        (value, mask), *rest = blocks
        values = self._masks.get(mask)
        if values is None:
            values = self._masks[mask] = {}
            self._order = sorted(self._masks, key=int.bit_count, reverse=True)
        self._sorted.pop(mask, None)
        if not rest:
            values[value] = nomatch
            return
        below = values.setdefault(value, Level())
        if isinstance(below, Level):
            below.add(tuple(rest), nomatch=nomatch)

    def blocks(self) -> Iterator[Block]:
        """Yield the blocks of this level."""
        return (Block(value, mask) for mask in self._order for value in self._masks[mask])

    def around(self, asked: Block) -> Iterator[Level | bool]:
        """Yield what is below the blocks that contain all of `asked`, the smallest first."""
        for mask in self._order:
            if mask & asked.mask == mask:
                below = self._masks[mask].get(asked.value & mask)
                if below is not None:
                    yield below

    def meeting(self, asked: Block) -> Iterator[tuple[Level | bool, bool]]:
        """Yield what is below the blocks that hold some of `asked`, and whether all; the smallest first."""
        for mask in self._order:
            if mask & asked.mask == mask:
                below = self._masks[mask].get(asked.value & mask)
                if below is not None:
                    yield below, True
            else:
                yield from ((self._masks[mask][value], False) for value in self._inside(mask, asked))

    def _inside(self, mask: int, asked: Block) -> Iterator[int]:
        """Yield the values under `mask` that meet `asked`, by bisection as far as its mask starts with ones."""
        values = self._sorted.get(mask)
        if values is None:
            values = self._sorted[mask] = sorted(self._masks[mask])
        both = mask & asked.mask
        span = 1 << (mask & ~asked.mask).bit_length()
        # A value that meets `asked` has its bits above the highest bit that `asked` leaves open.
        start = (asked.value & both) & ~(span - 1)
        for at in range(bisect_left(values, start), len(values)):
            value = values[at]
            if (value & ~(span - 1)) > start:
                return
            if value & both == asked.value & both:
                yield value
