"""What a list of tracked connections tells of a packet: whether it begins one, and what nat makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.engine.marks import known_mark
from iptviz.engine.meanings.connections import INVALID
from iptviz.engine.packet import ANSWER, NEXT, ConnectionTuple, End, Past
from iptviz.engine.past import ASKED_FOR, ERRORS, Candidate, Pasts
from iptviz.engine.unknowns import cannot_be
from iptviz.errors import PacketError
from iptviz.intake.remark import remark
from iptviz.records import NamedTuple
from iptviz.supplied.tcp_flags import fate_in
from iptviz.xtables.address import full_mask, join_endpoint, parse_network, split_endpoint
from iptviz.xtables.values.addresses import show_host
from iptviz.xtables.values.protocols import WITH_PORTS, protocol_name, protocol_number

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from iptviz.engine.condition import Assumption
    from iptviz.engine.packet import Packet
    from iptviz.intake.remark import Remark
    from iptviz.supplied.conntrack import Flow, TrackedConnection, TrackedConnections
    from iptviz.supplied.tcp_flags import Fate
    from iptviz.xtables.address import Network

_ASKED_ABOUT = {"NEW", "ESTABLISHED", "RELATED"}
_MOST = 64


class Settled(NamedTuple):
    """What lists of connections settle: the ways of rewriting, and the packet with the state that it has then.

    `pasts` is None where they settle nothing; `notes` say by which lines they do. With ways and without a state
    the packet is of such a connection, or begins another.
    """

    asked: Packet
    pasts: Pasts | None = None
    notes: tuple[Remark, ...] = ()


class _Found(NamedTuple):
    connection: TrackedConnection
    is_reply: bool
    fate: Fate = "belongs"

    @property
    def state(self) -> str:
        """The state of the packet; what was never answered is new still."""
        if self.fate in _STATES:
            return _STATES[self.fate]
        return "ESTABLISHED" if self.is_reply or self.connection.replied else "NEW"


_STATES: dict[Fate, str] = {"invalid": INVALID, "begins": "NEW"}
"""The states of packets that are not of a connection whose addresses and ports they have."""


def settled(asked: Packet, tables: Sequence[TrackedConnections], *, zones: bool, required: bool) -> Settled:
    """Return what is known of the connection of a packet from lists of connections.

    `zones`: some rule puts connections into zones, so that those of any may be meant. `required`: the lists were
    given for this question.

    Raises:
        PacketError: the packet is to be of a connection that exists, and the lists show that there is none.
    """
    if not tables or asked.state not in _ASKED_ABOUT:
        return Settled(asked)
    is_error = asked.state == "RELATED" and asked.protocol in ERRORS
    connections = [one for table in tables for one in table.connections if zones or one.zone in {None, 0}]
    found = list(_of_errors(asked, connections) if is_error else _matching(asked, connections))
    as_said = [one for one in found if one.state == asked.state]
    found = as_said or found  # what is said to be answered is not of one without an answer
    if not found:
        return _none_found(asked, tables, required=required, zones=zones)
    fates = {one.fate for one in found}
    unsettled = Settled(asked, None, tuple(_several(found, asked)) if required else ())
    if len(found) > _MOST or len(fates) > 1 or (asked.state == "NEW" and not _is_whole(asked)):
        return unsettled
    if fates <= _STATES.keys():
        return _of_none(asked, found[0])
    candidates = _apart([_candidate(one, asked, is_error=is_error) for one in found])
    if candidates is None:
        return unsettled
    state = None if fates == {"begins-perhaps"} else _common_state(asked, candidates, is_error=is_error)
    notes = _several(found, asked) if len(found) > 1 else [_found_at(found[0], asked, state)]
    return Settled(asked._replace(state=state), Pasts(tuple(candidates), sure=True), tuple(notes))


def _common_state(asked: Packet, candidates: Sequence[Candidate], *, is_error: bool) -> str | None:
    """Return the state of a packet of one of some connections, which say it themselves where it differs."""
    states = {one.state for one in candidates}
    return asked.state if is_error or len(states) > 1 else states.pop()


def _of_none(asked: Packet, found: _Found) -> Settled:
    """Return what is known of a packet that is not of the connection whose addresses and ports it has."""
    name = "connection-over" if found.fate == "begins" else "connection-refuses"
    said = remark(name, place=_place(found), of=found.connection.state, instead=_instead(asked, found.state))
    return Settled(asked._replace(state=found.state), None, (said,))


def _fate(asked: Packet, one: TrackedConnection, *, is_reply: bool) -> Fate:
    """Return what becomes of a packet that has the addresses and ports of a connection, by its flags of TCP.

    What is said to be of a connection that exists is not the SYN that may begin another. Without flags it may be
    of the connection; what is new, and goes the way of the first packet, is taken for a SYN.
    """
    flags = asked.tcp_flags
    if flags is None and asked.state == "NEW" and not is_reply:
        flags = frozenset({"SYN"})
    if flags is None or protocol_name(str(one.protocol)) != "tcp":
        return "belongs"
    fate = fate_in(one.state, flags, is_reply=is_reply)
    return "belongs" if fate == "begins-perhaps" and asked.state != "NEW" else fate


def _place(found: _Found) -> str:
    source, line = found.connection.place
    return f"{source}:{line}"


def _found_at(found: _Found, asked: Packet, state: str | None) -> Remark:
    if state is None:
        return remark("connection-reset", place=_place(found))
    instead = _instead(asked, state)
    return remark("connection-found", place=_place(found), reply=found.is_reply, state=state, instead=instead)


def _instead(asked: Packet, state: str) -> str:
    """Return the state that a packet was said to have, and has not; NEW may be what nobody has said."""
    return asked.state if asked.state not in {None, "NEW", state} else ""


def _several(found: Sequence[_Found], asked: Packet) -> Iterator[Remark]:
    """Say that several connections may be the packet's, and what of it would tell which one is."""
    has_ports = asked.protocol is None or asked.protocol in WITH_PORTS
    open_ = {
        "--src": asked.source is None, "--dst": asked.destination is None, "--protocol": asked.protocol is None,
        "--sport": asked.source_port is None and has_ports,
        "--dport": asked.destination_port is None and has_ports,
    }  # fmt: skip
    options = tuple(flag for flag, is_open in open_.items() if is_open)
    yield remark("connections-match", count=len(found), options=options)


def _is_whole(asked: Packet) -> bool:
    """Whether a packet is described so that it is of one connection alone."""
    ends = all(
        one is not None and one.mask == full_mask(one.version) for one in (asked.source, asked.destination)
    )
    ports = asked.protocol not in WITH_PORTS or None not in (asked.source_port, asked.destination_port)
    return ends and ports and asked.protocol is not None


def _none_found(
    asked: Packet, tables: Sequence[TrackedConnections], *, required: bool, zones: bool
) -> Settled:
    to = asked.destination or asked.source
    told = to is not None and any(table.tells(to.version) for table in tables)
    if asked.state != "ESTABLISHED" or not told or zones or not _is_whole(asked):
        return Settled(asked)
    ends = (join_endpoint(show_host(one), port) for one, port in _ends(asked))
    text = f"no tracked connection has a packet from {' to '.join(ends)}"
    if required:
        raise PacketError(
            f"{text}: it is not ESTABLISHED", hint="check its addresses and ports, or drop --ctstate"
        )
    return Settled(asked, None, (remark("connection-missing", text=text),))


def _ends(asked: Packet) -> Iterator[tuple[Network, int | None]]:
    for one, port in ((asked.source, asked.source_port), (asked.destination, asked.destination_port)):
        if one is not None:
            yield one, port


# --- what is assumed of a packet whose connection is listed -----------------------------------------------------


def refuse_unlisted(given: Sequence[Assumption], pasts: Pasts | None, state: str | None) -> None:
    """Refuse what is assumed of a connection, and is not so of any that a list has for the packet.

    A packet without a state may begin another.

    Raises:
        PacketError: something is so of none of the connections that the packet may be of.
    """
    if pasts is None or not pasts.sure or state is None:
        return
    left: Sequence[Candidate] = pasts.candidates
    for assumption in given:
        condition, holds = assumption
        so = _TOLD.get(condition.kind)
        if so is not None:
            left = [one for one in left if any(so(one, value) for value in condition.values) == holds]
        if not left:
            raise cannot_be(assumption)


_TO_ANY_SOURCE = "MASQUERADE"


def _is_end(told: str, value: str) -> bool:
    """Whether an end that nat gave is what a condition names, which may leave its port out."""
    (address, port), (asked, asked_port) = split_endpoint(told), split_endpoint(value)
    return parse_network(address) == parse_network(asked) and (
        port == asked_port or None in (port, asked_port)
    )


_TOLD: dict[str, Callable[[Candidate, str], bool]] = {
    "rewriting": lambda one, _: not (one.dnat or one.snat),
    "direction": lambda one, _: one.part == ANSWER,
    "dnat": lambda one, value: bool(one.dnat) and _is_end(one.dnat, value),
    "snat": lambda one, value: bool(one.snat) and (value == _TO_ANY_SOURCE or _is_end(one.snat, value)),
}
"""By kinds of conditions whether one is so of a connection."""


# --- which connections may be that of the packet ----------------------------------------------------------------


def _matching(asked: Packet, connections: Sequence[TrackedConnection]) -> Iterator[_Found]:
    number = protocol_number(asked.protocol) if asked.protocol else None
    for one in connections:
        if number in {None, one.protocol}:
            if _fits(asked, one.original):
                yield _found(asked, one, is_reply=False)
            elif _fits(asked, one.reply):
                yield _found(asked, one, is_reply=True)


def _found(asked: Packet, one: TrackedConnection, *, is_reply: bool) -> _Found:
    return _Found(one, is_reply, _fate(asked, one, is_reply=is_reply))


def _fits(asked: Packet, flow: Flow) -> bool:
    """Whether a packet may go this way of a connection."""
    networks = (asked.source, flow.source), (asked.destination, flow.destination)
    numbers = (asked.source_port, flow.source_port), (asked.destination_port, flow.destination_port)
    kind = asked.icmp_type
    return (
        all(known is None or known.contains(own) for known, own in networks)
        and all(own is None or known in {None, own} for known, own in numbers)
        and (kind is None or flow.icmp_type is None or kind[0] == flow.icmp_type[0])
    )


def _of_errors(asked: Packet, connections: Sequence[TrackedConnection]) -> Iterator[_Found]:
    """Yield the connections of which an error may tell: it goes to who sent a packet, and comes from anybody."""
    for one in connections:
        for flow, is_reply in ((one.original, False), (one.reply, True)):
            if asked.destination is None or asked.destination.contains(flow.destination):
                yield _Found(one, is_reply)


# --- what nat makes of it ---------------------------------------------------------------------------------------


def _candidate(found: _Found, asked: Packet, *, is_error: bool) -> Candidate:
    one = found.connection
    first, back = one.original, one.reply
    dnat = (back.source, back.source_port) != (first.destination, first.destination_port)
    snat = (back.destination, back.destination_port) != (first.source, first.source_port)
    statuses = {"CONFIRMED"} | ({"DNAT"} if dnat else set()) | ({"SNAT"} if snat else set())
    seen = one.replied or (found.is_reply and not is_error)  # the reply itself is seen before any rule
    statuses |= {"SEEN_REPLY"} if seen else set()
    statuses |= {"ASSURED"} if one.assured else set()
    target, giver = (back.source, back.source_port), (back.destination, back.destination_port)
    asked_for, client = (first.destination, first.destination_port), (first.source, first.source_port)
    to, own = (client, asked_for) if found.is_reply else (target, giver)
    changed = (snat, dnat) if found.is_reply else (dnat, snat)
    unsure = frozenset({"EXPECTED"} if one.assured else {"EXPECTED", "ASSURED"})
    ports = (asked.destination_port, asked.source_port) if is_error else (None, None)
    past = Past(
        _end(*to, is_error=is_error, port_now=ports[0]) if changed[0] else None,
        _end(*own, is_error=is_error, port_now=ports[1], port_before=asked.source_port)
        if changed[1]
        else None,
        unsure=unsure,
        protocol=protocol_name(str(one.protocol)),
        reply=ConnectionTuple(back.destination, back.source, back.destination_port, back.source_port),
    )
    return Candidate(
        ANSWER if found.is_reply else NEXT,
        _text(*target, is_error=is_error) if dnat else "",
        _text(giver[0], giver[1] if giver[1] != client[1] else None, is_error=is_error) if snat else "",
        past,
        frozenset(statuses),
        ConnectionTuple(first.source, first.destination, first.source_port, first.destination_port),
        None if one.mark is None else known_mark(one.mark),
        asked.state if is_error or (asked.state, found.state) == ("RELATED", "NEW") else found.state,
    )


def _apart(candidates: Sequence[Candidate]) -> list[Candidate] | None:
    """Return ways of rewriting that conditions tell apart; None where they cannot tell where the packet goes."""
    groups: dict[object, list[Candidate]] = {}
    for one in candidates:
        groups.setdefault((one.part, one.dnat, one.snat), []).append(one)
    joined = list(map(_joined, groups.values()))
    return None if None in joined else [one for one in joined if one is not None]


def _joined(same: Sequence[Candidate]) -> Candidate | None:
    """Return what several connections have in common; None where the packet goes to different ends."""
    first = same[0]
    if len(set(same)) == 1:
        return first
    if len({one.past.destination for one in same}) > 1:
        return None
    sources = {one.past.source for one in same}
    source = first.past.source if len(sources) == 1 else End(None, None, ASKED_FOR)
    of_all = frozenset.intersection(*(one.statuses for one in same))
    of_some = frozenset().union(*(one.statuses for one in same)) - of_all
    unsure = frozenset().union(of_some, *(one.past.unsure for one in same))
    return first._replace(
        past=Past(first.past.destination, source, unsure=unsure),
        statuses=of_all,
        original=ConnectionTuple(*map(_common, zip(*(one.original for one in same), strict=True))),
        connmark=_common([one.connmark for one in same]),
        state=_common([one.state for one in same]),
    )


def _common(values: Collection[Any]) -> Any:
    """Return the value that all have, None where they differ."""
    return next(iter(values)) if len(set(values)) == 1 else None


def _text(address: Network, port: int | None, *, is_error: bool) -> str:
    return join_endpoint(show_host(address), None if is_error else port)


def _end(
    address: Network,
    port: int | None,
    *,
    is_error: bool,
    port_now: int | None,
    port_before: int | None = None,
) -> End:
    """Return an address and port that nat gives; an error has no ports. That of a source is told if it is new."""
    shown = None if port == port_before else port
    return End(address, port_now if is_error else port, _text(address, shown, is_error=is_error))
