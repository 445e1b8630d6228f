"""All that may happen to a packet on its way through the tables of a node, as a diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chains import Chains, Ended, Left
from iptviz.engine.effects import UNKNOWN, BrokenJumps
from iptviz.engine.hooks import start_of
from iptviz.engine.marks import UNKNOWN_MARK
from iptviz.engine.moves import Lost, On, Unseen
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from iptviz.engine.condition import Condition
    from iptviz.engine.hooks import Hooks
    from iptviz.engine.marks import Mark
    from iptviz.engine.packet import Packet
    from iptviz.engine.stages import Stage, Turn
    from iptviz.engine.unknowns import Unknowns

    Answer = Callable[[Condition], bool | None]


class Fate(NamedTuple):
    """What can be told of a packet from outside: a verdict, where routing sent it, and what was rewritten."""

    verdict: str
    route: str
    dnat: str | None
    snat: str | None


class Seen(NamedTuple):
    """What becomes of a packet, and what makes no difference to anybody outside: its mark, and who decided.

    `by` is the rule or policy that ended its way, or why routing did; of what is accepted, whether a policy let
    it on.
    """

    fate: Fate
    mark: Mark
    by: object


def fate_of(verdict: str, packet: Packet) -> Fate:
    """Return what can be told of `packet` in the end."""
    return Fate(verdict, packet.route, packet.dnat, packet.snat)


class Policy(NamedTuple):
    """The policy of a built-in chain, of the dump at place `layer`."""

    table: str
    chain: str
    layer: int


NOT_FOLLOWED = Seen(Fate("", "", None, None), UNKNOWN_MARK, None)
"""What a leaf says of a packet that cannot be followed: tables that no dump shows may do anything to it."""


class Journey:
    """The ways of packets through the stages of a node, as far as they hang on what is not known."""

    _tells_policies = True
    """Whether ways that a policy let on are told apart from those that none did."""

    def __init__(self, hooks: Hooks, unknowns: Unknowns) -> None:
        self.hooks = hooks
        self.unknowns = unknowns
        self.broken = BrokenJumps({}, {}, {})
        self._chains: dict[tuple[int, Stage], Chains] = {}
        self._made: dict[tuple[int, Packet, bool], int] = {}

    def diagram(self, packet: Packet, hook: str) -> int:
        """Return all that may happen to `packet`: the leaves say what is `Seen` of it, or `NOT_FOLLOWED`."""
        return self.along(start_of(packet, hook), self.hooks.turns(hook))

    def along(self, packet: Packet, turns: Sequence[Turn]) -> int:
        """Return all that may happen to `packet` in some turns of its way, as `diagram` does."""
        self._made.clear()
        return self._from(0, packet, turns)

    def arrived(self, packet: Packet, by: object, *, policies: bool) -> Hashable:  # noqa: ARG002
        """Return what a leaf says of a packet at the end of the turns.

        `by` let it through the last; `policies`: some policy let it on.
        """
        return Seen(fate_of("ACCEPT", packet), packet.mark, policies)

    def ended(self, verdict: str, packet: Packet, by: object) -> Hashable:
        """Return what a leaf says of a packet that goes no further: `by` says by which rule or policy."""
        return Seen(fate_of(verdict, packet), packet.mark, by)

    def chains(self, layer: int, stage: Stage) -> Chains:
        """Return the chains of a table that are entered by a stage."""
        table = self.hooks.rules[layer].tables[stage.table]
        return Chains(self.unknowns, table, stage.point, self.hooks.host, self.broken)

    def _from(
        self, place: int, packet: Packet, turns: Sequence[Turn], by: object = None, *, policies: bool = False
    ) -> int:
        """Return what becomes of a packet at the turn at `place`; `by` let it through the one before."""
        while place < len(turns) and turns[place].stage.route and packet.route != turns[place].stage.route:
            place += 1
        if place == len(turns):
            return self.unknowns.diagrams.leaf(self.arrived(packet, by, policies=policies))
        made = self._made.get((place, packet, policies))
        if made is None:
            made = self.unknowns.explored(
                lambda answer: self._after(place, packet, turns, answer, policies=policies)
            )
            self._made[place, packet, policies] = made
        return made

    def _after(
        self, place: int, packet: Packet, turns: Sequence[Turn], answer: Answer, *, policies: bool
    ) -> int:
        diagrams = self.unknowns.diagrams
        move = self.hooks.move(turns[place], packet, answer)
        if isinstance(move, On):
            return self._from(place + 1, move.packet, turns, policies=policies)
        if isinstance(move, Lost):
            return diagrams.leaf(self.ended("DROP", move.packet, move.why))
        if isinstance(move, Unseen):
            return diagrams.leaf(NOT_FOLLOWED)
        stage = move.stage
        table = self.hooks.rules[move.layer].tables[stage.table]
        policy = table.policy(stage.chain)
        shown = policy is not None or stage.chain not in table.granted

        def decided(leaf: int) -> int:
            says: Left | Ended = diagrams.says(leaf)
            if isinstance(says, Ended):
                verdict, by = says.verdict, says.by
            else:
                verdict = UNKNOWN if table.lacks_end(stage.chain) else policy or "ACCEPT"
                by = Policy(stage.table, stage.chain, move.layer) if shown else None
            if verdict == "ACCEPT":
                then = policies or (self._tells_policies and isinstance(by, Policy))
                return self._from(place + 1, says.packet, turns, by, policies=then)
            return diagrams.leaf(self.ended(verdict, says.packet, by))

        return diagrams.replaced(self._chains_of(move.layer, stage).run(stage.chain, move.packet), decided)

    def _chains_of(self, layer: int, stage: Stage) -> Chains:
        if (layer, stage) not in self._chains:
            self._chains[layer, stage] = self.chains(layer, stage)
        return self._chains[layer, stage]
