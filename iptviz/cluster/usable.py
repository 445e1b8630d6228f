"""Which endpoints kube-proxy on a node uses: by policy, by topology, and by what its release minds.

Source: CategorizeEndpoints and topologyModeFromHints in pkg/proxy/topology.go. Ready endpoints are used; where
there is none, those that terminate and still serve. A policy Local uses the node's own. Hints of topology make a
node use some of the ready endpoints only: those that are meant for the node, if every ready one has a hint of
nodes and one is meant for it; else in the same way by hints of zones; else all. They come from an annotation
topology-mode as well as from trafficDistribution (PreferClose, PreferSameZone, PreferSameNode).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.cluster.api import ApiCluster
    from iptviz.cluster.endpoints import ApiEndpoint

Policy = Literal["Cluster", "Local"]
Ends = tuple["ApiEndpoint", ...]


class Since(NamedTuple):
    """The first minor releases in which kube-proxy can do something, behind a gate, and in which it does."""

    possible: int
    default: int


ZONE_HINTS = Since(21, 24)
"""KEP-2433."""

NODE_HINTS = Since(33, 34)
"""KEP-3015."""

TERMINATING = Since(22, 26)
"""KEP-1669."""


class ProxyPlace(NamedTuple):
    """Where a kube-proxy runs, and the minor releases of which it may be: at least one.

    `node` is None where it is not known; so is `zone`, which is empty where the node has none.
    """

    node: str | None
    zone: str | None
    releases: frozenset[int]

    def may_do(self, what: Since) -> bool:
        """Whether this kube-proxy may do it."""
        return max(self.releases) >= what.possible

    def does(self, what: Since) -> bool:
        """Whether it does, unless somebody switched it off."""
        return min(self.releases) >= what.default


class Usable(NamedTuple):
    """The sets of endpoints that a node may use, the likeliest first; `may_be_fewer`: or some of the first."""

    sets: tuple[Ends, ...]
    may_be_fewer: bool = False


def place_of(cluster: ApiCluster, node: str | None, releases: frozenset[int]) -> ProxyPlace:
    """Return the place of a kube-proxy on `node`: a Node object without the label says that it has no zone."""
    if node is None:
        return ProxyPlace(None, None, releases)
    return ProxyPlace(node, cluster.zones.get(node, "" if node in cluster.nodes else None), releases)


def usable(ends: Iterable[ApiEndpoint], policy: Policy, place: ProxyPlace) -> Usable:
    """Return what kube-proxy at `place` may use of the endpoints of a service port under a policy."""
    everywhere = tuple(ends)
    if policy == "Local":
        return _local(everywhere, place)
    ready = _ready(everywhere)
    if not ready:
        return Usable(tuple(_serving(everywhere, place)))
    return Usable(tuple(_by_topology(ready, place)), rests_on_hints(everywhere, place))


def _local(ends: Ends, place: ProxyPlace) -> Usable:
    if place.node is None:
        serving = next(_serving(ends, place))
        return Usable((tuple(end for end in ends if end.ready or end in serving),), may_be_fewer=True)
    own = tuple(end for end in ends if end.node == place.node)
    ready = _ready(own)
    return Usable((ready,) if ready else tuple(_serving(own, place)))


def _ready(ends: Ends) -> Ends:
    return tuple(end for end in ends if end.ready)


def _serving(ends: Ends, place: ProxyPlace) -> Iterator[Ends]:
    """Yield what is used where no endpoint is ready: those that serve until they end, or none."""
    serving = tuple(end for end in ends if end.serving and end.terminating and not end.ready)
    if serving and place.may_do(TERMINATING):
        yield serving
        if place.does(TERMINATING):
            return
    yield ()


# --- topology ------------------------------------------------------------------------------------------------


def rests_on_hints(ends: Iterable[ApiEndpoint], place: ProxyPlace) -> bool:
    """Whether hints make the node use some of the ready endpoints, and nothing tells which."""
    ready = _ready(tuple(ends))
    if place.node is None:
        return _all_for_zones(ready) or _all_for_nodes(ready)
    return place.zone is None and _all_for_zones(ready)


def _by_topology(ready: Ends, place: ProxyPlace) -> Iterator[Ends]:
    """Yield the sets of ready endpoints that kube-proxy may use, as far as node and zone are known."""
    on_node = tuple(end for end in ready if place.node in end.node_hints) if _all_for_nodes(ready) else ()
    in_zone = tuple(end for end in ready if place.zone in end.zone_hints) if _all_for_zones(ready) else ()
    for meant, what in ((on_node, NODE_HINTS), (in_zone, ZONE_HINTS)):
        if meant and place.may_do(what):
            yield meant
            if place.does(what):
                return
    yield ready


def _all_for_zones(ends: Ends) -> bool:
    return bool(ends) and all(end.zone_hints for end in ends)


def _all_for_nodes(ends: Ends) -> bool:
    return bool(ends) and all(end.node_hints for end in ends)
