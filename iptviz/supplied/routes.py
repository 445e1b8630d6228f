"""The routes of the host, as `ip route` prints them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.supplied.lines import is_json, places
from iptviz.supplied.route_lines import HINT, Route, UsualRoute, read_hop, read_json_routes, read_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.supplied.lines import SourceLine
    from iptviz.xtables.address import Network

# The rules that every namespace starts with (`ip rule`): local, then main, then default. Other tables are only
# asked where a rule of the user's says so.
_TABLES = ("local", "main", "default")

_HOPS = re.compile(r"\\\s+(?=nexthop\s)")

# Routes by mask, then by family and address.
_Masks = dict[int, dict[tuple[int, int], "Route"]]


class Routes:
    """All routes, ready to be asked.

    `chosen_by_rules` says that rules of the host's own (`ip rule`) choose between tables: then only what the
    table `local` says is sure, which is asked before all of them.
    """

    def __init__(self, routes: Iterable[Route], *, chosen_by_rules: bool = False) -> None:
        self.routes = tuple(routes)
        self._asked = _TABLES[:1] if chosen_by_rules else _TABLES
        tables: dict[str, _Masks] = {}
        for route in self.routes:
            values = tables.setdefault(route.table, {}).setdefault(route.network.mask, {})
            key = (route.network.version, route.network.value)
            values[key] = _better(values[key], route) if key in values else route
        self._tables = {name: _longest_first(masks) for name, masks in tables.items()}

    def lookup(self, address: Network) -> Route | None:
        """Return the route that packets to `address` take; None where there is none or where routes disagree.

        `address` may be a network: then all of it must take one route.
        """
        for table in self._asked:
            for route, whole in self._candidates(table, address):
                if not whole:
                    return None
                if route.kind == "throw":  # ends the lookup in this table as if it held no route
                    break
                return route
        return None

    def leads_nowhere(self, address: Network) -> bool:
        """Whether it is known that no route leads to `address`: others of its family are known."""
        if self._asked != _TABLES or not any(
            route.table == "main" and route.network.version == address.version for route in self.routes
        ):
            return False
        return not any(any(self._candidates(table, address)) for table in self._asked)

    def by_precedence(self) -> Iterator[Route]:
        """Yield the routes that packets may take, those that go before others first.

        One of kind `throw` only ends the lookup in its own table.
        """
        for table in self._asked:
            for values in self._tables.get(table, {}).values():
                yield from values.values()

    def _candidates(self, table: str, address: Network) -> Iterator[tuple[Route, bool]]:
        """Yield the routes that some of `address` may take, longest first, and whether all of it is inside."""
        for mask, values in self._tables.get(table, {}).items():
            if mask & address.mask == mask:
                found = values.get((address.version, address.value & mask))
                if found is not None:
                    yield found, True
            else:
                yield from ((route, False) for route in values.values() if route.network.meets(address))


def _better(one: Route, other: Route) -> Route:
    """Choose by metric, as the kernel does; IPv6 prints the next hops of one route as routes that are equal."""
    if one.metric == other.metric and one.kind == other.kind:
        return one.or_by(other.device, other.gateway)
    return min(one, other, key=lambda route: route.metric)


def _longest_first(masks: _Masks) -> _Masks:
    return dict(sorted(masks.items(), key=lambda item: item[0].bit_count(), reverse=True))


def read_routes(text: str, source: str, *, table: str = "", six: bool = False) -> Routes:
    """Read what `ip route`, `ip -6 route` or `ip route show table all` print, as text or, with -j, as JSON.

    `table` is the one that was asked for, which no line names then; `six` says that `ip -6` was.

    Raises:
        DumpError: a line is no route.
    """
    usual = UsualRoute(table, six=six)
    return Routes(read_json_routes(text, source, usual) if is_json(text) else _of_lines(text, source, usual))


def _of_lines(text: str, source: str, usual: UsualRoute) -> Iterator[Route]:
    """Read the lines; those of several next hops follow their route's."""
    route: Route | None = None
    hops = 0
    for place, line in _each(places(text, source)):
        words = line.split()
        # The kernel does not use a next hop that is dead.
        if "dead" in words:
            continue
        if words[0] != "nexthop":
            if route is not None:
                yield route
            route, hops = read_line(line, place, usual), 0
        elif route is None:
            raise place.error("a next hop without a route before it", HINT)
        else:
            device, gateway = read_hop(words)
            route = route.or_by(device, gateway) if hops else route._replace(device=device, gateway=gateway)
            hops += 1
    if route is not None:
        yield route


def _each(lines: Iterator[tuple[SourceLine, str]]) -> Iterator[tuple[SourceLine, str]]:
    """Yield each line; `ip -o` prints those of next hops after their route's on one, behind backslashes."""
    for place, line in lines:
        if "\\" in line:
            yield from ((place, part) for part in _HOPS.split(line) if part)
        else:
            yield place, line
