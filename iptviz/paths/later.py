"""What follows a connection's first packet: the endpoint's answer back, and the client's next packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.hooks import Stage
from iptviz.engine.marks import known_mark
from iptviz.engine.meanings.connections import INVALID, UNTRACKED
from iptviz.engine.packet import ANSWER, NEXT
from iptviz.paths.leg import Leg, Onward, Stopped, endpoint_text, translates
from iptviz.paths.mirrored import changed_sides

if TYPE_CHECKING:
    from collections.abc import Hashable

    from iptviz.engine.hooks import Hooks
    from iptviz.engine.packet import Packet
    from iptviz.engine.unknowns import Unknowns

NOT_TRANSLATED = "NOTRACK: the answer keeps the endpoint's address, which the client does not know"


class Back(Leg):
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
        """Return the answer as a stage meets it: nat puts back the client's address, then the frontend's."""
        if packet.state == UNTRACKED:
            return packet
        if translates(stage):
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


class Next(Onward):
    """The way of another packet of the client's, which nat rewrites as it did the first."""

    def __init__(self, hooks: Hooks, unknowns: Unknowns, first: Packet) -> None:
        super().__init__(hooks, unknowns, endpoint_text(first))
        self._first = first

    def met(self, stage: Stage, packet: Packet) -> Packet:
        """Return the packet as a stage meets it."""
        first = self._first
        if translates(stage):
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
                snat_by=first.snat_by,
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


def next_packet(client: Packet, packet: Packet) -> Packet:
    """Return another packet of a client, as it starts, of whose first nat and all rules made `packet`."""
    return client._replace(
        connmark=packet.connmark,
        statuses=packet.statuses | _ANSWERED,
        tcp_flags=frozenset({"ACK"}) if packet.protocol == "tcp" else None,
        unlisted=(),
        part=NEXT,
    )


_ANSWERED = frozenset({"SEEN_REPLY", "CONFIRMED"})


def answer_to(client: Packet, packet: Packet) -> Packet:
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
        unlisted=(), listed=(), dnat=None, snat=None, snat_by=None, ttl=None, ttl_taken=0, length=None,
        changed=changed_sides(packet, masqueraded=masqueraded),
        route="OUTPUT" if packet.route == "INPUT" else "",
        part=ANSWER,
    )  # fmt: skip
