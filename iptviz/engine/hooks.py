"""The way through netfilter's hooks: which table is asked when, and where `routing` comes between them.

Source: the priorities of include/uapi/linux/netfilter_ipv4.h (raw -300, connection tracking -200, mangle
-150, nat for destinations -100, filter 0, security 50, nat for sources 100). Where both backends have a table,
both are asked; of equal priority, what was registered last goes first (nf_hook_entries_grow in
net/netfilter/core.c), and where nat of the one has chosen, that of the other is not asked (nf_nat_inet_fn in
net/netfilter/nf_nat_core.c).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.engine.meanings.connections import INVALID, asks_nat, untemplated
from iptviz.engine.moves import Enter, Lost, Move, On, Unseen
from iptviz.engine.packet import COUNTED
from iptviz.engine.past import connected, translated
from iptviz.engine.routing import Routing
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.engine.past import Pasts
    from iptviz.rules.form import RuleSet, RuleTable

    Answer = Callable[[Condition], bool | None]


class Stage(NamedTuple):
    """A built-in chain of a table; only packets that routing sent to `route` pass it (empty: all)."""

    table: str
    chain: str
    route: str = ""


_CONNECTION, _ROUTING, _LOOPBACK = Stage("", "connection"), Stage("", "routing"), Stage("", "loopback")
_CONNECTION_AGAIN = Stage("", "connection", "INPUT")
_START, _REMARKING, _REROUTING = Stage("", "start"), Stage("", "remarking"), Stage("", "rerouting")
_FILTERING = ("mangle", "filter", "security")

STAGES: dict[str, tuple[Stage, ...]] = {
    "prerouting": (
        _START,
        Stage("raw", "PREROUTING"),
        _CONNECTION,
        Stage("mangle", "PREROUTING"),
        Stage("nat", "PREROUTING"),
        _ROUTING,
        *(Stage(table, "INPUT", "INPUT") for table in (*_FILTERING, "nat")),
        *(Stage(table, "FORWARD", "FORWARD") for table in _FILTERING),
        Stage("mangle", "POSTROUTING", "FORWARD"),
        Stage("nat", "POSTROUTING", "FORWARD"),
    ),
    "output": (
        _START,
        Stage("raw", "OUTPUT"),
        _CONNECTION,
        Stage("mangle", "OUTPUT"),
        _REMARKING,
        Stage("nat", "OUTPUT"),
        _REROUTING,
        *(Stage(table, "OUTPUT") for table in ("filter", "security")),
        Stage("mangle", "POSTROUTING"),
        Stage("nat", "POSTROUTING"),
        _LOOPBACK,
        Stage("raw", "PREROUTING", "INPUT"),
        _CONNECTION_AGAIN,
        Stage("mangle", "PREROUTING", "INPUT"),
        *(Stage(table, "INPUT", "INPUT") for table in _FILTERING),
    ),
}
"""For each hook where a packet may start, the stages in the kernel's order.

What the node sends to itself comes back in by lo, with its connection; nat has chosen by then and is not asked.
"""


class Hooks:
    """The stages of a node, and what each does to a packet before its rules are asked.

    `rules` are one set for each backend; `unseen` are tables that the node may have and a dump does not show, and
    `beyond` those of others that no dump can show, in words: what happens there is a condition. `pasts` are the
    ways in which nat may have rewritten a connection that exists; None where it can have rewritten none.
    `asks_own` is as of `Routing`.
    """

    def __init__(
        self,
        rules: Sequence[RuleSet],
        host: Host,
        state: str | None,
        unseen: Iterable[str] = (),
        beyond: Iterable[str] = (),
        *,
        pasts: Pasts | None = None,
        asks_own: bool = False,
    ) -> None:
        self.rules = tuple(rules)
        self.host = host
        self.routing = Routing(host, lambda: any(each.asks_ttl for each in self.rules), asks_own=asks_own)
        self.unseen = tuple(dict.fromkeys(unseen))
        self.beyond = tuple(dict.fromkeys(beyond))
        self._state = state
        self.pasts = pasts
        self._acting: dict[Stage, tuple[int, ...]] = {}
        self._routed: dict[Stage, Callable[[Packet, Answer], Move]] = {
            _CONNECTION: lambda packet, answer: connected(packet, self._state, self.pasts, host, answer),
            _CONNECTION_AGAIN: lambda packet, _answer: On(untemplated(packet)),
            _START: self.routing.started,
            _ROUTING: self.routing.arrived,
            _REMARKING: self._remarked,
            _REROUTING: self.routing.resent,
            _LOOPBACK: self.routing.looped,
        }

    @cached_property
    def _tracks(self) -> bool:
        return any(rules.wants_tracking for rules in self.rules)

    def turns(self, hook: str) -> list[Turn]:
        """Return the stages; one where several backends act comes several times."""
        return [
            Turn(stage, number)
            for stage in STAGES[hook]
            for number in range(max(len(self._layers(stage)), 1))
        ]

    def _layers(self, stage: Stage) -> tuple[int, ...]:
        """Return the places of the rules whose table does something in a stage."""
        if stage not in self._acting:
            self._acting[stage] = tuple(
                place
                for place, rules in enumerate(self.rules)
                if (table := rules.tables.get(stage.table)) is not None
                and table.has_chain(stage.chain)
                and not _lets_all_pass(table, stage.chain)
            )
        return self._acting[stage]

    def move(self, turn: Turn, packet: Packet, answer: Answer) -> Move:
        """Return what a stage does to a packet before any rule is asked.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
            PacketError: it is assumed that tables which no dump shows do something.
        """
        stage = turn.stage
        if stage.route and packet.route != stage.route:
            return On(packet)
        if stage in self._routed:
            return self._routed[stage](packet, answer)
        if (self.beyond or stage.table in self.unseen) and not answered(self.nothing_unseen, answer):
            return Unseen(self.nothing_unseen)
        if self._grants(stage.table) and not answered(self.as_granted, answer):
            return Unseen(self.as_granted)
        if stage.table == "nat" and packet.past is not None:
            return On(translated(packet, stage.chain, answer))
        if not self._layers(stage) or (turn.number and _has_chosen(stage, packet)):
            return On(packet)
        if stage.table == "nat" and not asks_nat(packet, answer, wanted=self._tracks):
            return On(packet)
        return Enter(self._layer(turn, answer), self._seen_at(stage, packet))

    @cached_property
    def nothing_unseen(self) -> Condition:
        """That what no dump shows does nothing: only so a packet can be followed."""
        return Condition("unseen-tables", ", ".join((*self.unseen, *self.beyond)))

    @cached_property
    def as_granted(self) -> Condition:
        """That chains which the dump does not show are as kube-proxy writes them."""
        return Condition("unseen-chains", " and ".join(self.granted))

    @cached_property
    def granted(self) -> tuple[str, ...]:
        """For each table that has some, its chains of which rules are taken for granted that no dump shows."""
        return granted_of(self.rules)

    def _grants(self, table: str) -> bool:
        return any(rules.tables[table].granted for rules in self.rules if table in rules.tables)

    def _remarked(self, packet: Packet, answer: Answer) -> On | Lost:
        """Route a packet of this node again after mangle; a mark of raw alone does not make the kernel do so.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        return self.routing.remarked(packet, answer, sure=not self._layers(Stage("raw", "OUTPUT")))

    def _layer(self, turn: Turn, answer: Answer) -> int:
        """Return the place of the rules that are asked.

        Raises:
            UndecidedError: that hangs on which backend's table was registered last.
        """
        layers = self._layers(turn.stage)
        if len(layers) != len(_BACKENDS):
            return layers[turn.number]
        legacy_first = answered(Condition("backend-order", turn.stage.table), answer)
        first = next((place for place in layers if self.rules[place].backend == "legacy"), layers[0])
        return (
            first if legacy_first == (turn.number == 0) else next(place for place in layers if place != first)
        )

    def _seen_at(self, stage: Stage, packet: Packet) -> Packet:
        """Return the packet with the interfaces that it has at this point, told by counts of earlier tables."""
        if packet.counted:
            packet = packet._replace(counted=COUNTED)
        if stage.chain == "PREROUTING" or packet.route == "INPUT":
            return packet._replace(out_interface="")
        if packet.route == "OUTPUT":
            leaving = packet.out_interface if stage.chain == "OUTPUT" else packet.leaves_by
            return packet._replace(out_interface=leaving, in_interface="")
        return packet._replace(out_interface=packet.leaves_by)


def granted_of(rules: Iterable[RuleSet]) -> tuple[str, ...]:
    """Return for each table the chains of which rules are taken for granted, as a condition has them."""
    tables = [table for each in rules for table in each.tables.values() if table.granted]
    return tuple(dict.fromkeys(f"{table.name} {', '.join(table.granted)}" for table in tables))


_BACKENDS = ("legacy", "nf_tables")


class Turn(NamedTuple):
    """A stage, and which time it comes, from 0: once for each backend that acts in it."""

    stage: Stage
    number: int


def start_of(packet: Packet, hook: str) -> Packet:
    """Return the packet as it comes to `hook`: before tracking it has no connection."""
    return packet._replace(route="OUTPUT" if hook == "output" else "", state=INVALID)


def _has_chosen(stage: Stage, packet: Packet) -> bool:
    """Whether one backend's nat has chosen in this stage, after which the other's is not asked."""
    rewritten = packet.dnat if stage.chain in {"PREROUTING", "OUTPUT"} else packet.snat
    return stage.table == "nat" and rewritten is not None


def _lets_all_pass(table: RuleTable, chain: str) -> bool:
    return not table.rules_of(chain) and table.policy(chain) != "DROP"
