"""Networks of pods that share a bridge of the node, as far as routes or flannel's rules tell."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.kube.frontends import value_of
from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.supplied.routes import Routes

_BRIDGE = re.compile(r"(?:cni|cbr|br|docker|weave|kube-bridge)[\w.-]*")
"""Names that programs give bridges of pods."""
_BY_FLANNEL = ("FLANNEL-POSTRTG", "POSTROUTING")
_CALICO = "cali-FORWARD"


def may_be_bridge(name: str) -> bool:
    """Whether an interface has a name that programs give bridges of pods."""
    return _BRIDGE.fullmatch(name) is not None


class Bridge(NamedTuple):
    """A bridge whose ports have addresses of `network`; `rule` tells it, None where a route does."""

    name: str
    network: Network
    rule: Rule | None = None


def bridges(dump: Dump, routes: Routes | None) -> list[Bridge]:
    """Return the bridges of a node; routes are asked first, as they name them."""
    return list(_routed(routes, int(dump.family[-1])) if routes else _of_flannel(dump))


def _routed(routes: Routes, version: int) -> Iterator[Bridge]:
    for route in routes.routes:
        direct = route.table == "main" and route.kind == "unicast" and route.gateway is None
        if direct and route.network.version == version and may_be_bridge(route.device or ""):
            yield Bridge(route.device or "", route.network)


def _of_flannel(dump: Dump) -> Iterator[Bridge]:
    """Yield flannel's bridge, cni0: a rule spares the network of this node's own pods.

    Beside Calico, which connects pods one by one, flannel has none.
    """
    nat, table = dump.tables.get("nat"), dump.tables.get("filter")
    if nat is None or (table is not None and table.has_chain(_CALICO)):
        return
    for chain in _BY_FLANNEL:
        for rule in nat.rules_with(" -j RETURN", chain):
            network = parse_network(value_of(rule, "-d") or "")
            if network is not None and any(one.name == "-s" and one.negated for one in rule.parts.basics):
                yield Bridge("cni0", network, rule)
