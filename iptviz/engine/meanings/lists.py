"""Lists that the kernel keeps: ipsets, and the addresses that `-m recent` has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.meanings.truth import Truth, known

if TYPE_CHECKING:
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.ipset.saved import Subject
    from iptviz.rules.form import CompiledRule, Test
    from iptviz.rules.operands import RecentList, SetMember

RECORDING = "recent-set"
"""The kind of a test that always holds, and puts the packet's source on the list that its operand names."""
ASKING = "recent"
"""The kind of a test whether an address is on a list."""


def recent_set(test: Test, _packet: Packet, _host: Host) -> Truth:
    """Record an address, and then match."""
    return known(test, holds=True)


def recent(test: Test, packet: Packet, host: Host) -> Truth:
    """Whether the source, or the destination, was seen, how long ago and how often."""
    wanted: RecentList = test.operand
    if wanted.name.startswith(packet.unlisted):
        return known(test, holds=False)
    if wanted.name in packet.listed and wanted.once and not wanted.to_destination:
        return known(test, holds=True)  # a rule above has just put it there
    found = _is_listed(wanted, packet, host)
    if found is not None:
        return known(test, holds=found)
    return Assumption(Condition("recent", test.value, wanted.details), holds=not test.negated)


def listed(rule: CompiledRule, packet: Packet) -> Packet:
    """Return the packet after what matching `rule` does: `-m recent --set` puts its source on a list."""
    names = {test.operand for test in rule.tests if test.kind == RECORDING and test.operand is not None}
    removed = {
        test.operand.name
        for test in rule.tests
        if test.kind == ASKING and not test.negated and test.operand.asking == "remove"
    }
    after = (packet.listed | names) - removed
    return packet if after == packet.listed else packet._replace(listed=after)


def _is_listed(wanted: RecentList, packet: Packet, host: Host) -> bool | None:
    """Return what the host's lists say; how long ago that was, they do not."""
    asked = packet.destination if wanted.to_destination else packet.source
    if host.recent is None or wanted.name not in host.recent or asked is None:
        return None
    address = asked.value if wanted.mask is None else asked.value & wanted.mask
    entry = host.recent[wanted.name].entries.get(address)
    if wanted.name in packet.listed:
        return None  # a rule above has just counted it once more
    if entry is None:
        return False
    if wanted.hits is not None and entry.hits < wanted.hits:
        return False
    return None if wanted.timed or wanted.hits is None else True


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
    rewritten = packet.dnat if packet.dnat and "dst" in wanted.directions else ""
    asked = Condition("set", test.value, wanted.details, rewritten=rewritten, since=since)
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
