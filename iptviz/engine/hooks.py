"""The way through netfilter's hooks: which table is asked when, and where `routing` comes between them.

Source: the priorities of include/uapi/linux/netfilter_ipv4.h (raw -300, connection tracking -200, mangle
-150, nat for destinations -100, filter 0, security 50, nat for sources 100). Where both backends have a table,
both are asked; of equal priority, what was registered last goes first (nf_hook_entries_grow in
net/netfilter/core.c), and where nat of the one has chosen, that of the other is not asked (nf_nat_inet_fn in
net/netfilter/nf_nat_core.c). So do chains of nft, each at its own priority. What one of them accepts comes to the
next one; what one drops comes to none.
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
from iptviz.engine.stages import (
    CONNECTION,
    CONNECTION_AGAIN,
    LOOPBACK,
    REMARKING,
    REROUTING,
    ROUTING,
    SEGMENTS,
    START,
    Asked,
    Segment,
    Stage,
    Turn,
)  # fmt: skip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.engine.past import Pasts
    from iptviz.rules.form import RuleSet, RuleTable

    Answer = Callable[[Condition], bool | None]


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
        self._turns: dict[str, list[Turn]] = {}
        self._routed: dict[Stage, Callable[[Packet, Answer], Move]] = {
            CONNECTION: lambda packet, answer: connected(packet, self._state, self.pasts, host, answer),
            CONNECTION_AGAIN: lambda packet, _answer: On(untemplated(packet)),
            START: self.routing.started,
            ROUTING: self.routing.arrived,
            REMARKING: self._remarked,
            REROUTING: self.routing.resent,
            LOOPBACK: self.routing.looped,
        }

    @cached_property
    def _tracks(self) -> bool:
        return any(rules.wants_tracking for rules in self.rules)

    def turns(self, hook: str) -> list[Turn]:
        """Return the stages; one where several chains of one priority act comes several times.

        Source: nf_hook_entries_grow in net/netfilter/core.c. All nat chains of a hook are asked at one priority,
        in the order of their own, until one chooses (nf_nat_register_fn and nf_nat_inet_fn in nf_nat_core.c).
        """
        if hook not in self._turns:
            self._turns[hook] = [turn for segment in SEGMENTS[hook] for turn in self._turns_at(segment)]
        return self._turns[hook]

    def _turns_at(self, segment: Segment) -> Iterator[Turn]:
        native = list(self._native(segment))
        choosing = [(priority, asked) for priority, asked in native if asked.stage.is_nat]
        others = [(priority, asked) for priority, asked in native if not asked.stage.is_nat]
        for priority, stage in segment.stages:
            if stage.table or stage in {CONNECTION, CONNECTION_AGAIN}:
                yield from _grouped(others, before=priority)
            if stage.is_nat:
                yield from self._turns_of_nat(stage, priority, choosing)
                continue
            with_it = [asked for of, asked in others if of == priority and stage.table]
            others = [
                (of, asked) for of, asked in others if of > priority or (of == priority and not stage.table)
            ]
            yield from _turns_of((*self._of_iptables(stage), *with_it), stage)
            if any(asked.stage.type == "route" for asked in with_it):
                yield Turn(REMARKING)
        yield from _grouped(others)

    def _native(self, segment: Segment) -> Iterator[tuple[int, Asked]]:
        """Yield the chains of nft at a hook, each with its priority."""
        for layer, rules in enumerate(self.rules):
            for base in rules.bases:
                stage = Stage(base.table, base.chain, segment.route, base.type, base.hook)
                if base.hook != segment.hook or (stage.is_nat and not segment.asks_nat):
                    continue
                if not _lets_all_pass(rules.tables[base.table], base.chain):
                    yield base.priority, Asked(layer, stage, base.place)

    def _of_iptables(self, stage: Stage) -> Iterator[Asked]:
        """Yield the chains of iptables' backends in a stage that do something."""
        for layer, rules in enumerate(self.rules):
            table = rules.tables.get(stage.table)
            if table is not None and table.has_chain(stage.chain) and not _lets_all_pass(table, stage.chain):
                yield Asked(layer, stage)

    def _turns_of_nat(
        self, stage: Stage, priority: int, native: Sequence[tuple[int, Asked]]
    ) -> Iterator[Turn]:
        chains = [*native, *((priority, asked) for asked in self._of_iptables(stage))]
        if not chains:
            yield Turn(stage)
        for of in sorted({of for of, _ in chains}):
            group = tuple(asked for own, asked in chains if own == of)
            yield from (Turn(stage, number, group) for number in range(len(group)))

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
        if stage.is_nat and packet.past is not None:
            return On(translated(packet, stage.point, answer))
        if not turn.group or _has_chosen(stage, packet):
            return On(packet)
        if stage.is_nat and not asks_nat(packet, answer, wanted=self._tracks):
            return On(packet)
        asked = self._in_order(turn, answer)
        return Enter(asked.layer, self._seen_at(stage, packet), asked.stage)

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
        marking = [any(self._of_iptables(Stage(name, "OUTPUT"))) for name in ("raw", "mangle")]
        if "filter" in self._native_types and not ("route" in self._native_types or any(marking)):
            return On(packet)
        sure = not marking[0] and "filter" not in self._native_types
        return self.routing.remarked(packet, answer, sure=sure)

    @cached_property
    def _native_types(self) -> frozenset[str]:
        """The types of the chains of nft in OUTPUT; behind those of type route a packet is routed again."""
        (segment,) = (one for one in SEGMENTS["output"] if one.hook == "OUTPUT")
        return frozenset(asked.stage.type for _, asked in self._native(segment))

    def _in_order(self, turn: Turn, answer: Answer) -> Asked:
        """Return the chain whose turn it is, of those with one priority: what was registered last goes first.

        Raises:
            UndecidedError: that hangs on which one was registered last.
        """
        ordered: list[Asked] = []
        for asked in turn.group:
            at = next(
                (place for place, other in enumerate(ordered) if self._goes_first(asked, other, answer)),
                len(ordered),
            )
            ordered.insert(at, asked)
        return ordered[turn.number]

    def _goes_first(self, one: Asked, other: Asked, answer: Answer) -> bool:
        """Whether a chain is asked before another one of its priority.

        Raises:
            UndecidedError: that hangs on which one was registered last.
        """
        if (
            one.stage.type
            and other.stage.type
            and (one.layer, one.stage.table) == (other.layer, other.stage.table)
        ):
            return one.place > other.place
        if not one.stage.type and not other.stage.type:
            legacy_first = answered(Condition("backend-order", one.stage.table), answer)
            first = one if self.rules[one.layer].backend == "legacy" else other
            first = other if self.rules[other.layer].backend == "legacy" else first
            return legacy_first == (first is one)
        return not answered(Condition("hook-order", f"{other.name} before {one.name}"), answer)

    def _seen_at(self, stage: Stage, packet: Packet) -> Packet:
        """Return the packet with the interfaces that it has at this point, told by counts of earlier tables."""
        if packet.counted:
            packet = packet._replace(counted=COUNTED)
        if stage.point == "PREROUTING" or packet.route == "INPUT":
            return packet._replace(out_interface="")
        if packet.route == "OUTPUT":
            leaving = packet.out_interface if stage.point == "OUTPUT" else packet.leaves_by
            return packet._replace(out_interface=leaving, in_interface="")
        return packet._replace(out_interface=packet.leaves_by)


def granted_of(rules: Iterable[RuleSet]) -> tuple[str, ...]:
    """Return for each table the chains of which rules are taken for granted, as a condition has them."""
    tables = [table for each in rules for table in each.tables.values() if table.granted]
    return tuple(dict.fromkeys(f"{table.name} {', '.join(table.granted)}" for table in tables))


def _turns_of(group: tuple[Asked, ...], stage: Stage) -> Iterator[Turn]:
    """Yield the turns of chains of one priority; `stage` comes, too, where there is none."""
    return (Turn(stage, number, group) for number in range(max(len(group), 1)))


def _grouped(chains: list[tuple[int, Asked]], before: int | None = None) -> Iterator[Turn]:
    """Yield the turns of chains, those of lower priorities than `before`, and take them out of the list."""
    taken = [one for one in chains if before is None or one[0] < before]
    chains[:] = [one for one in chains if one not in taken]
    for priority in sorted({priority for priority, _ in taken}):
        group = tuple(asked for of, asked in taken if of == priority)
        yield from _turns_of(group, group[0].stage)
        if any(asked.stage.type == "route" for asked in group):
            yield Turn(REMARKING)


def start_of(packet: Packet, hook: str) -> Packet:
    """Return the packet as it comes to `hook`: before tracking it has no connection."""
    return packet._replace(route="OUTPUT" if hook == "output" else "", state=INVALID)


def _has_chosen(stage: Stage, packet: Packet) -> bool:
    """Whether a nat chain has chosen in this stage, after which no other one is asked."""
    rewritten = packet.dnat if stage.point in {"PREROUTING", "OUTPUT"} else packet.snat
    return stage.is_nat and rewritten is not None


def _lets_all_pass(table: RuleTable, chain: str) -> bool:
    return not table.rules_of(chain) and table.policy(chain) != "DROP" and not table.lacks_end(chain)
