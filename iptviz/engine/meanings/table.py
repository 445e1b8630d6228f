"""The table of meanings: to teach a new kind of test, add a function and a row."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.meanings import addresses, connections, headers, lists
from iptviz.engine.meanings.truth import Meaning, Truth, known, needs_of, question, quoted
from iptviz.engine.packet import COUNTED
from iptviz.rules.unprinted import AS_PRINTED, CHANCE_LOST, MARK, NODE_PORT, PORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.engine.condition import Assumption
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import Test
    from iptviz.rules.operands import ChangingSet, Tracked

CHANCE = "chance"
"""The kind of a test that holds by chance alone, of which the operand is a Fraction in [0, 1]."""
SHARES = {CHANCE, lists.TURN}
"""The kinds of tests of which the operand is the share that they let pass."""


def _always_quoted(test: Test, _packet: Packet, _host: Host) -> Truth:
    """What nothing here understands is never taken as true or false."""
    return quoted(test)


def _bytes(test: Test, packet: Packet, _host: Host) -> Truth:
    """What bytes of the packet are asked is another question once something in them has been changed.

    Forwarding changes the time to live, which no string is taken to look at.
    """
    asked = quoted(test, packet.since("bytes"))
    forwarded = packet.route == "FORWARD" and test.operand != "string"
    condition = asked.condition._replace(
        rewritten=packet.dnat or packet.snat or "", details="forwarded" if forwarded else ""
    )
    return asked._replace(condition=condition)


def _tcp_options(test: Test, packet: Packet, _host: Host) -> Truth:
    """Options of TCP, and its flags of ECN."""
    return quoted(test, packet.since("tcp_options"))


def _chance(test: Test, _packet: Packet, _host: Host) -> Truth:
    chance: Truth = test.operand
    return chance


def _turn(test: Test, packet: Packet, _host: Host) -> Truth:
    """One of n packets that come to the rule; which, is known of none that other counts have told apart.

    Each rule counts for itself (net/netfilter/xt_statistic.c): two that see the same packets take the same ones,
    or never the same, as their counts stand to each other.
    """
    chance: Truth = test.operand
    return question(test.kind, test.value, test) if packet.counted == COUNTED else chance


def _changing_set(test: Test, packet: Packet, host: Host) -> Truth:
    """Whether the packet is in a set as it was listed; rules on its way may have put something into it since."""
    asked: ChangingSet = test.operand
    if any(prefix[:1] == "@" and f"@{asked.name}".startswith(prefix) for prefix in packet.unlisted):
        return known(test, holds=False)
    line = packet.since(f"set {asked.name}")
    if line is not None:
        return quoted(test, line)
    truths = [_all_of(way, packet, host) for way in asked.ways]
    if True in truths or not any(truths):
        return known(test, holds=True in truths)
    alone = truths[0] if len(truths) == 1 and not isinstance(truths[0], Fraction) else True
    return quoted(test) if alone is True or test.negated else alone


def _all_of(tests: Sequence[Test], packet: Packet, host: Host) -> Truth:
    """Return the truth of several tests together, none of which is a chance."""
    needs: list[Assumption] = []
    for test in tests:
        truth = MEANINGS[test.kind](test, packet, host)
        if truth is False or isinstance(truth, Fraction):
            return False
        needs += [] if truth is True else needs_of(truth)
    return tuple(needs) or True


def _both_ports(test: Test, packet: Packet, host: Host) -> Truth:
    """Both ports must differ, or where the kernel compares them as one, either."""
    truths = [MEANINGS[one.kind](one, packet, host) for one in test.operand]
    if not any(truths):
        return False
    if all(truth is True for truth in truths):
        return True
    if False not in truths:
        return quoted(test)
    as_one = question("merged", test.value, test)
    other = next(truth for truth in truths if truth is not False)
    return as_one if isinstance(other, bool | Fraction) else (*needs_of(other), as_one)


def _own_question(test: Test, _packet: Packet, _host: Host) -> Truth:
    """What no packet tells is a condition of the test's own kind."""
    return question(test.kind, test.value, test)


def _tracked(test: Test, packet: Packet, host: Host) -> Truth:
    """What is asked of a connection; a packet without one matches by its state alone (xt_conntrack.c)."""
    wanted: Tracked = test.operand
    if packet.state in connections.NO_CONNECTION:
        return wanted.beside_state
    if packet.state == connections.TEMPLATE:
        packet = connections.blank(packet, host.version)
    truth = True if wanted.test is None else MEANINGS[wanted.test.kind](wanted.test, packet, host)
    return truth if wanted.beside_state else connections.with_connection(truth, packet)


def _unprinted_port(test: Test, packet: Packet, _host: Host) -> Truth:
    """Whether the destination port is one that is not printed: that of one service port is none of another's.

    Of a rule that has no name of its own, nobody knows whose port it asks for.
    """
    asked = question(test.kind, test.value, test)
    if packet.dnat:
        return asked._replace(condition=asked.condition._replace(rewritten=packet.dnat))
    if packet.own_port is None or test.value.startswith("line "):
        return asked
    return known(test, holds=packet.own_port == asked.condition)


MEANINGS: dict[str, Meaning] = {
    "match": _always_quoted,
    CHANCE: _chance,
    lists.TURN: _turn,
    "bytes": _bytes,
    "tcp-options": _tcp_options,
    "changing-set": _changing_set,
    "both-ports": _both_ports,
    **dict.fromkeys(("rate", "quota", "count", "time", "listener", "merged"), _own_question),
    **dict.fromkeys((PORT, NODE_PORT), _unprinted_port),
    **dict.fromkeys((MARK, CHANCE_LOST, AS_PRINTED), _own_question),
    "source": addresses.source,
    "destination": addresses.destination,
    "source-range": addresses.source_range,
    "destination-range": addresses.destination_range,
    "source-type": addresses.source_type,
    "destination-type": addresses.destination_type,
    "type-on-interface": addresses.type_on_interface,
    "protocol": addresses.protocol,
    "in-interface": addresses.in_interface,
    "out-interface": addresses.out_interface,
    "fragment": addresses.fragment,
    "source-port": headers.source_port,
    "destination-port": headers.destination_port,
    "tcp-flags": headers.tcp_flags,
    "multiport": headers.multiport,
    "icmp-type": headers.icmp_type,
    "length": headers.length,
    "ttl": headers.ttl,
    "tos": headers.tos,
    "mac": headers.mac,
    "packet-type": headers.packet_type,
    **dict.fromkeys((headers.BRIDGED, "physdev"), headers.bridge_port),
    "owner": headers.owner,
    lists.ASKING: lists.recent,
    lists.RECORDING: lists.recent_set,
    "set": lists.ipset,
    "mark": connections.mark,
    "connmark": connections.connmark,
    "tracked": _tracked,
    "state": connections.state,
    "status": connections.status,
    "direction": connections.direction,
    "tuple": connections.tuple_field,
    "tracked-protocol": connections.protocol,
}
