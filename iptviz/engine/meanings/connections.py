"""Marks and connection tracking: what matches ask of them, what tracking makes of a packet, when nat is asked.

Source: net/netfilter/xt_conntrack.c, xt_state.c, xt_mark.c, xt_connmark.c for the matches;
nf_conntrack_core.c and nf_nat_core.c for the rest. The kernel tracks connections in a network namespace only
while something there wants it (nf_ct_netns_get): a match or a target that looks at connections, but not the
nat table as such, whose rules are not asked without a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Condition
from iptviz.engine.effects import UndecidedError
from iptviz.engine.marks import Mark, known_mark
from iptviz.engine.meanings.addresses import basic_truth
from iptviz.engine.meanings.truth import Truth, asked, known, question
from iptviz.xtables.values.numbers import Masked, read_mark, show_mark
from iptviz.xtables.values.protocols import read_decimal_ports

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.dump.model import Dump
    from iptviz.engine.host import Host
    from iptviz.engine.marks import Mark
    from iptviz.engine.packet import ConnectionTuple, Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option

UNTRACKED, INVALID = "UNTRACKED", "INVALID"
NO_CONNECTION = {UNTRACKED, INVALID}
_STATE_OPTIONS = {"--ctstate", "--state"}


def mark(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The packet's mark."""
    return mark_truth(match, option, packet.mark)


def connmark(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The connection's mark; a packet without connection never matches, whatever is asked."""
    if packet.state in NO_CONNECTION:
        return False
    return mark_truth(match, option, packet.connmark)


def mark_truth(match: Match, option: Option, own: Mark) -> Truth:
    """Return the truth of `--mark VALUE/MASK` about a mark, as a question about what it originally was."""
    wanted = read_mark(option.values[0])
    if wanted is None:
        return asked(match, option)
    answer = own.equals(*wanted)
    if isinstance(answer, bool):
        return known(option, holds=answer)
    return question(own.origin.field, show_mark(Masked(*answer)), option, own.origin.since)


def conntrack(match: Match, packet: Packet, _host: Host) -> list[Truth]:
    """State, direction, tuples and status; without a connection only the state counts."""
    if packet.state in NO_CONNECTION and match.name == "conntrack":
        states = [option for option in match.options if option.name in _STATE_OPTIONS]
        return [_state(match, option, packet) for option in states] or [False]
    return [_conntrack_option(match, option, packet) for option in match.options]


def _conntrack_option(match: Match, option: Option, packet: Packet) -> Truth:
    if option.name in _STATE_OPTIONS:
        return _state(match, option, packet)
    if option.name == "--ctstatus":
        return _status(match, option, packet)
    if option.name == "--ctdir":
        if packet.state != "NEW":
            return asked(match, option)
        return known(option, holds=option.values[0].upper() == "ORIGINAL")
    if option.name == "--ctproto":
        return basic_truth(option._replace(name="-p"), packet)
    side = option.name.removeprefix("--ct")
    return _tuple_truth(match, option, packet, side) if side in _TUPLE_SIDES else asked(match, option)


def _state(match: Match, option: Option, packet: Packet) -> Truth:
    wanted = set(option.values[0].upper().split(","))
    if packet.state is None:
        real = ",".join(sorted(wanted - {"SNAT", "DNAT"}))
        return asked(match, option) if wanted & {"SNAT", "DNAT"} else question("state", real, option)
    if packet.state in wanted or packet.statuses & wanted:
        return known(option, holds=True)
    if wanted & {"SNAT", "DNAT"} and packet.state in {"ESTABLISHED", "RELATED"}:
        return asked(match, option)  # what the first packet got is not known
    return known(option, holds=False)


def _status(match: Match, option: Option, packet: Packet) -> Truth:
    wanted = set(option.values[0].upper().split(","))
    if packet.state == "NEW":  # the first packet: nothing is answered or expected
        return known(option, holds=not packet.statuses.isdisjoint(wanted))
    if packet.state == "ESTABLISHED" and wanted & {"SEEN_REPLY", "CONFIRMED"}:
        return known(option, holds=True)
    return asked(match, option)


_TUPLE_SIDES = {
    "origsrc": (False, "source"),
    "origdst": (False, "destination"),
    "replsrc": (True, "destination"),
    "repldst": (True, "source"),
    "origsrcport": (False, "source_port"),
    "origdstport": (False, "destination_port"),
    "replsrcport": (True, "destination_port"),
    "repldstport": (True, "source_port"),
}
"""For each option whether it asks about the reply, and what that is of the packet as it goes on its way."""


def _tuple_truth(match: Match, option: Option, packet: Packet, side: str) -> Truth:
    """Compare with the connection's tuples, which are known of its first packet."""
    if packet.state != "NEW":
        return asked(match, option)
    reply, field = _TUPLE_SIDES[side]
    seen: Packet | ConnectionTuple = packet if reply or packet.original is None else packet.original
    if field.endswith("_port"):
        port, bounds = getattr(seen, field), read_decimal_ports(option.values[0])
        if port is None or bounds is None:
            return asked(match, option)
        return known(option, holds=bounds.first <= port <= bounds.last)
    if getattr(seen, field) is None:
        return asked(match, option)
    letter = "-s" if field == "source" else "-d"
    return basic_truth(option._replace(name=letter), packet._replace(**{field: getattr(seen, field)}))


# --- tracking itself -------------------------------------------------------------------------------------------

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


def asks_nat(packet: Packet, answer: Callable[[Condition], bool | None], *, wanted: bool) -> bool:
    """Whether nat's rules are asked: only for the first packet of a connection.

    `wanted` says that some rule makes the kernel track connections; without one, something else may.

    Raises:
        UndecidedError: that hangs on a condition without an answer.
    """
    if packet.state not in {None, "NEW"}:
        return False
    asked = {Condition("state", "NEW"): packet.state is None, Condition("tracking", ""): not wanted}
    for condition in (condition for condition, matters in asked.items() if matters):
        answered = answer(condition)
        if answered is None:
            raise UndecidedError(condition)
        if not answered:
            return False
    return True
