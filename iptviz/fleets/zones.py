"""Zones: nodes that get other endpoints of the same service, by hints of zones or a traffic distribution.

No rule tells a node's zone. Services tell it together: of several each set of nodes has endpoints of its own,
which no other set has, and it is the same sets of nodes each time. Source: CategorizeEndpoints in
pkg/proxy/topology.go.
"""

from __future__ import annotations

from collections import Counter
from itertools import combinations
from typing import TYPE_CHECKING

from iptviz.fleets.summary import count_of
from iptviz.xtables.address import parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iptviz.compare.ports.form import PortForm
    from iptviz.fleets.summary import Nodes, PortKey, Summary

    Versions = Mapping[PortForm, Nodes]
    Ends = frozenset[str]

_LEAST_NODES = 2
"""So many nodes must have the same endpoints before they may be a zone: a single one may as well be wrong."""

_LEAST_SERVICES = 2
"""So many services must tell the same zones: one may be in the middle of a roll-out."""

Zones = tuple[int, ...]
"""The nodes of each zone; none where no zones are told."""


def zones_of(ports: Mapping[PortKey, Versions]) -> Zones:
    """Return the zones that services tell together."""
    found: list[tuple[list[Nodes], set[tuple[str, ...]]]] = []
    told = [
        (blocks, key[1:3]) for key, forms in ports.items() if len(forms) > 1 and (blocks := _blocks(forms))
    ]
    for blocks, service in sorted(told, key=lambda each: (-sum(map(count_of, each[0])), each)):
        for place, (zones, services) in enumerate(found):
            joined = _joined(zones, blocks)
            if joined is not None:
                found[place] = joined, services | {service}
                break
        else:
            found.append((blocks, {service}))
    zones, services = max(found, key=lambda each: len(each[1]), default=([], set()))
    return tuple(zones) if len(services) >= _LEAST_SERVICES else ()


def ends_of(form: PortForm) -> Ends:
    """Return the endpoints of a service port: those of its first frontend that tells them."""
    told = (one for one in form.frontends if "endpoints" not in one.untold)
    return frozenset(end.text for one in (next(told, None),) if one is not None for end in one.endpoints)


def _blocks(versions: Versions) -> list[Nodes]:
    """Return sets of nodes of which each has endpoints of its own; none where they are not all apart."""
    by_ends = _by_ends(versions)
    large = {ends: nodes for ends, nodes in by_ends.items() if ends and count_of(nodes) >= _LEAST_NODES}
    every = frozenset().union(*large)
    own = {ends: nodes for ends, nodes in large.items() if ends != every}
    if len(own) < 2 or sum(map(len, own)) != len(every):
        return []
    return sorted(own.values())


def _by_ends(versions: Versions) -> dict[Ends, Nodes]:
    found: dict[Ends, Nodes] = {}
    for form, nodes in versions.items():
        ends = ends_of(form)
        found[ends] = found.get(ends, 0) | nodes
    return found


def _joined(zones: Sequence[Nodes], blocks: Sequence[Nodes]) -> list[Nodes] | None:
    """Return zones with more nodes in them; None where the sets of nodes are not the same."""
    joined = list(zones)
    taken: set[int] = set()
    for block in blocks:
        met = [place for place, zone in enumerate(zones) if zone & block]
        if len(met) != 1 or met[0] in taken:
            return None
        taken.add(met[0])
        joined[met[0]] |= block
    return joined if all(not one & other for one, other in combinations(joined, 2)) else None


def zones_apart(versions: Versions, zones: Zones) -> bool:
    """Whether zones rightly have different endpoints of a service port: each those of its own, or one has all."""
    usual = {ends for zone in zones if (ends := _usual_ends(versions, zone)) is not None}
    every = frozenset().union(*usual)
    own = [ends for ends in usual if ends != every]
    return len(usual) > 1 and sum(map(len, own)) <= len(every) and frozenset().union(*own) <= every


def across_zones(versions: Versions, zones: Zones) -> bool:
    """Whether several nodes of different zones have endpoints that not all have: then zones do not tell all."""
    by_ends = _by_ends(versions)
    every = frozenset().union(*by_ends)
    return any(
        count_of(nodes) >= _LEAST_NODES and sum(bool(nodes & zone) for zone in zones) > 1
        for ends, nodes in by_ends.items()
        if ends != every
    )


def _usual_ends(versions: Versions, zone: Nodes) -> Ends | None:
    """Return the endpoints that most nodes of a zone have; None where none of them has the service."""
    counted = {ends: count_of(nodes & zone) for ends, nodes in _by_ends(versions).items() if nodes & zone}
    return max(counted, key=lambda ends: (counted[ends], sorted(ends)), default=None)


class Places:
    """On which nodes endpoints are, as far as rules tell networks of each node's own pods (NodeCIDR)."""

    def __init__(self, summary: Summary) -> None:
        told = [(pods, 1 << place) for place, node in enumerate(summary.nodes) for pods in node.pods]
        often = Counter(pods for pods, _ in told)
        own = ((parse_network(pods), node) for pods, node in told if often[pods] == 1)
        self._own = (
            [(network, node) for network, node in own if network is not None] if len(often) > 1 else []
        )

    def tell(self, versions: Versions, zones: Zones) -> bool | None:
        """Return whether each zone has endpoints that are on its own nodes; None where no place is known."""
        usual = {zone: ends for zone in zones if (ends := _usual_ends(versions, zone))}
        every = frozenset().union(*usual.values())
        found = [
            bool(node & zone)
            for zone, ends in usual.items()
            if ends != every
            for end in ends
            if (node := self._node_of(end))
        ]
        return all(found) if found else None

    def _node_of(self, end: str) -> Nodes:
        address = parse_network(split_endpoint(end)[0])
        if address is None:
            return 0
        return next((node for network, node in self._own if network.contains(address)), 0)
