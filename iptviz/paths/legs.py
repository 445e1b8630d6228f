"""The legs of a connection's way: up to nat, from there to its end, and the answer's way back.

Where nat sends a connection is one diagram, and what becomes of what it sent is another for each packet
that comes of it: so what is asked of one endpoint does not multiply with what is asked of others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from iptviz.engine.chains import Chains, Ended
from iptviz.engine.condition import Condition
from iptviz.engine.effects import answered
from iptviz.engine.hooks import Stage, start_of
from iptviz.engine.journey import Journey, Policy
from iptviz.engine.marks import known_mark
from iptviz.engine.meanings.connections import INVALID, UNTRACKED
from iptviz.engine.packet import ANSWER, NEXT
from iptviz.paths.mirrored import Reworded, changed_sides, is_of_endpoint, of_answer, of_endpoint
from iptviz.xtables.address import full_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from iptviz.engine.effects import Stop
    from iptviz.engine.hooks import Hooks, Turn
    from iptviz.engine.packet import Packet
    from iptviz.engine.unknowns import Unknowns
    from iptviz.paths.alike import Alike
    from iptviz.rules.form import CompiledRule, Place
    from iptviz.xtables.address import Network

FEW, SINGLE = 16, 1
"""So many packets that nat makes are followed one by one; of more, those that no rule tells apart are
followed once. To search a large dump for what tells them apart takes as long as to follow a few, a small
one is searched sooner.
"""

By: TypeAlias = "Place | Policy | str | None"
"""Who decides: a rule, a policy, what routing says, or nobody."""


class Through(NamedTuple):
    """A packet that has come to the end of a leg; `by` is what accepted it last, where that is told."""

    packet: Packet
    by: By


class Stopped(NamedTuple):
    """A packet that goes no further."""

    verdict: str
    packet: Packet
    by: By


class Gone(NamedTuple):
    """How a connection ended: `packet` as it then was, and what became of the endpoint's answer.

    `reply` is None where there is none to be followed.
    """

    outcome: str
    by: By
    packet: Packet
    reply: str | None = None
    reply_by: By = None


class _Chains(Chains):
    """Chains that say which rule ended the table: of those that accept only where that is wanted."""

    accepting = False

    def end(self, rule: CompiledRule, stop: Stop) -> Ended:
        told = self.accepting or stop.verdict != "ACCEPT"
        return Ended(stop.verdict, stop.packet, rule.place if told else None)


class Leg(Journey):
    """Some turns of a way; the leaves say `Through`, `Stopped` or `NOT_FOLLOWED`."""

    def __init__(self, hooks: Hooks, unknowns: Unknowns, *, accepting: bool = False) -> None:
        super().__init__(hooks, unknowns)
        self._accepting = accepting

    def arrived(self, packet: Packet, by: object) -> Hashable:
        """Return what a leaf says of a packet that has come to the end of the turns."""
        return Through(packet, by if self._accepting else None)  # type: ignore[arg-type]

    def ended(self, verdict: str, packet: Packet, by: object) -> Hashable:
        """Return what a leaf says of a packet that goes no further."""
        return Stopped(verdict, packet, by)  # type: ignore[arg-type]

    def asked_at(self, stage: Stage) -> Unknowns:  # noqa: ARG002 - what nat has chosen looks
        """Return what is not known of a packet, as a stage asks."""
        return self.unknowns

    def chains(self, layer: int, stage: Stage) -> Chains:
        """Return the chains of a table that are entered by a stage."""
        table = self.hooks.rules[layer].tables[stage.table]
        made = _Chains(self.asked_at(stage), table, stage.chain, self.hooks.host, self.broken)
        made.accepting = self._accepting
        return made


class _Onward(Leg):
    """The way of a packet that nat has sent to an endpoint."""

    def __init__(self, hooks: Hooks, unknowns: Unknowns, address: str) -> None:
        super().__init__(hooks, Reworded(unknowns, of_endpoint(address, routed=True)))
        self._before_routing = Reworded(unknowns, of_endpoint(address, routed=False))

    def asked_at(self, stage: Stage) -> Unknowns:
        """Return what is not known of the packet: OUTPUT asks for the interface from before nat."""
        return self._before_routing if stage.chain == "OUTPUT" else self.unknowns


def _halves(turns: list[Turn]) -> tuple[list[Turn], list[Turn]]:
    """Return the turns up to the first that nat has, and those after it."""
    after = 1 + max(
        place for place, turn in enumerate(turns) if _translates(turn.stage)
    )  # fmt: skip
    return turns[:after], turns[after:]


class Way:
    """The whole way of connections that start at one hook.

    `networks` are those of pods; `alike` says which endpoints no rule tells apart, and is asked once `few`
    packets have been followed.
    """

    def __init__(
        self,
        hooks: Hooks,
        unknowns: Unknowns,
        hook: str,
        networks: Sequence[Network],
        alike: Alike,
        few: int = FEW,
    ) -> None:
        self.unknowns = unknowns
        self._few = few
        self._networks = networks
        self._alike = alike
        self._shared: dict[object, int] = {}
        self.diagrams = unknowns.diagrams
        self.hooks = hooks
        self._hook = hook
        self._first, self._second = _halves(hooks.turns(hook))
        self._leg = Leg(hooks, unknowns, accepting=True)
        self._gone: dict[Packet, int] = {}

    def chosen(self, client: Packet) -> int:
        """Return what comes of a connection's first packet, from its start up to where nat sends it."""
        return self._leg.along(client, self._first)

    def client(self, packet: Packet) -> Packet:
        """Return a connection's first packet where it starts."""
        return start_of(packet, self._hook)

    def gone(self, client: Packet, packet: Packet) -> int:
        """Return how the connection of `client` ends, of which nat made `packet`: leaves say `Gone`."""
        made = self._gone.get(packet)
        if made is None:
            key = self._key(packet) if len(self._gone) >= self._few else None
            made = self._shared.get(key) if key else None
            if made is None:
                made = self._followed(client, packet)
                if key and not self._names_it(made):
                    self._shared[key] = made
            self._gone[packet] = made
        return made

    def _key(self, packet: Packet) -> object:
        """Return what is equal for packets to endpoints that no rule tells apart; None: not known."""
        if packet.dnat is None or packet.destination is None or not self._alike.is_known:
            return None
        if packet.destination.mask != full_mask(packet.destination.version):
            return None
        return self._alike.endpoint(packet.destination), packet._replace(destination=None, dnat=None)

    def _names_it(self, number: int) -> bool:
        """Whether a diagram asks about one endpoint by its address."""
        asked = {self.diagrams.asks(each) for each in self.diagrams.from_below(number)}
        fields = [self.unknowns.fields[rank] for rank in asked if rank is not None]
        return any(is_of_endpoint(field) for field in fields)

    def _followed(self, client: Packet, packet: Packet) -> int:
        leg = Leg(self.hooks, self.unknowns)
        if packet.dnat is not None:
            leg = _Onward(self.hooks, self.unknowns, endpoint_text(packet))
            destination = packet.destination
            if destination and any(network.contains(destination) for network in self._networks):
                packet = packet._replace(to_this_node=False)  # a pod, which has an address of its own
        ends = leg.along(packet, self._second)

        def gone(leaf: int) -> int:
            says = self.diagrams.says(leaf)
            if isinstance(says, Stopped):
                return self.diagrams.leaf(Gone(says.verdict, says.by, says.packet))
            if isinstance(says, Through):
                return self._answered(client, says.packet)
            return leaf

        return self.diagrams.replaced(ends, gone)

    # --- the way back ---------------------------------------------------------------------------------------

    def _answered(self, client: Packet, packet: Packet) -> int:
        """Return what becomes of the answer to an accepted packet."""
        accepted = Gone("ACCEPT", None, packet)
        if packet.dnat is None:
            return self.diagrams.leaf(accepted)
        reword = of_answer(endpoint_text(packet), is_local=packet.route == "INPUT")
        unknowns = Reworded(self.unknowns, reword)
        hook = "output" if packet.route == "INPUT" else "prerouting"
        back = _Back(self.hooks, unknowns, client).along(_answer(client, packet), self.hooks.turns(hook))
        back = self._unbridged(packet, back)

        def told(leaf: int) -> int:
            says = self.diagrams.says(leaf)
            if isinstance(says, Stopped):
                return self.diagrams.leaf(accepted._replace(reply=says.verdict, reply_by=says.by))
            return self._later(client, packet)

        return self.diagrams.replaced(back, told)

    def _unbridged(self, packet: Packet, back: int) -> int:
        """Return what becomes of an answer that may stay within a bridge, where rules meet it by a setting alone.

        A client and an endpoint on one bridge: what the bridge itself delivers, nat does not give back
        (br_netfilter_hooks.c).
        """
        device = packet.leaves_by
        if packet.route != "FORWARD" or packet.snat is not None or not device or not _BRIDGE.match(device):
            return back
        within = Condition("in-interface", device)

        def explored(answer: Callable[[Condition], bool | None]) -> int:
            same = packet.in_interface == device if packet.in_interface else answered(within, answer)
            if not same or self.hooks.routing.settings.is_one(_BRIDGED, answer):
                return back
            return self.diagrams.leaf(Stopped("DROP", packet, NOT_BRIDGED))

        return self.unknowns.explored(explored)

    def _later(self, client: Packet, packet: Packet) -> int:
        """Return what becomes of the client's next packet, once it has got its answer."""
        leg = _Next(self.hooks, self.unknowns, packet)
        ends = leg.along(_next(client, packet), self._first + self._second)

        def told(leaf: int) -> int:
            says = self.diagrams.says(leaf)
            if isinstance(says, Stopped):
                return self.diagrams.leaf(Gone(says.verdict, says.by, packet))
            return self.diagrams.leaf(Gone("ACCEPT", None, packet, "ACCEPT"))

        return self.diagrams.replaced(ends, told)


_BRIDGE = re.compile(r"cni|br-|br\d|cbr|docker|kube-bridge|lxdbr|nerdctl|podman|virbr|weave")
"""Names of bridges that container networks and hypervisors make."""
_BRIDGED = "net.bridge.bridge-nf-call-iptables"
NOT_BRIDGED = f"{_BRIDGED} is not 1: the bridge delivers the answer, which keeps the endpoint's address"
NOT_TRANSLATED = "NOTRACK: the answer keeps the endpoint's address, which the client does not know"


class _Back(Leg):
    """The way of an answer: nat is not asked again, and gives back what it took before routing."""

    def __init__(self, hooks: Hooks, unknowns: Unknowns, client: Packet) -> None:
        super().__init__(hooks, unknowns)
        self._client = client

    def arrived(self, packet: Packet, by: object) -> Hashable:
        """Return what a leaf says of an answer that has come through."""
        if packet.state == UNTRACKED:
            return Stopped("DROP", packet, NOT_TRANSLATED)
        return super().arrived(packet, by)

    def met(self, stage: Stage, packet: Packet) -> Packet:
        """Return the answer as a stage meets it: nat puts the client's own address back, then the frontend's."""
        if packet.state == UNTRACKED:
            return packet
        if _translates(stage):
            return packet._replace(
                destination=self._client.source,
                destination_port=self._client.source_port,
                to_this_node=self._client.route == "OUTPUT",
                changed=_known_again(packet, "destination"),
            )
        if stage == _LAST:
            return packet._replace(
                source=self._client.destination,
                source_port=self._client.destination_port,
                changed=_known_again(packet, "source"),
            )
        return packet


class _Next(_Onward):
    """The way of another packet of the client's, which nat rewrites as it did the first."""

    def __init__(self, hooks: Hooks, unknowns: Unknowns, first: Packet) -> None:
        super().__init__(hooks, unknowns, endpoint_text(first))
        self._first = first

    def met(self, stage: Stage, packet: Packet) -> Packet:
        """Return the packet as a stage meets it."""
        first = self._first
        if _translates(stage):
            return packet._replace(
                destination=first.destination,
                destination_port=first.destination_port,
                to_this_node=first.to_this_node,
                dnat=first.dnat,
                original=first.original,
                changed=_known_again(packet, "destination") + _unknown(first, "destination"),
            )
        if stage == _LAST:
            return packet._replace(
                source=first.source,
                source_port=first.source_port,
                snat=first.snat,
                changed=_known_again(packet, "source") + _unknown(first, "source"),
            )
        return packet


_LAST = Stage("nat", "POSTROUTING")
"""Where nat rewrites sources of what this node sends, before what it sends to itself comes in again."""


def _known_again(packet: Packet, side: str) -> tuple[tuple[str, int], ...]:
    """Return what rules have made unknown of a packet, but for the address and port of one side."""
    return tuple(each for each in packet.changed if each not in _unknown(packet, side))


def _unknown(packet: Packet, side: str) -> tuple[tuple[str, int], ...]:
    """Return which rules have made the address and port of one side unknown."""
    return tuple(each for each in packet.changed if each[0].startswith(side))


def _translates(stage: Stage) -> bool:
    """Whether nat rewrites destinations at a stage."""
    return stage.table == "nat" and stage.chain in {"PREROUTING", "OUTPUT"}


def _next(client: Packet, packet: Packet) -> Packet:
    """Return another packet of a client, as it starts, of whose first nat and all rules made `packet`."""
    return client._replace(
        connmark=packet.connmark,
        statuses=packet.statuses | _ANSWERED,
        tcp_flags=frozenset({"ACK"}) if packet.protocol == "tcp" else None,
        unlisted=(),
        part=NEXT,
    )


_ANSWERED = frozenset({"SEEN_REPLY", "CONFIRMED"})


def endpoint_text(packet: Packet) -> str:
    """Return the address that DNAT sent a packet to, as a question about it names it."""
    return (packet.dnat or "").rpartition(":")[0].strip("[]") or (packet.dnat or "")


def _answer(client: Packet, packet: Packet) -> Packet:
    """Return the answer to an accepted packet, as it starts on its way back."""
    masqueraded = packet.snat is not None
    return packet._replace(
        source=packet.destination,
        source_port=packet.destination_port,
        destination=packet.source if masqueraded else client.source,
        destination_port=packet.source_port,
        in_interface=packet.leaves_by or None,
        out_interface=None,
        mark=known_mark(0),
        state=INVALID,
        statuses=packet.statuses | _ANSWERED,
        tcp_flags=frozenset({"SYN", "ACK"}) if packet.protocol == "tcp" else None,
        to_this_node=True if masqueraded else client.route == "OUTPUT",
        unlisted=(), listed=frozenset(), dnat=None, snat=None, ttl=None, ttl_taken=0, length=None,
        changed=changed_sides(packet, masqueraded=masqueraded),
        route="OUTPUT" if packet.route == "INPUT" else "",
        part=ANSWER,
    )  # fmt: skip
