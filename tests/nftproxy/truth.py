"""What a client meets at a frontend, from what is documented of each shape, not from the rules."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from tests.nftproxy.writer import allowed_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kubeproxy.cluster import Cluster, Endpoint, Service
    from tests.nftproxy.writer import Node

CLUSTER_IP, EXTERNAL_IP, BALANCER_IP, NODE_PORT = "cluster-ip", "external-ip", "load-balancer-ip", "node-port"


class Frontend(NamedTuple):
    """Where connections to a service port go: `address` is None for a node port."""

    kind: str
    address: str | None
    port: int
    protocol: str


class Client(NamedTuple):
    """Who opens a connection: from which address, whether by the interface of pods, or from the node itself."""

    source: str
    by_pods: bool = False
    node: bool = False


class Met(NamedTuple):
    """What becomes of a client: endpoints, each as likely, or a verdict, and whether its address is hidden."""

    endpoints: tuple[Endpoint, ...] = ()
    masqueraded: bool = False
    verdict: str | None = None


DROPPED, REFUSED = Met(verdict="DROP"), Met(verdict="REJECT")


def frontends_of(service: Service) -> Iterator[Frontend]:
    """Yield the frontends of a service port."""
    addresses = {
        CLUSTER_IP: (service.cluster_ip,), EXTERNAL_IP: service.external_ips,
        BALANCER_IP: service.load_balancer_ips,
    }  # fmt: skip
    for kind, some in addresses.items():
        for address in some:
            yield Frontend(kind, address, service.port, service.protocol)
    if service.node_port:
        yield Frontend(NODE_PORT, None, service.node_port, service.protocol)


def target_of(frontend: Frontend) -> str:
    """Return how a frontend is asked for."""
    address = frontend.address or ""
    return f"{f'[{address}]' if ':' in address else address}:{frontend.port}/{frontend.protocol}"


def met(node: Node, release: str, service: Service, frontend: Frontend, client: Client) -> Met:
    """Say what is documented for `client` at a frontend of a service port."""
    every = service.endpoints
    local = every[: service.local]
    if frontend.kind == CLUSTER_IP:
        return _inside(node, service, client)
    denied = frontend.kind == BALANCER_IP and not _admits(node, service, client)
    if release == "1.29" and not client.node:
        denied = False  # asked when the destination was rewritten already
    # Output of the node met the two checks in the other order up to 1.33.
    if denied and (every or not (client.node and release in _BEFORE_DNAT)):
        return DROPPED
    if not every:
        return REFUSED
    if not service.local_only:
        return Met(every, masqueraded=True)
    return _met_local(node, release, frontend, client, every, local)


_BEFORE_DNAT = {"1.29", "1.30"}
"""Releases that ask the node's own connections for services without endpoints before nat."""


def _met_local(
    node: Node, release: str, frontend: Frontend, client: Client,
    every: tuple[Endpoint, ...], local: tuple[Endpoint, ...],
) -> Met:  # fmt: skip
    """What becomes of a client where external traffic has the policy Local."""
    asked = release == "1.29" or (release == "1.30" and frontend.kind != NODE_PORT)
    if client.node and not local and asked:
        return DROPPED
    if is_known_pod(node.cluster, client):
        return Met(every)
    if client.node:
        return Met(every, masqueraded=True)
    return Met(local) if local else DROPPED


def _inside(node: Node, service: Service, client: Client) -> Met:
    """What becomes of a client at a cluster IP."""
    used = service.endpoints[: service.local] if service.internal_local else service.endpoints
    if not used:
        return DROPPED if service.endpoints else REFUSED
    cluster = node.cluster
    stranger = cluster.detect != "none" and not is_known_pod(cluster, client)
    return Met(used, masqueraded=cluster.masquerade_all or stranger)


def is_known_pod(cluster: Cluster, client: Client) -> bool:
    """Whether this node takes a client for one of its pods."""
    if cluster.detect == "cidr":
        return ip_address(client.source) in ip_network(cluster.pod_cidr)
    return cluster.detect != "none" and client.by_pods


def _admits(node: Node, service: Service, client: Client) -> bool:
    """Whether the source ranges of load balancers let a client in."""
    ranges = map(ip_network, allowed_sources(service, node.cluster.node_ip))
    return not service.source_ranges or any(ip_address(client.source) in one for one in ranges)


def hides(answer: Met, client: Client, endpoint: Endpoint, *, on_node: bool) -> bool:
    """Whether an endpoint sees an address of the node instead of the client's.

    Who is sent to itself is hidden from itself; what is delivered to this node itself leaves it nowhere.
    """
    if on_node and not client.node:
        return False
    return answer.masqueraded or client.source == endpoint[0]


def has_node_port(node: Node, address: str) -> bool:
    """Whether node ports answer at an address of the node."""
    if node.every_address:
        return not ip_address(address).is_loopback
    return address in node.node_port_addresses
