"""How far something has come that takes long: told as it goes on, to whoever listens."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    Progress = Callable[[str, float | None], object]
    """It is given what is done next, and which share of all is done by then, from 0 to 1; None: not known."""

T = TypeVar("T")

_STEPS = 200
"""So many times at most it is told how far many things have come: nobody sees more, and each costs some time."""


def nobody(_doing: str, _done: float | None) -> None:
    """Listen to nothing."""


def part_of(tell: Progress, begin: float, end: float) -> Progress:
    """Return what takes how far a part has come that reaches from one share of all to another."""
    return lambda doing, done: tell(doing, None if done is None else begin + (end - begin) * done)


def stepwise(
    items: Collection[T], doing: str, tell: Progress, begin: float = 0.0, end: float = 1.0
) -> Iterator[T]:
    """Yield things one by one, and tell how many are done, from one share of all to another."""
    return counted_out(items, len(items), doing, part_of(tell, begin, end))


def counted_out(items: Iterable[T], total: int, doing: str, tell: Progress) -> Iterator[T]:
    """Yield things of which there are so many in all, and tell how many are done."""
    step = max(total // _STEPS, 1)
    for done, item in enumerate(items):
        if done % step == 0:
            tell(f"{doing} {done + 1:,} of {total:,}", min(done / max(total, 1), 1.0))
        yield item
