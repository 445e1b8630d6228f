"""Why not: the rules on a packet's way that were asked and did not match, each with what it failed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.matching import why_not
from iptviz.engine.path import CONNECTION, MISSED, Path, Step, joined, steps_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.engine.answers import Answers
    from iptviz.engine.hooks import Hooks
    from iptviz.engine.outcome import Outcome
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import CompiledRule


def explained(hooks: Hooks, witness: Answers, outcome: Outcome) -> Outcome:
    """Return `outcome` with the rules in its path that did not match, up to the last one that did.

    Of a long chain only the rules that may concern the packet's destination are told.
    """
    steps, complete = steps_of(outcome.path)
    if not complete:
        return outcome
    teller = _Teller(hooks, witness)
    path: Path | None = None
    for step in steps:
        for shown in (*teller.before(step), step):
            path = joined(path, shown)
    return outcome._replace(path=path)


class _Place(NamedTuple):
    """A chain: the place of its dump among those that the packet passes, its table, its name."""

    layer: int
    table: str
    chain: str


class _Teller:
    """Follows a path and knows how far each open chain was walked."""

    def __init__(self, hooks: Hooks, witness: Answers) -> None:
        self.hooks = hooks
        self.witness = witness
        self._open: list[tuple[_Place, int]] = []  # a chain, the number of the last rule asked in it

    def before(self, step: Step) -> Iterator[Step]:
        """Yield the rules that were asked in vain before `step`, then remember where `step` leads."""
        if step.kind == CONNECTION or step.table not in self.hooks.rules[step.layer].tables:
            return
        place = _Place(step.layer, step.table, step.chain)
        while self._open and not self._continues(step):
            yield from self._between(*self._open.pop(), None, step.packet)
        asked = self._open.pop()[1] if self._open else 0
        yield from self._between(place, asked, step.rule.number if step.rule else None, step.packet)
        self._enter(step)

    def _enter(self, step: Step) -> None:
        if step.rule is None or step.ends:
            self._open.clear()
            return
        if step.back:
            self._open.append((_Place(step.layer, step.table, step.chain), step.rule.number))
        if step.into:
            self._open.append((_Place(step.layer, step.table, step.into), 0))

    def _continues(self, step: Step) -> bool:
        """Whether `step` lies further down in the innermost open chain."""
        place, number = self._open[-1]
        here = place == (step.layer, step.table, step.chain)
        return here and (step.rule is None or step.rule.number > number)

    def _between(self, place: _Place, after: int, until: int | None, packet: Packet) -> Iterator[Step]:
        for rule in self._rules(place, packet):
            at = rule.place
            if after < at.number and (until is None or at.number < until):
                reason = why_not(rule, packet, self.hooks.host, self.witness.answer)
                yield Step(place.table, place.chain, at, reason, packet, kind=MISSED, layer=place.layer)

    def _rules(self, place: _Place, packet: Packet) -> Sequence[CompiledRule]:
        table = self.hooks.rules[place.layer].tables[place.table]
        return table.towards(place.chain, packet.destination, packet.destination_port)
