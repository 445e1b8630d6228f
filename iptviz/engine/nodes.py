"""The nodes of decision diagrams: each exists once, so that equal diagrams are equal numbers.

A node asks one field and has a way for each stretch of its values; a node all of whose ways are equal does not
exist. Below the fields stand leaves, and nodes that *mix* several ways by chance, or hold ways of which *either*
may be taken, since what decides is left open.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from iptviz.engine.chance import product, total
from iptviz.engine.regions import common, everything, region_of, touches
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.engine.regions import Range, Region

    _Answered = frozenset[tuple[int, Region]]

MOST_NODES = 200_000
"""Diagrams of more nodes that ask fields are given up: some questions are left open, and shares become bounds."""

_MOST_WAYS = 20_000

EITHER, MIX, LEAF = 1 << 60, 1 << 61, 1 << 62
"""What stands below all fields: their ranks are smaller."""


class TooLargeError(Exception):
    """More nodes ask fields than `MOST_NODES`."""


class Node(NamedTuple):
    """A node: the rank of its field, where its values are cut, and a way for each stretch.

    Of a mixing node `cuts` are the chances of its ways; of a leaf what it says, and of the others nothing.
    """

    rank: int
    cuts: tuple[Any, ...]
    ways: tuple[int, ...]


class Nodes:
    """Nodes by their numbers; each exists once, so that equal diagrams are equal numbers."""

    def __init__(self, most: int | None = None) -> None:
        self.nodes: list[Node] = []
        self.rounded = False
        self._most = MOST_NODES if most is None else most
        self._asking = 0
        self._again: dict[int, set[int]] = {}
        self._numbers: dict[Node, int] = {}
        self._leaves: dict[tuple[type, Hashable], int] = {}
        self._mixes: dict[tuple[tuple[Fraction, ...], tuple[int, ...]], int] = {}
        self.no, self.yes = map(self.leaf, (False, True))

    def _number(self, node: Node) -> int:
        number = self._numbers.get(node)
        if number is None:
            if node.rank < EITHER:
                self._asking += 1
                if self._asking > self._most:
                    raise TooLargeError
            number = self._numbers[node] = len(self.nodes)
            self.nodes.append(node)
        return number

    # --- making ----------------------------------------------------------------------------------------------

    def leaf(self, says: Hashable) -> int:
        """Return the leaf that says this."""
        key = type(says), says
        number = self._leaves.get(key)
        if number is None:
            number = self._leaves[key] = len(self.nodes)
            self.nodes.append(Node(LEAF, key, ()))
        return number

    def node(self, rank: int, cuts: Sequence[Any], ways: Sequence[int]) -> int:
        """Return the node whose way i holds from `cuts[i - 1]` to before `cuts[i]`; equal neighbours are one."""
        kept: list[Any] = []
        merged = [ways[0]]
        for cut, way in zip(cuts, ways[1:], strict=True):
            if way != merged[-1]:
                kept.append(cut)
                merged.append(way)
        return merged[0] if not kept else self._number(Node(rank, tuple(kept), tuple(merged)))

    def test(self, rank: int, region: Region) -> int:
        """Return what is true where the field's value lies in `region`."""
        cuts: list[Any] = []
        ways = [self.no]
        for first, after in region:
            if first:
                cuts.append(first)
                ways.append(self.yes)
            else:
                ways = [self.yes]  # nothing is smaller than 0, nor than the empty text
            if after is not None:
                cuts.append(after)
                ways.append(self.no)
        return self.node(rank, cuts, ways)

    def mix(self, parts: Iterable[tuple[Fraction, int]]) -> int:
        """Return what is each of `parts` with its chance; the chances sum to 1."""
        shares: dict[int, list[Fraction]] = {}
        for chance, part in parts:
            node = self.nodes[part]
            if node.rank != MIX:
                shares.setdefault(part, []).append(chance)
                continue
            for inner, way in zip(node.cuts, node.ways, strict=True):
                share, exact = product(chance, inner)
                self.rounded = self.rounded or not exact
                shares.setdefault(way, []).append(share)
        mixed = sorted((way, total(chances)) for way, chances in shares.items() if any(chances))
        if len(mixed) == 1:
            return mixed[0][0]
        ways, chances = zip(*mixed, strict=True)
        key = chances, ways
        if key not in self._mixes:
            self._mixes[key] = len(self.nodes)
            self.nodes.append(Node(MIX, chances, ways))
        return self._mixes[key]

    def either(self, ways: Iterable[int]) -> int:
        """Return what is any of `ways`, nobody knows which."""
        different: set[int] = set()
        for way in ways:
            node = self.nodes[way]
            different.update(node.ways if node.rank == EITHER else (way,))
        return (
            self._number(Node(EITHER, (), tuple(sorted(different))))
            if len(different) > 1
            else different.pop()
        )

    # --- asking ----------------------------------------------------------------------------------------------

    def says(self, number: int) -> Any:
        """Return what a leaf says."""
        return self.nodes[number].cuts[1]

    def is_leaf(self, number: int) -> bool:
        """Whether this is a leaf."""
        return self.nodes[number].rank == LEAF

    def asks(self, number: int) -> int | None:
        """Return the rank of the field that a node asks; None below the fields."""
        rank = self.nodes[number].rank
        return rank if rank < EITHER else None

    def region(self, test: int) -> Region:
        """Return the values for which a test of one field is true."""
        node = self.nodes[test]
        bounds = [least(node), *node.cuts, None]
        return tuple(
            (first, after)
            for way, first, after in zip(node.ways, bounds[:-1], bounds[1:], strict=True)
            if way == self.yes
        )

    def at(self, number: int, rank: int, value: Any) -> int:
        """Return what holds where the field has this value, of a node that asks no earlier field."""
        node = self.nodes[number]
        return node.ways[bisect_right(node.cuts, value)] if node.rank == rank else number

    def leaves(self, number: int) -> list[int]:
        """Return the leaves below, each once."""
        if self.nodes[number].rank == LEAF:
            return [number]
        return [below for below in self._below(number) if self.nodes[below].rank == LEAF]

    def _leaves_in_turn(self, number: int) -> dict[int, None]:
        """Return the leaves in the order in which a diagram is built again: those of one node together."""
        found: dict[int, None] = {}
        done: set[int] = set()
        pending = [number]
        while pending:
            current = pending[-1]
            missing = [way for way in self.nodes[current].ways if way not in done]
            if current in done or not missing:
                done.add(pending.pop())
                if self.nodes[current].rank == LEAF:
                    found[current] = None
            elif all(self.nodes[way].rank == LEAF for way in missing):
                found.update(dict.fromkeys(reversed(missing)))
                done.update(missing)
            else:
                pending += missing
        return found

    def leaves_within(self, number: int, regions: Mapping[int, Region]) -> set[int]:
        """Return the leaves that are reached where fields lie in `regions`, by their ranks.

        Below chances a field may be asked again: each way is followed with what it has answered, until there are
        too many ways; then some leaves may be told that nothing reaches.
        """
        if self.nodes[number].rank == LEAF:
            return {number}
        found: set[int] = set()
        again = self.asks_again(number)
        seen: set[tuple[int, frozenset[tuple[int, Region]]]] = set()
        pending = [(number, frozenset(regions.items()))]
        while pending:
            each = pending.pop()
            if each in seen:
                continue
            if len(seen) > _MOST_WAYS:
                return {below for below in self._below(number, regions) if self.nodes[below].rank == LEAF}
            seen.add(each)
            current, answered = each
            if self.nodes[current].rank == LEAF:
                found.add(current)
            keep = self.nodes[current].rank in again
            for way, after in self._ways_in(self.nodes[current], answered, keep=keep):
                pending.append((way, after if keep else answered))
        return found

    def asks_again(self, number: int) -> set[int]:
        """Return the ranks of the fields that are asked below chances, where they may have been asked above."""
        if number not in self._again:
            self._again[number] = self._asked_again(number)
        return self._again[number]

    def _asked_again(self, number: int) -> set[int]:
        mixing = [below for below in self._below(number) if EITHER <= self.nodes[below].rank < LEAF]
        seen = set(mixing)
        pending = list(mixing)
        while pending:
            for way in self.nodes[pending.pop()].ways:
                if way not in seen:
                    seen.add(way)
                    pending.append(way)
        return {self.nodes[below].rank for below in seen if self.nodes[below].rank < EITHER}

    def _below(self, number: int, regions: Mapping[int, Region] | None = None) -> Iterator[int]:
        """Yield a node and all below it, each once; with `regions` only those that are reached from there."""
        answered = frozenset((regions or {}).items())
        seen = {number}
        pending = [number]
        while pending:
            current = pending.pop()
            yield current
            for way, _ in self._ways_in(self.nodes[current], answered):
                if way not in seen:
                    seen.add(way)
                    pending.append(way)

    def _ways_in(
        self, node: Node, answered: _Answered, *, keep: bool = False
    ) -> Iterator[tuple[int, _Answered]]:
        """Yield the ways of a node for what is answered, each with what is answered then, where that is kept."""
        if node.rank >= EITHER:
            yield from ((way, answered) for way in node.ways)
            return
        known = dict(answered)
        region = known.pop(node.rank, None)
        if region is None and not keep:
            yield from ((way, answered) for way in dict.fromkeys(node.ways))
            return
        region = everything(least(node)) if region is None else region
        bounds = [least(node), *node.cuts, None]
        stretches: dict[int, list[Range]] = {}
        for way, first, after in zip(node.ways, bounds[:-1], bounds[1:], strict=True):
            if touches(region, first, after):
                stretches.setdefault(way, []).append((first, after))
        for way, ranges in stretches.items():
            if keep:
                yield way, frozenset(known.items()) | {(node.rank, common(region, region_of(ranges)))}
            else:
                yield way, answered

    def fields(self, number: int) -> dict[int, int]:
        """Return the ranks of the fields that are asked, with the number of nodes that ask each."""
        counted: dict[int, int] = {}
        for below in self._below(number):
            rank = self.nodes[below].rank
            if rank < EITHER:
                counted[rank] = counted.get(rank, 0) + 1
        return counted

    def from_below(self, number: int) -> Iterator[int]:
        """Yield all nodes of a diagram, none before one that stands below it."""
        done: set[int] = set()
        pending = [number]
        while pending:
            current = pending[-1]
            missing = [way for way in self.nodes[current].ways if way not in done]
            if current in done or not missing:
                pending.pop()
                if current not in done:
                    done.add(current)
                    yield current
            else:
                pending += missing


def ways_between(node: Node, cuts: Sequence[Any]) -> list[int]:
    """Return the way of a node in each stretch between `cuts`, which are at least its own."""
    if len(node.cuts) == len(cuts):
        return list(node.ways)
    column, place = [node.ways[0]], 0
    for cut in cuts:
        if place < len(node.cuts) and node.cuts[place] == cut:
            place += 1
        column.append(node.ways[place])
    return column


def least(node: Node) -> int | str:
    """Return the smallest value of a node's field."""
    return "" if isinstance(node.cuts[0], str) else 0
