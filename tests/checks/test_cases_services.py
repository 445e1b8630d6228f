"""What is found of services in reports and experiments whose cause is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.registry import catalogue
from tests.conftest import SHARED

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.checks.finding import Finding

CASES = SHARED.parent / "cases"
CATALOGUES = ("services", "ways", "sources", "source_ranges", "frontends", "affinity")
OURS = {what for name in CATALOGUES for what in catalogue(name).diagnoses}
NODE = "2: eth0    inet 192.0.2.10/24 brd 192.0.2.255 scope global eth0\n"

FOUND: dict[str, set[str]] = {
    "cni/bridge-cni-first-nft/nft.rules": {"no-endpoints"},
    "exact/lb-ranges.rules": {"local-drop", "external-ip-public"},
    "exact/w-cond-jump-iface.rules": set(),
    "exact/w-foreign-net-dnat-in-kube-services.rules": {"asked-before-service"},
    "exact/w-mark-masq-foreign-clears.rules": {"no-masquerade"},
    "exact/w-no-kube-postrouting-jump.rules": {"no-masquerade"},
    "exact/w-no-masq-rule.rules": {"no-masquerade"},
    "exact/w-nth.rules": set(),
    "exact/w-prob-0.rules": {"endpoint-shadowed"},
    "exact/w-prob-1.rules": {"endpoint-shadowed"},
    "exact/w-return-on-top-of-kube-services.rules": {"asked-before-service"},
    "exact/w-sep-chain-recursion-via-foreign.rules": {"uneven-shares"},
    "exact/w-sep-no-dnat.rules": {"endpoint-without-dnat"},
    "exact/w-sep-range.rules": set(),
    "exact/w-sep-two-dnats.rules": {"endpoint-shadowed"},
    "exact/w-sep-udp-dnat.rules": {"endpoint-without-dnat"},
    "exact/w-stat-on-last.rules": {"connections-lost"},
    "exact/w-svc-accept-by-source.rules": set(),
    "exact/w-svc-return-by-source.rules": set(),
    "exact/w-svc-time.rules": set(),
    "exact/w-svc-unknown.rules": set(),
    "exact/w-vip-two-services.rules": {"hash-mismatch"},
    "meet/filter-only.rules": {"no-endpoints"},
    "meet/mixed-sync.rules": set(),
    "meet/no-comments.rules": {"no-endpoints"},
    "reports/01-externalip-ssh.rules": {"external-ip-is-node"},
    "reports/03-source-ranges-pods-1.24.rules": {"marked-drop-passes", "node-port-beyond-source-ranges"},
    "reports/03-source-ranges-pods-1.26.rules": {"node-port-beyond-source-ranges"},
    "reports/11-udp-dns.rules": set(),
    "reports/25-nfacct.rules": {"external-ip-public"},
    "reports/27-local-stale.rules": {"local-drop", "marked-drop-passes"},
    "reports/42-internal-local-none.rules": {"local-drop"},
    "reports/61-hostport-takes-services.rules": set(),
    "tools/nth.txt": {"uneven-shares"},
    "wild/excerpt-overclaim.txt": set(),
    "wild/listing-named-port.txt": {"no-endpoints"},
    "wild/quoted-rule-first.txt": {"hash-mismatch"},
    "wild/report-malformed-address.txt": {"hash-mismatch"},
    "wild/statistic-lost.txt": set(),
}
"""A case, and what is found in it that is more than information."""

TOLD: dict[str, set[str]] = {
    "reports/03-source-ranges-pods-1.26.rules": {"source-ranges", "lb-short-circuit"},
    "reports/11-udp-dns.rules": {"existing-udp-flows"},
    "wild/chain-not-in-excerpt.txt": {"service-unseen"},
}
"""A case, and what is told as information, among other things."""


@pytest.fixture
def node(tmp_path: Path) -> str:
    path = tmp_path / "addresses"
    path.write_text(NODE)
    return str(path)


@pytest.mark.parametrize("name", FOUND)
def test_a_case_is_told_by_its_cause(name: str, node: str) -> None:
    found = [one for one in _findings(name, node) if one.severity != "info"]
    assert {one.id for one in found} == FOUND[name]
    assert len(found) == len(FOUND[name])


@pytest.mark.parametrize("name", TOLD)
def test_what_is_worth_knowing_is_told(name: str, node: str) -> None:
    assert {one.id for one in _findings(name, node) if one.severity == "info"} >= TOLD[name]


def _findings(name: str, node: str) -> list[Finding]:
    path = CASES / name
    if not path.exists():
        pytest.skip("needs the cases")
    return [
        one for one in iptviz.check(iptviz.load_node(str(path)), addresses=node).findings if one.id in OURS
    ]
