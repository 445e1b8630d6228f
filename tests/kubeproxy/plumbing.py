"""What a node has whatever its services: hooks, marking chains, forwarding rules, canaries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubeproxy.eras import era
from tests.kubeproxy.words import comment, host

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Cluster
    from tests.kubeproxy.eras import Era
    from tests.kubeproxy.tables import Tables

_NEW = "-m conntrack --ctstate NEW "
_ACCEPT = "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
_MARKED = "-m mark --mark 0x4000/0x4000"


def write_plumbing(tables: Tables, cluster: Cluster) -> None:
    """Write the fixed part; comes last, for the jump to the node ports is the last rule of its chain."""
    release = era(cluster.era)
    _nat(tables, cluster)
    if release.has("filter"):
        _filter_hooks(tables, release)
        _firewall(tables, cluster, release)
    if release.has("KUBE-FORWARD"):
        _forward(tables, cluster, release)
    if release.has("canaries"):
        for table in ("mangle", "filter", "nat"):
            tables.declare(table, "KUBE-PROXY-CANARY", "KUBE-KUBELET-CANARY")
    if release.has("KUBE-IPTABLES-HINT"):
        tables.declare("mangle", "KUBE-IPTABLES-HINT")


def _nat(tables: Tables, cluster: Cluster) -> None:
    release = era(cluster.era)
    note = comment("kubernetes service nodeports; NOTE: this must be the last rule in this chain")
    for match in _node_port_matches(cluster):
        addresses, _, kind = match.partition("-m")
        tables.nat("KUBE-SERVICES", f"{addresses}{note}{f'-m{kind} ' if kind else ''}-j KUBE-NODEPORTS")
    for hook in ("PREROUTING", "OUTPUT"):
        tables.nat(hook, f"{comment('kubernetes service portals')}-j KUBE-SERVICES")
    tables.declare("nat", "KUBE-NODEPORTS", "KUBE-SERVICES")
    _masquerading(tables, release)
    if release.has("marked packets dropped"):
        tables.nat("KUBE-MARK-DROP", "-j MARK --set-xmark 0x8000/0x8000")


def _node_port_matches(cluster: Cluster) -> list[str]:
    """Which addresses have node ports: one match for each jump."""
    if cluster.node_port_addresses:
        return [f"-d {host(cluster, ip)} " for ip in cluster.node_port_addresses]
    loopback = ""
    if cluster.family == 6 and era(cluster.era).has("no node ports on ::1"):
        loopback = "! -d ::1/128 "
    elif cluster.family == 4 and not cluster.localhost_node_ports:
        loopback = "! -d 127.0.0.0/8 "
    return [f"{loopback}-m addrtype --dst-type LOCAL"]


def _masquerading(tables: Tables, release: Era) -> None:
    snat = comment("kubernetes service traffic requiring SNAT")
    target = f"MASQUERADE{' --random-fully' if release.has('random-fully') else ''}"
    if not release.has("KUBE-MARK-MASQ"):
        tables.nat("POSTROUTING", f"{snat}-m mark --mark 0x4d415351 -j {target}")
        return
    tables.nat("POSTROUTING", f"{comment('kubernetes postrouting rules')}-j KUBE-POSTROUTING")
    tables.nat("KUBE-MARK-MASQ", "-j MARK --set-xmark 0x4000/0x4000")
    if release.has("three rules masquerade"):
        tables.nat("KUBE-POSTROUTING", "-m mark ! --mark 0x4000/0x4000 -j RETURN")
        tables.nat("KUBE-POSTROUTING", "-j MARK --set-xmark 0x4000/0x0")
        tables.nat("KUBE-POSTROUTING", f"{snat}-j {target}")
    else:
        tables.nat("KUBE-POSTROUTING", f"{snat}{_MARKED} -j {target}")


_HOOKS = (
    ("KUBE-PROXY-FIREWALL", _NEW, "kubernetes load balancer firewall",
     {"INPUT": "KUBE-PROXY-FIREWALL", "FORWARD": "KUBE-PROXY-FIREWALL", "OUTPUT": "KUBE-PROXY-FIREWALL"}),
    ("KUBE-NODEPORTS", "", "kubernetes health check service ports", {"INPUT": "health checks"}),
    ("KUBE-FORWARD", "", "kubernetes forwarding rules", {"FORWARD": "KUBE-FORWARD"}),
    ("KUBE-SERVICES", _NEW, "kubernetes service portals",
     {"INPUT": "KUBE-SERVICES in INPUT", "FORWARD": "KUBE-SERVICES in FORWARD", "OUTPUT": "filter"}),
    ("KUBE-EXTERNAL-SERVICES", _NEW, "kubernetes externally-visible service portals",
     {"INPUT": "KUBE-EXTERNAL-SERVICES", "FORWARD": "KUBE-EXTERNAL-SERVICES in FORWARD"}),
)  # fmt: skip
"""Jumps of the filter table: the chain, a match, a comment, and which trait makes which hook jump."""


def _filter_hooks(tables: Tables, release: Era) -> None:
    for chain, match, note, hooks in _HOOKS:
        wanted = [hook for hook, trait in hooks.items() if release.has(trait)]
        if chain == "KUBE-FORWARD" and release.has("`forward rules`"):
            note = "kubernetes forward rules"  # noqa: PLW2901
        for hook in wanted:
            only_new = match if release.has("new connections alone") else ""
            tables.filter(hook, f"{only_new}{comment(note)}-j {chain}")
        if wanted:
            tables.declare("filter", chain)


def _firewall(tables: Tables, cluster: Cluster, release: Era) -> None:
    """Write what kubelet keeps: packets marked to be dropped, and strangers to loopback addresses."""
    if not release.has("KUBE-FIREWALL"):
        return
    tables.filter("INPUT", "-j KUBE-FIREWALL")
    tables.filter("OUTPUT", "-j KUBE-FIREWALL")
    tables.declare("filter", "KUBE-FIREWALL")
    if release.has("marked packets dropped"):
        note = comment("kubernetes firewall for dropping marked packets")
        tables.filter("KUBE-FIREWALL", f"{note}-m mark --mark 0x8000/0x8000 -j DROP")
    if release.has("localnet blocked") and cluster.family == 4:
        note = comment("block incoming localnet connections")
        known = "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT"
        tables.filter("KUBE-FIREWALL", f"! -s 127.0.0.0/8 -d 127.0.0.0/8 {note}{known} -j DROP")


def _forward(tables: Tables, cluster: Cluster, release: Era) -> None:
    if release.has("INVALID dropped"):
        counted = "-m nfacct --nfacct-name  ct_state_invalid_dropped_pkts " if cluster.nfacct else ""
        tables.filter("KUBE-FORWARD", f"-m conntrack --ctstate INVALID {counted}-j DROP")
    early = release.has("`forward rules`")
    note = comment("kubernetes forward rules" if early else "kubernetes forwarding rules")
    tables.filter("KUBE-FORWARD", f"{note}{_MARKED} -j ACCEPT")
    by_network = release.has("forwarding by network")
    if not by_network and not release.has("two forwarding rules"):
        tables.filter("KUBE-FORWARD", f"{comment('kubernetes forwarding conntrack rule')}{_ACCEPT}")
    elif not by_network or cluster.detect == "cidr":
        for option, which in (("-s", "source"), ("-d", "destination")):
            network = f"{option} {cluster.pod_cidr} " if by_network else ""
            text = comment(f"kubernetes forwarding conntrack pod {which} rule")
            tables.filter("KUBE-FORWARD", f"{network}{text}{_ACCEPT}")
