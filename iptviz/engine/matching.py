"""Whether a rule matches a partly known packet: yes, no, with a chance, or depending on conditions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, NEVER, times
from iptviz.engine.condition import Assumption
from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.host import UNKNOWN_HOST, Host
from iptviz.engine.meanings.lists import TURN, after, changes
from iptviz.engine.meanings.table import MEANINGS, SHARES
from iptviz.engine.meanings.truth import RuleTruth, needs_of
from iptviz.engine.packet import COUNTED, COUNTED_LATER, UNCOUNTED
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.engine.condition import Condition
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import CompiledRule, Test

    Answer = Callable[[Condition], bool | None]


def rule_truth(
    rule: CompiledRule, packet: Packet, host: Host = UNKNOWN_HOST, tests: Sequence[Test] | None = None
) -> RuleTruth:
    """Return whether `rule`, or some of its `tests`, match; what cannot match has chance 0 and no needs."""
    chance, needs = CERTAIN, []
    for test in rule.tests if tests is None else tests:
        truth = MEANINGS[test.kind](test, packet, host)
        if truth is True:
            continue
        if truth is False:
            return RuleTruth(NEVER, ())
        if isinstance(truth, Fraction):
            chance = times(chance, truth)
        else:
            needs += [_of_rule(need, rule) for need in needs_of(truth)]
    if not chance:
        return RuleTruth(NEVER, ())
    return RuleTruth(chance, tuple(dict.fromkeys(needs)) if needs else ())


class Turn(NamedTuple):
    """Some tests of a rule, in their turn: whether they hold, and the packet after those that did and did not.

    `counts` says that a count decides.
    """

    truth: RuleTruth
    held: Packet
    missed: Packet
    counts: bool = False


_REACH = ("", COUNTED_LATER, COUNTED, UNCOUNTED)


def missed_of(turns: Sequence[Turn], goes: str) -> list[Packet]:
    """Return the packets after each turn's miss; those that the rule takes go that far: see `Packet.counted`.

    A count tells those that it misses from others where these come to the same rules, be it by a later miss.
    """
    missed: list[Packet] = []
    for turn in reversed(turns):
        told = max(goes, turn.missed.counted, key=_REACH.index)
        missed.append(turn.missed._replace(counted=told) if turn.counts else turn.missed)
        goes = goes if turn.truth == _CERTAINLY else COUNTED
    return missed[::-1]


_CERTAINLY = RuleTruth(CERTAIN, ())


def turns_of(rule: CompiledRule, packet: Packet, host: Host) -> list[Turn]:
    """Return the tests of a rule that records in their turns: one that changes a list has its own.

    The kernel asks the matches of a rule from left to right until one fails, and a list is changed whatever later
    ones say.
    """
    turns: list[Turn] = []
    together: list[Test] = []
    for test in (*rule.tests, None):
        if test is not None and not changes(test):
            together.append(test)
            continue
        if together:
            turns.append(Turn(rule_truth(rule, packet, host, together), packet, packet))
            together = []
        if test is not None:
            truth, counts = rule_truth(rule, packet, host, (test,)), test.kind == TURN
            held = after(test, packet, holds=True)
            missed = packet if counts else after(test, packet, holds=False)
            turns.append(Turn(truth, held, missed, counts))
            packet = held
        if turns and not turns[-1].truth.chance:
            break
    return turns


def settled(truth: RuleTruth, answer: Answer) -> RuleTruth:
    """Drop the needs that are known to hold; a rule with a need that does not hold never matches."""
    if not truth.needs:
        return truth
    unanswered = []
    for need in truth.needs:
        answered = answer(need.condition)
        if answered is None:
            unanswered.append(need)
        elif answered != need.holds:
            return RuleTruth(NEVER, ())
    return RuleTruth(truth.chance, tuple(unanswered))


def why_not(rule: CompiledRule, packet: Packet, host: Host, answer: Answer) -> str:
    """Return what of `rule` is not so for `packet`: a part as it stands, or a chance that did not come."""
    for test in rule.tests:
        truth = MEANINGS[test.kind](test, packet, host)
        if not truth:
            return test.part
        for need in () if isinstance(truth, bool | Fraction) else needs_of(truth):
            asked = _of_rule(need, rule)
            if answer(asked.condition) != asked.holds:
                return asked.opposite().text
    return (
        "not chosen by its probability"
        if rule_truth(rule, packet, host).chance != CERTAIN
        else "another path was taken"
    )


def raw_chance(rule: CompiledRule) -> Fraction:
    """Return the chance, in [0, 1], that the rule's chances alone give, whatever else it asks; 1 without any."""
    chance = CERTAIN
    for test in rule.tests:
        if test.kind in SHARES:
            chance *= test.operand
    return chance


def _of_rule(need: Assumption, rule: CompiledRule) -> Assumption:
    """Tie a question about a counter to the rule that keeps it."""
    if not CONDITION_KINDS[need.condition.kind].per_rule:
        return need
    return Assumption(need.condition._replace(rule=rule.place.line), need.holds)
