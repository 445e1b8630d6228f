"""The way through netfilter's hooks: which table is asked when, and the routing decision between them.

Source: the priorities of include/uapi/linux/netfilter_ipv4.h (raw -300, connection tracking -200, mangle
-150, nat for destinations -100, filter 0, security 50, nat for sources 100), and net/ipv4/ip_forward.c, which
takes one off the time to live before FORWARD is asked. Where both backends have a table, both are asked; of equal
priority, what was registered last goes first (nf_hook_entries_grow in net/netfilter/core.c), and where nat of the
one has chosen, that of the other is not asked (nf_nat_inet_fn in net/netfilter/nf_nat_core.c).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.branches import MOST_BRANCHES, Branch, End, Reaching, When, add, joined_branches
from iptviz.engine.chance import CERTAIN, product
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.effects import BrokenJumps, UndecidedError
from iptviz.engine.flow import Flow, Request
from iptviz.engine.implications import Assumed, essential
from iptviz.engine.meanings.connections import INVALID, asks_nat, tracked
from iptviz.engine.path import POLICY, ROUTING, Path, Step, joined
from iptviz.errors import PacketError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import RuleSet, RuleTable


class Stage(NamedTuple):
    """A built-in chain of a table; only packets that routing sent to `route` pass it (empty: all)."""

    table: str
    chain: str
    route: str = ""


_CONNECTION, _ROUTING, _LOOPBACK = Stage("", "connection"), Stage("", "routing"), Stage("", "loopback")
_FILTERING = ("mangle", "filter", "security")

STAGES: dict[str, tuple[Stage, ...]] = {
    "prerouting": (
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
        Stage("raw", "OUTPUT"),
        _CONNECTION,
        *(Stage(table, "OUTPUT") for table in ("mangle", "nat", "filter", "security")),
        Stage("mangle", "POSTROUTING"),
        Stage("nat", "POSTROUTING"),
        _LOOPBACK,
        *(Stage(table, "PREROUTING", "INPUT") for table in ("raw", "mangle")),
        *(Stage(table, "INPUT", "INPUT") for table in _FILTERING),
    ),
}
"""For each hook where a packet may start, the stages in the kernel's order.

What the node sends to itself comes back in by lo, with its connection; nat has chosen by then and is not asked.
"""

_REFUSING_ROUTES = {"unreachable", "blackhole", "prohibit"}


class Journey:
    """One packet's way through the tables of a node.

    `rule_sets` are one for each backend; `unseen` are tables that the node may have and a dump does not show, and
    `beyond` those of others that no dump can show, in words: what happens there is a condition.
    """

    def __init__(
        self, rule_sets: Sequence[RuleSet], host: Host, unseen: Iterable[str] = (), beyond: Iterable[str] = ()
    ) -> None:
        self.rule_sets = tuple(rule_sets)
        self.host = host
        self.unseen = tuple(dict.fromkeys(unseen))
        self.beyond = tuple(dict.fromkeys(beyond))
        self.broken = BrokenJumps({}, {}, {})
        self.skipped = 0
        self._state: str | None = None
        self._flows: dict[tuple[int, str, str], Flow] = {}
        self._acting: dict[Stage, tuple[int, ...]] = {}

    @cached_property
    def _tracks(self) -> bool:
        return any(rules.wants_tracking for rules in self.rule_sets)

    @property
    def rounded(self) -> bool:
        """Whether some shares are rounded: see `chance.product`."""
        return any(flow.rounded for flow in self._flows.values())

    def run(self, packet: Packet, hook: str, given: When = ()) -> list[Branch]:
        """Return all that may happen: branches whose `ends` sum to 1, each with the answers it hangs on.

        `given` are answers that hold throughout; they are not repeated in the branches.
        """
        route = "OUTPUT" if hook == "output" else ""
        self._state = packet.state
        start = packet._replace(route=route, state=INVALID)  # before tracking a packet has no connection
        branches = [Branch(given, {start: Reaching(CERTAIN, None)})]
        for turn in self._turns(hook):
            passed = [after for branch in branches for after in self._pass(turn, branch)]
            branches = self._bounded(joined_branches(passed, len(given)))
        for branch in branches:
            for packet_there, reaching in branch.here.items():
                add(branch.ends, End("ACCEPT", None, packet_there), reaching)
            branch.here = {}
            branch.when = branch.when[len(given) :]
        self.skipped += sum(flow.skipped for flow in self._flows.values())
        return branches

    def _bounded(self, branches: list[Branch]) -> list[Branch]:
        beyond = max(len(branches) - MOST_BRANCHES, 0)
        self.skipped += beyond
        return branches[beyond:]

    def _turns(self, hook: str) -> Iterator[_Turn]:
        """Yield the stages; one where several backends act comes several times."""
        for stage in STAGES[hook]:
            yield from (_Turn(stage, number) for number in range(max(len(self._layers(stage)), 1)))

    def _layers(self, stage: Stage) -> tuple[int, ...]:
        """Return the places of the dumps whose table does something in a stage."""
        if stage not in self._acting:
            self._acting[stage] = tuple(
                place
                for place, rules in enumerate(self.rule_sets)
                if (table := rules.tables.get(stage.table)) is not None
                and table.has_chain(stage.chain)
                and not _lets_all_pass(table, stage.chain)
            )
        return self._acting[stage]

    def _pass(self, turn: _Turn, branch: Branch) -> list[Branch]:
        """Return what becomes of a branch in one stage, split where conditions decide."""
        done: list[Branch] = []
        pending = [branch]
        while pending:
            current = pending.pop()
            try:
                moved = [
                    (packet, reaching, self._at(turn, packet, current.when))
                    for packet, reaching in current.here.items()
                ]
            except UndecidedError as undecided:
                whens = [(*current.when, Assumption(undecided.condition, holds)) for holds in (False, True)]
                pending += [current.under(when) for when in whens]
                continue
            splitting = next((result for _, _, result in moved if _splits(result, current.when)), None)
            if splitting is not None:
                pending += [current.under(case.when) for case in reversed(splitting)]
                continue
            self._gather(current, moved)
            done.append(current)
        return done

    def _gather(self, branch: Branch, moved: list[tuple[Packet, Reaching, list[Branch]]]) -> None:
        branch.here = {}
        for _, reaching, (result,) in moved:
            for packet, inner in result.here.items():
                share, _ = product(reaching.share, inner.share)
                add(branch.here, packet, Reaching(share, joined(reaching.path, inner.path)))
            for end, inner in result.ends.items():
                share, _ = product(reaching.share, inner.share)
                add(branch.ends, end, Reaching(share, joined(reaching.path, inner.path)))

    # --- one packet at one stage -------------------------------------------------------------------------

    def _at(self, turn: _Turn, packet: Packet, when: When) -> list[Branch]:
        """Return what a stage does to a packet.

        Raises:
            UndecidedError: that hangs on a condition without an answer.
        """
        stage = turn.stage
        if stage.route and packet.route != stage.route:
            return _unchanged(packet, when)
        if stage is _CONNECTION:
            return _unchanged(tracked(packet, self._state), when)
        if stage is _ROUTING:
            return [self._routed(packet, when)]
        if stage is _LOOPBACK:
            return _unchanged(self._looped(packet), when)
        if (self.beyond or stage.table in self.unseen) and not self._is_harmless(when):
            return _unchanged(packet, (*when, self._nothing_unseen))
        if not self._layers(stage) or (turn.number and _has_chosen(stage, packet)):
            return _unchanged(packet, when)
        if stage.table == "nat" and not asks_nat(packet, Assumed(when).answer, wanted=self._tracks):
            return _unchanged(packet, when)
        return self._through(stage, self._layer(turn, when), self._seen_at(stage, packet), when)

    @property
    def _nothing_unseen(self) -> Assumption:
        """That what no dump shows does nothing: only so a packet can be followed."""
        return Assumption(Condition("unseen-tables", ", ".join((*self.unseen, *self.beyond))), holds=True)

    def _is_harmless(self, when: When) -> bool:
        """Whether it is said already that tables which no dump shows do nothing.

        Raises:
            PacketError: it is assumed that they do something.
        """
        nothing = self._nothing_unseen
        answered = Assumed(when).answer(nothing.condition)
        if answered is False:
            raise PacketError(
                f"cannot follow the packet where {nothing.opposite().text}",
                hint="give a dump of these tables",
            )
        return answered is True

    def _layer(self, turn: _Turn, when: When) -> int:
        """Return the place of the dump that is asked.

        Raises:
            UndecidedError: that hangs on which backend's table was registered last.
        """
        layers = self._layers(turn.stage)
        if len(layers) != len(_BACKENDS):
            return layers[turn.number]
        asked = Condition("backend-order", turn.stage.table)
        legacy_first = Assumed(when).answer(asked)
        if legacy_first is None:
            raise UndecidedError(asked)
        first = next((place for place in layers if self.rule_sets[place].backend == "legacy"), layers[0])
        return (
            first if legacy_first == (turn.number == 0) else next(place for place in layers if place != first)
        )

    def _seen_at(self, stage: Stage, packet: Packet) -> Packet:
        """Return the packet with the interfaces that it has at this point."""
        if stage.chain == "PREROUTING" or packet.route == "INPUT":
            return packet._replace(out_interface="")
        incoming = "" if packet.route == "OUTPUT" else packet.in_interface
        return packet._replace(out_interface=self._outgoing(stage, packet), in_interface=incoming)

    def _outgoing(self, stage: Stage, packet: Packet) -> str | None:
        """Return where the packet leaves; None where that is not known."""
        destination = packet.destination
        if stage.chain == "OUTPUT" and packet.original is not None:
            destination = packet.original.destination  # all of this hook sees the route from before nat
        if packet.route == "OUTPUT" and self.host.is_local(destination):
            return "lo"
        if self.host.out_interface is None and self.host.routes and destination is not None:
            route = self.host.routes.lookup(destination)
            return route.device if route else None
        return self.host.out_interface

    def _looped(self, packet: Packet) -> Packet:
        """Return a packet that the node sends to itself as it comes in again, any other as it is."""
        if packet.route != "OUTPUT" or not self.host.is_local(packet.destination):
            return packet
        statuses = packet.statuses | {"CONFIRMED"}  # after POSTROUTING: nf_confirm of nf_conntrack_proto.c
        return packet._replace(route="INPUT", in_interface="lo", to_this_node=True, statuses=statuses)

    def _through(self, stage: Stage, layer: int, packet: Packet, when: When) -> list[Branch]:
        """Walk a built-in chain, and apply its policy to what it leaves."""
        table = self.rule_sets[layer].tables[stage.table]
        key = layer, stage.table, stage.chain
        if key not in self._flows:
            self._flows[key] = Flow(table, stage.chain, self.host, self.broken, layer)
        ends = Step(
            stage.table, stage.chain, None, table.policy(stage.chain) or "ACCEPT", packet,
            ends=True, kind=POLICY, layer=layer,
        )  # fmt: skip
        return [
            self._decided(ends, walked) for walked in self._flows[key].run(Request(stage.chain, packet, when))
        ]

    @staticmethod
    def _decided(ends: Step, walked: Branch) -> Branch:
        """Return what becomes of what a built-in chain leaves: its policy, which `ends` tells, decides."""
        after = Branch(walked.when, {})
        policy = ends.effect
        for packet, reaching in walked.left().items():
            step = ends._replace(packet=packet)
            further = Reaching(reaching.share, joined(reaching.path, step))
            if policy == "DROP":
                add(after.ends, End("DROP", None, packet), further)
            else:
                add(after.here, packet, further)
        for end, reaching in walked.ends.items():
            if end.verdict == "ACCEPT":
                add(after.here, end.packet, reaching)
            else:
                add(after.ends, end, reaching)
        return after

    def _routed(self, packet: Packet, when: When) -> Branch:
        """Deliver to this node or forward."""
        if self._is_local(packet, Assumed(when).answer):
            return _unchanged(packet._replace(route="INPUT", to_this_node=True), when)[0]
        route = (
            self.host.routes.lookup(packet.destination) if self.host.routes and packet.destination else None
        )
        forwarded = packet._replace(
            route="FORWARD", to_this_node=False, ttl=None if packet.ttl is None else packet.ttl - 1
        )
        if packet.ttl is not None and packet.ttl <= 1:
            return _lost(packet, when, "time to live exceeded, not forwarded")
        if route is not None and route.kind in _REFUSING_ROUTES:
            return _lost(packet, when, f"route is {route.kind}")
        return _unchanged(forwarded, when)[0]

    def _is_local(self, packet: Packet, answer: Callable[[Condition], bool | None]) -> bool:
        local = packet.to_this_node
        if local is None:
            local = self.host.is_local(packet.destination)
        if local is not None:
            return local
        asked = (
            Condition("endpoint-local", "DNAT")
            if packet.dnat
            else Condition("destination-type", "LOCAL", since=packet.since("destination"))
        )
        answered = answer(asked)
        if answered is None:
            raise UndecidedError(asked)
        return answered


_BACKENDS = ("legacy", "nf_tables")


class _Turn(NamedTuple):
    """A stage, and which time it comes, from 0: once for each backend that acts in it."""

    stage: Stage
    number: int


def _has_chosen(stage: Stage, packet: Packet) -> bool:
    """Whether one backend's nat has chosen in this stage, after which the other's is not asked."""
    rewritten = packet.dnat if stage.chain in {"PREROUTING", "OUTPUT"} else packet.snat
    return stage.table == "nat" and rewritten is not None


def _lets_all_pass(table: RuleTable, chain: str) -> bool:
    return not table.rules_of(chain) and table.policy(chain) != "DROP"


def _splits(result: list[Branch], when: When) -> bool:
    return len(result) != 1 or result[0].when != when


def _unchanged(packet: Packet, when: When) -> list[Branch]:
    return [Branch(when, {packet: Reaching(CERTAIN, None)})]


def _lost(packet: Packet, when: When, why: str) -> Branch:
    branch = Branch(when, {})
    path = Path(None, Step("", "routing", None, why, packet, kind=ROUTING))
    branch.ends[End("DROP", None, packet)] = Reaching(CERTAIN, path)
    return branch


def cases_of(branches: list[Branch]) -> Iterator[tuple[When, Branch]]:
    """Yield each branch with the answers that matter, the one with the fewest special answers first."""
    whens = [(essential(branch.when), branch) for branch in branches]
    yield from sorted(whens, key=lambda case: sum(assumption.holds for assumption in case[0]))
