"""The cases of a survey: which clients' connections end at other rules than others', or are noted by others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.cases import cases_of
from iptviz.engine.chains import Chains, Ended, Left
from iptviz.engine.host import UNKNOWN_HOST
from iptviz.engine.knowing import within_bounds
from iptviz.engine.passive import ENTRY, HOOK
from iptviz.engine.unknowns import Unknowns
from iptviz.engine.witness import Witness

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.engine.chains import Request
    from iptviz.engine.condition import When
    from iptviz.engine.effects import BrokenJumps, Stop
    from iptviz.engine.fields import Field
    from iptviz.engine.packet import Packet
    from iptviz.engine.passive import PassiveRules
    from iptviz.rules.form import CompiledRule, RuleTable


def cases(
    table: RuleTable,
    packet: Packet,
    entry: Sequence[CompiledRule],
    passive: PassiveRules,
    broken: BrokenJumps,
) -> tuple[list[tuple[When, Witness]], tuple[Field, ...]]:
    """Return the cases of `packet`, each with a client, and the fields that are left open.

    `entry` are the rules that are asked first; `broken` is told what jumps lead nowhere.
    """

    def told(unknowns: Unknowns) -> tuple[list[tuple[When, Witness]], tuple[Field, ...]]:
        diagrams = unknowns.diagrams
        ends = _SurveyedChains(unknowns, table, entry, passive, broken).run(ENTRY, packet)
        seen = diagrams.replaced(ends, lambda leaf: diagrams.leaf(_seen(diagrams.says(leaf))))
        found = cases_of(unknowns, unknowns.narrowed(diagrams.flattened(seen)))
        return [(case.when, Witness(unknowns, case.regions)) for case in found], unknowns.left_open

    return within_bounds(lambda open_: Unknowns(table.family, open_=open_), told)


def _seen(says: Left | Ended) -> tuple[object, ...]:
    """Return what is told apart: the rule that ends the table, and what was noted on the way."""
    return (says.by if isinstance(says, Ended) else None), says.packet.noted


class _SurveyedChains(Chains):
    """Chains of which only matters where connections end, and what is noted."""

    def __init__(
        self,
        unknowns: Unknowns,
        table: RuleTable,
        entry: Sequence[CompiledRule],
        passive: PassiveRules,
        broken: BrokenJumps,
    ) -> None:
        super().__init__(unknowns, table, HOOK, UNKNOWN_HOST, broken)
        self._entry = entry
        self._passive = passive

    def rules(self, request: Request) -> Iterable[CompiledRule]:
        if request.chain:
            return super().rules(request)
        return self._entry[request.after :]

    def place(self, rule: CompiledRule, request: Request) -> int:
        if request.chain:
            return super().place(rule, request)
        return self._entry.index(rule) + 1

    def passed_by(self, rule: CompiledRule, packet: Packet) -> Packet | None:
        if not self._passive.has(rule):
            return None
        after, notes = self._passive.pass_by(rule, packet, self.unknowns.told)
        noted = [note for note, _ in notes if note not in after.noted]
        return after._replace(noted=(*after.noted, *noted)) if noted else after

    def broken_jump(self, rule: CompiledRule, packet: Packet) -> int:  # noqa: ARG002
        return self.diagrams.leaf(Left(packet))

    def end(self, rule: CompiledRule, stop: Stop) -> Ended:
        return Ended(stop.verdict, stop.packet, rule.place)
