"""What a rule that matches does: its target acts, or its jump cannot be taken."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import UNKNOWN, Effect, GoOn, Stop, TargetCall, UndecidedError
from iptviz.engine.targets.table import apply_target
from iptviz.rules.form import ASK, NOTHING, UNCLEAR, UNSEEN, is_granted

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from iptviz.engine.effects import BrokenJumps
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import CompiledRule, RuleTable


def effect_of(
    rule: CompiledRule,
    packet: Packet,
    hook: str,
    host: Host,
    answer: Callable[[Condition], bool | None],
    table: RuleTable | None = None,
) -> Effect:
    """Return what a rule of `table` does to a packet that matched, be it one whose chain cannot be entered.

    Raises:
        UndecidedError: that hangs on a condition without an answer.
    """
    if rule.action.kind == NOTHING:
        return GoOn(packet, "counted")
    if rule.action.kind == ASK:
        return GoOn(packet, "")
    if rule.action.kind == UNCLEAR:
        return _unread(rule, packet, answer)
    if rule.action.kind == UNSEEN:
        return Stop(UNKNOWN, packet, f"decided by an element of {rule.action.name}, none of which is shown")
    if rule.jump is not None:
        return _unentered(rule, packet, answer, table)
    return apply_target(TargetCall(rule, packet, hook, host, answer))


def _unread(rule: CompiledRule, packet: Packet, answer: Callable[[Condition], bool | None]) -> Effect:
    """Return what a rule does whose target may be among the words that cannot be read."""
    asked = Condition("unread", f"line {rule.place.line}")
    goes_on = answer(asked)
    if goes_on is None:
        raise UndecidedError(asked)
    return GoOn(packet, "counted") if goes_on else Stop("STOLEN", packet, "an unreadable target ends it")


def _unentered(
    rule: CompiledRule, packet: Packet, answer: Callable[[Condition], bool | None], table: RuleTable | None
) -> Effect:
    """Return what a jump does to a chain that no line shows, or that is entered already.

    The kernel has neither; so lines are lacking, or the name is that of a target which nothing here knows.
    """
    decides = table.decides_unseen(rule.action.name) if table else None
    unseen = Stop(UNKNOWN, packet, f"decided by {rule.action.name}, which this dump does not show")
    if decides:
        return unseen
    asked = Condition("target", rule.action.name)
    goes_on = answer(asked)
    if goes_on is None:
        raise UndecidedError(asked)
    if goes_on:
        return GoOn(packet, f"unknown target {rule.action.name}, continues")
    if decides is False:
        return unseen
    return Stop("STOLEN", packet, f"unknown target {rule.action.name}, ends it")


def note_broken(table: RuleTable, broken: BrokenJumps, rule: CompiledRule, entered: Collection[str]) -> bool:
    """Whether the kernel would refuse the jump of a rule, which is noted; `entered` are the chains on the way."""
    callee = rule.action.name
    shown = not is_granted(rule.place)
    if not table.has_chain(callee):
        broken.missing.update({rule.place: callee} if shown else {})
        return True
    if table.is_empty(callee) and shown:
        broken.empty_chains[rule.place] = callee
    if callee in entered:
        names = list(entered)
        broken.loops[rule.place] = (*names[names.index(callee) :], callee)
        return True
    return False
