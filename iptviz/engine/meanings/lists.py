"""Lists that the kernel keeps: ipsets, and the addresses that `-m recent` has seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.meanings.truth import Truth, known, unknown
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.numbers import read_uint

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option


def list_name(match: Match) -> str:
    """Return the list that a `-m recent` is about."""
    named = match.option("--name")
    return named.values[0] if named and named.values else "DEFAULT"


def recent(match: Match, packet: Packet, host: Host) -> list[Truth]:
    """Whether the source, or the destination, was seen, how long ago and how often."""
    if (option := match.option("--set")) is not None:
        return [known(option, holds=True)]  # records the source, and then matches
    option = match.option("--rcheck") or match.option("--update") or match.option("--remove")
    if option is None:
        return [unknown(match.text())]
    name = list_name(match)
    if name.startswith(packet.unlisted):
        return [known(option, holds=False)]
    once = match.option("--hitcount") is None and match.option("--rttl") is None
    if name in packet.listed and once and match.option("--rdest") is None:
        return [known(option, holds=True)]  # a rule above has just put it there
    found = _is_listed(match, name, packet, host)
    return [_recent_question(match, option, name) if found is None else known(option, holds=found)]


def listed(rule: Rule, packet: Packet) -> Packet:
    """Return the packet after what matching `rule` does: `-m recent --set` puts its source on a list."""
    if "recent" not in rule.text:
        return packet
    names = {
        list_name(match)
        for match in rule.matches
        if match.name == "recent" and match.option("--set") and not match.option("--rdest")
    }
    return packet._replace(listed=packet.listed | names) if names - packet.listed else packet


def _is_listed(match: Match, name: str, packet: Packet, host: Host) -> bool | None:
    """Return what the host's lists say; how long ago that was, they do not."""
    asked = packet.destination if match.option("--rdest") else packet.source
    mask = match.option("--mask")
    if host.recent is None or name not in host.recent or asked is None:
        return None
    network = parse_network(mask.values[0]) if mask and mask.values else None
    entry = host.recent[name].entries.get(asked.value & network.value if network else asked.value)
    if entry is None:
        return False
    hits = match.option("--hitcount")
    enough = read_uint(hits.values[0]) if hits and hits.values else 0
    if enough is not None and entry.hits < enough:
        return False
    return None if match.option("--seconds") or match.option("--rttl") or enough is None else True


def _recent_question(match: Match, option: Option, name: str) -> Assumption:
    # How long ago and how often are part of the question: two rules may ask differently of one list.
    left_out = {option, match.option("--name")}
    details = " ".join(other.text() for other in match.options if other not in left_out)
    return Assumption(Condition("recent", name, details), holds=not option.negated)


def ipset(match: Match, packet: Packet, host: Host) -> list[Truth]:
    """Whether the packet is in a set; what is counted per entry is a condition."""
    flags = {option.name for option in match.options}
    return [
        _member(option, packet, host, return_nomatch="--return-nomatch" in flags)
        if option.name == "--match-set"
        else unknown(f"-m set {option.text()}")
        for option in match.options
        if option.name not in {"--return-nomatch", "--update-counters", "--update-subcounters"}
    ]


def _member(option: Option, packet: Packet, host: Host, *, return_nomatch: bool) -> Truth:
    name, directions = option.values[0], tuple(option.values[1].split(",")) if len(option.values) > 1 else ()
    since = packet.since(f"set {name}")
    if host.sets is not None and name in host.sets and since is None:
        from iptviz.ipset.saved import Subject

        subject = Subject(
            source=packet.source,
            destination=packet.destination,
            protocol=packet.protocol,
            source_port=packet.source_port,
            destination_port=packet.destination_port,
            in_interface=packet.in_interface,
            out_interface=packet.out_interface,
            mark=packet.mark.known,
            mac=packet.mac,
            icmp=None if packet.icmp_type is None else (packet.icmp_type[0], packet.icmp_type[1] or 0),
        )
        answer = host.sets[name].matches(subject, directions, host.sets, return_nomatch=return_nomatch)
        if answer is not None:
            return known(option, holds=answer)
    details = " ".join((*option.values[1:], *(["--return-nomatch"] if return_nomatch else [])))
    # A question about a set is one about the addresses that the packet then has.
    rewritten = packet.dnat if packet.dnat and "dst" in directions else ""
    return Assumption(
        Condition("set", name, details, rewritten=rewritten, since=since), holds=not option.negated
    )
