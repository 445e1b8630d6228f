"""What a target does: go on with the next rule, or end the table, with the packet that comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.condition import Condition

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.dump.rule import Rule
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.grammar.parts import Target


class UndecidedError(Exception):
    """A rule hangs on a condition that has no answer yet."""

    def __init__(self, condition: Condition) -> None:
        self.condition = condition
        super().__init__(condition)


class BrokenJumps(NamedTuple):
    """Jumps that lead nowhere: those that close a loop, those to a chain that is not there or holds no rule.

    The kernel would refuse the first two; a chain without rules is nothing special but in a dump that is cut.
    """

    loops: dict[Rule, tuple[str, ...]]
    missing: dict[Rule, str]
    empty_chains: dict[Rule, str]


class GoOn(NamedTuple):
    """The next rule is asked, about `packet`."""

    packet: Packet
    text: str


class Stop(NamedTuple):
    """The table ends with `verdict`: ACCEPT goes on to the next table, the others are final."""

    verdict: str
    packet: Packet
    text: str


Effect = GoOn | Stop


class TargetCall(NamedTuple):
    """A target that is about to act: on which packet, in which built-in chain, and what can be asked."""

    rule: Rule
    target: Target
    packet: Packet
    hook: str
    host: Host
    answer: Callable[[Condition], bool | None]

    def ask(self, kind: str, value: str) -> bool:
        """Return the truth of a condition.

        Raises:
            UndecidedError: nothing assumed answers it.
        """
        condition = Condition(kind, value)
        answer = self.answer(condition)
        if answer is None:
            raise UndecidedError(condition)
        return answer
