"""One route, of a line of `ip route` or of an object of `ip -j route`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.errors import quoted
from iptviz.records import NamedTuple
from iptviz.supplied.lines import SourceLine, read_json, shown
from iptviz.supplied.routing_rules import LEGACY_TOS, all_alike, lies_in, table_name
from iptviz.xtables.address import Network, parse_network, parse_number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.supplied.routing_rules import Sought

HINT = "pass the output of `ip route`, `ip -6 route` or `ip route show table all`"
_COMMAND = "ip -j route"

# The kinds of route that ip-route(8) knows; a line that begins with none of them is a unicast route.
_KINDS = frozenset(
    {
        *("unicast", "local", "broadcast", "multicast", "anycast"),
        *("unreachable", "blackhole", "prohibit", "throw", "nat", "xresolve"),
    }
)
# The kernel keeps these in the table `local`; `ip route show table local` prints them without its name.
_LOCAL_KINDS = frozenset({"local", "broadcast", "multicast", "anycast"})
_ALL = {4: Network(4, 0, 0), 6: Network(6, 0, 0)}


class Route(NamedTuple):
    """One route.

    Attributes:
        network: the destinations.
        kind: "unicast", "local", "broadcast", "unreachable" and so on, as ip-route(8) calls it.
        device: the device packets leave by; None where there is none, or several that differ.
        gateway: the next hop's address; None where there is none, or several that differ.
        metric: the lower, the better; 0 where none is printed.
        table: its name, or its number where it has none.
        sources: those of which packets take it, where not all do (`from`, in IPv6).
        tos: the type of service of packets that take it, where not all do (in IPv4); -1 for one that is not read.
    """

    network: Network
    kind: str
    device: str | None
    gateway: str | None
    metric: int
    table: str
    sources: Network | None = None
    tos: int | None = None

    def or_by(self, device: str | None, gateway: str | None) -> Route:
        """Return the route that packets take by its own next hop or by another one."""
        return self._replace(
            device=device if device == self.device else None,
            gateway=gateway if gateway == self.gateway else None,
        )

    def serves(self, sought: Sought) -> bool | None:
        """Whether a packet to its destinations is one of those that take it; None where that is not known."""
        of_tos = self._has_tos(sought)
        if self.sources is None or of_tos is False:
            return of_tos
        of_sources = all_alike({lies_in(source, self.sources) for source in sought.sources})
        return of_sources if of_tos or of_sources is False else None

    def _has_tos(self, sought: Sought) -> bool | None:
        if self.tos is None:
            return True
        return None if sought.tos is None or self.tos < 0 else sought.tos & LEGACY_TOS[4] == self.tos


class UsualRoute(NamedTuple):
    """What a route is where it does not say so: of this `table` (empty: that of its kind), of this family."""

    table: str = ""
    six: bool = False

    def table_of(self, kind: str) -> str:
        """Return the table of a route of some kind that names none."""
        return table_name(self.table) or _usual_table(kind)


def read_line(line: str, place: SourceLine, usual: UsualRoute) -> Route:
    """Read a line of `ip route`.

    Raises:
        DumpError: it names no destination, or its metric is no number.
    """
    words = line.split()
    kind = words.pop(0) if words[0] in _KINDS else "unicast"
    if not words:
        raise place.error(f"route without a destination: {quoted(line)}", HINT)
    device, gateway = read_hop(words)
    # Only IPv6 routes have a preference, and a gateway of the other family is printed after its family's name.
    six = usual.six or "pref" in words or (gateway is not None and ":" in gateway and "inet6" not in words)
    network = _destination(words[0], 6 if six else 4, place)
    metric = _metric(_after(words, "metric") or "0", place)
    table = table_name(_after(words, "table") or usual.table_of(kind))
    sources = _sources(words[2], network.version, place) if words[1:2] == ["from"] else None
    tos = _tos(words[2]) if words[1:2] == ["tos"] and len(words) > 2 else None  # further on it is a tunnel's
    return Route(network, kind, device, gateway, metric, table, sources, tos)


def _tos(text: str) -> int:
    """Read a type of service, 0x10, as a number; one that /etc/iproute2 names is -1: it is not known."""
    return int(text, 16) if re.fullmatch("0x[0-9a-fA-F]{1,2}", text) else -1


def read_hop(words: list[str]) -> tuple[str | None, str | None]:
    """Return device and gateway of a line's words."""
    gateway = _after(words, "via")
    return _after(words, "dev"), _after(words, gateway) if gateway in ("inet", "inet6") else gateway


def read_json_routes(text: str, source: str, usual: UsualRoute) -> Iterator[Route]:
    """Read `ip -j route`.

    Raises:
        DumpError: the text is no list of routes.
    """
    place = SourceLine(source, 1)
    for item in read_json(text, source, _COMMAND):
        flags = item.get("flags")
        if not (isinstance(flags, list) and "dead" in flags):
            yield _of_object(item, place, usual)


def _of_object(item: dict[str, object], place: SourceLine, usual: UsualRoute) -> Route:
    hops = item.get("nexthops")
    pairs = [_hop(hop) for hop in hops if isinstance(hop, dict)] if isinstance(hops, list) else []
    (device, gateway), *others = pairs or [_hop(item)]
    six = usual.six or "pref" in item or (gateway is not None and ":" in gateway and "via" not in item)
    kind = shown(item.get("type", "unicast"))
    network = _destination(shown(item.get("dst")), 6 if six else 4, place)
    table = table_name(shown(item.get("table", usual.table_of(kind))))
    sources = _sources(shown(item["from"]), network.version, place) if "from" in item else None
    metric = _metric(shown(item.get("metric", 0)), place)
    tos = item.get("tos")  # a number is a tunnel's
    route = Route(
        network, kind, device, gateway, metric, table, sources, _tos(tos) if isinstance(tos, str) else None
    )
    for other in others:
        route = route.or_by(*other)
    return route


def _hop(item: dict[str, object]) -> tuple[str | None, str | None]:
    via = item.get("via")
    gateway = via.get("host") if isinstance(via, dict) else item.get("gateway")
    device = item.get("dev")
    return device if isinstance(device, str) else None, gateway if isinstance(gateway, str) else None


def _destination(text: str, version: int, place: SourceLine) -> Network:
    network = _ALL[version] if text == "default" else parse_network(text)
    if network is None:
        raise place.error(f"invalid route destination {quoted(text)}", HINT)
    return network


def _sources(text: str, version: int, place: SourceLine) -> Network | None:
    """Return the sources of a route; None for all of them."""
    network = _destination(text, version, place)
    return network if network.mask else None


def _usual_table(kind: str) -> str:
    return "local" if kind in _LOCAL_KINDS else "main"


def _after(words: list[str], word: str) -> str | None:
    """Return what follows `word`."""
    at = words.index(word) + 1 if word in words else len(words)
    return words[at] if at < len(words) else None


def _metric(text: str, place: SourceLine) -> int:
    number = parse_number(text)
    if number is None:
        raise place.error(f"invalid metric {quoted(text)}", HINT)
    return number
