"""What is said of all frontends before any chains: those with the same answer stand together once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.view.fates import ways_of
from iptviz.view.labels import frontend_label, service_label
from iptviz.view.ways import way_facts, what_is_said

if TYPE_CHECKING:
    from iptviz.questions.trace import TraceResult
    from iptviz.view.blocks import Fact
    from iptviz.view.fates import Ways


class FirstAnswer(NamedTuple):
    """A service, those of its frontends with the same answer, and that of the first of them.

    `places` are those of the frontends in what they are an answer of.
    """

    service: str
    places: tuple[int, ...]
    frontends: str
    ways: Ways

    def facts(self) -> tuple[Fact, ...]:
        """Return the answer."""
        return tuple(way_facts(self.ways))


def first_answers(answer: TraceResult) -> list[FirstAnswer]:
    """Return the answers in the order of their first frontends; none where it was not looked at what happens."""
    all_ways = ways_of(answer)
    alike: dict[object, list[int]] = {}
    for place, ways in enumerate(all_ways):
        alike.setdefault((service_label(answer.services[place]), what_is_said(ways)), []).append(place)
    return [_first(answer, tuple(places), all_ways[places[0]]) for places in alike.values()]


def _first(answer: TraceResult, places: tuple[int, ...], ways: Ways) -> FirstAnswer:
    frontends = ", ".join(frontend_label(answer.services[place].frontend) for place in places)
    return FirstAnswer(service_label(answer.services[places[0]]), places, frontends, ways)
