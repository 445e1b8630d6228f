"""What marks packets to be masqueraded or dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubeproxy.eras import era
from tests.kubeproxy.words import from_pods

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Cluster

DROP = "-j KUBE-MARK-DROP"


def masquerade(cluster: Cluster) -> str:
    """The target that marks for masquerading: 1.1 set the mark in place."""
    has_chain = era(cluster.era).has("KUBE-MARK-MASQ")
    return "-j KUBE-MARK-MASQ" if has_chain else "-j MARK --set-xmark 0x4d415351/0xffffffff"


def cluster_ip_sources(cluster: Cluster) -> list[dict[str, str]]:
    """Whose connections to cluster IPs are masqueraded: a match for each rule."""
    release = era(cluster.era)
    by_network = release.has("masquerading by pod network") and from_pods(cluster, inverted=True)
    rules: list[dict[str, str]] = [{}] if cluster.masquerade_all and release.has("masquerade-all") else []
    if by_network and (not rules or release.has("masquerade-all beside the network")):
        rules.append(by_network)
    return rules
