"""What kube-proxy on a node should write for each service port.

Source: pkg/proxy/topology.go and pkg/proxy/iptables/proxier.go: ready endpoints are used; where there is none,
those that terminate and still serve. A policy Local uses the node's own endpoints. Hints of topology make a node
use some of the ready endpoints only, if every one has a hint and some are meant for the node or its zone;
kube-proxy minds hints of zones since 1.24, hints of nodes since 1.34.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.cluster.api import ApiCluster, ApiEndpoint, ApiPort, ApiService

FrontendKey = tuple[str, str, int]
"""Kind, address (empty for a node port), port."""


class ExpectedPort(NamedTuple):
    """A service port as the API says it should be.

    `endpoints` are those of policy Cluster as `ip:port`; `rightly` are sets of them that this node may use
    instead. `local` are those of this node, None where the node's name is not known. `hinted` says that this node
    may rightly use some of the endpoints only, and nothing tells which: its zone is not known.
    """

    namespace: str
    name: str
    port_name: str
    protocol: str
    frontends: frozenset[FrontendKey]
    endpoints: frozenset[str]
    rightly: tuple[frozenset[str], ...]
    local: frozenset[str] | None
    hinted: bool
    internal_policy: str
    external_policy: str
    affinity: int | None
    source_ranges: frozenset[str]
    health_check: int | None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What a service port is known by."""
        return self.namespace, self.name, self.port_name, self.protocol

    def used_by(self, policy: str) -> frozenset[str] | None:
        """Return the endpoints that a policy uses on this node; None where the node is not known."""
        return self.local if policy == "Local" else self.endpoints


def expected_ports(cluster: ApiCluster, version: int, node: str | None) -> Iterator[ExpectedPort]:
    """Yield what kube-proxy for IP `version` (4 or 6) should write on `node`."""
    for service in cluster.services:
        if service.ignored or not _of_version(service.cluster_ips, version):
            continue
        for port in service.ports:
            key = service.namespace, service.name, port.name, port.protocol
            ends = [end for end in cluster.endpoints.get(key, ()) if _of_version([end.address], version)]
            own = None if node is None else [end for end in ends if end.node == node]
            place = None if node is None else ProxyPlace(node, cluster.zones.get(node))
            yield _expected(service, port, ends, own, place, version)


def _expected(
    service: ApiService,
    port: ApiPort,
    ends: list[ApiEndpoint],
    own: list[ApiEndpoint] | None,
    place: ProxyPlace | None,
    version: int,
) -> ExpectedPort:
    first, *others = _choices(ends, place)
    return ExpectedPort(
        namespace=service.namespace,
        name=service.name,
        port_name=port.name,
        protocol=port.protocol,
        frontends=frozenset(_frontends(service, port, version)),
        endpoints=_texts(first),
        rightly=tuple(map(_texts, others)),
        local=None if own is None else _texts(_usable(own)),
        hinted=any(end.hinted and (place is None or (place.zone is None and end.zone_hints)) for end in ends),
        internal_policy=service.internal_policy,
        external_policy=service.external_policy,
        affinity=service.affinity,
        source_ranges=frozenset(_of_version(service.source_ranges, version)),
        health_check=service.health_check or None,
    )


def _usable(ends: list[ApiEndpoint]) -> list[ApiEndpoint]:
    ready = [end for end in ends if end.ready]
    return ready or [end for end in ends if end.serving and end.terminating]


class ProxyPlace(NamedTuple):
    """Where a kube-proxy runs: its node, and the node's zone if it is known."""

    node: str
    zone: str | None


def _choices(ends: list[ApiEndpoint], place: ProxyPlace | None) -> list[list[ApiEndpoint]]:
    """Return the sets of endpoints that policy Cluster may use on a node, the likeliest first.

    Source: topologyModeFromHints in pkg/proxy/topology.go. All ready endpoints have hints, or none counts.
    """
    usable = _usable(ends)
    if not usable or place is None or not all(end.ready and end.hinted for end in usable):
        return [usable]
    in_zone = [end for end in usable if place.zone in end.zone_hints] if _all_for_zones(usable) else []
    on_node = [end for end in usable if place.node in end.node_hints]
    on_node = on_node if all(end.node_hints for end in usable) else []
    return [chosen for chosen in (on_node, in_zone or usable) if chosen]


def _all_for_zones(ends: list[ApiEndpoint]) -> bool:
    return all(end.zone_hints for end in ends)


def _texts(ends: Iterable[ApiEndpoint]) -> frozenset[str]:
    return frozenset(join_endpoint(end.address, end.port) for end in ends)


def _frontends(service: ApiService, port: ApiPort, version: int) -> Iterator[FrontendKey]:
    kinds = {
        "cluster-ip": service.cluster_ips,
        "external-ip": service.external_ips,
        "load-balancer-ip": service.load_balancer_ips,
    }
    for kind, addresses in kinds.items():
        yield from ((kind, address, port.port) for address in _of_version(addresses, version))
    if port.node_port:
        yield "node-port", "", port.node_port


def _of_version(addresses: Iterable[str], version: int) -> list[str]:
    """Return the addresses or networks of one IP version."""
    found = ((address, parse_network(address)) for address in addresses)
    return [address for address, network in found if network is not None and network.version == version]
