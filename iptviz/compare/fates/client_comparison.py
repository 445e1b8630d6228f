"""Two ways of one kind of client, followed as diagrams over the same fields: where they differ, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.fates.diagram_differences import (
    Rest,
    cases_of,
    contradicts_itself,
    differing,
    evened,
    unlike,
)
from iptviz.compare.fates.endings import Apart, Ending, seen_of, telling
from iptviz.compare.fates.sample_packet import SamplePacket
from iptviz.compare.fates.two_nodes import OneSide
from iptviz.engine.chance import product, total
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.effects import UNKNOWN
from iptviz.engine.fields import Field, interfaces, region_asked
from iptviz.engine.host import UNKNOWN_HOST, Host
from iptviz.engine.regions import Region, common, complement, region_of
from iptviz.engine.unknowns import EXCLUDED, Unknowns
from iptviz.paths.deciding import WhoDecides
from iptviz.paths.ends import End, Ended, Ends
from iptviz.paths.model import ACCEPT, LOCAL
from iptviz.paths.way import FirstPackets, Way
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.compare.fates.two_nodes import Side
    from iptviz.engine.condition import When
    from iptviz.engine.diagram import Diagrams
    from iptviz.engine.laws import Law
    from iptviz.paths.clients import Asked, Client


class _Sent(NamedTuple):
    """What nat has chosen, as far as it is compared: an endpoint, and the diagram of what becomes of it there."""

    endpoint: str
    onward: int


_FEW = 6
"""What is dropped or refused is added up over so many endpoints."""

_ASKED = {"bridge-port", "unseen-tables", "unseen-chains"}
"""What is taken for granted and stands in no field of the packet."""


_EXPIRING = Assumption(Condition("ttl", "0:1"), holds=False)
"""A time to live that does not suffice to be forwarded."""

_HEADERS = {"ipv4": 20, "ipv6": 40}
_OF_PROTOCOLS = {"tcp": 20, "udp": 8, "sctp": 12}
"""The least bytes of a packet."""


class ClientComparison:
    """Compares two sides for one kind of client of one address and port."""

    def __init__(self, old: Side, new: Side, asked: Asked, client: Client, *, answers: bool) -> None:
        self._client = client
        self._asked = asked
        self._granted = old.granted, new.granted
        self.is_large = False
        """Whether what is dropped would have to be added up over too many endpoints."""
        self.decides_unseen = False
        """Whether a chain decides that a side does not show."""
        regions = {**_usual_regions(client, asked.family), **client.regions}
        shared = Unknowns(asked.family, _with_interfaces(regions, asked.host), UNKNOWN_HOST)
        self._shared = shared
        self._sides = [OneSide(shared, side) for side in (old, new)]
        for side, unknowns in zip((old, new), self._sides, strict=True):
            granted = (*client.is_so, *client.assumed, *side.granted)
            unknowns.assume(
                [each for each in granted if each.condition.kind in _ASKED or each in client.is_so]
            )
        self._diagrams: Diagrams = shared.diagrams
        networks = list(asked.networks)
        followed = Way if answers else FirstPackets
        self._ways = [
            followed(
                side.survey.hooks, own, client.hook, networks, side.survey.alike(networks), side.survey.few
            )
            for side, own in zip((old, new), self._sides, strict=True)
        ]
        self._packets = [way.client(client.packet) for way in self._ways]
        self._ends = [Ends(way, packet) for way, packet in zip(self._ways, self._packets, strict=True)]
        self._chosen = [way.chosen(packet) for way, packet in zip(self._ways, self._packets, strict=True)]

    @property
    def assumed(self) -> When:
        """What is taken for granted of packets, and of what the sides do not show."""
        granted = [each for side in self._granted for each in side]
        lasting = [_EXPIRING] if self._shared.used("ttl") else []
        return (*self._client.assumed, *granted, *lasting)

    @property
    def rests_on_changes(self) -> bool:
        """Whether rules ask for what other rules have made unknown."""
        return any(side.asks_for_changed for side in self._sides)

    @property
    def asked_by_both(self) -> dict[Condition, None]:
        """The questions about no field of a packet that both sides asked."""
        old, new = (side.own for side in self._sides)
        return {condition: None for condition in old if condition in new}

    def cases(self, sources: Sequence[str]) -> Iterator[SamplePacket]:
        """Yield packets for which the sides seem to differ; what is not asked of them is not chosen.

        Raises:
            TooLargeError: there are too many cases.
            PacketError: the packet cannot be followed.
        """
        mine, theirs = (self._told(place) for place in (0, 1))
        where = unlike(self._diagrams, mine, theirs)
        if where != self._diagrams.no:
            for number in self._differing(where):
                for regions in cases_of(self._shared, self._narrowed(number)):
                    yield SamplePacket(self._sides[0], regions, sources)

    def apart(self) -> Apart | None:
        """Return that the sides differ for a packet of which all is known; None: they do not."""
        for chosen in self.cases(()):
            if not contradicts_itself(self._shared, chosen.regions):
                old, new = (tuple(self._endings(side, chosen)) for side in (0, 1))
                return Apart(telling(self._client, tuple(chosen.when())), old, new)
        return None

    # --- what is compared ---------------------------------------------------------------------------------------

    def _told(self, side: int) -> int:
        """Return what nat chooses on one side: leaves say `_Sent`."""
        even = evened(self._diagrams, self._chosen[side])
        return self._diagrams.replaced(even, lambda leaf: self._sent(side, leaf))

    def _sent(self, side: int, leaf: int) -> int:
        """Return what becomes of what nat has sent somewhere: told by endpoint where that makes a difference."""
        onward = self._diagrams.flattened(evened(self._diagrams, self._seen(side, leaf)))
        ends = [
            end for each in self._diagrams.leaves(onward) for end, _, _ in self._diagrams.says(each).parts
        ]
        endpoint = next(
            (end.address and join_endpoint(end.address, end.port) for end in ends if end.address), ""
        )
        return self._diagrams.leaf(_Sent(endpoint, onward))

    def _seen(self, side: int, leaf: int) -> int:
        """Return how connections end that nat has sent somewhere: leaves say `End`, as far as it is compared."""
        diagrams = self._diagrams

        def seen(leaf: int) -> int:
            end = diagrams.says(leaf).end
            self.decides_unseen |= end.outcome == UNKNOWN
            return diagrams.leaf(seen_of(end, self._asked))

        return diagrams.replaced(self._ends[side].of(leaf), seen)

    # --- where they differ --------------------------------------------------------------------------------------

    def _differing(self, where: int) -> Iterator[int]:
        """Yield diagrams that are true where the sides differ; what is accepted first, endpoint by endpoint."""
        diagrams = self._diagrams
        rests = {leaf: diagrams.says(leaf) for leaf in diagrams.leaves(where) if leaf != diagrams.no}
        groups = {leaf: self._by_endpoint(rest) for leaf, rest in rests.items()}
        for place in range(max(map(len, groups.values()))):
            at = {leaf: each[place] for leaf, each in groups.items() if place < len(each)}
            yield self._where(where, at, _accepted_alike)
        few = {leaf: rests[leaf] for leaf, each in groups.items() if len(each) <= _FEW}
        yield self._where(where, few, _alike)
        many = {leaf: each for leaf, each in groups.items() if leaf not in few}
        for place in range(max(map(len, many.values()), default=0)):  # not added up: nobody knows
            at = {leaf: each[place] for leaf, each in many.items() if place < len(each)}
            narrowed = self._narrowed(self._where(where, at, _alike))
            self.is_large |= bool(cases_of(self._shared, narrowed))

    def _by_endpoint(self, rest: Rest) -> list[Rest]:
        """Return what each side has for itself, by the endpoint that it is sent to."""
        found: dict[str, tuple[list[tuple[Fraction, int]], list[tuple[Fraction, int]]]] = {}
        for side, parts in enumerate(rest):
            for share, number in parts:
                ends = {self._diagrams.says(leaf).endpoint for leaf in self._diagrams.leaves(number)}
                if len(ends) > 1:
                    return [rest]
                found.setdefault(ends.pop(), ([], []))[side].append((share, number))
        return [Rest(tuple(old), tuple(new)) for old, new in found.values()]

    def _where(self, where: int, rests: dict[int, Rest], same: object) -> int:
        made = {leaf: differing(self._diagrams, rest, self._onward, same) for leaf, rest in rests.items()}  # type: ignore[arg-type]
        return self._diagrams.replaced(where, lambda leaf: made.get(leaf, self._diagrams.no))

    def _onward(self, number: int) -> int:
        return self._diagrams.replaced(number, lambda leaf: self._unlawful(self._diagrams.says(leaf).onward))

    def _unlawful(self, flattened: int) -> int:
        """Return a diagram of laws as one of chances."""
        diagrams = self._diagrams

        def mixed(leaf: int) -> int:
            law: Law = diagrams.says(leaf)
            return diagrams.mix((least, diagrams.leaf(end)) for end, least, _ in law.parts)

        return diagrams.replaced(flattened, mixed)

    def _narrowed(self, number: int) -> int:
        """Return a diagram without what is known to be otherwise, on either side."""
        for side in self._sides:
            number = side.narrowed(number)
        excluded = self._diagrams.leaf(EXCLUDED)
        return self._diagrams.replaced(number, lambda leaf: self._diagrams.no if leaf == excluded else leaf)

    # --- one packet ---------------------------------------------------------------------------------------------

    def _endings(self, side: int, chosen: SamplePacket) -> Iterator[Ending]:
        """Yield how a packet ends on one side, with who decides."""
        who = WhoDecides(self._ways[side])
        found: dict[End, list[tuple[Fraction, Ended]]] = {}
        for sent, share in chosen.ends(self._chosen[side]).items():
            for leaf, inner in chosen.ends(self._ends[side].of(sent)).items():
                says: Ended = self._diagrams.says(leaf)
                found.setdefault(seen_of(says.end, self._asked), []).append((product(share, inner)[0], says))
        for end, same in sorted(found.items(), key=_in_order):
            by = [says.by for _, says in same]
            first = (
                who.first([each.connection for each in by]) if end.outcome not in {ACCEPT, LOCAL} else None
            )
            answer = who.first([each.answer for each in by]) if end.reply not in {ACCEPT, None} else None
            endpoint = join_endpoint(end.address, end.port) if end.address else ""
            share = total(share for share, _ in same)
            yield Ending(share, end.outcome, endpoint, end.snat, end.reply, first, answer)


def _in_order(ending: tuple[End, list[tuple[Fraction, Ended]]]) -> tuple[object, ...]:
    """Sort endings by their shares, the greatest first, those of one share but for digits by endpoints."""
    end, same = ending
    share = float(total(share for share, _ in same))
    return -round(share, 6), parse_network(end.address) or (), end.port or 0, end.outcome


def _usual_regions(client: Client, family: str) -> dict[Field, Region]:
    """Return what is so of packets that are forwarded, and of those of a protocol."""
    least = _HEADERS[family] + _OF_PROTOCOLS.get(client.packet.protocol or "", 0)
    return {
        Field("ttl"): complement(region_asked(_EXPIRING.condition), 0),
        Field("length"): ((least, None),),
    }


def _with_interfaces(regions: Mapping[Field, Region], host: Host) -> dict[Field, Region]:
    """Return what is known of fields, where the node's interfaces are among it."""
    if host.interfaces is None:
        return dict(regions)
    there = region_of([bounds for name in host.interfaces for bounds in interfaces(name)])
    both = {Field(kind): there for kind in ("in-interface", "out-interface")}
    return {**both, **regions} | {
        field: common(region, regions[field]) for field, region in both.items() if field in regions
    }


def _alike(old: object, new: object) -> bool:
    return old == new


def _accepted_alike(old: object, new: object) -> bool:
    """Whether two laws are the same of what is accepted."""
    return _accepted(old) == _accepted(new)  # type: ignore[arg-type]


def _accepted(law: Law) -> frozenset[object]:
    return frozenset(part for part in law.parts if part[0].outcome in {ACCEPT, LOCAL})
