"""Whether a rule matches a partly known packet: yes, no, with a chance, or depending on conditions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.engine.condition import Assumption
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.host import UNKNOWN_HOST, Host
from iptviz.engine.meanings.table import CHANCE, MEANINGS
from iptviz.engine.meanings.truth import RuleTruth, Truth

if TYPE_CHECKING:
    from iptviz.engine.implications import Assumed
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import CompiledRule, Test


def rule_truth(rule: CompiledRule, packet: Packet, host: Host = UNKNOWN_HOST) -> RuleTruth:
    """Return whether `rule` matches `packet`; a rule that cannot match has chance 0 and no needs."""
    chance, needs = CERTAIN, []
    for test in rule.tests:
        truth = _truth(test, rule, packet, host)
        if truth is False:
            return RuleTruth(NEVER, ())
        if isinstance(truth, Fraction):
            chance *= truth
        elif isinstance(truth, Assumption):
            needs.append(truth)
    return RuleTruth(chance, tuple(dict.fromkeys(needs))) if chance else RuleTruth(NEVER, ())


def why_not(rule: CompiledRule, packet: Packet, host: Host, assumed: Assumed) -> str:
    """Return what of `rule` is not so for `packet`: a part as it stands, or a chance that did not come."""
    for test in rule.tests:
        truth = _truth(test, rule, packet, host)
        if truth is False or truth == NEVER:
            return test.part
        if isinstance(truth, Assumption) and assumed.answer(truth.condition) != truth.holds:
            return truth.opposite().text
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


def _truth(test: Test, rule: CompiledRule, packet: Packet, host: Host) -> Truth:
    """Return the truth of a test; a question about a counter is tied to the rule that keeps it."""
    truth = MEANINGS[test.kind](test, packet, host)
    if isinstance(truth, Assumption) and CONDITION_KINDS[truth.condition.kind].per_rule:
        return Assumption(truth.condition._replace(rule=rule.place.line), truth.holds)
    return truth
