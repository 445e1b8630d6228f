"""What a dump alone does not decide: a question with one truth, and the words for either answer."""

from __future__ import annotations

from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.marks import as_left
from iptviz.records import NamedTuple

_MOST_VALUES = 3


class Condition(NamedTuple):
    """One question about a packet. Two that differ in anything are two questions.

    Attributes:
        kind: a key of `condition_kinds.CONDITION_KINDS`.
        value: what it asks about, in the form that the kind's row describes, without what follows here.
        details: what else is asked: the ends of a packet that a set holds, options of a recent list.
        rule: the line of the rule that keeps a state of its own, such as a rate.
        rewritten: where the packet had been sent when it was asked: a set then sees other addresses.
        since: the line of the rule that made what is asked about unknown; None: it came so.
    """

    kind: str
    value: str
    details: str = ""
    rule: int | None = None
    rewritten: str = ""
    since: int | None = None

    @property
    def values(self) -> list[str]:
        """The values of which any will do: networks, ports, interfaces, states; else the only one."""
        between = CONDITION_KINDS[self.kind].between
        return self.value.split(between) if between else [self.value]

    @property
    def text(self) -> str:
        """All that it asks about in one text, such as `clients dst (rewritten to 10.0.0.1:80)`.

        Of many values it has the first three, and says how many more there are.
        """
        details = CONDITION_KINDS[self.kind].details
        values, more = self.values[:_MOST_VALUES], len(self.values) - _MOST_VALUES
        shown = CONDITION_KINDS[self.kind].between.join(values) + (f" and {more:,} more" if more > 0 else "")
        return "".join((
            shown,
            details[0].format(self.details) if details and self.details else "",
            f" at line {self.rule}" if self.rule else "",
            f" (rewritten to {self.rewritten})" if self.rewritten else "",
            as_left(self.since),
        ))  # fmt: skip

    @property
    def question(self) -> str:
        """What it asks, such as `whether source in 10.244.0.0/16`."""
        return f"whether {Assumption(self, holds=not CONDITION_KINDS[self.kind].denies).text}"


class Assumption(NamedTuple):
    """A condition together with its answer."""

    condition: Condition
    holds: bool

    @property
    def text(self) -> str:
        """The answer as a clause, such as `source not in 10.244.0.0/16`."""
        kind = CONDITION_KINDS[self.condition.kind]
        return (kind.holds if self.holds else kind.fails).format(kind.say(self.condition.text))

    def opposite(self) -> Assumption:
        """Return the other answer to the same question."""
        return Assumption(self.condition, not self.holds)


When = tuple[Assumption, ...]
"""Assumptions all of which hold."""


def clauses(assumptions: tuple[Assumption, ...]) -> str:
    """Return `assumptions` as one text; none of them reads `always`."""
    return " and ".join(assumption.text for assumption in assumptions) or "always"
