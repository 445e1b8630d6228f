"""What a client meets at a frontend, from what is documented of each release, not from the rules.

Shares follow from the digits of the release; who is masqueraded, let by or refused from its traffic policies.
Who is to be dropped is what kube-proxy's own chains choose. Up to 1.24 they only mark, and the filter table drops
marked packets of and to this node: `goes_on` says who leaves all the same.
"""

from __future__ import annotations

from fractions import Fraction
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from tests.kubeproxy.eras import era
from tests.kubeproxy.words import chance, digits, pod, written

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Cluster, Endpoint, Service

Shares = list[tuple[str, Fraction]]


class Client(NamedTuple):
    """Who opens a connection; `to_node` says whether the destination is an address of the node."""

    source: str
    node: bool = False
    to_node: bool = False
    pod: bool = False


class Met(NamedTuple):
    """What kube-proxy chooses for a client: endpoints with shares, whether its address is hidden, a refusal."""

    shares: Shares
    masqueraded: bool = False
    verdict: str | None = None


DROPPED, REFUSED, PASSED = Met([], verdict="DROP"), Met([], verdict="REJECT"), Met([])


def shares_of(cluster: Cluster, endpoints: list[Endpoint]) -> Shares:
    """Each endpoint takes its chance of what those before it left."""
    shares, left = [], Fraction(1)
    for place, endpoint in enumerate(endpoints):
        remaining = len(endpoints) - place
        taken = left * (chance(remaining, digits(cluster)) if remaining > 1 else 1)
        shares.append((pod(endpoint), taken))
        left -= taken
    return shares


def frontends_of(cluster: Cluster, service: Service) -> dict[str, str]:
    """Return the kind of each frontend that the era writes something for, by TARGET."""
    addresses = {
        "cluster-ip": (service.cluster_ip,), "external-ip": service.external_ips,
        "load-balancer-ip": service.load_balancer_ips,
    }  # fmt: skip
    wanted = {kind for kind in (*addresses, "node-port") if _is_written(cluster, service, kind)}
    found = {
        written(address, service.port): kind
        for kind, every in addresses.items()
        if kind in wanted
        for address in every
    }
    if service.node_port and "node-port" in wanted:
        found[f":{service.node_port}"] = "node-port"
    return found


def _is_written(cluster: Cluster, service: Service, kind: str) -> bool:
    """Services without endpoints have frontends as far as the era dispatches or refuses them."""
    release = era(cluster.era)
    if cluster.usable(service)[0] or release.has("dispatched without endpoints") or kind == "cluster-ip":
        return True
    balancer = kind == "load-balancer-ip"
    return release.has("load balancers refused" if balancer else "external IPs and node ports refused")


def outside_shares(cluster: Cluster) -> dict[tuple[str, str], Shares]:
    """Return the shares that an ordinary outside client's connections come to."""
    return {
        (target, one.protocol): _outside(cluster, one, kind)
        for one in cluster.services
        for target, kind in frontends_of(cluster, one).items()
    }


def _outside(cluster: Cluster, one: Service, kind: str) -> Shares:
    every, local = cluster.usable(one)
    return shares_of(cluster, local if every and keeps_local(cluster, one, kind) else every)


def keeps_local(cluster: Cluster, one: Service, kind: str) -> bool:
    """Whether a frontend of this kind leads outside clients to this node's endpoints alone."""
    release = era(cluster.era)
    if kind == "cluster-ip":
        return one.internal_local and release.has("internal policy Local")
    trait = {"external-ip": "policy Local of external IPs", "node-port": "policy Local of node ports"}
    return one.local_only and release.has(trait.get(kind, "policy Local"))


def met(cluster: Cluster, one: Service, target: str, client: Client) -> Met:
    """Say what is documented for `client` at frontend `target`."""
    kind = frontends_of(cluster, one)[target]
    every, local = cluster.usable(one)
    if not every:
        return _without_endpoints(cluster, kind)
    if kind == "load-balancer-ip" and not _admits(cluster, one, target, client):
        return DROPPED
    split = kind == "external-ip" and era(cluster.era).has("two rules for an external IP")
    if split and client.node and not client.to_node:
        return PASSED  # the node itself only reached its own addresses so
    if not keeps_local(cluster, one, kind):
        return Met(shares_of(cluster, every), _masquerades(cluster, kind, client))
    bypass = None if kind == "cluster-ip" else _bypass(cluster, client)
    if bypass is not None:
        return bypass._replace(shares=shares_of(cluster, every))
    if not local:
        return DROPPED
    return Met(shares_of(cluster, local), _masquerades_local(cluster, kind, client))


def goes_on(cluster: Cluster, one: Service, target: str, client: Client) -> bool:
    """Whether a connection that kube-proxy wants dropped leaves this node undropped and not rewritten.

    KUBE-MARK-DROP marks, and KUBE-FIREWALL, which drops what is marked, is asked in INPUT and OUTPUT alone: what
    is only forwarded passes. Since 1.25 kube-proxy drops in FORWARD, too.
    """
    forwarded = not client.node and not client.to_node and target[0] != ":"
    marks = era(cluster.era).has("drop mark")
    return forwarded and marks and met(cluster, one, target, client) == DROPPED


def _bypass(cluster: Cluster, client: Client) -> Met | None:
    """What becomes of a client that policy Local of external traffic lets by to all endpoints."""
    release = era(cluster.era)
    if _told(cluster, client) and release.has("pods bypass policy Local"):
        return Met([], masqueraded=False)
    return (
        Met([], masqueraded=True) if client.node and release.has("the node bypasses policy Local") else None
    )


def _told(cluster: Cluster, client: Client) -> bool:
    """Whether this node knows the client for a pod."""
    return client.pod and cluster.detect != "none"


def _masquerades(cluster: Cluster, kind: str, client: Client) -> bool:
    """Whether a client is masqueraded on its way to all endpoints."""
    release = era(cluster.era)
    stranger = cluster.detect != "none" and not client.pod
    if kind == "cluster-ip":
        by_network = release.has("masquerading by pod network") and stranger
        return by_network or (cluster.masquerade_all and release.has("masquerade-all"))
    if kind == "external-ip" and release.has("external IPs of pods are not masqueraded"):
        return not _told(cluster, client)
    return True


def _masquerades_local(cluster: Cluster, kind: str, client: Client) -> bool:
    """Whether a client is masqueraded on its way to local endpoints: policy Local keeps its address."""
    if kind == "cluster-ip":
        return _masquerades(cluster, kind, client)
    loopback = ip_address(client.source).is_loopback
    return loopback and kind == "node-port" and era(cluster.era).has("loopback masqueraded with policy Local")


def _without_endpoints(cluster: Cluster, kind: str) -> Met:
    release = era(cluster.era)
    if kind == "load-balancer-ip" and not release.has("load balancers refused"):
        marked = release.has("KUBE-FW for every load balancer") and release.has(
            "dispatched without endpoints"
        )
        return DROPPED if marked else PASSED
    trait = "cluster IPs refused" if kind == "cluster-ip" else "external IPs and node ports refused"
    return REFUSED if release.has(trait) else PASSED


def _admits(cluster: Cluster, one: Service, target: str, client: Client) -> bool:
    """Whether the source ranges let a client in; where the node may come, so may the address bound on it."""
    ranges = [ip_network(source) for source in one.source_ranges]
    if not ranges or not era(cluster.era).has("policy Local"):
        return True
    if any(ip_address(client.source) in network for network in ranges):
        return True
    bound = written(client.source, one.port) == target
    return bound and any(ip_address(cluster.node_ip) in network for network in ranges)
