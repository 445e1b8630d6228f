"""One client of a case: a value for each field that is asked, so that every question has an answer.

Of a field that the case leaves open the value is one that no condition names, if there is any: fewer rules match.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.engine.chance import NEVER
from iptviz.engine.condition import Assumption
from iptviz.engine.fields import FIELD_KINDS
from iptviz.engine.meanings.truth import RuleTruth
from iptviz.engine.regions import common, complement, holds_value, touches
from iptviz.engine.words import named_part, told

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iptviz.engine.condition import Condition, When
    from iptviz.engine.regions import Region
    from iptviz.engine.unknowns import Unknowns


class Witness:
    """Answers for one case: `regions` are those of its fields, by their ranks.

    `values` are those of fields that were chosen before; a client that two nodes are asked about has the same.
    """

    def __init__(
        self, unknowns: Unknowns, regions: Mapping[int, Region], values: dict[int, Any] | None = None
    ) -> None:
        self.unknowns = unknowns
        self.regions = regions
        self.values: dict[int, Any] = {} if values is None else values
        self._answered: dict[Condition, bool] = {}

    def answer(self, condition: Condition) -> bool:
        """Return whether a condition holds of this client."""
        if condition not in self._answered:
            self._answered[condition] = self._answer(condition)
        return self._answered[condition]

    def left_open(self) -> Iterator[Assumption]:
        """Yield what was answered for this client, and is answered otherwise for others of its case."""
        regions: dict[int, Region] = {}
        for condition, holds in self._answered.items():
            if self.told(condition) is not None:
                continue
            rank, region = self._asked_of(condition)
            if rank is None:
                yield Assumption(condition, holds=holds)
            else:
                part = region if holds else complement(region, self.unknowns.fields[rank].least)
                regions[rank] = common(regions.get(rank) or self._region(rank), part)
        for rank, region in regions.items():
            yield from self.told_of(rank, region)

    def told_of(self, rank: int, region: Region) -> When:
        """Return in words in which part of a region a field of this client is."""
        parts = told(self.unknowns, rank, region)
        return next((needs for needs, values in parts if holds_value(values, self.value(rank))), ())

    def _asked_of(self, condition: Condition) -> tuple[int | None, Region]:
        """Return the field that alone a condition asks about, and for which values it holds; None for several."""
        diagrams, number = self.unknowns.diagrams, self.unknowns.condition(condition)
        rank = diagrams.asks(number)
        alone = all(diagrams.is_leaf(way) for way in diagrams.nodes[number].ways)
        if rank is None or not alone or self.unknowns.fields[rank].kind not in FIELD_KINDS:
            return None, ()
        return rank, diagrams.region(number)

    def _answer(self, condition: Condition) -> bool:
        diagrams = self.unknowns.diagrams
        current = self.unknowns.condition(condition)
        while not diagrams.is_leaf(current):
            rank = diagrams.asks(current)
            # What was left open has several ways: the first of them is as good as any.
            current = (
                diagrams.nodes[current].ways[0] if rank is None
                else diagrams.at(current, rank, self.value(rank))
            )  # fmt: skip
        return bool(diagrams.says(current))

    def settle(self, truth: RuleTruth) -> RuleTruth:
        """Return whether a rule matches, with its chance, once what it needs is answered."""
        if all(self.answer(need.condition) == need.holds for need in truth.needs):
            return RuleTruth(truth.chance, ())
        return RuleTruth(NEVER, ())

    def told(self, condition: Condition) -> bool | None:
        """Return whether a condition holds of all clients of the case; None where that differs."""
        if not self.regions:
            return self.unknowns.told(condition)
        answers = set()
        diagrams = self.unknowns.diagrams
        pending = [self.unknowns.condition(condition)]
        while pending:
            current = pending.pop()
            rank, node = diagrams.asks(current), diagrams.nodes[current]
            if diagrams.is_leaf(current):
                answers.add(bool(diagrams.says(current)))
            elif rank is None:
                pending += node.ways
            else:
                bounds = [self.unknowns.fields[rank].least, *node.cuts, None]
                pending += [
                    way
                    for way, first, after in zip(node.ways, bounds[:-1], bounds[1:], strict=True)
                    if touches(self._region(rank), first, after)
                ]
        return answers.pop() if len(answers) == 1 else None

    def client(self) -> Iterator[Assumption]:
        """Yield what tells this client from others of the case: which of several named values it has."""
        for rank, region in self.regions.items():
            if self.unknowns.fields[rank].kind in FIELD_KINDS:
                part = named_part(self.unknowns, rank, region, self.value(rank))
                if part is not None:
                    yield part

    def leaves(self, number: int) -> Iterator[int]:
        """Yield the leaves of a diagram to which chance may lead this client, some twice."""
        diagrams = self.unknowns.diagrams
        pending = [number]
        while pending:
            current = pending.pop()
            rank = diagrams.asks(current)
            if diagrams.is_leaf(current):
                yield current
            elif rank is None:
                pending += diagrams.nodes[current].ways
            else:
                pending.append(diagrams.at(current, rank, self.value(rank)))

    def is_of(self, regions: Mapping[int, Region]) -> bool:
        """Whether the values of this client lie in regions of fields, by their ranks."""
        return all(holds_value(region, self.value(rank)) for rank, region in regions.items())

    def _region(self, rank: int) -> Region:
        return self.regions.get(rank) or self.unknowns.known(self.unknowns.fields[rank])

    def value(self, rank: int) -> Any:
        """Return the value of a field."""
        if rank not in self.values:
            region = common(self._region(rank), self.unknowns.known(self.unknowns.fields[rank]))
            others = common(region, self.unknowns.unnamed(rank))
            self.values[rank] = (others or region)[0][0]
        return self.values[rank]
