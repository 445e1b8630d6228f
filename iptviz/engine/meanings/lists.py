"""What the kernel keeps: ipsets, the addresses that `-m recent` has seen, and counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.meanings.truth import Truth, known
from iptviz.engine.packet import COUNTED, UNCOUNTED, Listing
from iptviz.xtables.address import full_mask

if TYPE_CHECKING:
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.ipset.saved import Subject
    from iptviz.rules.form import Test
    from iptviz.rules.operands import RecentList, SetMember
    from iptviz.xtables.address import Network

RECORDING = "recent-set"
"""The kind of a test that always holds, and puts an address on the list that its operand names."""
ASKING = "recent"
"""The kind of a test whether an address is on a list."""

TURN = "turn"
"""The kind of a test that one in n packets passes, by a count of its rule."""


def changes(test: Test) -> bool:
    """Whether a test changes what later ones find, as soon as it is asked: whatever the rest of the rule says."""
    return test.kind == TURN or (test.kind in {RECORDING, ASKING} and test.operand.asking != "rcheck")


def recent_set(test: Test, _packet: Packet, _host: Host) -> Truth:
    """Record an address, and then match."""
    return known(test, holds=True)


def recent(test: Test, packet: Packet, host: Host) -> Truth:
    """Whether the source, or the destination, was seen, how long ago and how often."""
    wanted: RecentList = test.operand
    listing, sure = _listing(wanted, packet)
    found = _found(wanted, packet, host, listing) if sure else None
    if found is not None:
        return known(test, holds=found)
    return Assumption(Condition("recent", test.value, wanted.details), holds=not test.negated)


def after(test: Test, packet: Packet, *, holds: bool) -> Packet:
    """Return the packet after a test that `changes` lists, and held or not.

    Source: recent_mt in net/netfilter/xt_recent.c.
    """
    if test.kind == TURN:
        return packet if packet.counted == UNCOUNTED else packet._replace(counted=COUNTED)
    wanted: RecentList = test.operand
    before, sure = _listing(wanted, packet)
    whose, mask, now = _whose(wanted, packet), _mask(wanted, packet), _time_to_live(packet)
    if wanted.asking == "remove":
        return _with(packet, Listing(wanted.name, whose, mask, 0, afresh=True, ttl=None))
    if wanted.asking == "update" and not holds:
        return packet
    blank = Listing(wanted.name, whose, mask, 0, afresh=False, ttl=None)
    was = before if before is not None and sure else blank
    if wanted.asking == "update" and test.negated and not was.seen:  # it holds of what is not there, too
        return packet if was.afresh else _with(packet, was._replace(seen=None))
    seen = 1 if was.seen is None else was.seen + 1
    return _with(packet, was._replace(whose=whose, mask=mask, seen=seen, ttl=now))


def _with(packet: Packet, listing: Listing) -> Packet:
    """Return the packet with what is known now of an address on a list, which goes before what was known."""
    same = (listing.name, listing.whose)
    others = tuple(one for one in packet.listed if (one.name, one.whose) != same)
    return packet._replace(listed=(*others, listing))


def _whose(wanted: RecentList, packet: Packet) -> tuple[str, Network | None, int | None]:
    """Return an address that is known, or else which one of the packet it is, as which rule left it."""
    side = "destination" if wanted.to_destination else "source"
    address: Network | None = getattr(packet, side)
    if address is not None and address.mask == full_mask(address.version):
        return "", address, None
    return side, address, packet.since(side)


def _mask(wanted: RecentList, packet: Packet) -> int:
    address = packet.source or packet.destination
    return (full_mask(address.version) if address else -1) if wanted.mask is None else wanted.mask


def _time_to_live(packet: Packet) -> tuple[int, int | None] | int:
    """Return the time to live as it was before forwarding, which is the one that is recorded and compared."""
    taken = packet.route == "FORWARD"
    return packet.ttl + taken if packet.ttl is not None else (packet.ttl_taken - taken, packet.since("ttl"))


def _listing(wanted: RecentList, packet: Packet) -> tuple[Listing | None, bool]:
    """Return what rules did to an address on a list, None for nothing, and whether it is known that they did."""
    found: Listing | None = None
    sure = True
    for listing in packet.listed:
        same = _is_of(listing, wanted, packet)
        if same:
            found, sure = listing, listing.seen is not None
        elif same is None:
            sure = False
    return found, sure


def _is_of(listing: Listing, wanted: RecentList, packet: Packet) -> bool | None:
    """Whether a listing is of the address that is asked for; a list puts one mask on all addresses.

    It is that of the rule which made the list, so where rules differ nobody knows which.
    """
    if listing.name != wanted.name:
        return False
    whose, mask = _whose(wanted, packet), _mask(wanted, packet)
    if whose == listing.whose:
        return True
    if whose[0] or listing.whose[0] or mask != listing.mask or whose[1] is None or listing.whose[1] is None:
        return None
    return whose[1].value & mask == listing.whose[1].value & mask


def _found(wanted: RecentList, packet: Packet, host: Host, listing: Listing | None) -> bool | None:
    """Whether an address is on a list as it is wanted; None where that is not known."""
    hits = _hits(wanted, packet, host) if listing is None or not listing.afresh else 0
    if listing is None or not listing.seen:
        return _was_found(wanted, hits) if listing is None else False
    if wanted.same_ttl and listing.ttl != _time_to_live(packet):
        both = isinstance(listing.ttl, int) and packet.ttl is not None
        return False if both else None
    if wanted.hits is None or wanted.hits <= listing.seen:
        return None if wanted.hits is None else True
    total = None if hits is None else hits + listing.seen
    if total is None:
        return None
    return False if total < wanted.hits else None if wanted.timed else True


def _was_found(wanted: RecentList, hits: int | None) -> bool | None:
    """Whether an address that had so many hits before any rule was asked is found; times nobody compares."""
    if hits is None or not hits or wanted.hits is None:
        return None if hits is None or hits else False
    if hits < wanted.hits:
        return False
    return None if wanted.timed or wanted.same_ttl else True


def _hits(wanted: RecentList, packet: Packet, host: Host) -> int | None:
    """Return how often an address was on a list before any rule was asked; None where that is not known."""
    if wanted.name.startswith(packet.unlisted):
        return 0
    side, address, _ = _whose(wanted, packet)
    if host.recent is None or wanted.name not in host.recent or side or address is None:
        return None
    entries = host.recent[wanted.name].entries
    mask = _mask(wanted, packet)
    if any(other & ~mask for other in entries):
        return None  # the list has another rule's mask
    entry = entries.get(address.value & mask)
    return 0 if entry is None else entry.hits


def ipset(test: Test, packet: Packet, host: Host) -> Truth:
    """Whether the packet is in a set."""
    wanted: SetMember = test.operand
    since = packet.since(f"set {wanted.name}")
    if host.sets is not None and wanted.name in host.sets and since is None:
        answer = host.sets[wanted.name].matches(
            _subject(packet), wanted.directions, host.sets, return_nomatch=wanted.return_nomatch
        )
        if answer is not None:
            return known(test, holds=answer)
    # A question about a set is one about the addresses that the packet then has.
    rewritten = (packet.dnat if "dst" in wanted.directions else "") or (
        packet.snat if "src" in wanted.directions else ""
    )
    asked = Condition("set", test.value, wanted.details, rewritten=rewritten or "", since=since)
    return Assumption(asked, holds=not test.negated)


def _subject(packet: Packet) -> Subject:
    from iptviz.ipset.saved import Subject  # only who hands sets over needs it

    return Subject(
        source=packet.source,
        destination=packet.destination,
        protocol=packet.protocol,
        source_port=packet.source_port,
        destination_port=packet.destination_port,
        in_interface=packet.in_interface,
        out_interface=packet.out_interface,
        mark=packet.mark.known,
        mac=packet.mac,
        icmp=packet.icmp_type,
    )
