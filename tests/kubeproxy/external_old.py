"""External traffic up to 1.23: external IPs by rules of their own, load balancers by KUBE-FW, Local by KUBE-XLB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubeproxy.balancing import balance
from tests.kubeproxy.eras import era
from tests.kubeproxy.marks import DROP, masquerade
from tests.kubeproxy.words import chain_hash, comment, from_pods, host, name_of, to_address, to_node_port

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Cluster, Service
    from tests.kubeproxy.tables import Tables


def write_external(tables: Tables, cluster: Cluster, service: Service) -> None:
    """Write every frontend but the cluster IP."""
    release = era(cluster.era)
    suffix = chain_hash(name_of(cluster, service) + service.protocol)
    local = service.local_only and release.has("policy Local")
    if local:
        _local(tables, cluster, service, suffix)

    def onward(policy: str) -> tuple[str, bool]:
        keeps = local and release.has(policy)
        return f"KUBE-{'XLB' if keeps else 'SVC'}-{suffix}", keeps

    for ip in service.external_ips:
        _external_ip(tables, cluster, service, ip, *onward("policy Local of external IPs"))
    for ip in service.load_balancer_ips:
        _load_balancer(tables, cluster, service, ip, *onward("policy Local"))
    if service.node_port:
        _node_port(tables, cluster, service, *onward("policy Local of node ports"))


def _external_ip(
    tables: Tables, cluster: Cluster, service: Service, ip: str, chain: str, keeps: bool
) -> None:
    release, text = era(cluster.era), f"{name_of(cluster, service)} external IP"
    to = to_address(cluster, service, ip, text)
    if not keeps:
        spared = release.has("external IPs of pods are not masqueraded")
        match = to_address(cluster, service, ip, text, **from_pods(cluster, inverted=True)) if spared else to
        in_chain = release.has("masquerading in KUBE-SVC")
        tables.nat(chain if in_chain else "KUBE-SERVICES", f"{match} {masquerade(cluster)}")
    if release.has("two rules for an external IP"):
        outside = "-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL"
        tables.nat("KUBE-SERVICES", f"{to} {outside} -j {chain}")
        to += " -m addrtype --dst-type LOCAL"
    tables.nat("KUBE-SERVICES", f"{to} -j {chain}")


def _load_balancer(
    tables: Tables, cluster: Cluster, service: Service, ip: str, chain: str, keeps: bool
) -> None:
    text = f"{name_of(cluster, service)} loadbalancer IP"
    to, note = to_address(cluster, service, ip, text), comment(text)
    if not era(cluster.era).has("KUBE-FW for every load balancer"):
        tables.nat("KUBE-SERVICES", f"{to} {masquerade(cluster)}")
        tables.nat("KUBE-SERVICES", f"{to} -j {chain}")
        return
    firewall = f"KUBE-FW-{chain.rpartition('-')[2]}"
    tables.nat("KUBE-SERVICES", f"{to} -j {firewall}")
    if not keeps:
        tables.nat(firewall, f"{note}{masquerade(cluster)}")
    for source in service.source_ranges:
        tables.nat(firewall, f"-s {source} {note}-j {chain}")
    if not service.source_ranges:
        tables.nat(firewall, f"{note}-j {chain}")
    elif admits_node(cluster, service):
        tables.nat(firewall, f"-s {host(cluster, ip)} {note}-j {chain}")
    tables.nat(firewall, f"{note}{DROP}")


def admits_node(cluster: Cluster, service: Service) -> bool:
    """Whether the node itself is in a source range: then so is a load balancer's address bound on it."""
    from ipaddress import ip_address, ip_network

    return any(ip_address(cluster.node_ip) in ip_network(source) for source in service.source_ranges)


def _node_port(tables: Tables, cluster: Cluster, service: Service, chain: str, keeps: bool) -> None:
    release = era(cluster.era)
    to = to_node_port(service, name_of(cluster, service))
    if not keeps:
        in_chain = release.has("masquerading in KUBE-SVC")
        tables.nat(chain if in_chain else "KUBE-NODEPORTS", f"{to} {masquerade(cluster)}")
    elif release.has("loopback masqueraded with policy Local"):
        loopback = "127.0.0.0/8" if cluster.family == 4 else "::1/128"
        tables.nat("KUBE-NODEPORTS", f"-s {loopback} {to} {masquerade(cluster)}")
    tables.nat("KUBE-NODEPORTS", f"{to} -j {chain}")


def _local(tables: Tables, cluster: Cluster, service: Service, suffix: str) -> None:
    """Write the chain of policy Local: short circuits for pods and the node, then this node's endpoints."""
    release, name = era(cluster.era), name_of(cluster, service)
    xlb, svc = f"KUBE-XLB-{suffix}", f"KUBE-SVC-{suffix}"
    tables.declare("nat", xlb)
    every, local = cluster.usable(service)
    if not every:
        return
    pods = from_pods(cluster)
    if pods and release.has("pods bypass policy Local"):
        redirect = comment("Redirect pods trying to reach external loadbalancer VIP to clusterIP")
        tables.nat(xlb, f"{' '.join(pods.values())} {redirect}-j {svc}")
    if release.has("the node bypasses policy Local"):
        here = "-m addrtype --src-type LOCAL"
        tables.nat(
            xlb, f"{comment(f'masquerade LOCAL traffic for {name} LB IP')}{here} {masquerade(cluster)}"
        )
        route = comment(f"route LOCAL traffic for {name} LB IP to service chain")
        tables.nat(xlb, f"{route}{here} -j {svc}")
    if local:
        balance(tables, cluster, service, xlb, local)
    else:
        tables.nat(xlb, f"{comment(f'{name} has no local endpoints')}{DROP}")
