"""Whether new connections to one address and port fare alike on two nodes, or a packet that tells them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.chosen import Chosen
from iptviz.compare.sides import OneSide
from iptviz.compare.telling import Regions, Rest, case_of, differing, evened, unlike
from iptviz.engine.chance import product, total
from iptviz.engine.host import UNKNOWN_HOST
from iptviz.engine.unknowns import EXCLUDED, Unknowns
from iptviz.paths.clients import everybody
from iptviz.paths.deciding import WhoDecides
from iptviz.paths.ends import End, Ended, Ends
from iptviz.paths.model import ACCEPT, LOCAL, Decider
from iptviz.paths.way import Way
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint
from iptviz.xtables.values.addresses import show_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

    from iptviz.compare.sides import Side
    from iptviz.engine.condition import Condition, When
    from iptviz.engine.diagram import Diagrams
    from iptviz.engine.laws import Law
    from iptviz.engine.packet import Packet
    from iptviz.paths.clients import Asked, Client
    from iptviz.xtables.address import Network


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

    Addresses are texts; `hook` is `prerouting` (arrives) or `output` (sent by the node). What is None may be
    anything; so is `destination` of a node port, where the node's addresses are not known.
    """

    hook: str
    source: str | None
    destination: str | None
    protocol: str
    source_port: int | None
    destination_port: int | None
    in_interface: str | None
    ttl: int | None
    length: int | None
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


def compared(
    old: Side, new: Side, asked: Asked, *, answers: bool = True, sources: Sequence[str] = ()
) -> Compared:
    """Compare how connections to one address and port fare; of `sources` a packet that tells them apart comes.

    `answers`: what becomes of the endpoint's answer is compared, too.

    Raises:
        TooLargeError: there are too many cases.
        PacketError: they cannot be followed, or too many different packets would have to be.
    """
    is_open = False
    same: dict[Condition, None] = {}
    assumed: When = ()
    for client in everybody(asked):
        comparison = _Comparison(old, new, asked, client, answers=answers)
        apart = comparison.apart(sources)
        assumed = (*assumed, *client.assumed, *old.granted, *new.granted)
        same |= comparison.asked_by_both
        is_open |= comparison.is_open
        if apart is not None:
            return Compared(apart, is_open, tuple(same), tuple(dict.fromkeys(assumed)))
    return Compared(None, is_open, tuple(same), tuple(dict.fromkeys(assumed)))


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
        self._answers = answers
        self.is_open = False
        shared = Unknowns(asked.family, client.regions, UNKNOWN_HOST)
        self._sides = [OneSide(shared, side) for side in (old, new)]
        for side, unknowns in zip((old, new), self._sides, strict=True):
            granted = (*client.is_so, *client.assumed, *side.granted)
            unknowns.assume(
                [each for each in granted if each.condition.kind in _ASKED or each in client.is_so]
            )
        self._diagrams: Diagrams = shared.diagrams
        networks = list(asked.networks)
        self._ways = [
            Way(side.survey.hooks, own, client.hook, networks, side.survey.alike(networks), side.survey.few)
            for side, own in zip((old, new), self._sides, strict=True)
        ]
        self._packets = [way.client(client.packet) for way in self._ways]
        self._ends = [Ends(way, packet) for way, packet in zip(self._ways, self._packets, strict=True)]
        self._chosen = [way.chosen(packet) for way, packet in zip(self._ways, self._packets, strict=True)]

    @property
    def asked_by_both(self) -> dict[Condition, None]:
        """The questions about no field of a packet that both sides asked."""
        old, new = (side.own for side in self._sides)
        return {condition: None for condition in old if condition in new}

    def apart(self, sources: Sequence[str]) -> Apart | None:
        """Return a packet that tells the sides apart; None where none is found.

        Raises:
            TooLargeError: there are too many cases.
            PacketError: the packet cannot be followed.
        """
        mine, theirs = (self._told(place) for place in (0, 1))
        where = unlike(self._diagrams, mine, theirs)
        if where == self._diagrams.no:
            return None
        for number in self._differing(where):
            case = case_of(self._sides[0], self._narrowed(number))
            if case is not None and not case.doubtful:
                return self._as_packet(case.regions, sources)
            self.is_open |= case is not None
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
        ends = self._ends[side].of(leaf)
        return self._diagrams.replaced(
            ends, lambda end: self._diagrams.leaf(self._visible(self._diagrams.says(end)))
        )

    def _visible(self, says: Ended) -> End:
        return seen_of(says.end) if self._answers else seen_of(says.end._replace(reply=None))

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
            self.is_open |= case_of(self._sides[0], narrowed) is not None

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

    def _as_packet(self, regions: Regions, sources: Sequence[str]) -> Apart:
        chosen = Chosen(self._sides[0], regions, sources)
        old, new = (tuple(self._endings(side, chosen)) for side in (0, 1))
        own_known = self._sides[0].host.local is not None
        packet = _telling(chosen, self._client, self._sides[0].version, own_known=own_known)
        return Apart(packet, old, new)

    def _endings(self, side: int, chosen: Chosen) -> Iterator[Ending]:
        """Yield how a packet ends on one side, with who decides."""
        who = WhoDecides(self._ways[side])
        found: dict[End, list[tuple[Fraction, Ended]]] = {}
        for sent, share in chosen.ends(self._chosen[side]).items():
            for leaf, inner in chosen.ends(self._ends[side].of(sent)).items():
                says: Ended = self._diagrams.says(leaf)
                found.setdefault(self._visible(says), []).append((product(share, inner)[0], says))
        for end, same in sorted(found.items(), key=lambda each: -total(share for share, _ in each[1])):
            by = [says.by for _, says in same]
            first = (
                who.first([each.connection for each in by]) if end.outcome not in {ACCEPT, LOCAL} else None
            )
            answer = who.first([each.answer for each in by]) if end.reply not in {ACCEPT, None} else None
            endpoint = join_endpoint(end.address, end.port) if end.address else ""
            share = total(share for share, _ in same)
            yield Ending(share, end.outcome, endpoint, end.snat, end.reply, first, answer)


def seen_of(end: End) -> End:
    """Return how connections end as it is compared: where what is not accepted was sent makes no difference."""
    if end.outcome in {ACCEPT, LOCAL}:
        return end._replace(untracked=False)
    return End("", None, end.outcome, None, None, untracked=False, to="")


def _alike(old: object, new: object) -> bool:
    return old == new


def _accepted_alike(old: object, new: object) -> bool:
    """Whether two laws are the same of what is accepted."""
    return _accepted(old) == _accepted(new)  # type: ignore[arg-type]


def _accepted(law: Law) -> frozenset[object]:
    return frozenset(part for part in law.parts if part[0].outcome in {ACCEPT, LOCAL})


def _telling(chosen: Chosen, client: Client, version: int, *, own_known: bool) -> TellingPacket:
    """Return a chosen packet; an address of the node that nobody knows is none of it."""
    packet: Packet = client.packet
    own = {"source"} if client.hook == "output" and packet.source is None else set[str]()
    own |= {"destination"} if packet.destination is None else set()
    left = set() if own_known else own

    def address(kind: str, known: Network | None) -> str | None:
        value = None if kind in left else chosen.field(kind) if known is None else known.value
        return None if value is None else show_address(value, version)

    return TellingPacket(
        client.hook,
        address("source", packet.source),
        address("destination", packet.destination),
        packet.protocol or "",
        chosen.field("source-port"),
        packet.destination_port,
        None if packet.in_interface is not None else chosen.field("in-interface"),
        chosen.field("ttl"),
        chosen.field("length"),
        tuple(chosen.when(left)),
    )
