"""Decision diagrams: what happens to a packet as a function of what is not known of it.

Fields are asked in one order, each once on every way: so a thousand rules about sources are one node, and
conditions that change nothing are in no diagram. What is asked below chances is put above them at the end.

All walks keep a stack of their own: a diagram may be deeper than Python's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any

from iptviz.engine.chance import CERTAIN
from iptviz.engine.laws import Law, any_law, mixed_law
from iptviz.engine.nodes import EITHER, LEAF, MIX, Node, Nodes, least, ways_between
from iptviz.engine.regions import touches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from fractions import Fraction

    from iptviz.engine.regions import Region

_FEW = 4
"""So many diagrams are cut together with the one in which they take the places of leaves."""


class Diagrams(Nodes):
    """Diagrams, by the numbers of their nodes, and what is made of several of them."""

    def __init__(self, most: int | None = None) -> None:
        """Begin without any; `most` nodes may ask fields."""
        super().__init__(most)
        self._chosen: dict[tuple[int, ...], int] = {}

    def choose(self, condition: int, holding: int, otherwise: int) -> int:
        """Return `holding` where `condition` is true, `otherwise` elsewhere."""
        return self._apply(self._chosen, self._choice, (condition, holding, otherwise))

    def _choice(self, parts: tuple[int, ...]) -> int | None:
        condition, holding, otherwise = parts
        if holding == otherwise or condition == self.yes:
            return holding
        if condition == self.no:
            return otherwise
        return self.either((holding, otherwise)) if self.nodes[condition].rank == EITHER else None

    def not_(self, condition: int) -> int:
        """Return the opposite of a condition."""
        return self.choose(condition, self.no, self.yes)

    def replaced(self, number: int, leaves: Callable[[int], int]) -> int:
        """Return the diagram with what `leaves` makes of each of its leaves in their places."""
        if self.nodes[number].rank >= EITHER:
            return self._rebuilt(number, leaves, self.mix, self.either)
        made = {leaf: leaves(leaf) for leaf in self._leaves_in_turn(number)}
        asking = tuple({way: None for way in made.values() if self.nodes[way].rank < EITHER})
        if 0 < len(asking) <= _FEW and self._is_sure(number):
            return self._put_below(number, made, asking)
        return self._rebuilt(number, made.__getitem__, self.mix, self.either)

    def _put_below(self, number: int, made: dict[int, int], asking: tuple[int, ...]) -> int:
        """Put a few diagrams that ask fields in the places of leaves; all fields are cut at once.

        Built from the leaves up, each node would get all of what is asked below it, of which what is asked above
        leaves little: a thousand addresses, each with a node of its own, times a thousand.
        """
        places = {way: 1 + place for place, way in enumerate(asking)}

        def decide(parts: tuple[int, ...]) -> int | None:
            if self.nodes[parts[0]].rank != LEAF:
                return None
            way = made[parts[0]]
            return parts[places[way]] if way in places else way

        return self._apply({}, decide, (number, *asking))

    def _is_sure(self, number: int) -> bool:
        """Whether a diagram asks fields alone, and no chance."""
        return not any(EITHER <= self.nodes[each].rank < LEAF for each in self.from_below(number))

    def flattened(self, number: int) -> int:
        """Return the diagram with all fields above all chances: its leaves say laws, see `Law`."""
        return self._rebuilt(
            self._heeding_first(number),
            lambda leaf: self.leaf(Law([(self.says(leaf), CERTAIN, CERTAIN)])),
            lambda parts: self._merged(parts, mixed_law),
            lambda ways: self._merged([(CERTAIN, way) for way in ways], lambda _, laws: any_law(laws)),
        )

    def _heeding_first(self, number: int) -> int:
        """Return the diagram without what the field that is asked first rules out below chances.

        Endpoints ask the protocol once more: for another one, each leads to those after it.
        """
        node = self.nodes[number]
        if node.rank >= EITHER:
            return number
        bounds = [least(node), *node.cuts, None]
        ways = [
            self.within(way, node.rank, ((first, after),))
            for way, first, after in zip(node.ways, bounds[:-1], bounds[1:], strict=True)
        ]
        return self.node(node.rank, node.cuts, ways)

    def _merged(
        self, parts: Iterable[tuple[Fraction, int]], law: Callable[[list[Fraction], list[Law]], Law]
    ) -> int:
        """Ask all fields of several parts, and make one law of what their leaves say."""
        listed = list(parts)
        chances = [chance for chance, _ in listed]

        def decide(ways: tuple[int, ...]) -> int | None:
            if all(self.nodes[way].rank == LEAF for way in ways):
                return self.leaf(law(chances, [self.says(way) for way in ways]))
            return None

        return self._apply({}, decide, tuple(part for _, part in listed))

    def _rebuilt(
        self,
        number: int,
        leaf: Callable[[int], int],
        mix: Callable[[Iterable[tuple[Fraction, int]]], int],
        either: Callable[[Iterable[int]], int],
    ) -> int:
        """Build a diagram again from its leaves up."""
        if self.nodes[number].rank == LEAF:
            return leaf(number)
        made: dict[int, int] = {}
        pending = [number]
        while pending:
            current = pending[-1]
            node = self.nodes[current]
            missing = [way for way in node.ways if way not in made]
            if current in made or not missing:
                pending.pop()
                if current not in made:
                    ways = [made[way] for way in node.ways]
                    made[current] = (
                        leaf(current) if node.rank == LEAF
                        else current if ways == list(node.ways)
                        else mix(zip(node.cuts, ways, strict=True)) if node.rank == MIX
                        else either(ways) if node.rank == EITHER
                        else self.select(node.rank, node.cuts, ways)
                    )  # fmt: skip
            elif all(self.nodes[way].rank == LEAF for way in missing):
                made.update((way, leaf(way)) for way in dict.fromkeys(reversed(missing)))
            else:
                pending += missing
        return made[number]

    def select(self, rank: int, cuts: Sequence[Any], ways: Sequence[int]) -> int:
        """Return a node as `node` does, where its ways may ask the same field, or earlier ones."""

        def decide(parts: tuple[int, ...]) -> int | None:
            first = min(self.nodes[part].rank for part in parts)
            if first > rank:
                return self.node(rank, cuts, parts)
            return self._refined(rank, cuts, parts) if first == rank else None

        return self._apply({}, decide, tuple(ways))

    def _refined(self, rank: int, cuts: Sequence[Any], ways: Sequence[int]) -> int:
        """Cut a field's values further where the ways ask it again."""
        found: list[Any] = []
        chosen: list[int] = []
        for place, way in enumerate(ways):
            first = cuts[place - 1] if place else None
            after = cuts[place] if place < len(cuts) else None
            node = self.nodes[way]
            inner = node.cuts if node.rank == rank else ()
            low = 0 if first is None else bisect_right(inner, first)
            high = len(inner) if after is None else bisect_left(inner, after)
            found += [] if first is None else [first]
            found += inner[low:high]
            chosen += node.ways[low : high + 1] if node.rank == rank else [way]
        return self.node(rank, found, chosen)

    def within(self, number: int, rank: int, region: Region) -> int:
        """Return the diagram for values of a field in `region` alone: what happens elsewhere does not matter."""

        def narrowed(node: Node, ways: list[int]) -> int:
            cuts, kept = [], []
            for place, way in enumerate(ways):
                first = node.cuts[place - 1] if place else least(node)
                after = node.cuts[place] if place < len(node.cuts) else None
                if touches(region, first, after):
                    cuts.append(first)
                    kept.append(way)
            return self.node(rank, cuts[1:], kept)

        made: dict[int, int] = {}
        for current in self.from_below(number):
            node = self.nodes[current]
            ways = [made[way] for way in node.ways]
            if node.rank == rank:
                made[current] = narrowed(node, ways)
            elif ways == list(node.ways):
                made[current] = current
            elif node.rank == MIX:
                made[current] = self.mix(zip(node.cuts, ways, strict=True))
            else:
                made[current] = (
                    self.either(ways) if node.rank == EITHER else self.node(node.rank, node.cuts, ways)
                )
        return made[number]

    def asking(self, number: int, ranks: Mapping[int, int]) -> int:
        """Return the diagram that asks other fields: of each field the one that `ranks` says instead."""
        if all(rank == other for rank, other in ranks.items()):
            return number
        made: dict[int, int] = {}
        for current in self.from_below(number):
            node = self.nodes[current]
            ways = [made[way] for way in node.ways]
            if node.rank < EITHER:
                made[current] = self.select(ranks[node.rank], node.cuts, ways)
            elif node.rank == LEAF or ways == list(node.ways):
                made[current] = current
            else:
                made[current] = (
                    self.mix(zip(node.cuts, ways, strict=True)) if node.rank == MIX else self.either(ways)
                )
        return made[number]

    def combined(self, parts: tuple[int, ...], decide: Callable[[tuple[int, ...]], int | None]) -> int:
        """Combine diagrams field by field, until `decide` tells the result for what is left of them."""
        return self._apply({}, decide, parts)

    def with_chances(self, number: int, chances: Callable[[tuple[Fraction, ...]], Sequence[Fraction]]) -> int:
        """Return the diagram with what `chances` makes of those of each mixing node, which sum to 1."""
        made: dict[int, int] = {}
        for current in self.from_below(number):
            node = self.nodes[current]
            ways = [made[way] for way in node.ways]
            if node.rank == MIX:
                made[current] = self.mix(zip(chances(node.cuts), ways, strict=True))
            elif ways == list(node.ways):
                made[current] = current
            else:
                made[current] = (
                    self.either(ways) if node.rank == EITHER else self.node(node.rank, node.cuts, ways)
                )
        return made[number]

    def merged_laws(self, parts: Iterable[tuple[Fraction, int]]) -> int:
        """Return the law of several parts, each with its chance, as `flattened` does of a whole diagram.

        The chances need not sum to 1.
        """
        return self._merged([(chance, self.flattened(part)) for chance, part in parts], mixed_law)

    def _apply(
        self,
        made: dict[tuple[int, ...], int],
        decide: Callable[[tuple[int, ...]], int | None],
        parts: tuple[int, ...],
    ) -> int:
        """Combine diagrams field by field, until `decide` tells the result for what is left of them."""
        result = decide(parts)
        if result is not None:
            return result
        if parts in made:
            return made[parts]
        open_ = [_Open(self, parts)]
        while True:
            current = open_[-1]
            below = current.next()
            if below is None:
                result = made[current.parts] = self.node(current.rank, current.cuts, current.ways)
                open_.pop()
                if not open_:
                    return result
                open_[-1].ways.append(result)
                continue
            result = decide(below)
            if result is None:
                result = made.get(below)
            if result is None:
                open_.append(_Open(self, below))
            else:
                current.ways.append(result)


class _Open:
    """Several diagrams that are being combined: cut at the first field that any of them asks."""

    __slots__ = ("cuts", "parts", "rank", "stretches", "ways")

    def __init__(self, diagrams: Diagrams, parts: tuple[int, ...]) -> None:
        nodes = [diagrams.nodes[part] for part in parts]
        self.parts = parts
        self.rank = min(node.rank for node in nodes)
        cuts: set[Any] = set()
        for node in nodes:
            if node.rank == self.rank:
                cuts.update(node.cuts)
        self.cuts = sorted(cuts)
        self.ways: list[int] = []
        columns = [
            ways_between(node, self.cuts) if node.rank == self.rank else [part] * (len(self.cuts) + 1)
            for part, node in zip(parts, nodes, strict=True)
        ]
        self.stretches = list(zip(*columns, strict=True))

    def next(self) -> tuple[int, ...] | None:
        """Return the parts of the next stretch that has no result; None after the last."""
        return self.stretches[len(self.ways)] if len(self.ways) < len(self.stretches) else None
