"""Which rules of a chain moved, and for which of those that they crossed the order may decide."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, Any

from iptviz.compare.commuting import order_matters
from iptviz.compare.doing import PASSING
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iptviz.compare.commuting import Acting

_FEW = 64
"""Of so many rules each is compared with each that it crossed."""
MOST_PAIRS = 100_000
"""So many pairs of rules of one chain are compared; what is beyond cannot be told."""
_MOST_CROSSINGS = 8
_FIELDS = ("destination", "source", "in-interface", "out-interface", "destination-port", "source-port")


class Crossed(NamedTuple):
    """A rule, by its place in the new order, that a moved one has passed; `matters` as in `order_matters`."""

    place: int
    matters: bool | None


class Move(NamedTuple):
    """What a move comes to: see `chain_forms.RuleChange`."""

    matters: bool | None
    crossed: tuple[Crossed, ...]


def moved_places(order: Sequence[int]) -> set[int]:
    """Return which places hold what moved: all but the most that stand in their old order.

    `order` has the old place of what stands at each place now.
    """
    ends: list[int] = []
    at: list[int] = []
    before = [-1] * len(order)
    for place, old in enumerate(order):
        length = bisect_left(ends, old)
        before[place] = at[length - 1] if length else -1
        ends[length : length + 1] = [old]
        at[length : length + 1] = [place]
    kept = set()
    place = at[-1] if at else -1
    while place >= 0:
        kept.add(place)
        place = before[place]
    return {*range(len(order))} - kept


def moves(order: Sequence[int], made: Callable[[], Sequence[Acting]]) -> dict[int, Move]:
    """Return what moved, by its place now, and what that comes to; `made` makes the rules in their new order.

    Neighbours that may be swapped can be brought from one order to the other one by one, each pair once that is
    in another order now: where all of these may be swapped, nothing has changed.
    """
    moved = moved_places(order)
    if not moved:
        return {}
    rules = made()
    found: dict[int, list[Crossed]] = {place: [] for place in moved}
    left = MOST_PAIRS
    for one, other in _pairs(order, rules, moved):
        left -= 1
        if left < 0:
            return {
                place: Move(True if _surely(crossed) else None, _first(crossed))
                for place, crossed in found.items()
            }
        matters = order_matters(rules[one], rules[other])
        if matters is False:
            continue
        for mine, its in ((one, other), (other, one)):
            if mine in found:
                found[mine].append(Crossed(its, matters))
    return {place: Move(_matters(crossed), _first(crossed)) for place, crossed in found.items()}


def _surely(crossed: Sequence[Crossed]) -> bool:
    return any(one.matters is True for one in crossed)


def _matters(crossed: Sequence[Crossed]) -> bool | None:
    return True if _surely(crossed) else None if crossed else False


def _first(crossed: Sequence[Crossed]) -> tuple[Crossed, ...]:
    """Return the first few, those that surely matter before others."""
    return tuple(sorted(crossed, key=lambda one: (not one.matters, one.place))[:_MOST_CROSSINGS])


# --- pairs -----------------------------------------------------------------------------------------------------


def _pairs(order: Sequence[int], rules: Sequence[Acting], moved: set[int]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of places that hold what is in another order now, but for what surely never meets."""
    if len(order) <= _FEW:
        candidates: Iterator[tuple[int, int]] = combinations(range(len(order)), 2)
    else:
        candidates = _meeting(rules, moved)
    return ((one, other) for one, other in candidates if order[one] > order[other])


def _meeting(rules: Sequence[Acting], moved: set[int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of places, one of them of a moved rule, without those told apart by one field.

    kube-proxy's rules are about one address each, or one port, and those of a network about one interface.
    """
    values = _telling(rules)
    together: dict[Any, list[int]] = defaultdict(list)
    for place, value in values.items():
        together[value].append(place)
    wide = [place for place in range(len(rules)) if place not in values]
    for place in moved:
        others = together[values[place]] if place in values else range(len(rules))
        yield from (_sorted(place, other) for other in others if other not in moved or other > place)
        if place in values:
            yield from (_sorted(place, other) for other in wide if other not in moved)


def _sorted(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)


def _telling(rules: Sequence[Acting]) -> dict[int, Any]:
    """Return by place the values of the field of which most rules ask one.

    A rule that may change what another asks is not among them: it may meet all.
    """
    tested = PASSING
    for rule in rules:
        tested = tested.and_also(rule.tested)
    quiet = [place for place, rule in enumerate(rules) if not rule.most.disturbs(tested)]
    asked = {place: {field: rules[place].gate.exact(field) for field in _FIELDS} for place in quiet}
    counted = Counter(
        field for values in asked.values() for field, value in values.items() if value is not None
    )
    field = max(_FIELDS, key=lambda name: counted[name])
    return {place: values[field] for place, values in asked.items() if values[field] is not None}
