"""What is assumed about a packet, and what that implies: a condition has one truth along a walk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import NEVER
from iptviz.engine.condition_kinds import CONDITION_KINDS, Region
from iptviz.engine.meanings.truth import RuleTruth

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.engine.condition import Assumption, Condition


class Assumed:
    """A set of answers to conditions."""

    def __init__(self, assumptions: Iterable[Assumption] = ()) -> None:
        self._answers = {assumption.condition: assumption.holds for assumption in assumptions}
        self._regions: dict[tuple[str, int | None], list[tuple[Region, bool]]] = {}
        for condition, holds in self._answers.items():
            topic, region = _about(condition)
            if region is not None:
                self._regions.setdefault(topic, []).append((region, holds))

    def settle(self, truth: RuleTruth) -> RuleTruth:
        """Drop the needs that are known to hold; a rule with a need that does not hold never matches."""
        if not truth.needs:
            return truth
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
        if not self._regions:
            return None
        topic, asked = _about(condition)
        return None if asked is None else _implied(self._regions.get(topic, ()), asked)


def _about(condition: Condition) -> tuple[tuple[str, int | None], Region | None]:
    """Return what a condition is about, the same for all that may imply each other, and which values it names."""
    read = CONDITION_KINDS[condition.kind].region
    return (condition.kind, condition.since), None if read is None else read(condition.value)


def _implied(regions: Iterable[tuple[Region, bool]], asked: Region) -> bool | None:
    """Inside a known set means inside all that contain it and outside all that do not meet it."""
    for region, holds in regions:
        if holds and asked.contains(region):
            return True
        if (holds and not asked.meets(region)) or (not holds and region.contains(asked)):
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
