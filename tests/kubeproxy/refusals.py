"""Rules of the filter table that refuse connections: services without endpoints, or without local ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubeproxy.eras import era
from tests.kubeproxy.words import name_of, to_address, to_node_port

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Cluster, Service
    from tests.kubeproxy.tables import Tables

EMPTY, NONE_LOCAL = "has no endpoints", "has no local endpoints"


def refuse_cluster_ip(tables: Tables, cluster: Cluster, service: Service, why: str) -> None:
    if era(cluster.era).has("cluster IPs refused"):
        _refuse_address(tables, cluster, service, "KUBE-SERVICES", service.cluster_ip, why)


def refuse_external(tables: Tables, cluster: Cluster, service: Service, why: str) -> None:
    """Refuse connections to external addresses and the node port, as far as the era does."""
    release = era(cluster.era)
    apart = release.has("KUBE-EXTERNAL-SERVICES")
    chain = "KUBE-EXTERNAL-SERVICES" if apart else "KUBE-SERVICES"
    if release.has("external IPs and node ports refused"):
        for ip in service.external_ips:
            _refuse_address(tables, cluster, service, chain, ip, why)
    if release.has("load balancers refused"):
        early = release.has("load balancers refused in KUBE-SERVICES")
        for ip in service.load_balancer_ips:
            _refuse_address(tables, cluster, service, "KUBE-SERVICES" if early else chain, ip, why)
    if service.node_port and release.has("external IPs and node ports refused"):
        text = f"{name_of(cluster, service)} {why}"
        match = to_node_port(service, text, before="-m addrtype --dst-type LOCAL ")
        tables.filter(chain, f"{match} {_target(cluster, why)}")


def _refuse_address(
    tables: Tables, cluster: Cluster, service: Service, chain: str, ip: str, why: str
) -> None:
    match = to_address(cluster, service, ip, f"{name_of(cluster, service)} {why}")
    tables.filter(chain, f"{match} {_target(cluster, why)}")


def _target(cluster: Cluster, why: str) -> str:
    if why == NONE_LOCAL:
        return "-j DROP"
    family = "icmp" if cluster.family == 4 else "icmp6"
    return f"-j REJECT --reject-with {family}-port-unreachable"
