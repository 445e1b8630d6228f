"""Results that come in any order, merged with their neighbours as soon as they are there, in a tree."""

from __future__ import annotations

from bisect import insort
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")


class Neighbours(Generic[T]):
    """Runs of neighbouring results, each merged into one.

    Two runs side by side are merged unless the left one is more than twice as long: so each result is merged a
    few times, and a few runs are held, however many results there are.
    """

    def __init__(self, merge: Callable[[T, T], T]) -> None:
        """Take what merges two results, the left one first."""
        self._merge = merge
        self._runs: list[tuple[int, int, T]] = []

    def add(self, first: int, last: int, result: T) -> None:
        """Take the result of the places from `first` to before `last`, which no other one has."""
        insort(self._runs, (first, last, result), key=lambda run: run[0])
        at = next(place for place, run in enumerate(self._runs) if run[0] == first)
        while (left := self._mergeable(at)) is not None:
            (begin, _, one), (_, end, other) = self._runs[left : left + 2]
            self._runs[left : left + 2] = [(begin, end, self._merge(one, other))]
            at = left

    def _mergeable(self, at: int) -> int | None:
        """Return the place of the left one of two runs to be merged, one of which is at a place."""
        for left in (at - 1, at):
            if 0 <= left < len(self._runs) - 1:
                (begin, middle, _), (other, end, _) = self._runs[left : left + 2]
                if middle == other and 2 * (end - other) >= middle - begin:
                    return left
        return None

    def __iter__(self) -> Iterator[T]:
        """Yield the results in order, each of as many places as could be merged."""
        return (result for _, _, result in self._runs)
