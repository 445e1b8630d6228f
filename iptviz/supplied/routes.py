"""The routes of the host, as `ip route` prints them."""

from __future__ import annotations

import re
from itertools import takewhile
from typing import TYPE_CHECKING

from iptviz.supplied.lines import is_json, places
from iptviz.supplied.route_lines import HINT, Route, UsualRoute, read_hop, read_json_routes, read_line
from iptviz.supplied.routing_rules import UNKNOWN_RULE, USUAL_RULES, is_rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.supplied.lines import SourceLine
    from iptviz.supplied.routing_rules import HasMark, RoutingRule
    from iptviz.xtables.address import Network

# The tables of the rules that every namespace starts with. Others are only asked where a rule of the user's says.
_TABLES = ("local", "main", "default")
_OF_ALL = {*_TABLES, "255", "254", "253", "unspec", "0"}

_HOPS = re.compile(r"\\\s+(?=nexthop\s)")

# Routes by mask, then by family and address.
_Masks = dict[int, dict[tuple[int, int], "Route"]]


class Routes:
    """All routes, ready to be asked.

    `rules` choose between tables (`ip rule`). Without any the usual ones do, unless routes of other tables are
    there, which only rules that nobody handed in can ask.
    """

    def __init__(self, routes: Iterable[Route], rules: Iterable[RoutingRule] = ()) -> None:
        self.routes = tuple(routes)
        self._rules = sorted(rules or self._rules_of_tables(), key=lambda rule: rule.priority)
        # What the first rules say of every packet, until one that is not asked about all of them.
        self._asked = [rule.table or "" for rule in takewhile(lambda rule: rule.usual, self._rules)]
        tables: dict[str, _Masks] = {}
        for route in self.routes:
            values = tables.setdefault(route.table, {}).setdefault(route.network.mask, {})
            key = (route.network.version, route.network.value)
            values[key] = _better(values[key], route) if key in values else route
        self._tables = {name: _longest_first(masks) for name, masks in tables.items()}

    def _rules_of_tables(self) -> tuple[RoutingRule, ...]:
        others = any(route.table not in _OF_ALL for route in self.routes)
        return (*USUAL_RULES, UNKNOWN_RULE) if others else USUAL_RULES

    @property
    def rules(self) -> tuple[RoutingRule, ...]:
        """The rules that choose between tables, in the order in which they are asked."""
        return tuple(self._rules)

    def lookup(self, address: Network, has_mark: HasMark = lambda _value, _mask: None) -> Route | None:
        """Return the route that packets to `address` take; None where there is none or where routes disagree.

        `address` may be a network: then all of it must take one route. `has_mark` tells their mark, by which
        rules may choose the table.
        """
        for rule in self._rules:
            selected, table = rule.selects(has_mark), rule.table or ""
            if selected is None or (selected and not rule.usual and table not in self._tables):
                return None
            for route, whole in self._candidates(table, address) if selected else ():
                if not whole:
                    return None
                if route.kind == "throw":  # ends the lookup in this table as if it held no route
                    break
                return route
        return None

    def leads_nowhere(self, address: Network) -> bool:
        """Whether it is known that no route leads to `address`: others of its family are known."""
        if len(self._asked) < len(self._rules) or not any(
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
        if is_rule(line):
            continue
        if words[0] != "nexthop":
            if route is not None:
                yield route
            route, hops = read_line(line, place, usual), 0
        elif route is None:
            raise place.error("nexthop without a route before it", HINT)
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
