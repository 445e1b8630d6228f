"""What follows a connection's first packet: the endpoint's answer back, and the client's next packet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.marks import known_mark
from iptviz.engine.meanings.connections import INVALID, UNTRACKED
from iptviz.engine.packet import ANSWER, NEXT, End, Past
from iptviz.paths.leg import Leg, Stopped
from iptviz.paths.mirrored import changed_sides

if TYPE_CHECKING:
    from collections.abc import Hashable

    from iptviz.engine.packet import Packet

NOT_TRANSLATED = "NOTRACK: the answer keeps the endpoint's address, which the client does not know"


class Back(Leg):
    """The way of an answer: nat is not asked again, and gives back what it took."""

    def arrived(self, packet: Packet, by: object, *, policies: bool) -> Hashable:
        """Return what a leaf says of an answer that has come through."""
        if packet.state == UNTRACKED:
            return Stopped("DROP", packet, NOT_TRANSLATED)
        return super().arrived(packet, by, policies=policies)


def _unknown(packet: Packet, side: str) -> tuple[tuple[str, int], ...]:
    """Return which rules have made the address and port of one side unknown."""
    return tuple(each for each in packet.changed if each[0].startswith(side))


_ALL_KNOWN: frozenset[str] = frozenset()


def next_packet(client: Packet, packet: Packet) -> Packet:
    """Return another packet of a client, as it starts, of whose first nat and all rules made `packet`."""
    return client._replace(
        connmark=packet.connmark,
        statuses=packet.statuses | _ANSWERED,
        tcp_flags=frozenset({"ACK"}) if packet.protocol == "tcp" else None,
        original=packet.original,
        unlisted=(),
        part=NEXT,
        past=Past(
            End(
                packet.destination, packet.destination_port, packet.dnat, packet.to_this_node,
                _unknown(packet, "destination"),
            ),
            End(
                packet.source, packet.source_port, packet.snat, None, _unknown(packet, "source"), packet.snat_by
            ),
            unsure=_ALL_KNOWN,
        ),
    )  # fmt: skip


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
        past=Past(
            End(client.source, client.source_port, local=client.route == "OUTPUT"),
            End(client.destination, client.destination_port),
            unsure=_ALL_KNOWN,
        ),
    )  # fmt: skip
