"""Connection tracking: what it makes of a packet, and when nat is asked.

Source: net/netfilter/nf_conntrack_core.c and nf_nat_core.c. The kernel tracks connections in a network
namespace only while something there wants it (nf_ct_netns_get): a match or a target that looks at
connections, but not the nat table as such, whose rules are not asked without a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import UndecidedError
from iptviz.engine.marks import known_mark
from iptviz.engine.meanings.connections import UNTRACKED

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.dump.model import Dump
    from iptviz.engine.packet import Packet

    Answers = Callable[[Condition], bool | None]

_WANTING = (
    "-j DNAT", "-m conntrack", "-j MASQUERADE", "-j SNAT", "-j REDIRECT", "-j NETMAP", "-m state", "-m connmark",
    "-j CONNMARK", "-m connbytes", "-m connlimit", "-m connlabel", "-m helper", "-m cluster", "-j CONNSECMARK",
    "-j SYNPROXY", "-j CT --helper", "-j CT --zone", "-j CT --timeout", "-j CT --ctevents",
)  # fmt: skip
"""What makes the kernel track connections, the most frequent first."""

_NEIGHBOURLY = {130, 131, 132, 133, 134, 135, 136, 143}
"""ICMPv6 types that are never tracked (nf_conntrack_proto_icmpv6.c): multicast listeners, neighbour discovery."""


def wants_tracking(dump: Dump) -> bool:
    """Whether some rule of the dump makes the kernel track connections."""
    tables = dump.tables.values()
    return any(next(table.rules_with(text), None) for text in _WANTING for table in tables)


def tracked(packet: Packet, state: str | None) -> Packet:
    """Return the packet once connection tracking has seen it: a new connection's mark is 0."""
    if packet.state == UNTRACKED:
        return packet
    if packet.protocol == "ipv6-icmp" and packet.icmp_type and packet.icmp_type[0] in _NEIGHBOURLY:
        return packet._replace(state=UNTRACKED)
    if state == "NEW" and packet.connmark.keep:
        return packet._replace(state=state, connmark=known_mark(0))
    return packet._replace(state=state)


def asks_nat(packet: Packet, answer: Answers, *, wanted: bool) -> bool:
    """Whether nat's rules are asked: only for the first packet of a connection.

    `wanted` says that some rule makes the kernel track connections; without one, something else may.

    Raises:
        UndecidedError: that hangs on a condition without an answer.
    """
    if packet.state not in {None, "NEW"}:
        return False
    asked = {Condition("state", "NEW"): packet.state is None, Condition("tracking", ""): not wanted}
    for condition in (one for one, matters in asked.items() if matters):
        answered = answer(condition)
        if answered is None:
            raise UndecidedError(condition)
        if not answered:
            return False
    return True
