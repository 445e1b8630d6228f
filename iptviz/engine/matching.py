"""Whether a rule matches a partly known packet: yes, no, with a chance, or depending on conditions.

The tables `_BASIC` and `_MATCHES` hold the meaning of each basic option and match. To teach a new match,
add a function and a row. A match without a row is a condition: it is never taken as true or false.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.address import parse_network
from iptviz.engine.chance import CERTAIN, NEVER, statistic_chance
from iptviz.engine.condition import Assumption, Condition
from iptviz.xtables.matches import match_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.dump.parts import Match, Option
    from iptviz.dump.rule import Rule
    from iptviz.engine.packet import Packet

Truth = bool | Fraction | Assumption
"""True, False, a chance in [0, 1], or the assumption under which it is true."""


class RuleTruth(NamedTuple):
    """A rule matches with `chance` (in [0, 1]) provided that all of `needs` hold."""

    chance: Fraction
    needs: tuple[Assumption, ...]


def rule_truth(rule: Rule, packet: Packet) -> RuleTruth:
    """Return whether `rule` matches `packet`; a rule that cannot match has chance 0 and no needs."""
    chance, needs = CERTAIN, []
    for truth in _truths(rule, packet):
        if truth is False:
            return RuleTruth(NEVER, ())
        if isinstance(truth, Fraction):
            chance *= truth
        elif isinstance(truth, Assumption):
            needs.append(_dated(truth, rule))
    return RuleTruth(chance, tuple(dict.fromkeys(needs))) if chance else RuleTruth(NEVER, ())


def _dated(truth: Assumption, rule: Rule) -> Assumption:
    """Tie a question about the mark to the rule that asks it: a rule in between may have changed the mark."""
    kind, value = truth.condition
    return (
        Assumption(Condition(kind, f"{value} at line {rule.line}"), truth.holds) if kind == "mark" else truth
    )


def raw_chance(rule: Rule) -> Fraction:
    """Return the chance, in [0, 1], that the rule's `-m statistic` alone gives; 1 without one."""
    chance = CERTAIN
    for match in rule.matches:
        if match.name == "statistic":
            own = statistic_chance(match)
            chance *= CERTAIN if own is None else own
    return chance


def _truths(rule: Rule, packet: Packet) -> list[Truth]:
    truths = [_basic(option, packet) for option in rule.parts.basics]
    for match in rule.matches:
        truths += _match(match, packet)
    truths += [_unknown(option.text()) for option in rule.parts.unknown if not option.name.startswith("-m ")]
    if rule.parts.problem:
        truths.append(_unknown(f"a rule that cannot be read ({rule.parts.problem})"))
    return truths


def _unknown(text: str) -> Truth:
    return Assumption(Condition("match", text), holds=True)


def _question(kind: str, value: str, option: Option) -> Assumption:
    return Assumption(Condition(kind, value), holds=not option.negated)


def _known(option: Option, *, holds: bool) -> bool:
    return holds != option.negated


# --- basic options ---------------------------------------------------------------------------------------

# Numbers and other spellings that iptables takes for the names it prints (/etc/protocols).
_PROTOCOLS = {
    "1": "icmp",
    "6": "tcp",
    "17": "udp",
    "33": "dccp",
    "50": "esp",
    "51": "ah",
    "58": "ipv6-icmp",
    "icmpv6": "ipv6-icmp",
    "132": "sctp",
    "135": "ipv6-mh",
    "mobility-header": "ipv6-mh",
    "mh": "ipv6-mh",
    "136": "udplite",
}


def _source(option: Option, _packet: Packet) -> Truth:
    network = parse_network(option.values[0])
    if network is not None and network.mask == 0:
        return _known(option, holds=True)
    return _question("source-cidr", option.values[0], option)


def _destination(option: Option, packet: Packet) -> Truth:
    network = parse_network(option.values[0])
    known = packet.destination
    if network is not None and network.mask == 0:
        return _known(option, holds=True)
    if network is None or known is None or (network.meets(known) and not network.contains(known)):
        return _question("destination-cidr", option.values[0], option)
    return _known(option, holds=network.contains(known))


def _protocol(option: Option, packet: Packet) -> Truth:
    name = option.values[0].lower()
    asked = _PROTOCOLS.get(name, name)
    if asked in {"all", "0"}:
        return _known(option, holds=True)
    if packet.protocol is None:
        return _question("match", f"-p {asked}", option)
    return _known(option, holds=asked == packet.protocol)


def _in_interface(option: Option, _packet: Packet) -> Truth:
    return _question("in-interface", option.values[0], option)


def _out_interface(option: Option, _packet: Packet) -> Truth:
    return _question("out-interface", option.values[0], option)


def _fragment(option: Option, _packet: Packet) -> Truth:
    # Connection tracking reassembles before nat is asked, so no later fragment is ever seen there.
    return _known(option, holds=False)


def _family(_option: Option, _packet: Packet) -> Truth:
    return True


_BASIC: dict[str, Callable[[Option, Packet], Truth]] = {
    "-s": _source,
    "-d": _destination,
    "-p": _protocol,
    "-i": _in_interface,
    "-o": _out_interface,
    "-f": _fragment,
    "-4": _family,
    "-6": _family,
}


def _basic(option: Option, packet: Packet) -> Truth:
    return (
        _BASIC[option.name](option, packet)
        if option.values or option.name in _NO_VALUE
        else _unknown(option.text())
    )


_NO_VALUE = {"-f", "-4", "-6"}


# --- matches ---------------------------------------------------------------------------------------------


def _always(_match: Match, _packet: Packet) -> list[Truth]:
    """Comments and counters match every packet."""
    return [True]


def _ports(match: Match, packet: Packet) -> list[Truth]:
    return [_port_option(match.name, option, packet) for option in match.options]


def _port_option(match_name: str, option: Option, packet: Packet) -> Truth:
    if option.name == "--sport":
        return _question("source-port", option.values[0], option)
    bounds = _port_range(option.values[0]) if option.name == "--dport" else None
    if bounds is None or packet.destination_port is None:
        return _question("match", f"-m {match_name} {option._replace(negated=False).text()}", option)
    return _known(option, holds=bounds[0] <= packet.destination_port <= bounds[1])


def _port_range(text: str) -> tuple[int, int] | None:
    """Read `80`, `80:90`, `:90` or `80:`; None for a name."""
    low, colon, high = text.partition(":")
    try:
        first = int(low) if low or not colon else 0
        return first, (int(high) if high else 65535) if colon else first
    except ValueError:
        return None


def _multiport(match: Match, packet: Packet) -> list[Truth]:
    return [_multiport_option(option, packet) for option in match.options]


def _multiport_option(option: Option, packet: Packet) -> Truth:
    ranges = [_port_range(port) for port in option.values[0].split(",")]
    port = packet.destination_port
    if option.name != "--dports" or port is None or None in ranges:
        return _question("match", f"-m multiport {option._replace(negated=False).text()}", option)
    return _known(option, holds=any(bounds and bounds[0] <= port <= bounds[1] for bounds in ranges))


def _addrtype(match: Match, packet: Packet) -> list[Truth]:
    if match.option("--limit-iface-in") or match.option("--limit-iface-out"):
        return [_unknown(match.text())]  # then LOCAL means local to one interface
    return [_addrtype_option(option, packet) for option in match.options]


def _addrtype_option(option: Option, packet: Packet) -> Truth:
    if option.name == "--src-type":
        return _question("source-type", option.values[0], option)
    if packet.to_this_node is None or option.values[0] != "LOCAL":
        return _question("destination-type", option.values[0], option)
    return _known(option, holds=packet.to_this_node)


def _statistic(match: Match, _packet: Packet) -> list[Truth]:
    chance = statistic_chance(match)
    return [_unknown(match.text()) if chance is None else chance]


def _recent(match: Match, packet: Packet) -> list[Truth]:
    if (option := match.option("--set")) is not None:
        return [_known(option, holds=True)]  # records the source, and then matches
    option = match.option("--rcheck") or match.option("--update")
    listed = match.option("--name")
    name = listed.values[0] if listed and listed.values else "DEFAULT"
    if option is None:
        return [_unknown(match.text())]
    if name.startswith(packet.unlisted):
        return [_known(option, holds=False)]
    # How long ago and how often are part of the question: two rules may ask differently of one list.
    details = " ".join(one.text() for one in match.options if one not in {option, listed})
    return [_question("recent", f"{name} ({details})" if details else name, option)]


def _conntrack(match: Match, packet: Packet) -> list[Truth]:
    return [_conntrack_option(match.name, option, packet) for option in match.options]


def _conntrack_option(match_name: str, option: Option, packet: Packet) -> Truth:
    if option.name in {"--ctstate", "--state"}:
        return _known(option, holds=packet.state in option.values[0].upper().split(","))
    return _question("match", f"-m {match_name} {option._replace(negated=False).text()}", option)


def _physdev(match: Match, _packet: Packet) -> list[Truth]:
    return [
        _question("bridge-port", "", option)
        if option.name == "--physdev-is-in"
        else _question("match", f"-m physdev {option._replace(negated=False).text()}", option)
        for option in match.options
    ]


def _mark(match: Match, _packet: Packet) -> list[Truth]:
    return [_question("mark", option.values[0], option) for option in match.options]


def _set(match: Match, _packet: Packet) -> list[Truth]:
    return [
        _question("set", " ".join(option.values), option)
        if option.name == "--match-set"
        else _unknown(f"-m set {option.text()}")
        for option in match.options
    ]


_MATCHES: dict[str, Callable[[Match, Packet], list[Truth]]] = {
    "comment": _always,
    "nfacct": _always,
    "tcp": _ports,
    "udp": _ports,
    "udplite": _ports,
    "sctp": _ports,
    "dccp": _ports,
    "multiport": _multiport,
    "addrtype": _addrtype,
    "statistic": _statistic,
    "recent": _recent,
    "conntrack": _conntrack,
    "state": _conntrack,
    "physdev": _physdev,
    "mark": _mark,
    "set": _set,
}


def _match(match: Match, packet: Packet) -> list[Truth]:
    meaning = _MATCHES.get(match.name)
    if meaning is None or any(not _has_value(match.name, option) for option in match.options):
        return [_unknown(match.text())]
    return meaning(match, packet)


def _has_value(match_name: str, option: Option) -> bool:
    """Guard the functions above: an option cut off before its value is no option they can read."""
    spec = (match_options(match_name) or {}).get(option.name)
    return spec is None or len(option.values) >= spec.least
