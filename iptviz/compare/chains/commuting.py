"""Whether it matters which of two neighbouring rules is asked first."""

from __future__ import annotations

from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING

from iptviz.compare.chains.asked_values import apart, asks_of, meet
from iptviz.compare.chains.rule_effects import OF_THE_PACKET, SEEN, counts, of_action, of_tests
from iptviz.rules.form import TARGET
from iptviz.rules.iptables import compiled
from iptviz.xtables.values.numbers import Masked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.compare.chains.asked_values import Asks
    from iptviz.compare.chains.rule_effects import ChainDoings, Doing
    from iptviz.dump.rule import Rule


class Acting:
    """A rule as far as its place among others may matter.

    `doings` are those of its table on both sides, since a chain may do other things there. `is_whole`: the text
    shows all that the rule asks.
    """

    def __init__(self, rule: Rule, doings: Sequence[ChainDoings], *, is_whole: bool) -> None:
        self.rule = rule
        self._doings = doings
        self._is_whole = is_whole
        self._made = compiled(rule)

    @cached_property
    def asks(self) -> Asks:
        """What it asks, all of it."""
        found = asks_of(self._made.tests)
        return found if self._is_whole else found._replace(whole=False)

    @cached_property
    def gate(self) -> Asks:
        """What it asks before its first test that counts: what does not pass that leaves no trace."""
        before = tuple(takewhile(lambda test: not counts(test), self._made.tests))
        return self.asks if len(before) == len(self._made.tests) else asks_of(before)

    @cached_property
    def tested(self) -> Doing:
        """What its tests do."""
        return of_tests(self._made.tests)

    @cached_property
    def most(self) -> Doing:
        """What it may do at most with packets that match, told without a look at the chain that it leads to."""
        known = of_action(self._made.action)
        if known is not None:
            return known
        found = [doings.most for doings in self._doings]
        return found[0].and_also(found[-1])

    @cached_property
    def does(self) -> Doing:
        """What it may do with packets that match."""
        found = [doings.of(self._made) for doings in self._doings]
        return found[0].and_also(found[-1])

    @property
    def is_plain(self) -> bool:
        """Whether it certainly does what its target says, to each packet that matches by what it is."""
        action = self._made.action
        return action.kind == TARGET and action.known and not (self.tested.counts or self.does.counts)

    def does_as(self, other: Acting) -> bool:
        """Whether both rules do the same with packets that match."""
        return self.rule.target == other.rule.target and self._made.action == other._made.action

    @property
    def sets_mark(self) -> Masked | None:
        """How it changes the mark, where it is MARK."""
        action = self._made.action
        is_mark = action.kind == TARGET and action.name == "MARK"
        return action.operand if is_mark and isinstance(action.operand, Masked) else None

    @property
    def drops(self) -> bool:
        """Whether nothing is left of packets that match."""
        action = self._made.action
        return action.kind == TARGET and action.name == "DROP"

    @property
    def refuses(self) -> bool:
        """Whether packets that match come no further, be it with an answer."""
        return self.drops or (self.is_plain and self._made.action.name == "REJECT")


def order_matters(one: Acting, other: Acting) -> bool | None:
    """Whether packets may fare differently, or other things be noted of them, if the other rule is asked first.

    True: some packet passes what both ask, and they do different things with it; whether such packets come to
    them, rules before decide. None: that cannot be told.
    """
    if one.gate.impossible or other.gate.impossible or _never_meet(one, other):
        return False
    if one.does.disturbs(other.tested) or other.does.disturbs(one.tested):
        return None  # a packet may match the other rule for what this one did to it
    return False if _changes_nothing(one, other) else _told(one, other)


def _never_meet(one: Acting, other: Acting) -> bool:
    """Whether no packet passes what both ask, whatever one of them does to it."""
    fields = list(apart(one.gate, other.gate))
    return any(not (one.most.touches(field) or other.most.touches(field)) for field in fields) or any(
        not (one.does.touches(field) or other.does.touches(field)) for field in fields
    )


def _changes_nothing(one: Acting, other: Acting) -> bool:
    """Whether packets that meet both fare alike in either order."""
    return (
        _alike(one, other)
        or _idle(one)
        or _idle(other)
        or _independent(one, other)
        or _in_vain(one, other)
        or _in_vain(other, one)
    )


def _alike(one: Acting, other: Acting) -> bool:
    """Whether both do the same, and neither counts what comes to it."""
    return one.does_as(other) and not (one.tested.counts or other.tested.counts)


def _idle(one: Acting) -> bool:
    """Whether a rule does nothing at all."""
    return not (one.does.acts or one.tested.counts)


def _independent(one: Acting, other: Acting) -> bool:
    """Whether both let packets by, and neither reads or overwrites what the other writes."""
    if one.does.ends or other.does.ends:
        return False
    first, second = one.does.and_also(one.tested), other.does.and_also(other.tested)
    if first.disturbs(second) or second.disturbs(first):
        return False
    return not first.overwrites(second) or _marks_commute(one.sets_mark, other.sets_mark)


def _marks_commute(one: Masked | None, other: Masked | None) -> bool:
    """Whether `(mark & ~mask) ^ value` of both come to the same in either order."""
    if one is None or other is None:
        return False
    return (one.value & ~other.mask) ^ other.value == (other.value & ~one.mask) ^ one.value


def _in_vain(one: Acting, other: Acting) -> bool:
    """Whether all that a rule does is to change packets, and `other` drops those that meet both."""
    if one.does.ends or one.does.counts or one.tested.counts or not other.drops:
        return False
    return one.does.writes <= OF_THE_PACKET and not other.tested.disturbs(one.does.and_also(one.tested))


def _told(one: Acting, other: Acting) -> bool | None:
    """Return True where both are known to do different things with some packet, else None."""
    if not (one.is_plain and other.is_plain) or meet(one.asks, other.asks) is not True:
        return None
    if one.does.ends == other.does.ends:
        return True
    ending, changing = (one, other) if one.does.ends else (other, one)
    return True if not ending.refuses or changing.does.writes & _LASTING else None


_LASTING = {SEEN, "set", "connmark"}
"""What is left of a packet that is refused."""
