"""Marks and connection tracking: what tests ask of them, what tracking makes of a packet, when nat is asked.

Source: net/netfilter/xt_conntrack.c, xt_state.c, xt_mark.c, xt_connmark.c for the tests; nf_conntrack_core.c and
nf_nat_core.c for the rest. The kernel tracks connections in a network namespace only while something there wants
it (nf_ct_netns_get): a match or a target that looks at connections, but not the nat table as such, whose rules
are not asked without a connection.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.effects import answered
from iptviz.engine.marks import UNKNOWN_CONNMARK, Mark, Origin, known_mark
from iptviz.engine.meanings import addresses
from iptviz.engine.meanings.addresses import address_truth
from iptviz.engine.meanings.headers import holds_number
from iptviz.engine.meanings.truth import Truth, either, known, needs_of, question, quoted
from iptviz.engine.packet import ANSWER
from iptviz.xtables.address import Network, full_mask
from iptviz.xtables.values.numbers import ALL_BITS, Masked, Range, show_mark

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.host import Host
    from iptviz.engine.packet import ConnectionTuple, Packet
    from iptviz.rules.form import Test
    from iptviz.rules.operands import TupleField

UNTRACKED, INVALID = "UNTRACKED", "INVALID"
NO_CONNECTION = {UNTRACKED, INVALID}
TEMPLATE = "TEMPLATE"
"""The state of a packet that is not tracked yet, but has a template of CT: a connection that is blank.

Source: net/netfilter/xt_CT.c, where each rule has one for all packets; nf_conntrack_in takes it off.
"""
CONNECTED = frozenset({"ESTABLISHED", "RELATED"})
"""States of packets of a connection that began before, when nat may have chosen how to rewrite it."""

EXPECTED = "EXPECTED"
"""The status of a connection that a helper expected: its first packet is RELATED."""

_REWRITTEN = {"SNAT", "DNAT"}
PERHAPS = {status: f"perhaps {status}" for status in _REWRITTEN}
"""What a connection has in place of a status where it hangs on the address or the port that nat chose."""
_ANY = frozenset({"SNAT", "DNAT", "SEEN_REPLY", "ASSURED", "CONFIRMED", "EXPECTED"})


def mark(test: Test, packet: Packet, _host: Host) -> Truth:
    """The packet's mark."""
    return _mark_truth(test, packet.mark)


def connmark(test: Test, packet: Packet, _host: Host) -> Truth:
    """The connection's mark; a packet without connection never matches, whatever is asked."""
    if packet.state in NO_CONNECTION:
        return False
    return with_connection(_mark_truth(test, packet.connmark), packet)


def with_connection(truth: Truth, packet: Packet) -> Truth:
    """Return a truth about a packet's connection, which needs one."""
    if packet.state is not None or isinstance(truth, Fraction) or truth is False:
        return truth
    connected = Assumption(Condition("state", ",".join(sorted(NO_CONNECTION))), holds=False)
    return connected if truth is True else (connected, *needs_of(truth))


def _mark_truth(test: Test, own: Mark) -> Truth:
    """Return the truth about a mark, as a question about what it originally was."""
    if test.operand is None:
        return quoted(test)
    answer = own.equals(*test.operand)
    if isinstance(answer, bool):
        return known(test, holds=answer)
    return question(own.origin.field, show_mark(Masked(*answer)), test, own.origin.since)


def state(test: Test, packet: Packet, _host: Host) -> Truth:
    """The connection's state; SNAT and DNAT among the states ask what the connection got."""
    wanted: frozenset[str] = test.operand
    if packet.state is None:
        return quoted(test) if wanted & _REWRITTEN else question("state", test.value, test)
    if packet.state == TEMPLATE:
        return known(test, holds="NEW" in wanted)
    if packet.state in wanted or (packet.state not in NO_CONNECTION and packet.statuses & wanted):
        return known(test, holds=True)
    if wanted & _REWRITTEN & _unsure(packet):
        return quoted(test)
    if packet.state not in NO_CONNECTION and _perhaps(packet, wanted):
        return quoted(test)
    return known(test, holds=False)


def may_have(packet: Packet, status: str) -> bool:
    """Whether the packet's connection has a status, SNAT or DNAT, or may have it."""
    return not packet.statuses.isdisjoint({status, PERHAPS[status]})


def _perhaps(packet: Packet, wanted: frozenset[str]) -> bool:
    """Whether the connection may have one of the statuses that are wanted."""
    return any(PERHAPS[status] in packet.statuses for status in wanted & _REWRITTEN)


def _unsure(packet: Packet) -> frozenset[str]:
    """Return the statuses of which it is not known whether the packet's connection has them."""
    if _begins(packet) or packet.state not in CONNECTED:
        return frozenset()
    return _ANY if packet.past is None else packet.past.unsure


def _begins(packet: Packet) -> bool:
    """Whether a packet is the first of its connection, a new one or one that a helper expected."""
    if packet.state == "RELATED":
        return EXPECTED in packet.statuses
    return packet.state == "NEW" and packet.past is None


def status(test: Test, packet: Packet, _host: Host) -> Truth:
    """What the connection got so far."""
    wanted: frozenset[str] = test.operand
    if _begins(packet) or packet.past is not None:
        sure = not packet.statuses.isdisjoint(wanted)
        unsure = packet.past is not None and packet.past.unsure & wanted
        if sure or not (unsure or _perhaps(packet, wanted)):
            return known(test, holds=sure)
    if packet.state == "ESTABLISHED" and wanted & {"SEEN_REPLY", "CONFIRMED"}:
        return known(test, holds=True)
    return quoted(test)


def direction(test: Test, packet: Packet, _host: Host) -> Truth:
    """Whether the packet goes the way of the connection's first one, or back."""
    if packet.part == ANSWER:
        return either(test, holds=not test.operand)
    return either(test, holds=test.operand if packet.part or _begins(packet) else None)


def tuple_field(test: Test, packet: Packet, _host: Host) -> Truth:
    """Compare with the connection's tuples, known of its first packet, and of later ones as that was."""
    wanted: TupleField = test.operand
    seen: Packet | ConnectionTuple | None = packet.original or packet
    if wanted.reply:
        seen = packet if _begins(packet) else packet.past and packet.past.reply
    elif not _begins(packet) and not packet.part:
        return quoted(test)
    if seen is None:
        return quoted(test)
    own = getattr(seen, wanted.field)
    if (
        own is None
        or wanted.wanted is None
        or (packet.protocol == _PORTLESS and wanted.field.endswith("port"))
    ):
        return quoted(test)
    if isinstance(wanted.wanted, Range):
        return known(test, holds=holds_number(wanted.wanted, own))
    return address_truth(wanted.field, own, test, wanted.wanted, packet)


def templated(packet: Packet, line: int) -> Packet:
    """Return a packet with the template of the rule at `line`, which may hold a mark of others' packets."""
    mark = Mark(Origin("connmark", line), ALL_BITS, 0)
    return packet._replace(state=TEMPLATE, statuses=frozenset({"CONFIRMED"}), connmark=mark)


def untemplated(packet: Packet) -> Packet:
    """Return a packet as tracking takes it: without a template."""
    if packet.state != TEMPLATE:
        return packet
    return packet._replace(state=INVALID, statuses=frozenset(), connmark=UNKNOWN_CONNMARK)


def blank(packet: Packet, version: int) -> Packet:
    """Return the packet of which a template is the connection: all of that is 0."""
    zero = Network(version, 0, full_mask(version))
    return packet._replace(
        state="NEW",
        source=zero,
        destination=zero,
        source_port=0,
        destination_port=0,
        protocol="0",
        changed=(),
    )


_PORTLESS = "dccp"
"""Of DCCP Linux 6.18 tracks no ports; older kernels did (nf_conntrack_proto_dccp.c)."""


def protocol(test: Test, packet: Packet, host: Host) -> Truth:
    """The connection's protocol; an error of ICMP holds the beginning of what it is about (xt_conntrack.c)."""
    if packet.past is not None and packet.past.protocol is not None:
        return known(test, holds=test.operand == packet.past.protocol)
    if packet.state == "RELATED" and not _begins(packet):
        return quoted(test)
    return addresses.protocol(test, packet, host)


# --- tracking itself -------------------------------------------------------------------------------------------

_NEIGHBOURLY = {130, 131, 132, 133, 134, 135, 136, 143}
"""ICMPv6 types that are never tracked (nf_conntrack_proto_icmpv6.c): multicast listeners, neighbour discovery."""
_NEIGHBOURLY_TODAY = {151, 152}
"""Those of multicast routers: INVALID before Linux learnt not to track them either."""
_REQUESTS = {"icmp": {8, 13, 15, 17}, "ipv6-icmp": {128, 139}}
"""The types that may begin a connection: echo, timestamp, information, address mask; of IPv6 echo and node."""
_LOOSE = "net.netfilter.nf_conntrack_tcp_loose"


def tracked(
    packet: Packet,
    state: str | None,
    host: Host,
    answer: Callable[[Condition], bool | None],
    *,
    listed: bool = False,
) -> Packet:
    """Return the packet once connection tracking has seen it: a new connection's mark is 0.

    `listed`: its connection exists, be it that nothing has come back, so the packet begins none.

    Raises:
        UndecidedError: that hangs on how new the kernel is.
    """
    if packet.state == UNTRACKED:
        return packet
    packet = untemplated(packet)
    kind = packet.icmp_type[0] if packet.icmp_type and packet.protocol == "ipv6-icmp" else None
    if kind in _NEIGHBOURLY:
        return packet._replace(state=UNTRACKED)
    if state == "NEW" and kind in _NEIGHBOURLY_TODAY:
        untracked = answered(Condition("untracked-type", str(kind)), answer)
        return packet._replace(state=UNTRACKED if untracked else INVALID)
    if state == "NEW" and not listed and not _may_begin(packet, host):
        return packet._replace(state=INVALID)
    if state == "NEW" and packet.connmark.keep:
        return packet._replace(state=state, connmark=known_mark(0))
    return packet._replace(state=state)


def begins_none(packet: Packet, host: Host) -> bool:
    """Whether a packet that is taken for the first of a connection is known to begin none."""
    kind = packet.icmp_type[0] if packet.icmp_type and packet.protocol == "ipv6-icmp" else None
    untracked = kind in _NEIGHBOURLY | _NEIGHBOURLY_TODAY
    return packet.state == "NEW" and not untracked and not _may_begin(packet, host)


def _may_begin(packet: Packet, host: Host) -> bool:
    """Whether a packet may be the first of a connection, as far as its headers are known.

    Source: icmp_new and icmpv6_new in nf_conntrack_proto_icmp.c and nf_conntrack_proto_icmpv6.c; of TCP the
    first row of tcp_conntracks, and tcp_error, in nf_conntrack_proto_tcp.c: SYN, and where it is loose ACK.
    """
    if packet.protocol in _REQUESTS and packet.icmp_type is not None:
        return packet.icmp_type[0] in _REQUESTS[packet.protocol]
    if packet.protocol != "tcp" or packet.tcp_flags is None:
        return True
    deciding = packet.tcp_flags & {"SYN", "ACK", "FIN", "RST"}
    return deciding == {"SYN"} or (deciding == {"ACK"} and host.sysctl(_LOOSE) != "0")


def asks_nat(packet: Packet, answer: Callable[[Condition], bool | None], *, wanted: bool) -> bool:
    """Whether nat's rules are asked: only for the first packet of a connection, be it one that was expected.

    `wanted` says that some rule makes the kernel track connections; without one, something else may.

    Raises:
        UndecidedError: that hangs on a condition without an answer.
    """
    if packet.state is not None and not _begins(packet):
        return False
    asked = {Condition("state", "NEW"): packet.state is None, Condition("tracking", ""): not wanted}
    return all(answered(condition, answer) for condition, matters in asked.items() if matters)
