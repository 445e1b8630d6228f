"""What healthy nodes have is no fault: nothing above info is found that is not so.

All that kube-proxy writes in every second era is tried; where a service has no endpoint, on no node or on none here,
that is true and found. `IPTVIZ_EVERY_ERA=1` tries every era, and what a cluster's own options make of it in each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.registry import catalogue
from iptviz.checks.wording import sentence
from tests.conftest import EVERYTHING, SHARED, part_of
from tests.kubeproxy import ERAS, saved
from tests.kubeproxy.eras import era
from tests.kubeproxy.features import everything

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.kubeproxy import Cluster, Service

TURNS = ERAS if EVERYTHING else ("1.4", "1.24", ERAS[-1])
"""Releases of which every cluster is tried; of the others the one that has most features."""


def expected(cluster: Cluster) -> set[str]:
    """What is rightly found in what kube-proxy writes of a cluster."""
    release = era(cluster.era)
    # Before 1.2 kube-proxy wrote to nat alone, and left what has no endpoints unwritten.
    found = {what for service in cluster.services for what in _of_service(cluster, service)}
    found = found if release.has("filter") else {"partial-dump", *found} - REFUSED
    if not by_network(cluster):
        found.add("no-masquerade")
    return found


REFUSED = {"no-endpoints", "local-drop"}


def by_network(cluster: Cluster) -> bool:
    """Whether kube-proxy is told how to tell pods, so that it masquerades other clients of cluster IPs."""
    told = era(cluster.era).has("masquerading by pod network") and cluster.detect != "none"
    return told or cluster.masquerade_all or not era(cluster.era).has("masquerading by pod network")


def _of_service(cluster: Cluster, service: Service) -> Iterator[str]:
    """Yield what is rightly found of a service."""
    release = era(cluster.era)
    every, local = cluster.usable(service)
    if not every:
        yield "no-endpoints"
    elif not local and (service.local_only or service.internal_local):
        yield "local-drop"
    if service.external_ips:
        yield "external-ip-public"  # all are public here, or stand for such
    open_too = service.node_port or service.external_ips
    if service.source_ranges and open_too and release.has("KUBE-FIREWALL"):
        yield "node-port-beyond-source-ranges"
    # What kube-proxy only marked: source ranges, and external addresses that lead to this node's endpoints alone.
    forwarded = service.load_balancer_ips or service.external_ips
    unserved = service.local_only and every and not local
    if release.has("drop mark") and forwarded and (service.source_ranges or unserved or not every):
        yield "marked-drop-passes"


@pytest.mark.parametrize("release", part_of(ERAS, 2, TURNS))
def test_what_kube_proxy_writes_is_no_fault(release: str) -> None:
    for cluster in everything(release)[: None if release in TURNS else 1]:
        dump = iptviz.load(saved(cluster).encode())
        found = [one for one in iptviz.check(dump).findings if one.severity != "info"]
        assert {one.id for one in found} <= expected(cluster), [sentence(one) for one in found]


@pytest.mark.parametrize("name", ["gke-1.2-before", "gke-1.2-after", "k8s-1.32-flannel-one-node"])
def test_a_node_that_works_has_no_fault(name: str) -> None:
    path = SHARED / f"kubernetes/{name}.rules"
    if not path.exists():
        pytest.skip("needs the corpus")
    assert [sentence(one) for one in iptviz.check(iptviz.load(path)).findings if one.severity != "info"] == []


GENERAL = ("reading", "unprinted", "refused", "misplaced", "rules", "never_matching")
"""Catalogues whose findings hold for any firewall."""


@pytest.mark.parametrize("path", part_of(sorted(SHARED.glob("firewalls/*")), 2), ids=lambda path: path.name)
def test_a_firewall_without_kubernetes_has_none_of_its_faults(path: Path) -> None:
    general = {what for name in GENERAL for what in catalogue(name).diagnoses}
    found = [one for dump in iptviz.load_all(str(path))[0] for one in iptviz.check(dump).findings]
    assert [sentence(one) for one in found if one.id not in general] == []
