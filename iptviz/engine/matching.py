"""Whether a rule matches a partly known packet: yes, no, with a chance, or depending on conditions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.chance import CERTAIN, NEVER, statistic_chance
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.meanings import Truth, basic_truth, match_truths, unknown

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.engine.packet import Packet


class RuleTruth(NamedTuple):
    """A rule matches with `chance` (in [0, 1]) provided that all of `needs` hold."""

    chance: Fraction
    needs: tuple[Assumption, ...]


def rule_truth(rule: Rule, packet: Packet) -> RuleTruth:
    """Return whether `rule` matches `packet`; a rule that cannot match has chance 0 and no needs."""
    chance, needs = CERTAIN, []
    for truth in _truths(rule, packet):
        if truth is False:
            return RuleTruth(NEVER, ())
        if isinstance(truth, Fraction):
            chance *= truth
        elif isinstance(truth, Assumption):
            needs.append(_dated(truth, rule))
    return RuleTruth(chance, tuple(dict.fromkeys(needs))) if chance else RuleTruth(NEVER, ())


def _dated(truth: Assumption, rule: Rule) -> Assumption:
    """Tie a question about the mark to the rule that asks it: a rule in between may have changed the mark."""
    kind, value = truth.condition
    return (
        Assumption(Condition(kind, f"{value} at line {rule.line}"), truth.holds) if kind == "mark" else truth
    )


def raw_chance(rule: Rule) -> Fraction:
    """Return the chance, in [0, 1], that the rule's `-m statistic` alone gives; 1 without one."""
    chance = CERTAIN
    for match in rule.matches:
        if match.name == "statistic":
            own = statistic_chance(match)
            chance *= CERTAIN if own is None else own
    return chance


def _truths(rule: Rule, packet: Packet) -> list[Truth]:
    truths = [basic_truth(option, packet) for option in rule.parts.basics]
    for match in rule.matches:
        truths += match_truths(match, packet)
    truths += [
        unknown(one.option.text()) for one in rule.parts.unknown if not one.option.name.startswith("-m ")
    ]
    if rule.parts.problem:
        truths.append(unknown(f"a rule that cannot be read ({rule.parts.problem})"))
    return truths
