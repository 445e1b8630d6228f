"""Whether new connections to one address and port fare alike on two nodes, or a packet that tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.chosen import Chosen
from iptviz.compare.sides import OneSide
from iptviz.compare.telling import Rest, cases_of, contradicts_itself, differing, evened, unlike
from iptviz.engine.chance import product, total
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.fields import Field, interfaces, region_asked
from iptviz.engine.host import UNKNOWN_HOST, Host
from iptviz.engine.regions import Region, common, complement, region_of
from iptviz.engine.unknowns import EXCLUDED, Unknowns
from iptviz.paths.clients import everybody
from iptviz.paths.deciding import WhoDecides
from iptviz.paths.ends import End, Ended, Ends
from iptviz.paths.model import ACCEPT, LOCAL, Decider
from iptviz.paths.way import FirstPackets, Way
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint, parse_network
from iptviz.xtables.values.addresses import show_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.compare.sides import Side
    from iptviz.engine.condition import When
    from iptviz.engine.diagram import Diagrams
    from iptviz.engine.laws import Law
    from iptviz.paths.clients import Asked, Client


class Ending(NamedTuple):
    """How the share `share` (in (0, 1]) of connections ends.

    `outcome` is ACCEPT, LOCAL (accepted by this node without DNAT), DROP, REJECT, QUEUE, STOLEN or UNKNOWN.
    `endpoint` is where DNAT sends what is accepted, `address:port`, empty where nothing rewrites it; `snat` is
    the source that it then has: None for its own, MASQUERADE, or an address. `reply` says the same of the
    endpoint's answer; None: not seen by the node, or not known. `by` and `reply_by` decide that, None where
    nobody here is known to.
    """

    share: Fraction
    outcome: str
    endpoint: str
    snat: str | None
    reply: str | None
    by: Decider | None = None
    reply_by: Decider | None = None


class TellingPacket(NamedTuple):
    """A packet that two nodes treat differently, where all of `when` hold.

    Addresses are texts; `hook` is `prerouting` (arrives) or `output` (sent by the node, by user `uid`). `source`
    and `destination` are None for an address of the node that nobody knows, the interface where there is none.
    """

    hook: str
    source: str | None
    destination: str | None
    protocol: str
    source_port: int
    destination_port: int | None
    in_interface: str | None
    ttl: int
    length: int
    tos: int
    uid: int | None
    when: When


class Apart(NamedTuple):
    """A packet that fares differently, and how it ends on both sides."""

    packet: TellingPacket
    old: tuple[Ending, ...]
    new: tuple[Ending, ...]


class Compared(NamedTuple):
    """What is found of connections to one address and port.

    `is_open`: where nothing tells them apart, it is not known whether they fare alike, as what is dropped would
    have to be added up over too many endpoints, or a question may be the same on both sides. `same` are
    questions that both sides ask and nobody answers, taken to have one answer; `assumed` is taken for granted.
    """

    apart: Apart | None
    is_open: bool
    same: tuple[Condition, ...]
    assumed: When


_TTL = Field("ttl")
_EXPIRING = Assumption(Condition("ttl", "0:1"), holds=False)
"""A time to live that does not suffice to be forwarded."""


def compared(
    old: Side, new: Side, asked: Asked, *, answers: bool = True, sources: Sequence[str] = ()
) -> Compared:
    """Compare how connections to one address and port fare; of `sources` a packet that tells them apart comes.

    `answers`: what becomes of the endpoint's answer is compared, too.

    Raises:
        TooLargeError: there are too many cases.
        PacketError: they cannot be followed, or too many different packets would have to be.
    """
    found = Compared(None, is_open=False, same=(), assumed=())
    for client in everybody(asked):
        own = _found(old, new, asked, client, sources, answers=answers)
        if own.rests_on_changes and own.apart is None:
            own = _found(old, new, asked, _usual(client), sources, answers=answers)
            own = own._replace(is_open=own.is_open or own.rests_on_changes, assumed=(*own.assumed, *_USUAL))
        found = Compared(
            own.apart,
            found.is_open or own.is_open,
            tuple(dict.fromkeys((*found.same, *own.same))),
            tuple(dict.fromkeys((*found.assumed, *own.assumed))),
        )
        if own.apart is not None:
            break
    return found


class _Found(NamedTuple):
    """As `Compared`, of one kind of client; `rests_on_changes`: something is asked that rules made unknown."""

    apart: Apart | None
    is_open: bool
    same: tuple[Condition, ...]
    assumed: When
    rests_on_changes: bool


def _found(
    old: Side, new: Side, asked: Asked, client: Client, sources: Sequence[str], *, answers: bool
) -> _Found:
    """Compare for one kind of client; a case is found to be one by a packet of which all is known."""
    comparison = _Comparison(old, new, asked, client, answers=answers)
    apart, doubtful = None, False
    for chosen in comparison.cases(sources):
        tried = (
            _Comparison(old, new, asked, known, answers=answers).apart() for known in chosen.clients(client)
        )
        apart = next(filter(None, tried), None)
        if apart is not None:
            break
        doubtful = True
    return _Found(
        apart,
        comparison.is_open or doubtful,
        tuple(comparison.asked_by_both),
        comparison.assumed,
        comparison.rests_on_changes,
    )


_USUAL_TTL = 64
_USUAL = (
    Assumption(Condition("ttl", str(_USUAL_TTL)), holds=True),
    Assumption(Condition("match", "-m tos --tos 0x00/0xff"), holds=True),
)


def _usual(client: Client) -> Client:
    """Return a client whose packets have the usual time to live and kind of service.

    What rules make of one that is not known is not known, so that it cannot be compared.
    """
    return client._replace(packet=client.packet._replace(ttl=_USUAL_TTL, tos=0))


class _Sent(NamedTuple):
    """What nat has chosen, as far as it is compared: an endpoint, and the diagram of what becomes of it there."""

    endpoint: str
    onward: int


_FEW = 6
"""What is dropped or refused is added up over so many endpoints."""

_ASKED = {"bridge-port", "unseen-tables", "unseen-chains"}
"""What is taken for granted and stands in no field of the packet."""


class _Comparison:
    """Compares two sides for one kind of client of one address and port."""

    def __init__(self, old: Side, new: Side, asked: Asked, client: Client, *, answers: bool) -> None:
        self._client = client
        self._asked = asked
        self._granted = old.granted, new.granted
        self.is_open = False
        regions = {_TTL: complement(region_asked(_EXPIRING.condition), 0), **client.regions}
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

    def cases(self, sources: Sequence[str]) -> Iterator[Chosen]:
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
                    yield Chosen(self._sides[0], regions, sources)

    def apart(self) -> Apart | None:
        """Return that the sides differ for a packet of which all is known; None: they do not."""
        for chosen in self.cases(()):
            if not contradicts_itself(self._shared, chosen.regions):
                old, new = (tuple(self._endings(side, chosen)) for side in (0, 1))
                return Apart(_telling(self._client, tuple(chosen.when())), old, new)
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
        leaf_of, says = self._diagrams.leaf, self._diagrams.says
        return self._diagrams.replaced(
            self._ends[side].of(leaf), lambda end: leaf_of(seen_of(says(end).end, self._asked))
        )

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
            self.is_open |= bool(cases_of(self._shared, narrowed))

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

    def _endings(self, side: int, chosen: Chosen) -> Iterator[Ending]:
        """Yield how a packet ends on one side, with who decides."""
        who = WhoDecides(self._ways[side])
        found: dict[End, list[tuple[Fraction, Ended]]] = {}
        for sent, share in chosen.ends(self._chosen[side]).items():
            for leaf, inner in chosen.ends(self._ends[side].of(sent)).items():
                says: Ended = self._diagrams.says(leaf)
                found.setdefault(seen_of(says.end, self._asked), []).append((product(share, inner)[0], says))
        for end, same in sorted(found.items(), key=lambda each: -total(share for share, _ in each[1])):
            by = [says.by for _, says in same]
            first = (
                who.first([each.connection for each in by]) if end.outcome not in {ACCEPT, LOCAL} else None
            )
            answer = who.first([each.answer for each in by]) if end.reply not in {ACCEPT, None} else None
            endpoint = join_endpoint(end.address, end.port) if end.address else ""
            share = total(share for share, _ in same)
            yield Ending(share, end.outcome, endpoint, end.snat, end.reply, first, answer)


def _with_interfaces(regions: Mapping[Field, Region], host: Host) -> dict[Field, Region]:
    """Return what is known of fields, where the node's interfaces are among it."""
    if host.interfaces is None:
        return dict(regions)
    there = region_of([bounds for name in host.interfaces for bounds in interfaces(name)])
    both = {Field(kind): there for kind in ("in-interface", "out-interface")}
    return {**both, **regions} | {
        field: common(region, regions[field]) for field, region in both.items() if field in regions
    }


def seen_of(end: End, to: Asked) -> End:
    """Return how connections end as it is compared: where what is not accepted was sent makes no difference.

    Nor does it that nat sends a connection where it goes anyway.
    """
    if end.outcome not in {ACCEPT, LOCAL}:
        return End("", None, end.outcome, None, None, untracked=False, to="")
    if (end.address, end.port) == to.frontend[1:3]:
        outcome = LOCAL if to.host.is_local(parse_network(end.address)) else ACCEPT
        return End(
            "", None, outcome, end.snat, None, untracked=False, to=join_endpoint(end.address, end.port)
        )
    return end._replace(untracked=False)


def _alike(old: object, new: object) -> bool:
    return old == new


def _accepted_alike(old: object, new: object) -> bool:
    """Whether two laws are the same of what is accepted."""
    return _accepted(old) == _accepted(new)  # type: ignore[arg-type]


def _accepted(law: Law) -> frozenset[object]:
    return frozenset(part for part in law.parts if part[0].outcome in {ACCEPT, LOCAL})


def _telling(client: Client, when: When) -> TellingPacket:
    packet = client.packet
    source, destination = (
        None if each is None else show_address(each.value, each.version)
        for each in (packet.source, packet.destination)
    )
    return TellingPacket(
        client.hook, source, destination, packet.protocol or "", packet.source_port or 0,
        packet.destination_port, packet.in_interface or None, packet.ttl or 0, packet.length or 0,
        packet.tos or 0, None if packet.owner is None else packet.owner[0], when,
    )  # fmt: skip
