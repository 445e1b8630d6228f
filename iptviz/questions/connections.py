"""What a list of tracked connections tells of a packet: whether it begins one, and what nat makes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.engine.marks import known_mark
from iptviz.engine.packet import ANSWER, NEXT, ConnectionTuple, End, Past
from iptviz.engine.past import ASKED_FOR, ERRORS, Candidate, Pasts
from iptviz.errors import PacketError
from iptviz.intake.remark import remark
from iptviz.xtables.address import full_mask, join_endpoint
from iptviz.xtables.values.addresses import show_host
from iptviz.xtables.values.protocols import WITH_PORTS, protocol_name, protocol_number

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from iptviz.engine.packet import Packet
    from iptviz.intake.remark import Remark
    from iptviz.supplied.conntrack import Flow, TrackedConnection, TrackedConnections
    from iptviz.xtables.address import Network

_ASKED_ABOUT = {"NEW", "ESTABLISHED", "RELATED"}
_MOST = 64


class Settled(NamedTuple):
    """What lists of connections settle: the ways of rewriting, and the packet with the state that it has then.

    `pasts` is None where they settle nothing; `notes` say by which lines they do.
    """

    asked: Packet
    pasts: Pasts | None = None
    notes: tuple[Remark, ...] = ()


class _Found(NamedTuple):
    connection: TrackedConnection
    is_reply: bool

    @property
    def state(self) -> str:
        """The state of another packet of this direction; what was never answered is new still."""
        return "ESTABLISHED" if self.is_reply or self.connection.replied else "NEW"


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
    over = [one for one in found if _begins_another(asked, one)]
    if over:
        return Settled(
            asked, None, (remark("connection-over", place=_place(over[0]), of=over[0].connection.state),)
        )
    answered = [one for one in found if one.state == asked.state]
    found = answered or found  # what is said to be answered is not of one without an answer
    if not found:
        return _none_found(asked, tables, required=required, zones=zones)
    if len(found) > _MOST or (asked.state == "NEW" and not _is_whole(asked)):
        return Settled(asked, None, tuple(_several(found, asked)) if required else ())
    candidates = _apart([_candidate(one, asked, is_error=is_error) for one in found])
    if candidates is None:
        return Settled(asked, None, tuple(_several(found, asked)) if required else ())
    states = {one.state for one in candidates}
    state = asked.state if is_error or len(states) > 1 else states.pop()
    notes = _several(found, asked) if len(found) > 1 else [_found_at(found[0], state)]
    return Settled(asked._replace(state=state), Pasts(tuple(candidates), sure=True), tuple(notes))


def _begins_another(asked: Packet, found: _Found) -> bool:
    """Whether a packet begins a connection anew that is over, as a SYN does (nf_conntrack_proto_tcp.c)."""
    opens = asked.tcp_flags == frozenset({"SYN"}) or (asked.tcp_flags is None and asked.state == "NEW")
    return opens and not found.is_reply and found.connection.state in _OVER


_OVER = {"TIME_WAIT", "CLOSE"}


def _place(found: _Found) -> str:
    source, line = found.connection.place
    return f"{source}:{line}"


def _found_at(found: _Found, state: str | None) -> Remark:
    return remark("connection-found", place=_place(found), reply=found.is_reply, state=state)


def _several(found: Sequence[_Found], asked: Packet) -> Iterator[Remark]:
    """Say that several connections may be the packet's, and what of it would tell which one is."""
    open_ = {
        "--src": asked.source is None, "--dst": asked.destination is None, "--protocol": asked.protocol is None,
        "--sport": asked.source_port is None and asked.protocol not in ERRORS,
        "--dport": asked.destination_port is None and asked.protocol not in ERRORS,
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


# --- which connections may be that of the packet ----------------------------------------------------------------


def _matching(asked: Packet, connections: Sequence[TrackedConnection]) -> Iterator[_Found]:
    number = protocol_number(asked.protocol) if asked.protocol else None
    for one in connections:
        if number in {None, one.protocol}:
            if _fits(asked, one.original):
                yield _Found(one, is_reply=False)
            elif _fits(asked, one.reply):
                yield _Found(one, is_reply=True)


def _fits(asked: Packet, flow: Flow) -> bool:
    """Whether a packet may go this way of a connection."""
    networks = (asked.source, flow.source), (asked.destination, flow.destination)
    numbers = (asked.source_port, flow.source_port), (asked.destination_port, flow.destination_port)
    kind = asked.icmp_type
    return (
        all(known is None or known.contains(own) for known, own in networks)
        and all(known in {None, own} for known, own in numbers)
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
