"""The packet a question is about; what is None is not known."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.marks import UNKNOWN_CONNMARK, UNKNOWN_MARK, Mark, Origin
from iptviz.records import NamedTuple
from iptviz.xtables.values.numbers import ALL_BITS

if TYPE_CHECKING:
    from iptviz.engine.condition import Condition, When
    from iptviz.rules.form import Place
    from iptviz.xtables.address import Network


_MARKS = {"mark", "connmark"}
ANSWER, NEXT = "answer", "next"
COUNTED, COUNTED_LATER, UNCOUNTED = "counted", "later", "uncounted"


class ConnectionTuple(NamedTuple):
    """Addresses and ports of one direction of a connection."""

    source: Network | None = None
    destination: Network | None = None
    source_port: int | None = None
    destination_port: int | None = None


class End(NamedTuple):
    """An address and port that nat gives to all packets of a connection.

    `shown` is how an answer calls it, None where it does not; `local` says whether it is one of the node's own.
    `changed` names what is not known of it, each with the line of the rule that chose; `by` is that rule.
    """

    address: Network | None
    port: int | None
    shown: str | None = None
    local: bool | None = None
    changed: tuple[tuple[str, int], ...] = ()
    by: Place | None = None


class MaybeSource(NamedTuple):
    """A source that nat may have given to a connection in one of its chains, as a condition calls it.

    `end` is None, and the text empty, where it left the source as it is.
    """

    chain: str
    text: str
    end: End | None


UNSURE = frozenset({"ASSURED", "EXPECTED"})
"""Statuses of a connection that exists of which its packets and nat's rules tell nothing."""


class Past(NamedTuple):
    """What nat makes of the packets that go one way of a connection, as it chose when that began.

    None: it leaves that end as it is. `sources` are what it may do with the source instead, where that is not
    known; the packet then has one of those of the chain in which it gets there. `unsure` are statuses of the
    connection of which nothing is known. `reply` is its tuple of that direction in the words of the other one,
    `protocol` the connection's, where these are known.
    """

    destination: End | None = None
    source: End | None = None
    sources: tuple[MaybeSource, ...] = ()
    unsure: frozenset[str] = UNSURE
    reply: ConnectionTuple | None = None
    protocol: str | None = None


class Note(NamedTuple):
    """A rule that marks, logs or counts and goes on, where all of `needs` hold.

    `via` is the rule that led to it, by a jump or because it is the rule itself.
    """

    rule: Place
    via: Place
    needs: When


class Listing(NamedTuple):
    """What is known of an address on a list of `-m recent` since rules put it there or took it off on the way.

    `whose` is the address, or what stands for one that is not known, `mask` what the rule put on it. `seen` is
    how often it was recorded, None: nobody knows; `afresh` says that it was not there before. `ttl` is the
    packet's when it was recorded last, or what stands for it.
    """

    name: str
    whose: tuple[str, Network | None, int | None]
    mask: int
    seen: int | None
    afresh: bool
    ttl: tuple[int, int | None] | int | None


class Packet(NamedTuple):
    """One packet on its way; nat meets only the first of a connection.

    An address is a host, a network in which it lies, or unknown. An interface is a name, empty where the
    packet has none at this point (a packet that leaves the node came in by none), or unknown.
    `to_this_node` says whether the destination is one of the node's own addresses (`--dst-type LOCAL`).
    `unlisted` are prefixes of `-m recent` lists that the source is known not to be in: a new client; with an @,
    those of sets of nft into which rules put clients. `listed` is
    what rules did to such lists since, in that order.
    `state` is the conntrack state, `statuses` what its connection, if any, got so far (SNAT, DNAT,
    CONFIRMED). `original` is what the connection's first packet looked like, once nat has rewritten it.
    `changed` names what a rule has set to something unknown, each with the rule's line: a question about it
    is another one than before. `route` is where routing sent it: `INPUT`, `FORWARD`, `OUTPUT`, or not yet.
    `ttl_taken` is what has been taken off an unknown time to live since it came, or since a rule set it.
    `leaves_by` is the interface that routing chose last, unknown before that.
    `noted` are rules that it has passed and that a survey only notes. `part` is its part in a connection
    that is followed: ANSWER is the first one back, NEXT another of the client's; empty for the first of
    all, or not known. `past` is what nat chose when its connection began, None for a packet that begins one,
    or where that is not known. `own_port` is whose port, which the dump does not print, its destination port is.
    `counted` is COUNTED where a rule's count (nth) tells this packet from others that may come to the same rules,
    COUNTED_LATER where it does once this table is passed; UNCOUNTED: each count is taken by itself.
    `proxied`: TPROXY has given it to a socket of this node, which gets it if routing delivers it.
    `destination_name` is what a listing that resolves addresses calls an unknown destination.
    """

    protocol: str | None = None
    destination: Network | None = None
    destination_port: int | None = None
    to_this_node: bool | None = None
    unlisted: tuple[str, ...] = ()
    state: str | None = "NEW"
    source: Network | None = None
    source_port: int | None = None
    in_interface: str | None = None
    out_interface: str | None = None
    mark: Mark = UNKNOWN_MARK
    connmark: Mark = UNKNOWN_CONNMARK
    tcp_flags: frozenset[str] | None = None
    icmp_type: tuple[int, int | None] | None = None
    length: int | None = None
    ttl: int | None = None
    ttl_taken: int = 0
    tos: int | None = None
    mac: str | None = None
    packet_type: str | None = None
    owner: tuple[int | None, int | None] | None = None
    fragment: bool | None = False
    statuses: frozenset[str] = frozenset()
    original: ConnectionTuple | None = None
    dnat: str | None = None
    snat: str | None = None
    snat_by: Place | None = None
    listed: tuple[Listing, ...] = ()
    changed: tuple[tuple[str, int], ...] = ()
    route: str = ""
    leaves_by: str | None = None
    noted: tuple[Note, ...] = ()
    part: str = ""
    past: Past | None = None
    own_port: Condition | None = None
    destination_name: str = ""
    counted: str = ""
    proxied: bool = False

    def or_else(self, other: Packet, line: int) -> Packet:
        """Return what is known of a packet that is either this or `other`, as the rule at `line` decides."""
        if self == other:
            return self
        changed = {**dict(self.changed), **dict(other.changed)}
        unknown: dict[str, object] = {}
        for field, mine, theirs in zip(self._fields, self, other, strict=True):
            if field in _MARKS and mine != theirs:
                unknown[field] = Mark(Origin(field, line), ALL_BITS, 0)
            elif field != "changed" and mine != theirs:
                unknown[field] = None
                if field != "snat_by":
                    changed[field] = line
        return self._replace(**unknown, changed=tuple(sorted(changed.items())))  # type: ignore[arg-type]

    def since(self, field: str) -> int | None:
        """Return the line of the rule that set `field` to something unknown; None where none did."""
        return dict(self.changed).get(field) if self.changed else None

    def with_bytes(self, line: int, *fields: str) -> Packet:
        """Return the packet with other bytes than before the rule at `line`: those of `fields` are not known."""
        changed = {**dict(self.changed), **dict.fromkeys((*fields, "bytes"), line)}
        return self._replace(changed=tuple(sorted(changed.items())))

    def lost(self, field: str, line: int) -> tuple[tuple[str, int], ...]:
        """Return `changed` with the note that the rule at `line` set `field` to something unknown."""
        return tuple(sorted({**dict(self.changed), field: line}.items()))
