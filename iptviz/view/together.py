"""Which frontends of a trace stand together: those with one answer, and of these those with one tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import trimmed
from iptviz.engine.condition import clauses
from iptviz.records import NamedTuple
from iptviz.view.fates import ways_of
from iptviz.view.labels import frontends_label, service_label, services_label
from iptviz.view.ways import other_facts, usual_facts

if TYPE_CHECKING:
    from iptviz.kube.outcome import FrontendOutcome
    from iptviz.kube.service import ServiceTrace
    from iptviz.questions.trace import TraceResult
    from iptviz.view.blocks import Fact
    from iptviz.view.fates import Ways

_ENOUGH_BITS = 128
"""For telling whether thousands of shares are alike: comparing them exactly would only be slow."""


class Together(NamedTuple):
    """Frontends of one answer of which the same is said, and the ways of the first of them.

    `trees` are the places in the answer of those that one tree shows; `ways` is None where nobody looked at what
    happens.
    """

    answer: TraceResult
    trees: tuple[tuple[int, ...], ...]
    ways: Ways | None

    @property
    def places(self) -> tuple[int, ...]:
        """The places of all of them."""
        return tuple(place for places in self.trees for place in places)

    @property
    def services(self) -> tuple[ServiceTrace, ...]:
        """The frontends."""
        return tuple(self.answer.services[place] for place in self.places)

    @property
    def names(self) -> str:
        """What the services are called."""
        return services_label(self.services)

    @property
    def frontends(self) -> str:
        """What the frontends are called."""
        return frontends_label([service.frontend for service in self.services])

    @property
    def usual(self) -> tuple[Fact, ...]:
        """Who reaches them and who does not, but for exceptions."""
        return () if self.ways is None else tuple(usual_facts(self.ways))

    @property
    def others(self) -> tuple[Fact, ...]:
        """What else is said of them."""
        return () if self.ways is None else tuple(other_facts(self.ways))


def groups_of(answer: TraceResult) -> list[Together]:
    """Return the groups in the order of their first frontends."""
    looked_at = {place: ways for place, ways in enumerate(ways_of(answer)) if ways.fates}
    alike: dict[object, list[int]] = {}
    for place, own in enumerate(answer.services):
        ways = looked_at.get(place)
        said = place if ways is None else (_owner(own), *usual_facts(ways), *other_facts(ways))
        alike.setdefault(said, []).append(place)
    return [Together(answer, _trees(answer, places), looked_at.get(places[0])) for places in alike.values()]


def _owner(service: ServiceTrace) -> str:
    """Return the service whose ports may stand together."""
    return service_label(service).rpartition(":")[0] or service_label(service)


def _trees(answer: TraceResult, places: list[int]) -> tuple[tuple[int, ...], ...]:
    if len(places) == 1 or any(answer.observed):
        return tuple((place,) for place in places)
    alike: dict[object, list[int]] = {}
    for place in places:
        alike.setdefault(_shape(answer.services[place]), []).append(place)
    return tuple(map(tuple, alike.values()))


def _shape(service: ServiceTrace) -> object:
    """Return what is equal for frontends whose trees differ in nothing but the rules that lead to them."""
    entry = service.frontend.rule
    return service_label(service), entry.table.name, tuple(map(_shape_of_case, service.outcomes))


def _shape_of_case(outcome: FrontendOutcome) -> object:
    ends = ((end.rule, end.via, trimmed(end.share, _ENOUGH_BITS)) for end in outcome.endpoints)
    hops = tuple((hop.chain, hop.share) for hop in outcome.hops)
    return (
        clauses(outcome.when), hops, tuple(ends), outcome.leftover, outcome.verdict, outcome.masquerade,
        outcome.lacking, outcome.unshared,
    )  # fmt: skip
