"""What nodes of public reports, and those where other programs met kube-proxy, have of rules of others and of settings.

Silence counts as well: CNI plug-ins, docker, sshuttle, miniupnpd and libvirt publish ports beside kube-proxy's.
"""

from __future__ import annotations

import pytest

import iptviz
from iptviz.checks.registry import catalogue
from tests.conftest import FIXTURES, SHARED

CASES = SHARED.parent / "cases"
OWN = {
    what
    for name in ("preemption", "host_ports", "untracked", "settings", "masquerading")
    for what in catalogue(name).diagnoses
}
EVERYWHERE = {"route-localnet", "bridge-nf-call", "no-random-fully"}
"""What depends on settings that no dump shows, or is a release's nature: information."""

FOUND = {
    "cni/bridge-cni-first-nft/nft.rules": {"hostport-duplicate"},
    "cni/bridge-unclean-kube-first-legacy/legacy6.rules": {"hostport-duplicate"},
    "cni/duplicate-hostport.rules": {"hostport-duplicate"},
    "reports/08-hostport-stale.rules": {"hostport-duplicate"},
    "reports/08-listing.txt": {"hostport-duplicate"},
    "reports/10-nodelocaldns-good.rules": {"untracked-service"},
    "reports/10-raw-accept-before-notrack.rules": {"untracked-service"},
    "exact/nodelocal-dns.rules": {"untracked-service"},
    "exact/w-raw-notrack.rules": {"untracked-service"},
    "reports/28-kind-dport-lost.rules": {"dnat-whole-protocol"},
    "reports/61-hostport-takes-services.rules": {"hostport-preempts"},
    "reports/62-accept-first.rules": {"foreign-dnat-first"},
    "reports/14-v6-never-synced.rules": {"double-masquerade"},
    "cni/ext-kube-first-nft/nft.rules": set(),
    "cni/libvirt-kube-first-nft/nft.rules": set(),
    "cni/miniupnpd-legacy/legacy.rules": {"foreign-dnat-first"},
    "cni/sshuttle-tproxy-some-nft/nft.rules": set(),
    "meet/docker-nft": set(),
    "meet/netavark.rules": set(),
    "meet/netavark-nft": set(),
    "reports/19-istio-good.rules": set(),
    "reports/51-talos-ipvs-hostport.rules": set(),
}


@pytest.mark.parametrize("name", FOUND)
def test_each_case_has_what_its_report_says(name: str) -> None:
    path = CASES / name
    if not path.exists():
        pytest.skip("needs the cases")
    found = {one.id for one in iptviz.check(iptviz.load_node(str(path))).findings}
    assert (found & OWN) - EVERYWHERE == FOUND[name]


def test_what_is_left_out_of_a_proxy_is_not_named_and_node_ports_are() -> None:
    path = FIXTURES / "checks/foreign-dnat-first/fault-all-but-services.rules"
    (one,) = [each for each in iptviz.check(iptviz.load(path)).findings if each.id == "foreign-dnat-first"]
    assert dict(one.values)["taken"] == ("203.0.113.10:80/tcp (shop/web:http)", ":30080/tcp (shop/web:http)")
    assert dict(one.values)["when"] == ()
