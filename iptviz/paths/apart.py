"""What tells clients apart: all that is asked before nat has chosen, or of every endpoint alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN
from iptviz.engine.nodes import EITHER, MIX, ways_between
from iptviz.paths.mirrored import is_of_endpoint
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from iptviz.engine.regions import Region
    from iptviz.engine.unknowns import Unknowns
    from iptviz.paths.ends import Ends

_MOST_ASKED_OF_ALL = 8
"""More questions that are asked of all endpoints alike stay in the rows: each doubles the entries."""

_MOST_BOUND = 2
"""More questions that are asked only of some interfaces to each endpoint stay in the rows, too: policies of pods,
each asked where connections leave by the interface of its pod, would tell clients apart by all of them."""

Part = tuple["Fraction", int]
"""A share (in [0, 1]) of connections, and the diagram of how they end."""


class Choice(NamedTuple):
    """What nat chooses among, for some clients: how each part of connections ends, for these clients.

    `parts` are the same with who decides that, for whatever clients.
    """

    ends: tuple[Part, ...]
    parts: tuple[Part, ...]


class ToldApart:
    """Tells the clients of one kind apart; the leaves of `diagram_of` are the places of `choices`."""

    def __init__(self, unknowns: Unknowns, ends: Ends) -> None:
        self.choices: list[Choice] = []
        self._unknowns = unknowns
        self._diagrams = unknowns.diagrams
        self._ends = ends
        self._places: dict[Choice, int] = {}
        self._within: dict[tuple[int, frozenset[tuple[int, Region]]], int] = {}

    def diagram_of(self, top: int) -> int:
        """Return what a diagram asks before any chance, and what is asked of all that it then leads to."""
        nodes = self._diagrams.nodes
        made: dict[int, int] = {}
        pending = [top]
        while pending:
            number = pending[-1]
            node = nodes[number]
            missing = [way for way in node.ways if way not in made] if node.rank < EITHER else []
            if missing and number not in made:
                pending += missing
                continue
            pending.pop()
            if number not in made:
                made[number] = (
                    self._asked_of_all(number)
                    if node.rank >= EITHER
                    else self._diagrams.select(node.rank, node.cuts, [made[way] for way in node.ways])
                )
        return made[top]

    def within(self, number: int, regions: Mapping[int, Region]) -> int:
        """Return a diagram for clients whose fields lie in `regions`."""
        if self._diagrams.is_leaf(number):
            return number
        asked = frozenset((rank, regions[rank]) for rank in self._asked(number).intersection(regions))
        key = number, asked
        if key not in self._within:
            for rank, region in asked:
                number = self._diagrams.within(number, rank, region)
            self._within[key] = number
        return self._within[key]

    def _asked_of_all(self, number: int) -> int:
        """Return what comes of a choice, by what is asked of all alike."""
        node = self._diagrams.nodes[number]
        chosen = list(zip(node.cuts, node.ways, strict=True)) if node.rank == MIX else [(CERTAIN, number)]
        parts = tuple((share, self._ends.of(way)) for share, way in chosen)
        ends = tuple((share, self._ends.bare(part)) for share, part in parts)
        asked = [self._asked(part) for _, part in parts]
        telling = set[int]().union(*(self._asked(part) for _, part in ends))
        shared = telling.intersection(*asked)
        bound = shared.difference(*(self._asked_first(part) for _, part in ends))
        if len(bound) > _MOST_BOUND:
            shared -= bound
        return self._split(Choice(ends, parts), sorted(shared)[:_MOST_ASKED_OF_ALL])

    def _asked(self, number: int) -> set[int]:
        """Return the ranks of the fields that a diagram asks, and that are not those of one endpoint."""
        ranks = {self._diagrams.asks(each) for each in self._diagrams.from_below(number)}
        return {
            rank for rank in ranks if rank is not None and not is_of_endpoint(self._unknowns.fields[rank])
        }

    def _asked_first(self, number: int) -> set[int]:
        """Return the ranks of the fields that are asked whatever interface leads to the endpoint."""
        nodes, found, seen, pending = self._diagrams.nodes, set[int](), {number}, [number]
        while pending:
            node = nodes[pending.pop()]
            if node.rank < EITHER:
                field = self._unknowns.fields[node.rank]
                if field.kind == "out-interface" and is_of_endpoint(field):
                    continue
                found.add(node.rank)
            pending += [way for way in node.ways if way not in seen]
            seen.update(node.ways)
        return found

    def _split(self, choice: Choice, ranks: Sequence[int]) -> int:
        """Tell clients apart by some fields; those for whom all that asks a field goes the same way are one."""
        if not ranks:
            place = self._places.setdefault(choice, len(self.choices))
            if place == len(self.choices):
                self.choices.append(choice)
            return self._diagrams.leaf(place)
        rank, *others = ranks
        nodes = self._diagrams.nodes
        below = dict.fromkeys(each for _, part in choice.ends for each in self._diagrams.from_below(part))
        asking = [nodes[each] for each in below if nodes[each].rank == rank]
        if not asking:
            return self._split(choice, others)
        cuts = sorted({cut for node in asking for cut in node.cuts})
        bounds = [self._unknowns.fields[rank].least, *cuts, None]
        columns = zip(*(ways_between(node, cuts) for node in asking), strict=True)
        made: dict[tuple[int, ...], int] = {}
        ways = []
        for first, after, taken in zip(bounds[:-1], bounds[1:], columns, strict=True):
            if taken not in made:
                ends = tuple(
                    (share, self._diagrams.within(part, rank, ((first, after),)))
                    for share, part in choice.ends
                )
                made[taken] = self._split(choice._replace(ends=ends), others)
            ways.append(made[taken])
        return self._diagrams.select(rank, cuts, ways)
