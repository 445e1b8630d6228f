"""How connections end, as diagrams: with who decides that, and without."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.effects import UNKNOWN
from iptviz.engine.meanings.connections import UNTRACKED
from iptviz.errors import PacketError
from iptviz.paths.leg import Stopped, Through
from iptviz.paths.model import ACCEPT, LOCAL
from iptviz.paths.way import Gone
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint, split_endpoint
from iptviz.xtables.values.addresses import show_network

if TYPE_CHECKING:
    from iptviz.engine.packet import Packet
    from iptviz.paths.leg import By
    from iptviz.paths.way import Way

NOT_TO_BE_FOLLOWED = PacketError(
    "cannot follow connections through tables that are not in the dump", hint="pass a dump of these tables"
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

    def works(self, *, surely: bool) -> bool:
        """Whether an endpoint is reached and answers, or may, where nobody knows."""
        answered = self.reply == ACCEPT or (self.reply is None and not surely)
        if self.outcome == UNKNOWN:
            return not surely
        return bool(self.address) and self.outcome == ACCEPT and answered


class Deciding(NamedTuple):
    """Who decides about connections, and about their answers, and whose rule rewrites sources."""

    connection: By
    answer: By
    source: By


class Ended(NamedTuple):
    """What a leaf says: how connections end, and by whom."""

    end: End
    by: Deciding


class Ends:
    """The ends of what nat has chosen for the connections of one client."""

    def __init__(self, way: Way, client: Packet) -> None:
        self._way = way
        self._client = client
        self._diagrams = way.diagrams
        self._ended: dict[int, int] = {}
        self._bare: dict[int, int] = {}

    def of(self, number: int) -> int:
        """Return what becomes of what nat has chosen: leaves say `Ended`, or that it cannot be followed."""
        return self._diagrams.replaced(number, self._end_of)

    def bare(self, number: int) -> int:
        """Return a diagram of ends without who decides them: leaves say `End`."""
        if number not in self._bare:
            self._bare[number] = self._diagrams.replaced(number, self._without_by)
        return self._bare[number]

    def _without_by(self, leaf: int) -> int:
        says = self._diagrams.says(leaf)
        return self._diagrams.leaf(says.end) if isinstance(says, Ended) else leaf

    def _end_of(self, leaf: int) -> int:
        if leaf not in self._ended:
            says = self._diagrams.says(leaf)
            if isinstance(says, Through):
                gone = self._way.gone(self._client, says.packet)
                ended = self._diagrams.replaced(
                    gone, lambda below: self._leaf(self._diagrams.says(below), says.packet, says.by)
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
        return self._diagrams.leaf(
            Ended(_end(gone, sent, self._client), Deciding(by, gone.reply_by, packet.snat_by))
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
    host = show_network(where).partition("/")[0] if where else client.destination_name
    to = join_endpoint(host, client.destination_port)
    return End("", None, outcome, packet.snat, None, untracked, to)
