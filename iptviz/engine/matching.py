"""Whether a rule matches a partly known packet: yes, no, with a chance, or depending on conditions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, NEVER, statistic_chance
from iptviz.engine.condition import Assumption
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.host import UNKNOWN_HOST, Host
from iptviz.engine.meanings.addresses import basic_truth
from iptviz.engine.meanings.table import match_truths
from iptviz.engine.meanings.truth import RuleTruth, Truth, unknown
from iptviz.xtables.targets import target_spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.rule import Rule
    from iptviz.engine.implications import Assumed
    from iptviz.engine.packet import Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option


def rule_truth(rule: Rule, packet: Packet, host: Host = UNKNOWN_HOST) -> RuleTruth:
    """Return whether `rule` matches `packet`; a rule that cannot match has chance 0 and no needs."""
    chance, needs = CERTAIN, []
    for truth in _truths(rule, packet, host):
        if truth is False:
            return RuleTruth(NEVER, ())
        if isinstance(truth, Fraction):
            chance *= truth
        elif isinstance(truth, Assumption):
            needs.append(truth)
    return RuleTruth(chance, tuple(dict.fromkeys(needs))) if chance else RuleTruth(NEVER, ())


def why_not(rule: Rule, packet: Packet, host: Host, assumed: Assumed) -> str:
    """Return what of `rule` is not so for `packet`: an option as it stands, or a chance that did not come."""
    for part, truths in _parts(rule, packet, host):
        for truth in truths:
            if truth is False or truth == NEVER:
                return part.text() if part else "cannot be read"
            if isinstance(truth, Assumption) and assumed.answer(truth.condition) != truth.holds:
                return truth.opposite().text
    return (
        "its chance did not come"
        if rule_truth(rule, packet, host).chance != CERTAIN
        else "another way was taken"
    )


def raw_chance(rule: Rule) -> Fraction:
    """Return the chance, in [0, 1], that the rule's `-m statistic` alone gives; 1 without one."""
    chance = CERTAIN
    for match in rule.matches:
        if match.name == "statistic":
            own = statistic_chance(match)
            chance *= CERTAIN if own is None else own
    return chance


def _truths(rule: Rule, packet: Packet, host: Host) -> Iterator[Truth]:
    for _, truths in _parts(rule, packet, host):
        yield from truths


def _parts(rule: Rule, packet: Packet, host: Host) -> Iterator[tuple[Option | Match | None, list[Truth]]]:
    """Yield each part of a rule, None for what cannot be read, with what it says of the packet."""
    parts = rule.parts
    for option in parts.basics:
        yield option, [basic_truth(option, packet)]
    for match in parts.matches:
        yield match, [_of_rule(truth, rule) for truth in match_truths(match, packet, host)]
    for option, place in parts.unknown:
        # What follows an unknown target belongs to it; the target is a condition of its own.
        of_target = place > len(parts.matches) and rule.target and not target_spec(rule.target.name)
        if not option.name.startswith("-m ") and not of_target:
            yield option, [unknown(option.text())]
    if parts.problem:
        problem = f"a rule that cannot be read ({parts.problem})"
        yield None, [unknown(problem)]


def _of_rule(truth: Truth, rule: Rule) -> Truth:
    """Tie a question about a counter to the rule that keeps it."""
    if not isinstance(truth, Assumption) or not CONDITION_KINDS[truth.condition.kind].per_rule:
        return truth
    return Assumption(truth.condition._replace(rule=rule.line), truth.holds)
