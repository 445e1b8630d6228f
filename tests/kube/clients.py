"""Clients, services to ask for, and what kube-proxy documents for each client at each frontend.

Shares are the generator's. Who is masqueraded and who is refused is said here once more, from kube-proxy's
documented behaviour (masquerading by destination, traffic policies, source ranges), so that a test borrows
nothing from the program.
"""

from __future__ import annotations

from fractions import Fraction
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, NamedTuple

from tests.kubeproxy import NEW, OLD, Cluster, Service

if TYPE_CHECKING:
    from iptviz.engine.condition import Assumption, Condition
    from iptviz.kube.outcome import Outcome
    from iptviz.kube.service import ServiceTrace

Shares = list[tuple[str, Fraction]]

PODS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}
RANGES = {4: ("198.51.100.0/24", "10.0.0.0/8"), 6: ("2001:db8:51::/48", "fd00:10::/32")}


class Client(NamedTuple):
    """Who opens a connection; `to_node` says whether the destination is an address of the node."""

    source: str
    node: bool = False
    to_node: bool = False


CLIENTS = {
    4: (
        Client("198.51.100.7"),
        Client("203.0.113.99"),
        Client("10.244.3.3"),
        Client("192.168.1.10", node=True),
        Client("192.168.1.10", node=True, to_node=True),
        Client("10.1.1.1", node=True),
    ),
    6: (
        Client("2001:db8:51::7"),
        Client("2001:db8:99::7"),
        Client("fd00:10:244:3::3"),
        Client("fd00:192:168:1::10", node=True),
        Client("fd00:10:1::1", node=True),
    ),
}


class Met(NamedTuple):
    """What a client meets: endpoints with shares, whether its address is hidden from them, who refuses it."""

    shares: Shares
    masqueraded: bool = False
    verdict: str | None = None


def service(family: int, endpoints: int, number: int = 1, **options: object) -> Service:
    """Return a service with `endpoints` pods; `number` keeps several of them apart."""
    cluster_ip = f"10.97.20.{number}" if family == 4 else f"fd00:10:96::{number}"
    pod = "10.244.{}.{}" if family == 4 else "fd00:10:244:{}::{}"
    pods = tuple((pod.format(number, 10 + count), 8080) for count in range(endpoints))
    return Service(f"web-{number}", cluster_ip, pods, **options)  # type: ignore[arg-type]


def full_service(family: int, endpoints: int, **options: object) -> Service:
    """Return a service with a frontend of each kind."""
    external, balancer = ("192.0.2.80", "203.0.113.10") if family == 4 else ("2001:db8::80", "2001:db8::10")
    more = {"node_port": 30080, "external_ips": (external,), "load_balancer_ips": (balancer,), **options}
    return service(family, endpoints, **more)  # type: ignore[arg-type]


def frontends_of(one: Service) -> dict[str, str]:
    """Return the kind of each frontend by TARGET; without endpoints, external addresses are not written."""
    kinds = {one.cluster_ip: "cluster-ip"}
    if one.endpoints:
        kinds |= dict.fromkeys(one.external_ips, "external-ip")
        kinds |= dict.fromkeys(one.load_balancer_ips, "load-balancer-ip")
    written = "[{}]:{}" if ":" in one.cluster_ip else "{}:{}"
    node_port = {f":{one.node_port}": "node-port"} if one.node_port else {}
    return {written.format(address, one.port): kind for address, kind in kinds.items()} | node_port


def shares_of(outcome: Outcome) -> Shares:
    """Return the endpoints of an outcome as the generator writes them."""
    return [
        (f"[{one.address}]:{one.port}" if ":" in one.address else f"{one.address}:{one.port}", one.share)
        for one in outcome.endpoints
    ]


def met_by(trace: ServiceTrace, client: Client) -> Met:
    """Return what the trace says for `client`; exactly one of its cases is the client's."""
    (outcome,) = (outcome for outcome in trace.outcomes if _apply(outcome.when, client))
    masqueraded = any(_apply(mark.needs, client) for mark in outcome.masquerade)
    verdict = outcome.verdict.kind if outcome.verdict else None
    return Met(shares_of(outcome), masqueraded and bool(outcome.endpoints), verdict)


def _apply(needs: tuple[Assumption, ...], client: Client) -> bool:
    return all(_holds(need.condition, client) == need.holds for need in needs)


def _holds(condition: Condition, client: Client) -> bool:
    """Answer a condition; nobody here comes over a bridge."""
    if condition.kind == "source-cidr":
        return ip_address(client.source) in ip_network(condition.value)
    answers = {
        "LOCAL source-type": client.node,
        "LOCAL destination-type": client.to_node,
        " bridge-port": False,
    }
    return answers[f"{condition.value} {condition.kind}"]


def documented(cluster: Cluster, one: Service, target: str, client: Client) -> Met:
    """Say what kube-proxy documents for `client` at frontend `target`."""
    kind = frontends_of(one)[target]
    everyone = cluster.truth[next(iter(frontends_of(one))), one.protocol]
    pod = ip_address(client.source) in ip_network(cluster.pod_cidr)
    if not everyone:
        return Met([], verdict="REJECT")
    if kind == "cluster-ip":
        return Met(everyone, masqueraded=not pod)
    if kind == "load-balancer-ip" and one.source_ranges and not _in_any(one.source_ranges, client):
        return Met([], verdict="DROP")
    if kind == "external-ip" and cluster.era == OLD:  # ignored the policy; the node only reached its own
        return Met([]) if client.node and not client.to_node else Met(everyone, masqueraded=True)
    return _by_policy(cluster, one, everyone, cluster.truth[target, one.protocol], client, pod=pod)


def _by_policy(
    cluster: Cluster, one: Service, everyone: Shares, local: Shares, client: Client, *, pod: bool
) -> Met:
    """Policy Local keeps the client's address and the connection local; pods and today's node bypass it."""
    if not one.local_only:
        return Met(everyone, masqueraded=True)
    if pod or (client.node and cluster.era == NEW):
        return Met(everyone, masqueraded=not pod)
    return Met(local) if local else Met([], verdict="DROP")


def _in_any(networks: tuple[str, ...], client: Client) -> bool:
    return any(ip_address(client.source) in ip_network(network) for network in networks)
