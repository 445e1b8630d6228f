"""How connections end on two nodes, as far as it is compared, and a packet that tells the nodes apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.paths.ends import End
from iptviz.paths.model import ACCEPT, LOCAL, Decider
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint, parse_network
from iptviz.xtables.values.addresses import show_address

if TYPE_CHECKING:
    from fractions import Fraction

    from iptviz.engine.condition import When
    from iptviz.paths.clients import Asked, Client


class Ending(NamedTuple):
    """How the share `share` (in (0, 1]) of connections ends.

    `outcome` is ACCEPT, LOCAL (accepted by this node without DNAT), DROP, REJECT, QUEUE, STOLEN or UNKNOWN.
    `endpoint` is where DNAT sends what is accepted, `address:port`, empty where nothing rewrites it; `snat` is
    the source that it then has: None for its own, MASQUERADE, or an address. `reply` says the same of the
    endpoint's answer; None: not seen by the node, or not known. `by` and `reply_by` decide that, None where
    nobody here is known to.
    """

    share: Fraction
    outcome: str
    endpoint: str
    snat: str | None
    reply: str | None
    by: Decider | None = None
    reply_by: Decider | None = None


class TellingPacket(NamedTuple):
    """A packet that two nodes treat differently, where all of `when` hold.

    Addresses are texts; `hook` is `prerouting` (arrives) or `output` (sent by the node, by user `uid`). `source`
    and `destination` are None for an address of the node that nobody knows, the interface where there is none.
    """

    hook: str
    source: str | None
    destination: str | None
    protocol: str
    source_port: int
    destination_port: int | None
    in_interface: str | None
    ttl: int
    length: int
    tos: int
    uid: int | None
    when: When


class Apart(NamedTuple):
    """A packet that fares differently, and how it ends on both sides."""

    packet: TellingPacket
    old: tuple[Ending, ...]
    new: tuple[Ending, ...]


def seen_of(end: End, to: Asked) -> End:
    """Return how connections end as it is compared: where what is not accepted was sent makes no difference.

    Nor does it that nat sends a connection where it goes anyway.
    """
    if end.outcome not in {ACCEPT, LOCAL}:
        return End("", None, end.outcome, None, None, untracked=False, to="")
    if (end.address, end.port) == to.frontend[1:3]:
        outcome = LOCAL if to.host.is_local(parse_network(end.address)) else ACCEPT
        return End(
            "", None, outcome, end.snat, None, untracked=False, to=join_endpoint(end.address, end.port)
        )
    return end._replace(untracked=False)


def telling(client: Client, when: When) -> TellingPacket:
    """Return the packet of a client of which all is known, where all of `when` hold."""
    packet = client.packet
    source, destination = (
        None if each is None else show_address(each.value, each.version)
        for each in (packet.source, packet.destination)
    )
    return TellingPacket(
        client.hook, source, destination, packet.protocol or "", packet.source_port or 0,
        packet.destination_port, packet.in_interface or None, packet.ttl or 0, packet.length or 0,
        packet.tos or 0, None if packet.owner is None else packet.owner[0], when,
    )  # fmt: skip
