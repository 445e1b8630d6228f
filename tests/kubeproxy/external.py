"""External traffic since 1.24: one KUBE-EXT chain for it all, KUBE-SVL for this node's endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubeproxy.eras import era
from tests.kubeproxy.external_old import admits_node
from tests.kubeproxy.marks import DROP, masquerade
from tests.kubeproxy.words import chain_hash, comment, from_pods, host, name_of, to_address, to_node_port

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Cluster, Service
    from tests.kubeproxy.tables import Tables


def write_external(tables: Tables, cluster: Cluster, service: Service) -> None:
    """Write every frontend but the cluster IP; the chains of endpoints are written elsewhere."""
    name = name_of(cluster, service)
    suffix = chain_hash(name + service.protocol)
    _policy(tables, cluster, service, suffix)
    ext, firewall = f"KUBE-EXT-{suffix}", f"KUBE-FW-{suffix}"
    for ip in service.external_ips:
        tables.nat("KUBE-SERVICES", f"{to_address(cluster, service, ip, f'{name} external IP')} -j {ext}")
    for ip in service.load_balancer_ips:
        to = to_address(cluster, service, ip, f"{name} loadbalancer IP")
        tables.nat("KUBE-SERVICES", f"{to} -j {firewall if service.source_ranges else ext}")
    if service.source_ranges and service.load_balancer_ips:
        _firewall(tables, cluster, service, firewall, ext)
    if service.node_port:
        to = to_node_port(service, name)
        if cluster.nfacct:
            counted = "-m nfacct --nfacct-name  localhost_nps_accepted_pkts"
            tables.nat("KUBE-NODEPORTS", f"-d 127.0.0.0/8 {to} {counted} -j {ext}")
        tables.nat("KUBE-NODEPORTS", f"{to} -j {ext}")


def _policy(tables: Tables, cluster: Cluster, service: Service, suffix: str) -> None:
    """Write KUBE-EXT: policy Local lets pods and the node by to all endpoints, others to local ones."""
    ext, svc = f"KUBE-EXT-{suffix}", f"KUBE-SVC-{suffix}"
    destinations = f"for {name_of(cluster, service)} external destinations"
    if not service.local_only:
        tables.nat(ext, f"{comment(f'masquerade traffic {destinations}')}{masquerade(cluster)}")
        tables.nat(ext, f"-j {svc}")
        return
    for pods in from_pods(cluster).values():
        tables.nat(ext, f"{pods} {comment(f'pod traffic {destinations}')}-j {svc}")
    for what, target in (("masquerade", masquerade(cluster)), ("route", f"-j {svc}")):
        here = comment(f"{what} LOCAL traffic {destinations}")
        tables.nat(ext, f"{here}-m addrtype --src-type LOCAL {target}")
    if cluster.usable(service)[1] or era(cluster.era).has("drop mark"):
        tables.nat(ext, f"-j KUBE-SVL-{suffix}")


def _firewall(tables: Tables, cluster: Cluster, service: Service, firewall: str, ext: str) -> None:
    release, name = era(cluster.era), name_of(cluster, service)
    note = comment(f"{name} loadbalancer IP")
    for source in service.source_ranges:
        tables.nat(firewall, f"-s {source} {note}-j {ext}")
    if admits_node(cluster, service):
        for ip in service.load_balancer_ips:
            tables.nat(firewall, f"-s {host(cluster, ip)} {note}-j {ext}")
    if release.has("drop mark"):
        tables.nat(firewall, f"{note}{DROP}")
    elif release.has("KUBE-FW says who drops"):
        tables.nat(
            firewall, comment(f"other traffic to {name} will be dropped by KUBE-PROXY-FIREWALL").rstrip()
        )
    if release.has("KUBE-PROXY-FIREWALL"):
        for ip in service.load_balancer_ips:
            text = f"{name} traffic not accepted by {firewall}"
            tables.filter("KUBE-PROXY-FIREWALL", f"{to_address(cluster, service, ip, text)} -j DROP")
