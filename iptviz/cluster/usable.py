"""Which endpoints kube-proxy on a node uses: by policy, by topology, and by what its release minds.

Source: CategorizeEndpoints and topologyModeFromHints in pkg/proxy/topology.go (before 1.33 canUseTopology, before
1.24 FilterEndpoints). Ready endpoints are used; where there is none, those that terminate and still serve. A
policy Local uses the node's own. Hints of topology make a node use some of the ready endpoints only: those that
are meant for the node, if every ready one has a hint of nodes and one is meant for it; else in the same way by
hints of zones; else all. Before 1.31 hints count for services with an annotation alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from iptviz.cluster.api import ApiCluster, HintsAnnotation
    from iptviz.cluster.endpoints import ApiEndpoint

Policy = Literal["Cluster", "Local"]
Ends = tuple["ApiEndpoint", ...]


class Since(NamedTuple):
    """The first minor releases in which kube-proxy can do something, behind a gate, and in which it does."""

    possible: int
    default: int


ZONE_HINTS: dict[HintsAnnotation, Since] = {
    "auto": Since(21, 24),
    "other": Since(27, 27),
    "none": Since(30, 31),
}
"""By what the annotations of the service say: KEP-2433, and without any annotation KEP-4444.

Up to 1.29 hints of a service without an annotation are ignored, whoever wrote them; then the feature gate
ServiceTrafficDistribution decides (canUseTopology), which is locked on in 1.33.
"""

NODE_HINTS = Since(33, 34)
"""KEP-3015: feature gate PreferSameTrafficDistribution."""

TERMINATING: dict[Policy, Since] = {"Local": Since(22, 26), "Cluster": Since(24, 26)}
"""KEP-1669: feature gate ProxyTerminatingEndpoints."""


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

    def likely_does(self, what: Since) -> bool:
        """Whether the newest of the releases does it, unless somebody switched it off."""
        return max(self.releases) >= what.default

    def does(self, what: Since) -> bool:
        """Whether each of the releases does it, unless somebody switched it off."""
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


def usable(ends: Iterable[ApiEndpoint], policy: Policy, place: ProxyPlace, asked: HintsAnnotation) -> Usable:
    """Return what kube-proxy at `place` may use of the endpoints of a service port under a policy.

    `asked` is what the annotations of its service say of hints.
    """
    everywhere = tuple(ends)
    if policy == "Local":
        return _local(everywhere, place)
    ready = _ready(everywhere)
    if not ready:
        return Usable(_serving(everywhere, place, policy))
    return Usable(_by_topology(ready, place, ZONE_HINTS[asked]), _is_open(ready, place, ZONE_HINTS[asked]))


def _local(ends: Ends, place: ProxyPlace) -> Usable:
    if place.node is None:
        serving, *_ = _serving(ends, place, "Local")
        return Usable((tuple(end for end in ends if end.ready or end in serving),), may_be_fewer=True)
    own = tuple(end for end in ends if end.node == place.node)
    ready = _ready(own)
    return Usable((ready,) if ready else _serving(own, place, "Local"))


def _ready(ends: Ends) -> Ends:
    return tuple([end for end in ends if end.ready])


def _serving(ends: Ends, place: ProxyPlace, policy: Policy) -> tuple[Ends, ...]:
    """Return what may be used where no endpoint is ready: those that serve until they end, or none."""
    serving = tuple(end for end in ends if end.serving and end.terminating and not end.ready)
    return _first_that_count(((serving, TERMINATING[policy]),), (), place)


def _first_that_count(ways: Iterable[tuple[Ends, Since]], rest: Ends, place: ProxyPlace) -> tuple[Ends, ...]:
    """Return the sets of which one is used, the likeliest first: of each way if there is any, else the rest."""
    likely: list[Ends] = []
    possible: list[Ends] = []
    for meant, what in ways:
        if meant and place.may_do(what):
            (likely if place.likely_does(what) else possible).append(meant)
            if place.does(what):
                break
    else:
        likely.append(rest)
    return (*likely, *possible)


# --- topology ------------------------------------------------------------------------------------------------


def rests_on_hints(ends: Collection[ApiEndpoint], place: ProxyPlace, asked: HintsAnnotation) -> bool:
    """Whether hints may make the node use some of the ready endpoints, and nothing tells which."""
    hinted = place.zone is None and any(end.zone_hints or end.node_hints for end in ends)
    return hinted and _is_open(_ready(tuple(ends)), place, ZONE_HINTS[asked])


def _is_open(ready: Ends, place: ProxyPlace, zone_hints: Since) -> bool:
    if place.zone is not None:
        return False
    by_zones = place.may_do(zone_hints) and _all_for_zones(ready)
    if place.node is None:
        return by_zones or (place.may_do(NODE_HINTS) and _all_for_nodes(ready))
    return by_zones and not (place.does(NODE_HINTS) and _meant_for_node(ready, place))


def _by_topology(ready: Ends, place: ProxyPlace, zone_hints: Since) -> tuple[Ends, ...]:
    """Return the sets of ready endpoints that kube-proxy may use, as far as node and zone are known."""
    in_zone = tuple(end for end in ready if place.zone in end.zone_hints) if _all_for_zones(ready) else ()
    return _first_that_count(
        ((_meant_for_node(ready, place), NODE_HINTS), (in_zone, zone_hints)), ready, place
    )


def _meant_for_node(ready: Ends, place: ProxyPlace) -> Ends:
    return tuple(end for end in ready if place.node in end.node_hints) if _all_for_nodes(ready) else ()


def _all_for_zones(ends: Ends) -> bool:
    return bool(ends) and all(end.zone_hints for end in ends)


def _all_for_nodes(ends: Ends) -> bool:
    return bool(ends) and all(end.node_hints for end in ends)
