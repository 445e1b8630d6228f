"""From diagrams to entries: which clients fare alike, and a row for each way that their connections may go.

What is asked before nat has chosen, or of every endpoint alike, tells clients apart; what is asked of one
endpoint stands in its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.engine.cases import Case, cases_of, cases_told
from iptviz.engine.chance import CERTAIN, NEVER, product, total
from iptviz.engine.journey import Policy
from iptviz.engine.laws import Law
from iptviz.engine.meanings.connections import UNTRACKED
from iptviz.engine.nodes import EITHER, MIX
from iptviz.errors import PacketError
from iptviz.paths.leg import Stopped, Through
from iptviz.paths.mirrored import is_of_endpoint
from iptviz.paths.model import ACCEPT, LOCAL, ClientPaths, Decider, EndpointRow, LeftoverRow, is_exempting
from iptviz.paths.way import Gone
from iptviz.rules.iptables import DumpRules
from iptviz.xtables.address import join_endpoint, split_endpoint
from iptviz.xtables.values.addresses import show_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from fractions import Fraction

    from iptviz.engine.condition import When
    from iptviz.engine.packet import Packet
    from iptviz.engine.regions import Region
    from iptviz.engine.unknowns import Unknowns
    from iptviz.paths.leg import By
    from iptviz.paths.way import Way

_MOST_ASKED_OF_ALL = 8
"""More questions that are asked of all endpoints alike stay in the rows: each doubles the entries."""


NOT_TO_BE_FOLLOWED = PacketError(
    "cannot follow connections through tables that are not in the dump", hint="give a dump of these tables"
)


class End(NamedTuple):
    """How connections end, as far as it can be told from outside: what makes rows alike."""

    address: str
    port: int | None
    outcome: str
    snat: str | None
    reply: str | None
    untracked: bool
    to: str


class _By(NamedTuple):
    """Who decides about connections, and about their answers, and whose rule rewrites sources."""

    connection: By
    answer: By
    source: By


class _Leaf(NamedTuple):
    """What a leaf says: how connections end, and by whom."""

    end: End
    by: _By


Part = tuple["Fraction", int]
"""A share (in [0, 1]) of connections, and the diagram of how they end."""


class Entries:
    """Makes entries of the way of one kind of client."""

    def __init__(self, way: Way, client: Packet) -> None:
        self.way = way
        self.unknowns: Unknowns = way.unknowns
        self.diagrams = way.diagrams
        self._client = way.client(client)
        self._told: list[tuple[Part, ...]] = []
        self._ended: dict[int, int] = {}

    def made(self, clients: tuple[str, ...]) -> list[ClientPaths]:
        """Return the entries of a client, which exclude each other and leave nothing out.

        Raises:
            TooLargeError: there are too many cases.
        """
        chosen = self.way.chosen(self._client)
        told = self._above_chances(chosen)
        ways: list[tuple[Any, int]] = []
        numbers: dict[object, int] = {}
        alike: dict[int, list[tuple[Part, ...]]] = {}
        for case in cases_of(self.unknowns, self.unknowns.narrowed(told)):
            parts = tuple((share, self._within(part, case.regions)) for share, part in self._told[case.says])
            signature = tuple((share, self._without_by(part)) for share, part in parts)
            number = numbers.setdefault(signature, len(numbers))
            alike.setdefault(number, []).append(parts)
            ways.append((dict(case.regions), number))
        return [self._entry(clients, case.when, alike[case.says]) for case in cases_told(self.unknowns, ways)]

    # --- what tells clients apart -----------------------------------------------------------------------------

    def _above_chances(self, top: int) -> int:
        """Return what a diagram asks before any chance; its leaves number `_told`."""
        nodes = self.diagrams.nodes
        made: dict[int, int] = {}
        pending = [top]
        while pending:
            number = pending[-1]
            node = nodes[number]
            missing = [way for way in node.ways if way not in made] if node.rank < EITHER else []
            if missing and number not in made:
                pending += missing
                continue
            pending.pop()
            if number not in made:
                made[number] = (
                    self._asked_of_all(number)
                    if node.rank >= EITHER
                    else self.diagrams.select(node.rank, node.cuts, [made[way] for way in node.ways])
                )
        return made[top]

    def _asked_of_all(self, number: int) -> int:
        """Return what comes of a choice, by what is asked of all alike: leaves number `_told`."""
        node = self.diagrams.nodes[number]
        chosen = list(zip(node.cuts, node.ways, strict=True)) if node.rank == MIX else [(CERTAIN, number)]
        parts = tuple((share, self._to_the_end(way)) for share, way in chosen)
        asked = [self._asked(part) for _, part in parts]
        shared = sorted(set[int]().union(*asked).intersection(*asked))[:_MOST_ASKED_OF_ALL]
        return self._split(parts, shared)

    def _split(self, parts: tuple[Part, ...], ranks: Sequence[int]) -> int:
        if not ranks:
            self._told.append(parts)
            return self.diagrams.leaf(len(self._told) - 1)
        rank, *others = ranks
        cuts = sorted({
            cut
            for _, part in parts
            for each in self.diagrams.from_below(part)
            if self.diagrams.nodes[each].rank == rank
            for cut in self.diagrams.nodes[each].cuts
        })  # fmt: skip
        least = self.unknowns.fields[rank].least
        made: dict[tuple[int, ...], int] = {}
        ways = []
        for first, after in zip([least, *cuts], [*cuts, None], strict=True):
            narrowed = tuple(self.diagrams.within(part, rank, ((first, after),)) for _, part in parts)
            if narrowed not in made:
                shares = (share for share, _ in parts)
                made[narrowed] = self._split(tuple(zip(shares, narrowed, strict=True)), others)
            ways.append(made[narrowed])
        return self.diagrams.select(rank, cuts, ways)

    def _asked(self, number: int) -> set[int]:
        """Return the ranks of the fields that a diagram asks, and that are not those of one endpoint."""
        ranks = {self.diagrams.asks(each) for each in self.diagrams.from_below(number)}
        return {rank for rank in ranks if rank is not None and not is_of_endpoint(self.unknowns.fields[rank])}

    # --- how connections end ----------------------------------------------------------------------------------

    def _to_the_end(self, number: int) -> int:
        """Return what becomes of what nat has chosen: leaves say `_Leaf`, or that it cannot be followed."""
        return self.diagrams.replaced(number, self._end_of)

    def _end_of(self, leaf: int) -> int:
        if leaf not in self._ended:
            says = self.diagrams.says(leaf)
            if isinstance(says, Through):
                gone = self.way.gone(self._client, says.packet)
                ended = self.diagrams.replaced(
                    gone, lambda below: self._leaf(self.diagrams.says(below), says.packet, says.by)
                )
            elif isinstance(says, Stopped):
                ended = self._leaf(Gone(says.verdict, says.by, says.packet), says.packet, None)
            else:
                raise NOT_TO_BE_FOLLOWED
            self._ended[leaf] = ended
        return self._ended[leaf]

    def _leaf(self, gone: object, sent: Packet, accepted: By) -> int:
        if not isinstance(gone, Gone):
            raise NOT_TO_BE_FOLLOWED
        packet = gone.packet
        by = accepted if gone.by is None and packet.dnat is None else gone.by
        return self.diagrams.leaf(
            _Leaf(_end(gone, sent, self._client), _By(by, gone.reply_by, packet.snat_by))
        )

    def _without_by(self, number: int) -> int:
        """Return a diagram of ends without who decides them."""
        if self.diagrams.is_leaf(number):
            says = self.diagrams.says(number)
            return self.diagrams.leaf(says.end) if isinstance(says, _Leaf) else number
        return self.diagrams.replaced(number, self._without_by)

    def _within(self, number: int, regions: Mapping[int, Region]) -> int:
        """Return a diagram for clients whose fields lie in `regions`."""
        if not self.diagrams.is_leaf(number):
            for rank in self._asked(number).intersection(regions):
                number = self.diagrams.within(number, rank, regions[rank])
        return number

    # --- rows -------------------------------------------------------------------------------------------------

    def _entry(self, clients: tuple[str, ...], when: When, alike: Sequence[tuple[Part, ...]]) -> ClientPaths:
        """Return the entry of clients that differ at most in who decides: of each of them all parts."""
        rows: dict[tuple[End, When], list[tuple[Fraction, Sequence[_By]]]] = {}
        least, most = [], []
        for same in zip(*alike, strict=True):
            share, part = same[0]
            parts = dict.fromkeys(each for _, each in same)
            sure, possible = [], []
            for case in self._cases(part):
                law: Law = case.says
                sure.append(total(low for end, low, _ in law.parts if _works(end, surely=True)))
                possible.append(total(high for end, _, high in law.parts if _works(end, surely=False)))
                for end, low, _ in law.parts:
                    deciders = [by for each in parts for by in self._deciders(each, case, end)]
                    rows.setdefault((end, case.when), []).append((product(share, low)[0], deciders))
            least.append(product(share, min(sure, default=NEVER))[0])
            most.append(product(share, max(possible, default=NEVER))[0])
        endpoints = [_endpoint_row(*row, same, self.way) for row, same in rows.items() if row[0].address]
        leftover = [_leftover_row(*row, same, self.way) for row, same in rows.items() if not row[0].address]
        untracked = any(end.untracked for end, _ in rows)
        return ClientPaths(
            clients, when, untracked, tuple(endpoints), tuple(leftover), total(least), total(most)
        )

    def _cases(self, part: int) -> list[Case]:
        """Return the cases of a part: what the diagram says of each is a law of `End`."""
        number = self._without_by(part)
        if not self.diagrams.is_leaf(number):
            return cases_of(self.unknowns, self.unknowns.narrowed(self.diagrams.flattened(number)))
        return [Case((), (), {}, Law([(self.diagrams.says(number), CERTAIN, CERTAIN)]))]

    def _deciders(self, part: int, case: Case, end: End) -> list[_By]:
        """Return who may decide that connections end so, each once."""
        leaves = sorted(self.diagrams.leaves_within(part, case.regions))
        return [says.by for says in map(self.diagrams.says, leaves) if says.end == end]


def _works(end: End, *, surely: bool) -> bool:
    return (
        bool(end.address)
        and end.outcome == ACCEPT
        and (end.reply == ACCEPT or (end.reply is None and not surely))
    )


def _end(gone: Gone, sent: Packet, client: Packet) -> End:
    """Return how connections end; `gone` may tell of others, to an endpoint that no rule tells apart."""
    packet = gone.packet
    untracked = packet.state == UNTRACKED
    if sent.dnat is not None:
        address, port = split_endpoint(sent.dnat)
        port = sent.destination_port if port is None else port
        return End(address, port, gone.outcome, packet.snat, gone.reply, untracked, "")
    outcome = LOCAL if gone.outcome == ACCEPT and packet.route == "INPUT" else gone.outcome
    where = client.destination
    to = join_endpoint(show_network(where).partition("/")[0] if where else "", client.destination_port)
    return End("", None, outcome, packet.snat, None, untracked, to)


def _endpoint_row(
    end: End, when: When, same: Sequence[tuple[Fraction, Sequence[_By]]], way: Way
) -> EndpointRow:
    deciders = [by for _, found in same for by in found]
    by = _decider([each.connection for each in deciders], way) if end.outcome != ACCEPT else None
    answer = _decider([each.answer for each in deciders], way) if end.reply not in {ACCEPT, None} else None
    source = _decider([each.source for each in deciders], way) if end.snat is not None else None
    share = total(part for part, _ in same)
    return EndpointRow(
        end.address, end.port, share, when, end.outcome, by, end.snat, end.reply, answer, source
    )


def _leftover_row(
    end: End, when: When, same: Sequence[tuple[Fraction, Sequence[_By]]], way: Way
) -> LeftoverRow:
    deciders = [each.connection for _, found in same for each in found]
    return LeftoverRow(total(part for part, _ in same), when, end.outcome, _decider(deciders, way), end.to)


def _decider(found: Iterable[By], way: Way) -> Decider | None:
    """Return the first of those who decide, with the number of the others; who exempts some comes last."""
    deciders = sorted(
        {_told(by, way) for by in found if by is not None},
        key=lambda each: (is_exempting(each), each.line or 0, each),
    )
    return deciders[0]._replace(others=len(deciders) - 1) if deciders else None


def _told(by: By, way: Way) -> Decider:
    if isinstance(by, str):
        return Decider("", "routing", None, None, by)
    if isinstance(by, Policy):
        rules = way.hooks.rules[by.layer]
        text = f"policy {rules.tables[by.table].policy(by.chain) or ACCEPT}"
        line = rules.dump.tables[by.table].chains[by.chain].line if isinstance(rules, DumpRules) else None
        return Decider(by.table, by.chain, None, line, text)
    assert by is not None  # noqa: S101 - who decides is left out where nobody does
    return Decider(by.table.name, by.chain, by.number, by.line, by.text)
