"""Laws: what may happen, each with its share, or with the bounds of it where questions were left open."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from iptviz.engine.chance import NEVER, times, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from fractions import Fraction


class Law:
    """All that may happen, each with the least and the greatest share (in [0, 1]) that it may have.

    They differ where questions were left open.
    """

    def __init__(self, parts: Iterable[tuple[Any, Fraction, Fraction]]) -> None:
        self.parts = tuple(parts)

    @cached_property
    def _key(self) -> frozenset[tuple[Any, Fraction, Fraction]]:
        return frozenset(self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Law) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


def mixed_law(chances: Sequence[Fraction], laws: Sequence[Law]) -> Law:
    """Return the law of what follows each of `laws` with its chance."""
    bounds: dict[Any, tuple[list[Fraction], list[Fraction]]] = {}
    for chance, law in zip(chances, laws, strict=True):
        for says, least, most in law.parts:
            both = bounds.setdefault(says, ([], []))
            both[0].append(times(chance, least))
            both[1].append(times(chance, most))
    return Law((says, total(least), total(most)) for says, (least, most) in bounds.items())


def any_law(laws: Sequence[Law]) -> Law:
    """Return the bounds within which each of `laws` lies."""
    found = [{says: (least, most) for says, least, most in law.parts} for law in laws]
    names = dict.fromkeys(says for law in found for says in law)
    none = NEVER, NEVER
    return Law(
        (says, min(law.get(says, none)[0] for law in found), max(law.get(says, none)[1] for law in found))
        for says in names
    )
