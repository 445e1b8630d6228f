"""Chains that share connections out among endpoints, and the chains of the endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubeproxy.eras import era
from tests.kubeproxy.marks import masquerade
from tests.kubeproxy.words import (
    affinity,
    chain_hash,
    chance,
    comment,
    digits,
    host,
    name_of,
    pod,
    recent_mask,
)

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Cluster, Endpoint, Service
    from tests.kubeproxy.tables import Tables


def balance(
    tables: Tables, cluster: Cluster, service: Service, chain: str, endpoints: list[Endpoint]
) -> None:
    """Write the affinity and balancing rules of one chain, and its endpoints' chains."""
    name = name_of(cluster, service)
    pods = [(end, f"KUBE-SEP-{chain_hash(name + service.protocol + pod(end))}") for end in endpoints]
    _remember(tables, cluster, service, chain, pods)
    for place, (end, sep) in enumerate(pods):
        remaining = len(pods) - place
        statistic = ""
        if remaining > 1:
            text = f"{float(chance(remaining, digits(cluster))):.11f}"
            statistic = f"-m statistic --mode random --probability {text} "
        tables.nat(chain, f"{comment(_comment(cluster, name, chain, end, place))}{statistic}-j {sep}")
        _endpoint(tables, cluster, service, end, sep)


def _remember(
    tables: Tables, cluster: Cluster, service: Service, chain: str, pods: list[tuple[Endpoint, str]]
) -> None:
    seconds = affinity(cluster, service)
    in_xlb = chain.startswith("KUBE-XLB-")
    if seconds is None or (in_xlb and not era(cluster.era).has("affinity with policy Local")):
        return
    for end, sep in pods:
        text = (
            name_of(cluster, service) if in_xlb else _comment(cluster, name_of(cluster, service), chain, end)
        )
        match = f"-m recent --rcheck --seconds {seconds} --reap --name {sep} {recent_mask(cluster)}"
        tables.nat(chain, f"{comment(text)}{match} -j {sep}")


def _comment(cluster: Cluster, name: str, chain: str, endpoint: Endpoint, place: int = 0) -> str:
    """The comment of a rule that leads to an endpoint; those of KUBE-XLB chains were never lost."""
    release = era(cluster.era)
    if chain.startswith("KUBE-XLB-"):
        return f"Balancing rule {place} for {name}" if release.has("numbered balancing rules") else name
    if cluster.large:
        return ""
    if release.has("comments name the endpoint"):
        return f"{name} -> {pod(endpoint)}"
    return name if release.has("comments name the service") else ""


def _endpoint(tables: Tables, cluster: Cluster, service: Service, endpoint: Endpoint, sep: str) -> None:
    if tables.has(sep):
        return
    silent = cluster.large or not era(cluster.era).has("comments of endpoints")
    text = comment("" if silent else name_of(cluster, service))
    tables.nat(sep, f"-s {host(cluster, endpoint[0])} {text}{masquerade(cluster)}")
    sticky = f"-m recent --set --name {sep} {recent_mask(cluster)} " if service.affinity else ""
    protocol = service.protocol
    tables.nat(sep, f"-p {protocol} {text}{sticky}-m {protocol} -j DNAT --to-destination {pod(endpoint)}")
