"""What healthy nodes have is no fault: nothing above info is found that is not so.

All that kube-proxy writes in every era is tried; where a service has no endpoint, on no node or on none here, that is
true and found. `IPTVIZ_EVERY_ERA=1` tries what a cluster's own options make of it in every era, too.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.registry import catalogue
from iptviz.checks.wording import sentence
from tests.conftest import SHARED
from tests.kubeproxy import ERAS, saved
from tests.kubeproxy.eras import era
from tests.kubeproxy.features import everything

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kubeproxy import Cluster

TURNS = ERAS if os.environ.get("IPTVIZ_EVERY_ERA") else ("1.4", "1.16", "1.24", "1.29", ERAS[-1])
"""Releases of which every cluster is tried; of the others the one that has most features."""


def expected(cluster: Cluster) -> set[str]:
    """What is rightly found in what kube-proxy writes of a cluster."""
    found = set()
    for service in cluster.services:
        every, local = cluster.usable(service)
        if not every:
            found.add("no-endpoints")
        if every and not local and (service.local_only or service.internal_local):
            found.add("local-drop")
    # Before 1.2 kube-proxy wrote to nat alone, and left what has no endpoints unwritten.
    return found if era(cluster.era).minor > 1 else {"partial-dump"}


@pytest.mark.parametrize("release", ERAS)
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


@pytest.mark.parametrize("path", sorted(SHARED.glob("firewalls/*")), ids=lambda path: path.name)
def test_a_firewall_without_kubernetes_has_none_of_its_faults(path: Path) -> None:
    general = {what for name in GENERAL for what in catalogue(name).diagnoses}
    found = [one for dump in iptviz.load_all(str(path))[0] for one in iptviz.check(dump).findings]
    assert [sentence(one) for one in found if one.id not in general] == []
