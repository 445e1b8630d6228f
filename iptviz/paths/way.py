"""The whole way of a connection: up to nat, from there to its end, and of the packets that follow.

Where nat sends a connection is one diagram, and what becomes of what it sent is another for each packet
that comes of it: so what is asked of one endpoint does not multiply with what is asked of others.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.engine.bridging import ASKS_RULES
from iptviz.engine.condition import Condition
from iptviz.engine.effects import UNKNOWN, answered
from iptviz.engine.hooks import start_of
from iptviz.paths.later import Back, answer_to, next_packet
from iptviz.paths.leg import Leg, Onward, Stopped, Through, endpoint_text, halves
from iptviz.paths.mirrored import Reworded, of_another, of_answer
from iptviz.records import NamedTuple
from iptviz.xtables.address import full_mask

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz.engine.hooks import Hooks
    from iptviz.engine.packet import Packet
    from iptviz.engine.unknowns import Unknowns
    from iptviz.paths.alike import Alike
    from iptviz.paths.leg import By
    from iptviz.xtables.address import Network

FEW, SINGLE = 16, 1
"""So many packets that nat makes are followed one by one; of more, those that no rule tells apart are
followed once. To search a large dump for what tells them apart takes as long as to follow a few, a small
one is searched sooner.
"""


class Gone(NamedTuple):
    """How a connection ended: `packet` as it then was, and what became of the endpoint's answer.

    `reply` is None where there is none to be followed.
    """

    outcome: str
    by: By
    packet: Packet
    reply: str | None = None
    reply_by: By = None


class Way:
    """The whole way of connections that start at one hook.

    `networks` are those of pods; `alike` says which endpoints no rule tells apart, and searches for that once
    `few` packets have been followed.
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
        self._shared: dict[object, Packet] = {}
        self._unkeyed: list[Packet] = []
        self.diagrams = unknowns.diagrams
        self.hooks = hooks
        self._hook = hook
        self._first, self._second = halves(hooks.turns(hook))
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
            searching = self._alike.is_searched or len(self._gone) >= self._few
            made = self._known(packet) if searching else None
            if made is None:
                made = self._followed(client, packet)
            self._gone[packet] = made
            self._unkeyed.append(packet)
        return made

    def _known(self, packet: Packet) -> int | None:
        """Return what was found of a packet to an endpoint that no rule tells apart from that of this one."""
        for before in self._unkeyed:
            key = self._key(before)
            if key is not None:
                self._shared.setdefault(key, before)
        self._unkeyed.clear()
        first = self._shared.get(self._key(packet))
        if first is None:
            return None
        return self._said_of(self._gone[first], endpoint_text(first), endpoint_text(packet))

    def _key(self, packet: Packet) -> object:
        """Return what is equal for packets to endpoints that no rule tells apart; None: not known."""
        if packet.dnat is None or packet.destination is None or not self._alike.is_known:
            return None
        if packet.destination.mask != full_mask(packet.destination.version):
            return None
        return self._alike.endpoint(packet.destination), packet._replace(destination=None, dnat=None)

    def _said_of(self, number: int, address: str, other: str) -> int | None:
        """Return a diagram about one endpoint as one about another; None where that cannot be said."""
        unknowns = self.unknowns
        asked = {self.diagrams.asks(each) for each in self.diagrams.from_below(number)}
        ranks: dict[int, int] = {}
        for rank in sorted(rank for rank in asked if rank is not None):
            field = of_another(unknowns.fields[rank], address, other)
            if field is None or field in unknowns.open:
                return None
            ranks[rank] = unknowns.rank(field)
            for region, words in unknowns.named[rank].items():
                unknowns.named[ranks[rank]].setdefault(region, words)
        return self.diagrams.asking(number, ranks)

    def _followed(self, client: Packet, packet: Packet) -> int:
        leg = Leg(self.hooks, self.unknowns)
        if packet.dnat is not None:
            leg = Onward(self.hooks, self.unknowns, endpoint_text(packet))
            destination = packet.destination
            if destination and any(network.contains(destination) for network in self._networks):
                packet = packet._replace(to_this_node=False)  # a pod, which has an address of its own
        ends = leg.along(packet, self._second)

        def gone(leaf: int) -> int:
            says = self.diagrams.says(leaf)
            if isinstance(says, Stopped):
                return self.diagrams.leaf(Gone(says.verdict, says.by, says.packet))
            if isinstance(says, Through):
                return self.answered(client, says.packet)
            return leaf

        return self.diagrams.replaced(ends, gone)

    # --- the way back ---------------------------------------------------------------------------------------

    def answered(self, client: Packet, packet: Packet) -> int:
        """Return what becomes of the answer to an accepted packet."""
        accepted = Gone("ACCEPT", None, packet)
        if packet.dnat is None:
            return self.diagrams.leaf(accepted)
        reword = of_answer(endpoint_text(packet), is_local=packet.route == "INPUT")
        unknowns = Reworded(self.unknowns, reword)
        hook = "output" if packet.route == "INPUT" else "prerouting"
        back = Back(self.hooks, unknowns).along(answer_to(client, packet), self.hooks.turns(hook))
        back = self._unbridged(packet, back)

        def told(leaf: int) -> int:
            says = self.diagrams.says(leaf)
            if isinstance(says, Stopped) and says.verdict == UNKNOWN:
                return self.diagrams.leaf(accepted)
            if isinstance(says, Stopped):
                return self.diagrams.leaf(accepted._replace(reply=says.verdict, reply_by=says.by))
            return self._later(client, packet)

        return self.diagrams.replaced(back, told)

    def _unbridged(self, packet: Packet, back: int) -> int:
        """Return what becomes of an answer that may stay within a bridge: a setting lets rules meet it there.

        A client and an endpoint on one bridge: what the bridge itself delivers, nat does not give back
        (br_netfilter_hooks.c).
        """
        device = packet.leaves_by
        if packet.route != "FORWARD" or packet.snat is not None or not device or not _BRIDGE.match(device):
            return back
        within = Condition("in-interface", device)
        setting = ASKS_RULES[self.hooks.routing.host.version]

        def explored(answer: Callable[[Condition], bool | None]) -> int:
            same = packet.in_interface == device if packet.in_interface else answered(within, answer)
            if not same or self.hooks.routing.settings.is_one(setting, answer):
                return back
            return self.diagrams.leaf(Stopped("DROP", packet, f"{setting} {_UNBRIDGED}"))

        return self.unknowns.explored(explored)

    def _later(self, client: Packet, packet: Packet) -> int:
        """Return what becomes of the client's next packet, once it has got its answer."""
        leg = Onward(self.hooks, self.unknowns, endpoint_text(packet))
        ends = leg.along(next_packet(client, packet), self._first + self._second)

        def told(leaf: int) -> int:
            says = self.diagrams.says(leaf)
            if isinstance(says, Stopped):
                return self.diagrams.leaf(Gone(says.verdict, says.by, packet))
            return self.diagrams.leaf(Gone("ACCEPT", None, packet, "ACCEPT"))

        return self.diagrams.replaced(ends, told)


_BRIDGE = re.compile(r"cni|br-|br\d|cbr|docker|kube-bridge|lxdbr|nerdctl|podman|virbr|weave")
"""Names of bridges that container networks and hypervisors make."""
_UNBRIDGED = "is not 1: the bridge delivers the answer, which keeps the endpoint's address"


class FirstPackets(Way):
    """The way of the first packet of connections alone: neither answers nor later ones are followed."""

    def answered(self, client: Packet, packet: Packet) -> int:  # noqa: ARG002 - a whole way looks
        """Return that a packet was accepted."""
        return self.diagrams.leaf(Gone("ACCEPT", None, packet))
