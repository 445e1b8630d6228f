"""Rules of a chain put together, from the last to the first.

Neighbours that ask one field are one node, built in a sweep over its values; neighbours that take their chances
are one mixing node.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import TYPE_CHECKING, Any

from iptviz.engine.chance import CERTAIN, bounded_cascade
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from fractions import Fraction

    from iptviz.engine.diagram import Diagrams
    from iptviz.engine.regions import Region


class Step(NamedTuple):
    """A rule that may match: in which regions of fields, under which other diagrams, with what chance, and then.

    `goes_on` says whether packets may come out of it as they were, so that the next rule is asked.
    """

    regions: dict[int, Region]
    others: tuple[int, ...]
    chance: Fraction
    then: int
    goes_on: bool

    @property
    def decides(self) -> bool:
        """Whether no packet comes to the next rule."""
        return not (self.regions or self.others or self.goes_on) and self.chance == CERTAIN

    @property
    def passes_some(self) -> bool:
        """Whether chance alone decides, and some packets go on even so: no other rule is put together with it."""
        return self.goes_on and self.chance != CERTAIN and not (self.regions or self.others)


def together(diagrams: Diagrams, steps: Sequence[Step], last: int, on: int) -> int:
    """Return what a list of rules does: the first that matches decides, and `last` happens otherwise.

    `on` is the leaf of a packet that goes on as it was.
    """
    return _Putting(diagrams, on).together(steps, last)


class _Putting:
    """Puts rules together that are asked about one packet; `on` is the leaf of what goes on as it was."""

    def __init__(self, diagrams: Diagrams, on: int) -> None:
        self.diagrams = diagrams
        self.on = on

    def together(self, steps: Sequence[Step], last: int) -> int:
        result = last
        at = len(steps)
        while at:
            start, field = _run_before(steps, at)
            run = steps[start:at]
            if len(run) == 1:
                result = self._before(steps[start], result)
            elif field is None:
                result = self._cascade(run, result)
            else:
                result = self._sweep(field, run, result)
            at = start
        return result

    def _before(self, step: Step, result: int) -> int:
        """Put one rule before what comes after it."""
        diagrams = self.diagrams
        value = step.then
        if step.goes_on:
            value = diagrams.replaced(value, lambda leaf: result if leaf == self.on else leaf)
        if step.chance != CERTAIN:
            value = diagrams.mix(((step.chance, value), (CERTAIN - step.chance, result)))
        for other in reversed(step.others):
            value = diagrams.choose(other, value, result)
        for field, region in step.regions.items():
            value = diagrams.choose(diagrams.test(field, region), value, result)
        return value

    def _cascade(self, run: Sequence[Step], result: int) -> int:
        """Rules that take their chances in turn: one mixing node, unless packets go on."""
        if any(step.goes_on for step in run):
            for step in reversed(run):
                result = self._before(step, result)
            return result
        shares, left = bounded_cascade(tuple(step.chance for step in run))
        parts = [(share, step.then) for share, step in zip(shares, run, strict=True)]
        return self.diagrams.mix([*parts, (left, result)])

    def _sweep(self, field: int, run: Sequence[Step], result: int) -> int:
        """Rules that ask one field: cut its values, and see which rules are left in each stretch."""
        rest = [
            step._replace(regions={rank: region for rank, region in step.regions.items() if rank != field})
            for step in run
        ]
        made: dict[tuple[int, ...], int] = {}
        ways: list[int] = []
        cuts, actives = _stretches([step.regions[field] for step in run], rest)
        for active in actives:
            if active not in made:
                made[active] = self.together([rest[place] for place in active], result)
            ways.append(made[active])
        return self.diagrams.select(field, cuts, ways)


def _run_before(steps: Sequence[Step], at: int) -> tuple[int, int | None]:
    """Return where a run of rules begins that ends before place `at`, and the field that all of them ask.

    Without a field it is a run of rules that ask none, or a single rule.
    """
    last = steps[at - 1]
    if last.others and not last.regions:
        return at - 1, None
    fields: list[int | None] = [*sorted(last.regions)] or [None]
    found = [(_start(steps, at, field), field) for field in fields]
    return min(found, key=lambda run: run[0])


def _start(steps: Sequence[Step], at: int, field: int | None) -> int:
    """Return where the run begins in which all rules ask `field`, or no rule asks anything."""
    start = at - 1
    while start and _is_like(steps[start - 1], field):
        start -= 1
    return start


def _is_like(step: Step, field: int | None) -> bool:
    return not (step.regions or step.others) if field is None else field in step.regions


def _stretches(regions: Sequence[Region], steps: Sequence[Step]) -> tuple[list[Any], list[tuple[int, ...]]]:
    """Cut the values of a field where any region begins or ends; return the places of the steps in each stretch.

    Those behind a step that lets nothing pass are left out.
    """
    starts: dict[Any, list[int]] = {}
    ends: dict[Any, list[int]] = {}
    for place, region in enumerate(regions):
        for first, after in region:
            starts.setdefault(first, []).append(place)
            if after is not None:
                ends.setdefault(after, []).append(place)
    cuts: list[Any] = []
    actives: list[tuple[int, ...]] = []
    open_: list[int] = []
    for cut in sorted({*starts, *ends}):
        if not actives and cut:
            actives.append(())
        for place in ends.get(cut, ()):
            open_.pop(bisect_left(open_, place))
        for place in starts.get(cut, ()):
            insort(open_, place)
        active = tuple(_asked(open_, steps))
        if not actives:
            actives.append(active)
        else:
            cuts.append(cut)
            actives.append(active)
    return cuts, actives


def _asked(places: Iterable[int], steps: Sequence[Step]) -> Iterator[int]:
    for place in places:
        yield place
        if steps[place].decides:
            return
