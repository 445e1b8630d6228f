"""Why not: the rules on a packet's way that were asked and did not match, each with what it failed on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.by_destination import RulesByDestination
from iptviz.engine.implications import Assumed
from iptviz.engine.matching import why_not
from iptviz.engine.path import MISSED, Path, Step, joined, steps_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.engine.branches import Outcome
    from iptviz.engine.condition import Assumption
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet


def explained(dump: Dump, host: Host, given: tuple[Assumption, ...], outcome: Outcome) -> Outcome:
    """Return `outcome` with the rules in its path that did not match, up to the last one that did.

    Of a long chain only the rules that may concern the packet's destination are told.
    """
    steps, complete = steps_of(outcome.path)
    if not complete:
        return outcome
    teller = _Teller(dump, host, Assumed((*given, *outcome.when)))
    path: Path | None = None
    for step in steps:
        for shown in (*teller.before(step), step):
            path = joined(path, shown)
    return outcome._replace(path=path)


class _Teller:
    """Follows a path and knows how far each open chain was walked."""

    def __init__(self, dump: Dump, host: Host, assumed: Assumed) -> None:
        self.dump = dump
        self.host = host
        self.assumed = assumed
        self._open: list[tuple[str, str, int]] = []  # table, chain, the number of the last rule asked

    def before(self, step: Step) -> Iterator[Step]:
        """Yield the rules that were asked in vain before `step`, then remember where `step` leads."""
        if step.table not in self.dump.tables:
            return
        place = (step.table, step.chain)
        while self._open and not self._continues(step):
            yield from self._between(*self._open.pop(), None, step.packet)
        asked = self._open.pop()[2] if self._open else 0
        yield from self._between(*place, asked, step.rule.number if step.rule else None, step.packet)
        self._enter(step)

    def _enter(self, step: Step) -> None:
        rule = step.rule
        if rule is None or step.ends:
            self._open.clear()
            return
        callee = rule.jump
        returns = rule.target is not None and rule.target.name == "RETURN" and callee is None
        if not returns and not (rule.target and rule.target.goto):
            self._open.append((step.table, step.chain, rule.number))
        if callee is not None:
            self._open.append((step.table, callee, 0))

    def _continues(self, step: Step) -> bool:
        """Whether `step` lies further down in the innermost open chain."""
        table, chain, number = self._open[-1]
        return (table, chain) == (step.table, step.chain) and (step.rule is None or step.rule.number > number)

    def _between(
        self, table: str, chain: str, after: int, until: int | None, packet: Packet
    ) -> Iterator[Step]:
        for rule in self._rules(table, chain, packet):
            if after < rule.number and (until is None or rule.number < until):
                reason = why_not(rule, packet, self.host, self.assumed)
                yield Step(table, chain, rule, reason, packet, kind=MISSED)

    def _rules(self, table: str, chain: str, packet: Packet) -> Sequence[Rule]:
        if chain not in self.dump.tables[table].chains:
            return ()
        return RulesByDestination(self.dump.tables[table], chain).towards(packet.destination)
