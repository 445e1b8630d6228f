"""What is said of all frontends before any chains: those with the same answer stand together once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.view.labels import frontend_label, service_label
from iptviz.view.ways import way_facts, what_is_said

if TYPE_CHECKING:
    from iptviz.paths.model import FrontendPaths
    from iptviz.questions.trace import TraceResult
    from iptviz.view.blocks import Fact


class FirstAnswer(NamedTuple):
    """A service, those of its frontends with the same answer, and that of the first of them.

    `places` are those of the frontends in what they are an answer of.
    """

    service: str
    places: tuple[int, ...]
    frontends: str
    paths: FrontendPaths

    def facts(self) -> tuple[Fact, ...]:
        """Return the answer."""
        return tuple(way_facts(self.paths))


def first_answers(answer: TraceResult) -> list[FirstAnswer]:
    """Return the answers in the order of their first frontends; none where it was not looked at what happens."""
    alike: dict[object, list[int]] = {}
    for place, paths in enumerate(answer.paths):
        alike.setdefault((service_label(answer.services[place]), what_is_said(paths)), []).append(place)
    return [_first(answer, places) for places in alike.values()]


def _first(answer: TraceResult, places: list[int]) -> FirstAnswer:
    frontends = ", ".join(frontend_label(answer.services[place].frontend) for place in places)
    return FirstAnswer(
        service_label(answer.services[places[0]]), tuple(places), frontends, answer.paths[places[0]]
    )
