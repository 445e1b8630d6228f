"""Which rule of a chain is which in another dump: by lines, by what they say, and of the rest the similar."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING, Literal

from iptviz.compare.chains.texts import same_shares, without_shares
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence

    from iptviz.compare.chains.forms import Fact
    from iptviz.compare.chains.texts import Wording
    from iptviz.dump.rule import Rule

Place = tuple[int, int]
"""Where a rule stands in its chain, from 0 on, and of those that one line makes which it is."""


class Item(NamedTuple):
    """One rule of a chain: its place, its line, and its text where its line alone did not tell which it is."""

    place: Place
    rule: Rule
    text: str


class Pair(NamedTuple):
    """The same rule in both dumps; `fact` is what of it was left out of the comparison, if anything."""

    old: Item
    new: Item
    fact: Fact | Literal[""] = ""


class Pairing(NamedTuple):
    """The rules of a chain: those that both dumps have, in the new order, and those that one of them has."""

    pairs: list[Pair]
    removed: list[Item]
    added: list[Item]


class Chain(NamedTuple):
    """A chain of one dump: its lines without counters, and its rules."""

    lines: Sequence[bytes]
    rules: Sequence[Rule]


class Likening(NamedTuple):
    """A way to take two rules for one: `key` must be the same of both texts, and `fits` hold.

    `fact` is what is left out of the comparison then, empty where nothing is.
    """

    key: Callable[[str], Hashable]
    fits: Callable[[Item, Item], bool] = lambda _old, _new: True
    fact: Fact | Literal[""] = ""


_BY_SHARES = Likening(without_shares, lambda old, new: same_shares(old.text, new.text))


def paired(old: Chain, new: Chain, wording: Wording, likenings: Callable[[], Sequence[Likening]]) -> Pairing:
    """Return which rule of a chain is which; `likenings` gives those for what one side does not show."""
    lines, old_left, new_left = _by_lines(old.lines, new.lines)
    pairs = [
        Pair(Item((one, 0), old.rules[one], ""), Item((other, 0), new.rules[other], ""))
        for one, other in lines
    ]
    removed, added = _items(old, old_left, wording), _items(new, new_left, wording)
    for ways in (lambda: (Likening(wording.key), _BY_SHARES), likenings):
        for likening in ways() if removed and added else ():
            found, removed, added = _matched(removed, added, likening)
            pairs += [Pair(one, other, likening.fact) for one, other in found]
    return Pairing(sorted(pairs, key=lambda pair: pair.new.place), removed, added)


def _by_lines(old: Sequence[bytes], new: Sequence[bytes]) -> tuple[list[Place], list[int], list[int]]:
    """Return which lines are the same, the first to the first, and which are left over on either side."""
    start = _alike(zip(old, new, strict=False))
    most = min(len(old), len(new)) - start
    end = min(most, _alike(zip(reversed(old), reversed(new), strict=False)))
    pairs = [(at, at) for at in range(start)]
    pairs += [(len(old) - back, len(new) - back) for back in range(end, 0, -1)]
    found, old_left, new_left = _same(
        {at: old[at] for at in range(start, len(old) - end)},
        {at: new[at] for at in range(start, len(new) - end)},
    )
    return pairs + found, old_left, new_left


def _alike(lines: Iterable[tuple[bytes, bytes]]) -> int:
    count = 0
    for one, other in lines:
        if one != other:
            break
        count += 1
    return count


def _same(old: dict[int, bytes], new: dict[int, bytes]) -> tuple[list[tuple[int, int]], list[int], list[int]]:
    waiting: dict[bytes, deque[int]] = defaultdict(deque)
    for at, line in new.items():
        waiting[line].append(at)
    found, left = [], []
    for at, line in old.items():
        places = waiting.get(line)
        if places:
            found.append((at, places.popleft()))
        else:
            left.append(at)
    return found, left, sorted(at for places in waiting.values() for at in places)


def _items(chain: Chain, places: Iterable[int], wording: Wording) -> list[Item]:
    """Return the rules at some places, with their texts."""
    return [
        Item((place, number), chain.rules[place], text)
        for place in places
        for number, text in enumerate(wording.texts(chain.rules[place]))
    ]


def _matched(
    old: list[Item], new: list[Item], likening: Likening
) -> tuple[list[tuple[Item, Item]], list[Item], list[Item]]:
    """Return which rules have the same key and fit, the first to the first, and what is left over."""
    if not (old and new):
        return [], old, new
    waiting: dict[Hashable, list[Item]] = defaultdict(list)
    for item in new:
        waiting[likening.key(item.text)].append(item)
    found, left = [], []
    for item in old:
        candidates = waiting.get(likening.key(item.text), [])
        other = next((one for one in candidates if likening.fits(item, one)), None)
        if other is None:
            left.append(item)
        else:
            candidates.remove(other)
            found.append((item, other))
    return (
        found,
        left,
        sorted((item for items in waiting.values() for item in items), key=lambda item: item.place),
    )


# --- what changed in its place ---------------------------------------------------------------------------------

_MOST_COMPARED = 1 << 12
_SIMILAR = 0.5


def similar(
    removed: Sequence[Item], added: Sequence[Item], stays: Sequence[Pair]
) -> Iterator[tuple[Item, Item]]:
    """Yield of the rules that one dump has those that stand between the same ones and share half of their words.

    `stays` are the rules that both have and that did not move, in their order.
    """
    old_places, new_places = [pair.old.place for pair in stays], [pair.new.place for pair in stays]
    gaps: dict[int, tuple[list[Item], list[Item]]] = defaultdict(lambda: ([], []))
    for side, items, places in ((0, removed, old_places), (1, added, new_places)):
        for item in items:
            gaps[bisect_left(places, item.place)][side].append(item)
    for old, new in gaps.values():
        if len(old) * len(new) <= _MOST_COMPARED:
            yield from _most_similar(old, new)


def _most_similar(old: Sequence[Item], new: Sequence[Item]) -> Iterator[tuple[Item, Item]]:
    ranked = sorted(
        (-likeness, abs(at - place), at, place)
        for at, one in enumerate(old)
        for place, other in enumerate(new)
        if (likeness := _likeness(one.text, other.text)) >= _SIMILAR
    )
    taken: tuple[set[int], set[int]] = (set(), set())
    for _, _, at, place in ranked:
        if at not in taken[0] and place not in taken[1]:
            taken[0].add(at)
            taken[1].add(place)
            yield old[at], new[place]


def _likeness(one: str, other: str) -> float:
    """Return how large a part of their words two rules share, and a little more where both ask the same."""
    words, others = Counter(one.split()[2:]), Counter(other.split()[2:])
    share = 2 * (words & others).total() / max(words.total() + others.total(), 1)
    return share + (one.partition(" -j ")[0] == other.partition(" -j ")[0]) / 2
