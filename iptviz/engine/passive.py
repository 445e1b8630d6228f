"""Rules that can only mark, log or count: whatever they do, the next rule is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.branches import Note
from iptviz.engine.chance import CERTAIN
from iptviz.engine.effects import GoOn, TargetCall
from iptviz.engine.matching import RuleTruth, rule_truth
from iptviz.engine.targets.table import apply_target
from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from fractions import Fraction

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.engine.assumed import Assumed
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet

_ALWAYS = RuleTruth(CERTAIN, ())


class PassiveRules:
    """Tells the passive rules of a table, and what packets are like after them."""

    def __init__(self, table: Table, host: Host) -> None:
        self.table = table
        self.host = host
        self._chains: dict[str, bool] = {}

    def has(self, rule: Rule) -> bool:
        """Whether `rule` is one: without a target, with one that goes on, or a jump to such rules alone."""
        callee = rule.jump
        if rule.target is None:
            return True
        if callee is None:
            spec = target_spec(rule.target.name)
            return spec is not None and spec.continues
        return not rule.target.goto and callee in self.table.chains and self._is_passive_chain(callee)

    def _is_passive_chain(self, chain: str) -> bool:
        if chain not in self._chains:
            # Only a chain that calls no other is looked into; kube-proxy's marking chains are of that kind.
            rules = self.table.chains[chain].rules
            self._chains[chain] = all(one.jump is None and self.has(one) for one in rules)
        return self._chains[chain]

    def pass_by(
        self, rule: Rule, packet: Packet, assumed: Assumed
    ) -> tuple[Packet, list[tuple[Note, Fraction]]]:
        """Return the packet after a passive rule, and what is to be noted, each with its chance in [0, 1]."""
        notes: list[tuple[Note, Fraction]] = []
        jump = assumed.settle(rule_truth(rule, packet, self.host))
        for inner in self._rules_behind(rule) if jump.chance else ():
            own = _ALWAYS if inner == rule else assumed.settle(rule_truth(inner, packet, self.host))
            chance, needs = jump.chance * own.chance, jump.needs + own.needs
            if chance:
                notes.append((Note(inner, rule, needs), chance))
                after = self._after(inner, packet, assumed)
                surely = chance == CERTAIN and not needs
                packet = after if surely else packet.or_else(after, inner.line)
        return packet, notes

    def _rules_behind(self, rule: Rule) -> list[Rule]:
        """Return the rules of the chain that `rule` jumps to; without a jump, or any rule there, `rule`."""
        callee = rule.jump
        return (list(self.table.chains[callee].rules) if callee is not None else []) or [rule]

    def _after(self, rule: Rule, packet: Packet, assumed: Assumed) -> Packet:
        if rule.target is None or rule.jump is not None:
            return packet
        effect = apply_target(TargetCall(rule, rule.target, packet, rule.chain, self.host, assumed.answer))
        return effect.packet if isinstance(effect, GoOn) else packet
