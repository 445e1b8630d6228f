"""What is assumed about a packet, and what that implies: a condition has one truth along a walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import NEVER
from iptviz.engine.matching import RuleTruth
from iptviz.xtables.address import Network, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.engine.condition import Assumption, Condition

_NETWORK_KINDS = {"source-cidr", "destination-cidr"}


class Assumed:
    """A set of answers to conditions."""

    def __init__(self, assumptions: Iterable[Assumption] = ()) -> None:
        self._answers = {assumption.condition: assumption.holds for assumption in assumptions}
        self._networks = [
            (condition.kind, network, holds)
            for condition, holds in self._answers.items()
            if condition.kind in _NETWORK_KINDS and (network := parse_network(condition.value))
        ]

    def settle(self, truth: RuleTruth) -> RuleTruth:
        """Drop the needs that are known to hold; a rule with a need that does not hold never matches."""
        unanswered = []
        for need in truth.needs:
            answer = self.answer(need.condition)
            if answer is None:
                unanswered.append(need)
            elif answer != need.holds:
                return RuleTruth(NEVER, ())
        return RuleTruth(truth.chance, tuple(unanswered))

    def answer(self, condition: Condition) -> bool | None:
        """Return the truth of `condition` as far as what is assumed implies it."""
        if condition in self._answers:
            return self._answers[condition]
        asked = parse_network(condition.value) if condition.kind in _NETWORK_KINDS else None
        return None if asked is None else self._network_answer(condition.kind, asked)

    def _network_answer(self, kind: str, asked: Network) -> bool | None:
        """Inside a known network means inside all that contain it and outside all that do not meet it."""
        for known_kind, known, holds in self._networks:
            if known_kind != kind:
                continue
            if holds and asked.contains(known):
                return True
            if (holds and not asked.meets(known)) or (not holds and known.contains(asked)):
                return False
        return None


def essential(when: tuple[Assumption, ...]) -> tuple[Assumption, ...]:
    """Return `when` without what the rest implies: inside 10.1.0.0/16 says that it is not in 10.2.0.0/16."""
    kept = list(when)
    for assumption in when:
        rest = [other for other in kept if other != assumption]
        if Assumed(rest).answer(assumption.condition) == assumption.holds:
            kept = rest
    return tuple(kept)
