"""What a target does: go on with the next rule, or end the table, with the packet that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.engine.condition import Condition
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import Action, CompiledRule, Place


class UndecidedError(Exception):
    """A rule hangs on a condition that has no answer yet."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        super().__init__(condition)


def answered(condition: Condition, answer: Callable[[Condition], bool | None]) -> bool:
    """Return the answer to a condition.

    Raises:
        UndecidedError: there is none.
    """
    found = answer(condition)
    if found is None:
        raise UndecidedError(condition)
    return found


class BrokenJumps(NamedTuple):
    """Jumps that lead nowhere: those that close a loop, those to a chain that is not there or holds no rule.

    The kernel would refuse the first two; a chain without rules is nothing special but in a dump that is cut.
    """

    loops: dict[Place, tuple[str, ...]]
    missing: dict[Place, str]
    empty_chains: dict[Place, str]


class GoOn(NamedTuple):
    """The next rule is asked, about `packet`."""

    packet: Packet
    text: str


UNDECIDED = "unless rules decide before that this dump does not show"
"""What is said of a policy at the end of a chain of which rules may be missing."""

UNKNOWN = "UNKNOWN"
"""The verdict of a chain that the source does not show: what becomes of the packet there is not known."""


class Stop(NamedTuple):
    """The table ends with `verdict`: ACCEPT goes on to the next table, the others are final."""

    verdict: str
    packet: Packet
    text: str


Effect = GoOn | Stop


class TargetCall(NamedTuple):
    """A target that is about to act: on which packet, in which built-in chain, and what can be asked."""

    rule: CompiledRule
    packet: Packet
    hook: str
    host: Host
    answer: Callable[[Condition], bool | None]

    @property
    def action(self) -> Action:
        """The target, and what it is given."""
        return self.rule.action

    @property
    def name(self) -> str:
        """The target's name."""
        return self.rule.action.name

    @property
    def operand(self) -> Any:
        """What the target is given, already read: see `iptviz.rules.operands`."""
        return self.rule.action.operand

    @property
    def line(self) -> int:
        """The rule's line."""
        return self.rule.place.line

    def ask(self, kind: str, value: str) -> bool:
        """Return the truth of a condition.

        Raises:
            UndecidedError: nothing assumed answers it.
        """
        return answered(Condition(kind, value), self.answer)
