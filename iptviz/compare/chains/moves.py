"""Which rules of a chain moved, and for which of those that they crossed the order may decide."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

from iptviz.compare.chains.commuting import order_matters
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence

    from iptviz.compare.chains.commuting import Acting
    from iptviz.compare.chains.rule_effects import ChainDoings

_FEW = 64
"""Of so many rules each is compared with each that it crossed."""
MOST_PAIRS = 100_000
"""So many pairs of rules of one chain are compared; what is beyond cannot be told."""
_MOST_CROSSINGS = 8


class Crossed(NamedTuple):
    """A rule, by its place in the new order, that a moved one has passed; `matters` as in `order_matters`."""

    place: int
    matters: bool | None


class Move(NamedTuple):
    """What a move comes to: `matters` and what it crossed, as in `RuleChange`."""

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


class Moving(NamedTuple):
    """Rules in their new order: their texts, how each is made when it is needed, and what their chains do."""

    texts: Sequence[str]
    made: Callable[[int], Acting]
    doings: Sequence[ChainDoings]


def moves(order: Sequence[int], moving: Callable[[], Moving]) -> dict[int, Move]:
    """Return what moved, by its place now, and what that comes to.

    Neighbours that may be swapped can be brought from one order to the other one by one, each pair once that is
    in another order now: where all of these may be swapped, nothing has changed.
    """
    moved = moved_places(order)
    if not moved:
        return {}
    rules = moving()
    made = cache(rules.made)
    found: dict[int, list[Crossed]] = {place: [] for place in moved}
    left = MOST_PAIRS
    for one, other in _pairs(order, rules, moved):
        left -= 1
        if left < 0:
            return {
                place: Move(True if _surely(crossed) else None, _first(crossed))
                for place, crossed in found.items()
            }
        matters = order_matters(made(one), made(other))
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


def _pairs(order: Sequence[int], moving: Moving, moved: set[int]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of places that hold what is in another order now, but for what surely never meets."""
    if len(order) <= _FEW:
        candidates: Iterator[tuple[int, int]] = combinations(range(len(order)), 2)
    else:
        candidates = _meeting(moving, moved)
    return ((one, other) for one, other in candidates if order[one] > order[other])


def _meeting(moving: Moving, moved: set[int]) -> Iterator[tuple[int, int]]:
    """Yield pairs of places, one of them of a moved rule, without those told apart by one field.

    kube-proxy's rules are about one address each, or one port, and those of a network about one interface.
    """
    values = _telling(moving)
    together: dict[Hashable, list[int]] = defaultdict(list)
    for place, value in values.items():
        together[value].append(place)
    wide = [place for place in range(len(moving.texts)) if place not in values]
    for place in moved:
        others = together[values[place]] if place in values else range(len(moving.texts))
        yield from (_sorted(place, other) for other in others if other not in moved or other > place)
        if place in values:
            yield from (_sorted(place, other) for other in wide if other not in moved)


def _sorted(one: int, other: int) -> tuple[int, int]:
    return (one, other) if one < other else (other, one)


_BEFORE = r"-A \S++ (?:(?:! )?-s \S++ )?"
_TO, _IN, _OUT = (rf"(?:(?:! )?-{option} \S++ )?" for option in "dio")
_COMMENT = r'(?:-m comment --comment (?:"[^"\\]*+"|[^"\s]++) )?'
_LITERALS = {
    field: re.compile(pattern, re.ASCII)
    for field, pattern in (
        ("destination", rf"{_BEFORE}-d ([0-9a-f.:]++)/(?:32|128) "),
        ("source", r"-A \S++ -s ([0-9a-f.:]++)/(?:32|128) "),
        ("in-interface", rf'{_BEFORE}{_TO}-i ([^\s"+]++) '),
        ("out-interface", rf'{_BEFORE}{_TO}{_IN}-o ([^\s"+]++) '),
        (
            "destination-port",
            rf"{_BEFORE}{_TO}{_IN}{_OUT}-p (\w++ {_COMMENT}-m (?:tcp|udp|sctp) --dport \d++)(?!\S)",
        ),
    )
}
"""Where the one value of a field stands in a rule, in its usual spelling; more of a rule need not be read."""


def _telling(moving: Moving) -> dict[int, Hashable]:
    """Return by place the values of the field of which most rules ask one: rules with others never meet."""
    found = [
        {place: value[1] for place, text in enumerate(moving.texts) if (value := pattern.match(text))}
        for field, pattern in _LITERALS.items()
        if not any(doings.most.touches(field) for doings in moving.doings)
    ]
    values = max(found, key=len, default={})
    return {place: _read(text) for place, text in values.items()}


def _read(text: str) -> Hashable:
    """Return the value that a literal spells: an address, a protocol and port, or the name of an interface."""
    if " " in text:
        return text.partition(" ")[0], int(text.rpartition(" ")[2])
    return parse_network(text) or text
