"""Cases: a diagram told as conditions, of which the first that holds decides.

Ways to the same are joined where they differ in one field alone. Then the cases are put in order: those that come
to the same together, those of few conditions first, the one to which no condition applies last; what the cases
before exclude need not be said again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.engine.condition_kinds import CONDITION_KINDS
from iptviz.engine.fields import all_values, field_of, region_asked
from iptviz.engine.implications import goes_without_saying
from iptviz.engine.nodes import TooLargeError
from iptviz.engine.regions import common, complement, lies_in, meets, region_of
from iptviz.engine.unknowns import EXCLUDED
from iptviz.engine.words import told
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iptviz.engine.condition import Assumption, When
    from iptviz.engine.regions import Region
    from iptviz.engine.unknowns import Unknowns

Regions = dict[int, "Region"]

MOST_CASES = 2_000
"""More are not told apart: some questions are left open instead."""

_MOST_SHORTENED = 1_000
"""Of more cases each is told in full: to compare all pairs takes too long."""


class Case(NamedTuple):
    """All that meets `when`: no two cases have anything in common.

    `first` is what is to be said of it when the cases before it do not hold. `regions` are the values of the
    fields that are asked, by their ranks; `says` is what the diagram says of the case.
    """

    when: When
    first: When
    regions: Mapping[int, Region]
    says: Any


def cases_of(unknowns: Unknowns, number: int) -> list[Case]:
    """Return the cases of a diagram whose leaves stand below all fields.

    Raises:
        TooLargeError: there are more than `MOST_CASES`.
    """
    return _in_words(unknowns, regions_of(unknowns, number))


def regions_of(unknowns: Unknowns, number: int) -> list[tuple[Regions, Any]]:
    """Return the regions of fields in which a diagram says the same, of which no two meet.

    Raises:
        TooLargeError: there are more than `MOST_CASES`.
    """
    found = _ways(unknowns, number)
    return _joined([way for way in found if way[1] != EXCLUDED and _may_be(way[0], unknowns)], unknowns)


def cases_told(unknowns: Unknowns, found: list[tuple[Regions, Any]]) -> list[Case]:
    """Return regions of fields, of which no two meet, as cases: those of which the same is said are joined.

    Raises:
        TooLargeError: there are more than `MOST_CASES`.
    """
    return _in_words(unknowns, _joined(found, unknowns))


def _in_words(unknowns: Unknowns, ways: list[tuple[Regions, Any]]) -> list[Case]:
    cases = [case for way in ways for case in _told(unknowns, *way)]
    if len(cases) > MOST_CASES:
        raise TooLargeError
    ordered = _in_order(cases, unknowns)
    if len(ordered) <= _MOST_SHORTENED:
        return _shortened(ordered, unknowns)
    return [case._replace(first=case.when) for case in ordered]


def _told(unknowns: Unknowns, regions: Regions, says: Any) -> Iterator[Case]:
    """Yield a way in words, several times where no one set of conditions says it.

    What goes without saying is among what is to be said first: it may be what tells the case apart.
    """
    found: list[tuple[When, Regions]] = [((), {})]
    for rank in sorted(regions):
        found = [
            ((*when, *conditions), {**before, rank: part})
            for when, before in found
            for conditions, part in told(unknowns, rank, regions[rank])
        ]
    for when, before in found:
        told_ = tuple(need for need in when if not goes_without_saying(need, when))
        yield Case(told_, when, before, says)


def _may_be(regions: Regions, unknowns: Unknowns) -> bool:
    """Whether some packet has values in all of the regions."""
    return unknowns.possible({unknowns.fields[rank]: region for rank, region in regions.items()})


def _in_order(cases: list[Case], unknowns: Unknowns) -> list[Case]:
    """Return cases that come to the same one after the other, the usual one and its like last."""
    groups: dict[Any, list[tuple[bool, tuple[int, int], int]]] = {}
    for place, case in enumerate(cases):
        key = _is_usual(unknowns, case), _speciality(case), place
        groups.setdefault(case.says, []).append(key)
    by_group = sorted(groups.values(), key=lambda keys: (max(usual for usual, *_ in keys), min(keys)))
    return [cases[place] for keys in by_group for _, _, place in sorted(keys)]


def _speciality(case: Case) -> tuple[int, int]:
    """Return how many conditions a case has, and how many of them do not hold."""
    return len(case.when), sum(not assumption.holds for assumption in case.when)


def _is_usual(unknowns: Unknowns, case: Case) -> bool:
    """Whether a client of a case may be one to whom no condition applies."""
    return all(
        meets(common(region, unknowns.known(unknowns.fields[rank])), unknowns.unnamed(rank))
        for rank, region in case.regions.items()
    )


# --- ways through a diagram, joined ----------------------------------------------------------------------------

_Way = tuple[frozenset[tuple[int, "Region"]], Any]


def _ways(unknowns: Unknowns, number: int) -> list[tuple[Regions, Any]]:
    """Return the ways to the leaves; those that differ in the first field alone are one, at each node."""
    diagrams = unknowns.diagrams
    made: dict[int, dict[_Way, None]] = {}
    for current in diagrams.from_below(number):
        rank, node = diagrams.asks(current), diagrams.nodes[current]
        if rank is None:
            made[current] = {(frozenset(), diagrams.says(current)): None}
            continue
        below: dict[_Way, list[Any]] = {}
        bounds = [unknowns.fields[rank].least, *node.cuts, None]
        for way, first, after in zip(node.ways, bounds[:-1], bounds[1:], strict=True):
            for each in made[way]:
                below.setdefault(each, []).append((first, after))
        if len(below) > MOST_CASES:
            raise TooLargeError
        made[current] = {
            (regions | _asked(rank, region_of(ranges), unknowns), says): None
            for (regions, says), ranges in below.items()
        }
    return [(dict(regions), says) for regions, says in made[number]]


def _asked(rank: int, region: Region, unknowns: Unknowns) -> frozenset[tuple[int, Region]]:
    return frozenset() if region == all_values(unknowns.fields[rank]) else frozenset({(rank, region)})


def _joined(ways: list[tuple[Regions, Any]], unknowns: Unknowns) -> list[tuple[Regions, Any]]:
    """Join ways to the same that differ in one field, until none do."""
    before = -1
    while before != len(ways):
        before = len(ways)
        for rank in sorted({rank for regions, _ in ways for rank in regions}):
            ways = _joined_by(rank, ways, unknowns)
    return ways


def _joined_by(rank: int, ways: list[tuple[Regions, Any]], unknowns: Unknowns) -> list[tuple[Regions, Any]]:
    whole = all_values(unknowns.fields[rank])
    groups: dict[_Way, list[Any]] = {}
    for regions, says in ways:
        rest = frozenset(item for item in regions.items() if item[0] != rank)
        groups.setdefault((rest, says), []).extend(regions.get(rank, whole))
    return [
        (dict(rest | _asked(rank, region_of(ranges), unknowns)), says)
        for (rest, says), ranges in groups.items()
    ]


# --- what need not be said -------------------------------------------------------------------------------------


def _shortened(cases: Sequence[Case], unknowns: Unknowns) -> list[Case]:
    """Leave out of each case what is so wherever none of those before holds, or makes no difference.

    A case that is then told by what is said of one before has the words of that one.
    """
    shortened: list[Case] = []
    wide: dict[Any, list[tuple[When, Regions]]] = {}
    meeting = _Meeting()
    once: dict[Region, Region] = {}
    cases = [
        case._replace(
            regions={rank: once.setdefault(region, region) for rank, region in case.regions.items()}
        )
        for case in cases
    ]
    for place, case in enumerate(cases):
        mine = wide.setdefault(case.says, [])
        first = next((first for first, region in mine if _within(case.regions, region)), None)
        if first is None:
            others = [other.regions for other in cases[place + 1 :] if other.says != case.says]
            first = _fewest(case, others, unknowns, meeting)
            mine.append((first, _regions(first, unknowns)))
        shortened.append(case._replace(first=first))
    return shortened


def _fewest(
    case: Case, others: Sequence[Mapping[int, Region]], unknowns: Unknowns, meeting: _Meeting
) -> When:
    """Return the fewest conditions that tell a case from `others`, but for those that then go without saying."""
    apart = _Apart(case.regions, others, meeting)
    kept = list(case.first)
    for assumption in reversed(case.first):
        if assumption.holds in CONDITION_KINDS[assumption.condition.kind].always_said:
            continue
        rank = unknowns.rank(field_of(assumption.condition))
        rest = [other for other in kept if other != assumption]
        same = [other for other in rest if unknowns.rank(field_of(other.condition)) == rank]
        if apart.widen(rank, _regions(same, unknowns).get(rank)):
            kept = rest
    return tuple(need for need in kept if not goes_without_saying(need, tuple(kept)))


class _Apart:
    """The cases from which one case has to be told, by the fields that keep them apart."""

    def __init__(
        self, case: Mapping[int, Region], others: Sequence[Mapping[int, Region]], meeting: _Meeting
    ) -> None:
        self._by: dict[frozenset[int], list[Mapping[int, Region]]] = {}
        for other in others:
            self._by.setdefault(meeting.apart(case, other), []).append(other)

    def widen(self, rank: int, region: Region | None) -> bool:
        """Let the values of a field be those of `region`, None for any; False where that is too wide."""
        if any(region is None or meets(region, other[rank]) for other in self._by.get(frozenset({rank}), ())):
            return False
        for ranks in [ranks for ranks in self._by if rank in ranks]:
            others = self._by.pop(ranks)
            for other in others:
                meets_now = region is None or meets(region, other[rank])
                self._by.setdefault(ranks - {rank} if meets_now else ranks, []).append(other)
        return True


class _Meeting:
    """Which fields keep two cases apart; few regions occur, so that each pair of them is compared once."""

    def __init__(self) -> None:
        self._met: dict[tuple[int, int], bool] = {}

    def apart(self, one: Mapping[int, Region], other: Mapping[int, Region]) -> frozenset[int]:
        """Return the ranks of the fields in which no client of one case is in the other."""
        return frozenset(
            rank for rank, region in one.items() if rank in other and not self._meet(region, other[rank])
        )

    def _meet(self, one: Region, other: Region) -> bool:
        key = id(one), id(other)  # the cases keep them
        met = self._met.get(key)
        if met is None:
            met = self._met[key] = meets(one, other)
        return met


def _within(inner: Mapping[int, Region], outer: Mapping[int, Region]) -> bool:
    """Whether all clients of one case are in the other."""
    return all(rank in inner and lies_in(inner[rank], region) for rank, region in outer.items())


def _regions(assumptions: Sequence[Assumption], unknowns: Unknowns) -> Regions:
    """Return the regions of fields in which all of `assumptions` hold."""
    found: Regions = {}
    for condition, holds in assumptions:
        field = field_of(condition)
        region = region_asked(condition)
        region = region if holds else complement(region, field.least)
        rank = unknowns.rank(field)
        found[rank] = common(found[rank], region) if rank in found else region
    return found
