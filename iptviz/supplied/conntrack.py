"""Connections that the kernel tracks, as `conntrack -L` prints them, also with -o extended, or /proc/net."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.errors import quoted
from iptviz.records import NamedTuple
from iptviz.supplied.lines import places
from iptviz.xtables.address import full_mask, parse_network
from iptviz.xtables.values.numbers import ALL_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.supplied.lines import SourceLine
    from iptviz.xtables.address import Network

_HINT = "pass the output of `conntrack -L`, also with -o extended, or /proc/net/nf_conntrack"

# ct_seq_show in net/netfilter/nf_conntrack_standalone.c, and gre_print_conntrack in nf_conntrack_proto_gre.c;
# __snprintf_conntrack in libnetfilter_conntrack.
_FLOW = (
    r"src=(?P<source{0}>\S+) dst=(?P<destination{0}>\S+)"
    r"(?: sport=(?P<sport{0}>\d{{1,5}}) dport=(?P<dport{0}>\d{{1,5}})"
    r"| type=(?P<type{0}>\d{{1,3}}) code=(?P<code{0}>\d{{1,3}}))?(?= |$)"
)
_ENTRY = re.compile(
    r"(?:ipv[46][ \t]+\d+[ \t]+)?[a-z][a-z0-9]*[ \t]+(?P<protocol>\d{1,3})[ \t]"
    r"(?P<before>[^=]*?(?:timeout=\d+, stream_timeout=\d+ )?)"
    + _FLOW.format(1)
    + r"(?P<between>.*?) "
    + _FLOW.format(2)
    + r"(?P<after>.*)"
)
_THERE, _BACK = (
    tuple(f"{name}{way}" for name in ("source", "destination", "sport", "dport", "type", "code"))
    for way in "12"
)
_STATE = re.compile(r"\b[A-Z][A-Z_0-9]+\b")
_MARK, _ZONE = re.compile(r" mark=(\d{1,10})(?= |$)"), re.compile(r" zone=(\d{1,5})(?= |$)")
_SUMMARY = re.compile(r"conntrack v\S+ \(conntrack-tools\): (\d+) flow entries have been shown\.")
_BESIDE = re.compile(r"cpu=\d+\s|\*\*\* |conntrack(?: v\S+ \(conntrack-tools\):|: )")
_WHOLE_LINE = re.compile(r"\buse=\d+(?: |$)|\bid=\d+$")


_MOST_OF_A_BYTE, _MOST_OF_TWO_BYTES = 0xFF, 0xFFFF


class Flow(NamedTuple):
    """The packets that go one way of a connection; those of ICMP have a type and a code instead of ports."""

    source: Network
    destination: Network
    source_port: int | None = None
    destination_port: int | None = None
    icmp_type: tuple[int, int] | None = None


class TrackedConnection(NamedTuple):
    """A connection: `reply` is what is expected back, so it tells what nat has made of the addresses and ports.

    `replied`: something has come back. `mark` and `zone` are None where they are not printed.
    """

    protocol: int
    original: Flow
    reply: Flow
    replied: bool
    assured: bool
    state: str
    mark: int | None
    zone: int | None
    place: SourceLine


class TrackedConnections(NamedTuple):
    """The connections of a node; `whole`: it has no others of the families that are among them."""

    connections: tuple[TrackedConnection, ...]
    whole: bool

    def tells(self, version: int) -> bool:
        """Whether a connection of a version of IP that is not among them is not there."""
        return self.whole and any(one.original.source.version == version for one in self.connections)


def read_connections(text: str, source: str) -> TrackedConnections:
    """Read a list of connections; what was cut off in its last line is left out, and the list not whole.

    Raises:
        DumpError: a line is no connection.
    """
    found: list[TrackedConnection] = []
    whole, counted = True, None
    for place, line, is_last in _with_last(text, source):
        entry = _connection(line, place)
        if entry is not None and not (is_last and _may_be_cut(text, line)):
            found.append(entry)
        elif summary := _SUMMARY.fullmatch(line):
            counted = int(summary[1])
        elif not _BESIDE.match(line):
            if not is_last:
                raise place.error(f"not a tracked connection: {quoted(line)}", _HINT)
            whole = False
    if not found and not whole:
        place, line = next(places(text, source))
        raise place.error(f"not a tracked connection: {quoted(line)}", _HINT)
    return TrackedConnections(tuple(found), whole and counted in {None, len(found)})


def _with_last(text: str, source: str) -> Iterator[tuple[SourceLine, str, bool]]:
    """Yield the lines, and whether each is the last."""
    before: tuple[SourceLine, str] | None = None
    for here in places(text, source):
        if before is not None:
            yield *before, False
        before = here
    if before is not None:
        yield *before, True


def _may_be_cut(text: str, line: str) -> bool:
    """Whether something of the last line may be missing."""
    return not (text.endswith("\n") or _WHOLE_LINE.search(line))


def _connection(line: str, place: SourceLine) -> TrackedConnection | None:
    found = _ENTRY.fullmatch(line)
    if found is None:
        return None
    original, reply = _flow(found, _THERE), _flow(found, _BACK)
    if original is None or reply is None:
        return None
    flags = found["before"] + found["between"] + found["after"]
    state = _STATE.search(found["before"])
    connection = TrackedConnection(
        int(found["protocol"]),
        original,
        reply,
        "[UNREPLIED]" not in flags,
        "[ASSURED]" in flags,
        state[0] if state else "",
        _number(_MARK.search(found["after"])),
        _number(_ZONE.search(found["after"])),
        place,
    )
    if not _can_be(connection):
        raise place.error(f"not a tracked connection: {quoted(line)}", _HINT)
    return connection


def _can_be(one: TrackedConnection) -> bool:
    """Whether a connection has addresses of one family, all of hosts, and numbers that its fields can hold."""
    there, back = one.original, one.reply
    masks = {there.source.mask, there.destination.mask, back.source.mask, back.destination.mask}
    return (
        masks in _OF_HOSTS
        and max(there.source_port or 0, there.destination_port or 0, one.zone or 0) <= _MOST_OF_TWO_BYTES
        and max(back.source_port or 0, back.destination_port or 0) <= _MOST_OF_TWO_BYTES
        and max(0, one.protocol, *(there.icmp_type or ()), *(back.icmp_type or ())) <= _MOST_OF_A_BYTE
        and (one.mark or 0) <= ALL_BITS
    )


_OF_HOSTS = {full_mask(4)}, {full_mask(6)}


_PORTLESS = "0", "0"
"""What conntrack prints of DCCP, of which Linux 6.18 tracks no ports."""


def _flow(found: re.Match[str], names: tuple[str, ...]) -> Flow | None:
    first, second, sport, dport, kind, code = found.group(*names)
    source, destination = parse_network(first), parse_network(second)
    if source is None or destination is None:
        return None
    if sport and (sport, dport) != _PORTLESS:
        return Flow(source, destination, int(sport), int(dport))
    if kind:
        return Flow(source, destination, icmp_type=(int(kind), int(code)))
    return Flow(source, destination)


def _number(found: re.Match[str] | None) -> int | None:
    return int(found[1]) if found else None
