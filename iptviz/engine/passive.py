"""Rules that can only mark, log or count, as a survey sees them: whatever they do, the next rule is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.acting import effect_of
from iptviz.engine.chance import CERTAIN
from iptviz.engine.effects import GoOn
from iptviz.engine.host import UNKNOWN_HOST
from iptviz.engine.matching import rule_truth, settled
from iptviz.engine.meanings.truth import RuleTruth
from iptviz.engine.packet import Note
from iptviz.rules.form import NOTHING, TARGET, UNCLEAR, is_granted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from fractions import Fraction

    from iptviz.engine.condition import Condition
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import CompiledRule, RuleTable

    Answer = Callable[[Condition], bool | None]

ENTRY = ""
"""The name under which the rules that are asked about stand as a chain."""
HOOK = "PREROUTING"
"""The built-in chain by which a survey enters."""

_ALWAYS = RuleTruth(CERTAIN, ())


class PassiveRules:
    """Tells the passive rules of a table, and what packets are like after them."""

    def __init__(self, table: RuleTable) -> None:
        self.table = table
        self._chains: dict[str, bool] = {}
        self._left_by: dict[tuple[CompiledRule, Packet, Answer, bool], Packet] = {}

    def has(self, rule: CompiledRule) -> bool:
        """Whether `rule` is one: without a target, with one that goes on, or a jump to such rules alone."""
        callee = rule.jump
        if callee is not None:
            return not rule.goto and self.table.has_chain(callee) and self._is_passive_chain(callee)
        if rule.more is not None:
            return False
        return rule.action.kind in {NOTHING, UNCLEAR} or (rule.action.known and rule.action.continues)

    def _is_passive_chain(self, chain: str) -> bool:
        if chain not in self._chains:
            # Only a chain that calls no other is looked into; kube-proxy's marking chains are of that kind.
            rules = self.table.rules_of(chain)
            self._chains[chain] = all(rule.jump is None and self.has(rule) for rule in rules)
        return self._chains[chain]

    def pass_by(
        self, rule: CompiledRule, packet: Packet, answer: Answer
    ) -> tuple[Packet, list[tuple[Note, Fraction]]]:
        """Return the packet after a passive rule, and what is to be noted, each with its chance in [0, 1]."""
        notes: list[tuple[Note, Fraction]] = []
        jump = settled(rule_truth(rule, packet), answer)
        for inner in self._rules_behind(rule) if jump.chance else ():
            own = _ALWAYS if inner is rule else settled(rule_truth(inner, packet), answer)
            chance, needs = jump.chance * own.chance, jump.needs + own.needs
            if chance:
                noted = rule if is_granted(inner.place) else inner
                notes.append((Note(noted.place, rule.place, needs), chance))
                packet = self._after(inner, packet, answer, surely=chance == 1 and not needs)
        return packet, notes

    def _rules_behind(self, rule: CompiledRule) -> Sequence[CompiledRule]:
        """Return the rules of the chain that `rule` jumps to; without a jump, or any rule there, `rule`."""
        return (self.table.rules_of(rule.jump) if rule.jump is not None else ()) or [rule]

    def _after(self, rule: CompiledRule, packet: Packet, answer: Answer, *, surely: bool) -> Packet:
        """Return the packet after a rule that matched, `surely` or perhaps; many jumps lead to one rule."""
        key = rule, packet, answer, surely
        left = self._left_by.get(key)
        if left is None:
            after = self._acted(rule, packet, answer)
            left = self._left_by[key] = after if surely else packet.or_else(after, rule.place.line)
        return left

    def _acted(self, rule: CompiledRule, packet: Packet, answer: Answer) -> Packet:
        if rule.action.kind != TARGET:
            return packet
        effect = effect_of(rule, packet, rule.chain, UNKNOWN_HOST, answer)
        return effect.packet if isinstance(effect, GoOn) else packet
