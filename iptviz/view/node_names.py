"""Names of many nodes in few words: ranges of numbers, the first of them, and how many more there are."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NUMBERED = re.compile(
    r"(?P<before>[^.]*?)(?P<number>[0-9]{1,9})(?P<after>[^0-9.]*(?:\..*)?)", re.ASCII | re.DOTALL
)
"""A name by the last number before any domain."""
_LEAST_IN_RANGE = 3
_MOST = 4
"""So many pieces are shown unless all are wanted."""


class Piece(NamedTuple):
    """A name, or the names from one number to another, and how many that are."""

    text: str
    size: int = 1


def node_names(names: Sequence[str], most: int | None = _MOST) -> str:
    """Return names as `node-[1-57], node-60 and 12 more`, the first `most` pieces; None: all of them."""
    pieces = list(_pieces(names))
    shown = pieces if most is None or len(pieces) <= most + 1 else pieces[:most]
    more = len(names) - sum(piece.size for piece in shown)
    return ", ".join(piece.text for piece in shown) + (f" and {more:,} more" if more else "")


def _pieces(names: Iterable[str]) -> Iterator[Piece]:
    """Yield names, those that are numbered one after the other as one; with numbers or without in their order."""
    families: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        found = _NUMBERED.fullmatch(name)
        family = (found["before"], found["after"]) if found else (name,)
        families.setdefault(family, []).append(found["number"] if found else "")
    for (before, *rest), numbers in families.items():
        if not rest:
            yield from [Piece(printable(before))] * len(numbers)
            continue
        for first, count in _runs(sorted(numbers, key=lambda number: (len(number), number))):
            yield from _run(printable(before), first, count, printable(rest[0]))


def _runs(numbers: Iterable[str]) -> Iterator[tuple[str, int]]:
    """Yield the first of numbers that follow each other, and how many there are."""
    first, count, following = "", 0, ""
    for number in numbers:
        if number != following:
            if count:
                yield first, count
            first, count = number, 0
        count += 1
        following = _next(number)
    if count:
        yield first, count


def _next(number: str) -> str:
    """Return the number after another one, with as many zeros in front as that width needs: 09, 10."""
    return f"{int(number) + 1:0{len(number)}d}"


def _run(before: str, first: str, count: int, after: str) -> Iterator[Piece]:
    """Yield some numbers as names, many as a range."""
    numbers = [f"{int(first) + more:0{len(first)}d}" for more in range(count)]
    if count >= _LEAST_IN_RANGE:
        yield Piece(f"{before}[{numbers[0]}-{numbers[-1]}]{after}", count)
    else:
        yield from (Piece(f"{before}{number}{after}") for number in numbers)
