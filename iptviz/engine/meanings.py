"""What each basic option and each match means: the tables `BASICS` and `MATCHES`.

To teach a new match, add a function and a row. A match without a row is a condition: it is never taken as
true or false.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.engine.chance import statistic_chance
from iptviz.engine.condition import Assumption, Condition
from iptviz.xtables.address import Network, parse_network, parse_number
from iptviz.xtables.matches import match_options
from iptviz.xtables.names import protocol_name, service_port

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.engine.packet import Packet
    from iptviz.grammar.parts import Match
    from iptviz.xtables.option import Option

Truth = bool | Fraction | Assumption
"""True, False, a chance in [0, 1], or the assumption under which it is true."""


def unknown(text: str) -> Truth:
    """Return the condition that stands for what nobody here understands."""
    return Assumption(Condition("match", text), holds=True)


def _question(kind: str, value: str, option: Option) -> Assumption:
    return Assumption(Condition(kind, value), holds=not option.negated)


def _known(option: Option, *, holds: bool) -> bool:
    return holds != option.negated


# --- basic options ---------------------------------------------------------------------------------------


def _source(option: Option, _packet: Packet) -> Truth:
    network = parse_network(option.values[0])
    if network is not None and network.mask == 0:
        return _known(option, holds=True)
    return _question("source-cidr", option.values[0], option)


def _destination(option: Option, packet: Packet) -> Truth:
    # Of several addresses iptables makes several rules, of which one is enough.
    holds = [_lies_in(packet.destination, parse_network(one)) for one in option.values[0].split(",")]
    if True in holds:
        return _known(option, holds=True)
    if None in holds:
        return _question("destination-cidr", option.values[0], option)
    return _known(option, holds=False)


def _lies_in(known: Network | None, network: Network | None) -> bool | None:
    """Whether the destination is in `network`; None where that is not known."""
    if network is not None and network.mask == 0:
        return True
    if network is None or known is None or (network.meets(known) and not network.contains(known)):
        return None
    return network.contains(known)


def _protocol(option: Option, packet: Packet) -> Truth:
    asked = protocol_name(option.values[0])
    if asked == "all":
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


BASICS: dict[str, Callable[[Option, Packet], Truth]] = {
    "-s": _source,
    "-d": _destination,
    "-p": _protocol,
    "-i": _in_interface,
    "-o": _out_interface,
    "-f": _fragment,
    "-4": _family,
    "-6": _family,
}


def basic_truth(option: Option, packet: Packet) -> Truth:
    """Return the truth of a basic option about `packet`."""
    return (
        BASICS[option.name](option, packet)
        if option.values or option.name in _NO_VALUE
        else unknown(option.text())
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
    """Read `80`, `http`, `80:90`, `:90` or `80:`; None for a name that nobody knows."""
    low, colon, high = text.partition(":")
    first = _port_number(low) if low or not colon else 0
    last = (_port_number(high) if high else 65535) if colon else first
    return None if first is None or last is None else (first, last)


def _port_number(text: str) -> int | None:
    number = parse_number(text)
    return service_port(text) if number is None else number


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
        return [unknown(match.text())]  # then LOCAL means local to one interface
    return [_addrtype_option(option, packet) for option in match.options]


def _addrtype_option(option: Option, packet: Packet) -> Truth:
    if option.name == "--src-type":
        return _question("source-type", option.values[0], option)
    if packet.to_this_node is None or option.values[0] != "LOCAL":
        return _question("destination-type", option.values[0], option)
    return _known(option, holds=packet.to_this_node)


def _statistic(match: Match, _packet: Packet) -> list[Truth]:
    chance = statistic_chance(match)
    return [unknown(match.text()) if chance is None else chance]


def _recent(match: Match, packet: Packet) -> list[Truth]:
    if (option := match.option("--set")) is not None:
        return [_known(option, holds=True)]  # records the source, and then matches
    option = match.option("--rcheck") or match.option("--update")
    listed = match.option("--name")
    name = listed.values[0] if listed and listed.values else "DEFAULT"
    if option is None:
        return [unknown(match.text())]
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
        else unknown(f"-m set {option.text()}")
        for option in match.options
    ]


MATCHES: dict[str, Callable[[Match, Packet], list[Truth]]] = {
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


def match_truths(match: Match, packet: Packet) -> list[Truth]:
    """Return the truths, all of which must hold, of a match about `packet`."""
    meaning = MATCHES.get(match.name)
    if meaning is None or any(not _has_value(match.name, option) for option in match.options):
        return [unknown(match.text())]
    return meaning(match, packet)


def _has_value(match_name: str, option: Option) -> bool:
    """Guard the functions above: an option cut off before its value is no option they can read."""
    spec = (match_options(match_name) or {}).get(option.name)
    return spec is None or len(option.values) >= spec.least
