"""Marks and connection tracking.

Source: net/netfilter/xt_conntrack.c, xt_state.c, xt_mark.c, xt_connmark.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.meanings.addresses import basic_truth
from iptviz.engine.meanings.truth import Truth, asked, known, question
from iptviz.engine.regions import split_since
from iptviz.xtables.values.numbers import Masked, read_mark, show_mark
from iptviz.xtables.values.protocols import read_decimal_ports

if TYPE_CHECKING:
    from iptviz.engine.host import Host
    from iptviz.engine.marks import Mark
    from iptviz.engine.packet import ConnectionTuple, Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option

UNTRACKED, INVALID = "UNTRACKED", "INVALID"
_NO_CONNECTION = {UNTRACKED, INVALID}
_STATE_OPTIONS = {"--ctstate", "--state"}


def mark(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The packet's mark."""
    return mark_truth(match, option, packet.mark)


def connmark(match: Match, option: Option, packet: Packet, _host: Host) -> Truth:
    """The connection's mark; a packet without connection never matches, whatever is asked."""
    if packet.state in _NO_CONNECTION:
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
    kind, since = split_since(own.origin)
    return question(kind.strip(), show_mark(Masked(*answer)) + since, option)


def conntrack(match: Match, packet: Packet, _host: Host) -> list[Truth]:
    """State, direction, tuples and status; without a connection only the state counts."""
    if packet.state in _NO_CONNECTION and match.name == "conntrack":
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
    if packet.state == "NEW":
        return known(option, holds=False)  # the first packet: nothing is confirmed, answered or expected
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
