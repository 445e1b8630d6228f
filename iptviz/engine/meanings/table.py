"""The table of matches: to teach a new one, add a function and a row.

A match without a row is a condition: it is never taken as true or false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.engine.chance import statistic_chance
from iptviz.engine.meanings import headers, lists
from iptviz.engine.meanings.addresses import addrtype, iprange
from iptviz.engine.meanings.connections import connmark, conntrack, mark
from iptviz.engine.meanings.truth import Meaning, Truth, each_option, question, unknown
from iptviz.xtables.matches import match_options

if TYPE_CHECKING:
    from iptviz.engine.host import Host
    from iptviz.engine.packet import Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option


def _always(_match: Match, _packet: Packet, _host: Host) -> list[Truth]:
    """Comments and counters match every packet."""
    return [True]


def _statistic(match: Match, _packet: Packet, _host: Host) -> list[Truth]:
    chance = statistic_chance(match)
    return [unknown(match.text()) if chance is None else chance]


def _rate(match: Match, _packet: Packet, _host: Host) -> list[Truth]:
    """Each rule has a bucket of its own, which what came before has filled or emptied."""
    negated = any(option.negated or option.name.endswith("-above") for option in match.options)
    return (
        [question("rate", _plain(match), match.options[0]._replace(negated=negated))]
        if match.options
        else [unknown(match.text())]
    )


def _quota(match: Match, _packet: Packet, _host: Host) -> list[Truth]:
    return [question("quota", option.values[0], option) for option in match.options]


def _plain(match: Match) -> str:
    return " ".join(option._replace(negated=False).text().removeprefix("--") for option in match.options)


def _time(match: Match, _packet: Packet, _host: Host) -> list[Truth]:
    plain = _plain(match) or "any time"
    negated = any(option.negated for option in match.options)
    if negated:
        return [unknown(match.text())]
    return [question("time", plain, match.options[0])] if match.options else [True]


def _physdev(_match: Match, option: Option, _packet: Packet, _host: Host) -> Truth:
    if option.name == "--physdev-is-in":
        return question("bridge-port", "", option)
    return question("match", f"-m physdev {option._replace(negated=False).text()}", option)


MATCHES: dict[str, Meaning] = {
    "comment": _always,
    "nfacct": _always,
    **dict.fromkeys(("tcp", "udp", "udplite", "sctp", "dccp"), each_option(headers.ports)),
    "multiport": each_option(headers.multiport),
    "icmp": each_option(headers.icmp),
    "icmp6": each_option(headers.icmp),
    "length": each_option(headers.length),
    "ttl": each_option(headers.ttl),
    "hl": each_option(headers.ttl),
    "dscp": each_option(headers.dscp),
    "tos": each_option(headers.tos),
    "ecn": each_option(headers.ecn),
    "mac": each_option(headers.mac),
    "pkttype": each_option(headers.packet_type),
    "owner": each_option(headers.owner),
    "addrtype": addrtype,
    "iprange": each_option(iprange),
    "statistic": _statistic,
    "limit": _rate,
    "hashlimit": _rate,
    "quota": _quota,
    "time": _time,
    "recent": lists.recent,
    "set": lists.ipset,
    "conntrack": conntrack,
    "state": conntrack,
    "physdev": each_option(_physdev),
    "mark": each_option(mark),
    "connmark": each_option(connmark),
}


def match_truths(match: Match, packet: Packet, host: Host) -> list[Truth]:
    """Return the truths, all of which must hold, of a match about `packet`."""
    meaning = MATCHES.get(match.name)
    if meaning is None or any(not _has_value(match.name, option) for option in match.options):
        return [unknown(match.text())]
    return meaning(match, packet, host)


def _has_value(match_name: str, option: Option) -> bool:
    """Guard the functions above: an option cut off before its value is no option they can read."""
    spec = (match_options(match_name) or {}).get(option.name)
    return spec is None or len(option.values) >= spec.least
