"""What answers the questions of a walk; of any client at all, what is the same for all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from iptviz.engine.chance import NEVER
from iptviz.engine.effects import UndecidedError
from iptviz.engine.meanings.truth import RuleTruth

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.condition import Condition


class Answers(Protocol):
    """What answers the questions of a walk: a `witness.Witness`, or `Anybody`."""

    def answer(self, condition: Condition) -> bool:
        """Return whether a condition holds."""

    def settle(self, truth: RuleTruth) -> RuleTruth:
        """Return whether a rule matches, with its chance, once what it needs is answered."""

    @property
    def told(self) -> Callable[[Condition], bool | None]:
        """What says whether a condition holds of all clients; None where that differs."""


class Anybody:
    """Answers where all clients have the same, so that there are no cases; `told` is what is known of them."""

    def __init__(self, told: Callable[[Condition], bool | None] = lambda _: None) -> None:
        self.told = told

    def answer(self, condition: Condition) -> bool:
        """Return whether a condition holds.

        Raises:
            UndecidedError: it does for some clients.
        """
        told = self.told(condition)
        if told is None:
            raise UndecidedError(condition)
        return told

    def settle(self, truth: RuleTruth) -> RuleTruth:
        """Return whether a rule matches, with its chance, once what it needs is answered.

        Raises:
            UndecidedError: it does for some clients.
        """
        if all(self.answer(need.condition) == need.holds for need in truth.needs):
            return RuleTruth(truth.chance, ())
        return RuleTruth(NEVER, ())
