"""What kube-proxy on a node should write for each service port.

Source: pkg/proxy/topology.go and pkg/proxy/iptables/proxier.go: ready endpoints are used; where there is none,
those that terminate and still serve. A policy Local uses the node's own endpoints. Hints of topology make a node
use some of the endpoints only, which the API does not tell of a node whose zone is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.xtables.address import join_endpoint, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.cluster.api import ApiCluster, ApiEndpoint, ApiPort, ApiService

Frontend = tuple[str, str, int]
"""Kind, address (empty for a node port), port."""


class ExpectedPort(NamedTuple):
    """A service port as the API says it should be.

    `endpoints` are those of policy Cluster as `ip:port`, `local` those of this node, None where the node's name
    is not known. `hinted` says that this node may rightly use some of the endpoints only.
    """

    namespace: str
    name: str
    port_name: str
    protocol: str
    frontends: frozenset[Frontend]
    endpoints: frozenset[str]
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
            yield _expected(service, port, ends, own, version)


def _expected(
    service: ApiService, port: ApiPort, ends: list[ApiEndpoint], own: list[ApiEndpoint] | None, version: int
) -> ExpectedPort:
    return ExpectedPort(
        namespace=service.namespace,
        name=service.name,
        port_name=port.name,
        protocol=port.protocol,
        frontends=frozenset(_frontends(service, port, version)),
        endpoints=_texts(_usable(ends)),
        local=None if own is None else _texts(_usable(own)),
        hinted=any(end.hinted for end in ends),
        internal_policy=service.internal_policy,
        external_policy=service.external_policy,
        affinity=service.affinity,
        source_ranges=frozenset(_of_version(service.source_ranges, version)),
        health_check=service.health_check or None,
    )


def _usable(ends: list[ApiEndpoint]) -> list[ApiEndpoint]:
    ready = [end for end in ends if end.ready]
    return ready or [end for end in ends if end.serving and end.terminating]


def _texts(ends: Iterable[ApiEndpoint]) -> frozenset[str]:
    return frozenset(join_endpoint(end.address, end.port) for end in ends)


def _frontends(service: ApiService, port: ApiPort, version: int) -> Iterator[Frontend]:
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
