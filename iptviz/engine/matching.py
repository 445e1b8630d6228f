"""Whether a rule matches a partly known packet: yes, no, with a chance, or depending on conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.engine.condition import Assumption
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.host import UNKNOWN_HOST, Host
from iptviz.engine.meanings.table import CHANCE, MEANINGS
from iptviz.engine.meanings.truth import RuleTruth

if TYPE_CHECKING:
    from fractions import Fraction

    from iptviz.engine.implications import Assumed
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import CompiledRule


def rule_truth(rule: CompiledRule, packet: Packet, host: Host = UNKNOWN_HOST) -> RuleTruth:
    """Return whether `rule` matches `packet`; a rule that cannot match has chance 0 and no needs."""
    chance, needs = CERTAIN, []
    for test in rule.tests:
        truth = MEANINGS[test.kind](test, packet, host)
        if truth is True:
            continue
        if truth is False:
            return RuleTruth(NEVER, ())
        if isinstance(truth, Assumption):
            needs.append(_of_rule(truth, rule))
        else:
            chance *= truth
    return RuleTruth(chance, tuple(dict.fromkeys(needs))) if chance else RuleTruth(NEVER, ())


def why_not(rule: CompiledRule, packet: Packet, host: Host, assumed: Assumed) -> str:
    """Return what of `rule` is not so for `packet`: a part as it stands, or a chance that did not come."""
    for test in rule.tests:
        truth = MEANINGS[test.kind](test, packet, host)
        if not isinstance(truth, Assumption):
            if not truth:
                return test.part
            continue
        need = _of_rule(truth, rule)
        if assumed.answer(need.condition) != need.holds:
            return need.opposite().text
    return (
        "its chance did not come"
        if rule_truth(rule, packet, host).chance != CERTAIN
        else "another way was taken"
    )


def raw_chance(rule: CompiledRule) -> Fraction:
    """Return the chance, in [0, 1], that the rule's chances alone give, whatever else it asks; 1 without any."""
    chance = CERTAIN
    for test in rule.tests:
        if test.kind == CHANCE:
            chance *= test.operand
    return chance


def _of_rule(need: Assumption, rule: CompiledRule) -> Assumption:
    """Tie a question about a counter to the rule that keeps it."""
    if not CONDITION_KINDS[need.condition.kind].per_rule:
        return need
    return Assumption(need.condition._replace(rule=rule.place.line), need.holds)
