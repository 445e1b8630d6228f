"""From diagrams to entries: which clients fare alike, and a row for each way that their connections may go.

What is asked before nat has chosen, or of every endpoint alike, tells clients apart; what is asked of one
endpoint stands in its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.engine.cases import Case, cases_of, cases_told, regions_of
from iptviz.engine.chance import CERTAIN, NEVER, product, total
from iptviz.engine.laws import Law
from iptviz.paths.apart import ToldApart
from iptviz.paths.deciding import WhoDecides
from iptviz.paths.ends import Ends
from iptviz.paths.model import ACCEPT, ClientPaths, EndpointRow, LeftoverRow
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from iptviz.engine.condition import When
    from iptviz.engine.packet import Packet
    from iptviz.engine.regions import Region
    from iptviz.paths.apart import Part
    from iptviz.paths.ends import Deciding, End
    from iptviz.paths.way import Way

    Regions = Mapping[int, Region]
    _Same = Sequence[tuple[Fraction, Sequence[Deciding]]]


class _Alike(NamedTuple):
    """Clients that fare alike but for who decides: how each part ends, and of whom `parts` tell by whom."""

    ends: tuple[Part, ...]
    of: list[tuple[Regions, tuple[Part, ...]]]


class Entries:
    """Makes entries of the way of one kind of client."""

    def __init__(self, way: Way, client: Packet) -> None:
        self.way = way
        self._client = way.client(client)
        self._ends = Ends(way, self._client)
        self._apart = ToldApart(way.unknowns, self._ends)
        self._cases: dict[int, list[Case]] = {}
        self._who = WhoDecides(way)

    def made(self, clients: tuple[str, ...]) -> list[ClientPaths]:
        """Return the entries of a client, which exclude each other and leave nothing out.

        Raises:
            TooLargeError: there are too many cases.
        """
        unknowns, apart = self.way.unknowns, self._apart
        told = apart.diagram_of(self.way.chosen(self._client))
        ways: list[tuple[Any, int]] = []
        places: dict[object, int] = {}
        alike: list[_Alike] = []
        for regions, says in regions_of(unknowns, unknowns.narrowed(told)):
            choice = apart.choices[says]
            ends = tuple((share, apart.within(part, regions)) for share, part in choice.ends)
            place = places.setdefault(ends, len(alike))
            if place == len(alike):
                alike.append(_Alike(ends, []))
            alike[place].of.append((regions, choice.parts))
            ways.append((regions, place))
        for each in alike:
            self._ask_who_decides(each)
        return [self._entry(clients, case.when, alike[case.says]) for case in cases_told(unknowns, ways)]

    def _cases_of(self, part: int) -> list[Case]:
        """Return the cases of a part: what the diagram says of each is a law of `End`."""
        diagrams, unknowns = self.way.diagrams, self.way.unknowns
        if part not in self._cases:
            self._cases[part] = (
                [Case((), (), {}, Law([(diagrams.says(part), CERTAIN, CERTAIN)]))]
                if diagrams.is_leaf(part)
                else cases_of(unknowns, unknowns.narrowed(diagrams.flattened(part)))
            )
        return self._cases[part]

    def _ask_who_decides(self, alike: _Alike) -> None:
        for regions, parts in alike.of:
            for (_, ends), (_, part) in zip(alike.ends, parts, strict=True):
                for case in self._cases_of(ends):
                    self._who.ask(part, regions, case.regions)

    def _entry(self, clients: tuple[str, ...], when: When, alike: _Alike) -> ClientPaths:
        """Return the entry of clients that differ at most in who decides."""
        rows: dict[tuple[End, When], list[tuple[Fraction, Sequence[Deciding]]]] = {}
        least, most = [], []
        for place, (share, ends) in enumerate(alike.ends):
            parts = [(each[place][1], regions) for regions, each in alike.of]
            sure, possible = [], []
            for case in self._cases_of(ends):
                those = [each for each in parts if self._who.asked(*each, case.regions)]
                if not those:
                    continue
                law: Law = case.says
                sure.append(total(low for end, low, _ in law.parts if end.works(surely=True)))
                possible.append(total(high for end, _, high in law.parts if end.works(surely=False)))
                for end, low, _ in law.parts:
                    deciders = [by for each in those for by in self._who.of(*each, case.regions, end)]
                    rows.setdefault((end, case.when), []).append((product(share, low)[0], deciders))
            least.append(product(share, min(sure, default=NEVER))[0])
            most.append(product(share, max(possible, default=NEVER))[0])
        endpoints = [_endpoint_row(*row, same, self._who) for row, same in rows.items() if row[0].address]
        leftover = [_leftover_row(*row, same, self._who) for row, same in rows.items() if not row[0].address]
        untracked = any(end.untracked for end, _ in rows)
        return ClientPaths(
            clients, when, untracked, tuple(endpoints), tuple(leftover), total(least), total(most)
        )


def _endpoint_row(end: End, when: When, same: _Same, who: WhoDecides) -> EndpointRow:
    deciders = [by for _, found in same for by in found]
    by = who.first([each.connection for each in deciders]) if end.outcome != ACCEPT else None
    answer = who.first([each.answer for each in deciders]) if end.reply not in {ACCEPT, None} else None
    source = who.first([each.source for each in deciders]) if end.snat is not None else None
    share = total(part for part, _ in same)
    return EndpointRow(
        end.address, end.port, share, when, end.outcome, by, end.snat, end.reply, answer, source
    )


def _leftover_row(end: End, when: When, same: _Same, who: WhoDecides) -> LeftoverRow:
    deciders = [each.connection for _, found in same for each in found]
    return LeftoverRow(total(part for part, _ in same), when, end.outcome, who.first(deciders), end.to)
