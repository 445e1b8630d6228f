"""The table of matches: to teach a new one, add a row.

A match without a row is a condition: it is never taken as true or false.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.rules.form import Test
from iptviz.rules.reading import headers, lists
from iptviz.rules.reading.addresses import addrtype, iprange
from iptviz.rules.reading.chances import statistic_chance
from iptviz.rules.reading.connections import connmark, conntrack, mark, state
from iptviz.rules.reading.words import Reader, each_option, opaque, option_test
from iptviz.xtables.matches import match_options

if TYPE_CHECKING:
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option


def _statistic(match: Match) -> list[Test]:
    """Read a chance; test: a Fraction in [0, 1], of which a negation is part; in (0, 1) for nth, which counts."""
    chance, text = statistic_chance(match), match.text()
    if chance is None:
        return [opaque(text)]
    counts = match.option("--every") is not None and 0 < chance < 1
    return [
        Test("turn", chance, value=_plain(match), part=text) if counts else Test("chance", chance, part=text)
    ]


def _rate(match: Match) -> list[Test]:
    if not match.options:
        return [opaque(match.text())]
    negated = any(option.negated or option.name.endswith("-above") for option in match.options)
    return [Test("rate", None, negated, _plain(match), part=match.text())]


def _bytes(match: Match) -> list[Test]:
    """Look at the bytes of the packet, whatever stands there. Test: the name of the match."""
    quote = match.text()
    return [Test("bytes", match.name, quote=quote, part=quote)]


def _counted(match: Match) -> list[Test]:
    """Each rule counts by itself what nobody here can know, such as connections."""
    return [Test("count", value=match.text(), part=match.text())]


def _quota(match: Match, option: Option) -> Test:
    return option_test("quota", match, option, value=option.values[0])


def _plain(match: Match) -> str:
    return " ".join(option._replace(negated=False).text().removeprefix("--") for option in match.options)


def _time(match: Match) -> list[Test]:
    if any(option.negated for option in match.options):
        return [opaque(match.text())]
    return [Test("time", value=_plain(match), part=match.text())] if match.options else []


def _physdev(match: Match, option: Option) -> Test:
    return option_test("bridge-port" if option.name == "--physdev-is-in" else "physdev", match, option)


def _nothing(_match: Match) -> list[Test]:
    """Comments match every packet."""
    return []


MATCHES: dict[str, Reader] = {
    "comment": _nothing,
    "nfacct": lists.nfacct,
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
    "owner": headers.owner,
    "addrtype": addrtype,
    "iprange": each_option(iprange),
    "statistic": _statistic,
    "limit": _rate,
    "hashlimit": _rate,
    **dict.fromkeys(("u32", "bpf", "string"), _bytes),
    "tcpmss": each_option("tcp-options"),
    "connlimit": _counted,
    "quota": each_option(_quota),
    "time": _time,
    "recent": lists.recent,
    "set": lists.ipset,
    "conntrack": conntrack,
    "state": each_option(state),
    "physdev": each_option(_physdev),
    "mark": each_option(mark),
    "connmark": each_option(connmark),
}


def match_tests(match: Match) -> tuple[Test, ...]:
    """Return what a match asks of a packet."""
    read = MATCHES.get(match.name)
    if read is None or any(not _has_value(match.name, option) for option in match.options):
        return (opaque(match.text()),)
    return tuple(read(match))


def asks_nothing(match: Match) -> bool:
    """Whether a match whose options have their values matches every packet, whatever these are."""
    return MATCHES.get(match.name) is _nothing


def _has_value(match_name: str, option: Option) -> bool:
    """Guard the readers: an option cut off before its value is no option they can read."""
    spec = (match_options(match_name) or {}).get(option.name)
    return spec is None or len(option.values) >= spec.least
