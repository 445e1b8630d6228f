"""The routes of the host, as `ip route` prints them."""

from __future__ import annotations

import re
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.supplied.lines import is_json, places
from iptviz.supplied.route_lines import HINT, Route, UsualRoute, read_hop, read_json_routes, read_line
from iptviz.supplied.routing_rules import (
    REFUSING,
    UNKNOWN_RULE,
    USUAL_RULES,
    USUAL_TABLES,
    Sought,
    is_rule,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.supplied.lines import SourceLine
    from iptviz.supplied.routing_rules import RoutingRule
    from iptviz.xtables.address import Network

_OF_ALL = {*USUAL_TABLES, "unspec", "0"}
"""The tables that need no rule of the user's to be asked."""

_NAMES_LOCAL = re.compile(r"\btable (?:local|255)\b|\"table\": ?\"local\"")
_HOPS = re.compile(r"\\\s+(?=nexthop\s)")

# Routes by mask, then by family and address: those of the fewest sources first.
_Masks = dict[int, dict[tuple[int, int], tuple["Route", ...]]]


class _Found(NamedTuple):
    """What asking a table, or doing what a rule says, comes to: a route, and whether the next rules are asked.

    `sure` is False where it is not known.
    """

    route: Route | None = None
    goes_on: bool = False
    sure: bool = True


_NOT_KNOWN = _Found(sure=False)
_NOTHING_THERE = _Found(goes_on=True)


class Routes:
    """All routes, ready to be asked.

    `rules` choose between tables (`ip rule`). Without any the usual ones do, unless routes of other tables are
    there, which only rules that nobody handed in can ask. `has_rules` are the versions of IP
    of which there are some.
    """

    def __init__(self, routes: Iterable[Route], rules: Iterable[RoutingRule] = ()) -> None:
        self.routes = tuple(routes)
        given = tuple(rules)
        self.has_rules = frozenset(
            version for version in (4, 6) if any(rule.version in (None, version) for rule in given)
        )
        of_others = [
            rule._replace(version=version)
            for version in {4, 6} - self.has_rules
            for rule in self._rules_of_tables(version)
        ]
        self._rules = sorted((*given, *of_others), key=lambda rule: rule.priority)
        # What the first rules say of every packet, until one that is not asked about all of them.
        asked = takewhile(lambda rule: rule.usual, self._rules)
        self._asked = list(dict.fromkeys(rule.leads_to for rule in asked))
        tables: dict[str, _Masks] = {}
        for route in self.routes:
            values = tables.setdefault(route.table, {}).setdefault(route.network.mask, {})
            key = (route.network.version, route.network.value)
            values[key] = _among(values.get(key, ()), route)
        self._tables = {name: _longest_first(masks) for name, masks in tables.items()}

    def _rules_of_tables(self, version: int) -> tuple[RoutingRule, ...]:
        others = any(route.table not in _OF_ALL for route in self.routes if route.network.version == version)
        return (*USUAL_RULES, UNKNOWN_RULE) if others else USUAL_RULES

    @property
    def rules(self) -> tuple[RoutingRule, ...]:
        """The rules that choose between tables, in the order in which they are asked."""
        return tuple(self._rules)

    @property
    def local_first(self) -> bool:
        """Whether the node's own addresses are looked up before all else, as they usually are."""
        return self._asked[:1] == ["local"]

    def lookup(self, sought: Sought) -> Route | None:
        """Return the route that a packet takes; None where there is none, or it is not known which."""
        ends = self.ends(sought)
        return next(iter(ends)) if ends is not None and len(ends) == 1 else None

    def leads_nowhere(self, sought: Sought) -> bool:
        """Whether it is known that no route leads to a destination: others of its family are known."""
        version = sought.destination.version
        known = any(route.table == "main" and route.network.version == version for route in self.routes)
        return known and self.ends(sought) == frozenset((None,))

    def local_route(self, address: Network) -> Route | None:
        """Return the route that the table `local` alone has for an address; None for none."""
        return self._in_table("local", Sought(address)).route

    @cached_property
    def has_local(self) -> frozenset[int]:
        """The versions of IP of which the table `local` is there, with the node's own addresses."""
        return frozenset(
            route.network.version
            for route in self.routes
            if route.table == "local" and route.kind == "local" and route.device != "lo"
        )

    def ends(self, sought: Sought) -> frozenset[Route | None] | None:
        """Return the routes of which a packet takes one, None for no route; None where one is not known."""
        return self._ends(sought, len(self._rules))

    def before_local(self, sought: Sought) -> frozenset[Route | None] | None:
        """Return the same, as far as rules are asked before the node's own addresses are looked up."""
        versions = (None, sought.destination.version)
        places = (
            at
            for at, rule in enumerate(self._rules)
            if rule.usual and rule.leads_to == "local" and rule.version in versions
        )
        return self._ends(sought, next(places, len(self._rules)))

    def _ends(self, sought: Sought, last: int) -> frozenset[Route | None] | None:
        found: set[Route | None] = set()
        at, ahead = 0, set[int]()
        while at < last:
            rule = self._rules[at]
            selected = rule.selects(sought)
            goes_on = selected is not True
            if selected is not False:
                does = self._done(rule, sought)
                if not does.sure:
                    return None
                goes_on = goes_on or does.goes_on
                found |= {does.route} if does.route else set()
                ahead |= self._jumps(rule, at)
            ahead |= {at + 1} if goes_on else set()
            if not ahead:
                return frozenset(found)
            at = min(ahead)
            ahead.remove(at)
        return frozenset({*found, None})

    def _jumps(self, rule: RoutingRule, at: int) -> set[int]:
        """Return where a rule that goes to another goes on: it is the first of its priority."""
        if rule.does != "goto":
            return set()
        places = enumerate(self._rules[at + 1 :], at + 1)
        return {next((place for place, to in places if str(to.priority) == rule.leads_to), at + 1)}

    def _done(self, rule: RoutingRule, sought: Sought) -> _Found:
        """Return what a rule does with a packet that it selects."""
        if not rule.understood:
            return _NOT_KNOWN
        if rule.does in REFUSING:
            return _Found(Route(sought.destination, rule.does, None, None, 0, ""))
        if rule.does != "lookup":
            return _Found(goes_on=rule.does == "nop")
        table = rule.leads_to
        if table not in self._tables and not rule.usual:
            return _NOT_KNOWN
        found = self._in_table(table, sought)
        length = None if rule.longest is None or found.route is None else found.route.network.mask.bit_count()
        too_short = length is not None and rule.longest is not None and length <= rule.longest
        return _NOTHING_THERE if too_short and found.route and found.route.kind not in REFUSING else found

    def _in_table(self, table: str, sought: Sought) -> _Found:
        """Return what a table has for a packet: `throw` ends it as if it held no route."""
        for route, whole in self._candidates(table, sought):
            if not whole:
                return _NOT_KNOWN
            return _NOTHING_THERE if route.kind == "throw" else _Found(route)
        return _NOTHING_THERE

    def by_precedence(self) -> Iterator[Route]:
        """Yield the routes that packets may take, those that go before others first.

        One of kind `throw` only ends the lookup in its own table.
        """
        for table in self._asked:
            for values in self._tables.get(table, {}).values():
                for routes in values.values():
                    yield from routes

    def _candidates(self, table: str, sought: Sought) -> Iterator[tuple[Route, bool]]:
        """Yield the routes that a packet may take, longest first, and whether it takes them for sure."""
        address = sought.destination
        for mask, values in self._tables.get(table, {}).items():
            if mask & address.mask == mask:
                for route in values.get((address.version, address.value & mask), ()):
                    serves = route.serves(sought)
                    if serves is not False:
                        yield route, bool(serves)
            else:
                each = (route for routes in values.values() for route in routes)
                yield from ((route, False) for route in each if route.network.meets(address))


def _among(routes: tuple[Route, ...], route: Route) -> tuple[Route, ...]:
    """Return the routes to one network with another: of those for the same packets the better one alone."""
    asked = {(one.sources, one.tos): one for one in routes}
    key = route.sources, route.tos
    asked[key] = _better(asked[key], route) if key in asked else route
    return tuple(
        sorted(asked.values(), key=lambda one: (-(one.sources.mask if one.sources else -1), one.tos is None))
    )


def _better(one: Route, other: Route) -> Route:
    """Choose by metric, as the kernel does; IPv6 prints the next hops of one route as routes that are equal."""
    if one.metric == other.metric and one.kind == other.kind:
        return one.or_by(other.device, other.gateway)
    return min(one, other, key=lambda route: route.metric)


def _longest_first(masks: _Masks) -> _Masks:
    found = {mask: {key: _asked(routes) for key, routes in values.items()} for mask, values in masks.items()}
    return dict(sorted(found.items(), key=lambda item: item[0].bit_count(), reverse=True))


def _asked(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Return the routes to one network that are asked: one for some sources hides that for all others.

    The kernel goes on with a shorter prefix then: fib6_node_lookup_1 in net/ipv6/ip6_fib.c.
    """
    some = tuple(route for route in routes if route.sources is not None)
    return some if some and routes[0].network.mask else routes


def read_routes(text: str, source: str, *, table: str = "", six: bool = False) -> Routes:
    """Read what `ip route`, `ip -6 route` or `ip route show table all` print, as text or, with -j, as JSON.

    `table` is the one that was asked for, which no line names then; `six` says that `ip -6` was. Where the table
    `local` is named, all but `main` are.

    Raises:
        DumpError: a line is no route.
    """
    usual = UsualRoute(table or ("main" if _NAMES_LOCAL.search(text) else ""), six=six)
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
