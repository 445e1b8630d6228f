"""What is found of kube-proxy's rules as a whole in texts from public reports, real programs and experiments.

Everything else of these collections has none of these faults: nodes without kube-proxy, in IPVS or nftables mode,
excerpts, firewalls.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.registry import catalogue
from iptviz.errors import DumpError
from tests.conftest import SHARED, part_of

if TYPE_CHECKING:
    from pathlib import Path

CASES = SHARED.parent / "cases"
NO_DUMPS = {".md", ".json", ".addresses", ".routes", ".sysctl", ".nft"}
OWN = {
    what for name in ("sync", "contradictions", "leftovers", "backends") for what in catalogue(name).diagnoses
}
OUTPUT_UNSEEN = {("hook-without-services", "if-complete")}
FOUND: dict[str, set[tuple[str, str]]] = {
    "cni/dnat-unsupported-in-sep.rules": OUTPUT_UNSEEN,
    "cni/duplicate-hostport.rules": OUTPUT_UNSEEN,
    "collect/spliced-at-line-end.txt": {("dual-backend", "certain")},
    "collect/spliced-iptables-save--c.txt": {("dual-backend", "certain")},
    "collect/spliced-iptablessave.txt": {("dual-backend", "certain")},
    "deep/dual-backend-warning.rules": {("dual-backend", "certain")},
    "exact/w-filter-rejects-same-address.rules": {("mixed-sync", "certain")},
    "exact/w-no-output.rules": {("hook-without-services", "certain")},
    "meet/ferm-noflush-nft": {("dual-backend", "certain")},
    "meet/mixed-sync.rules": {("mixed-sync", "certain")},
    "meet/restore-filter-nft": {("filter-flushed", "certain")},
    "reports/14-v6-never-synced.rules": {("mark-drop-missing", "certain")},
    "reports/20-legacy-calico-nft-kube.rules": {("dual-backend", "certain")},
    "reports/21-firewalld-flushed.rules": {("chains-removed", "certain")},
    "reports/63-no-prerouting-jump.rules": {("hook-without-services", "certain")},
}
"""The ids that are found in each text, and how sure; in two that lack their filter table, OUTPUT leads nowhere."""


def texts() -> list[Path]:
    """Every file that may be a dump, and every folder that is a node."""
    found = [path for path in sorted(CASES.glob("*/*")) if path.suffix not in NO_DUMPS]
    return [*found, *sorted(SHARED.glob("*/*.rules"))]


NAMED = {CASES / name for name in FOUND}


@pytest.mark.parametrize(
    "path", part_of(texts(), 4, NAMED), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_only_what_is_so_is_found(path: Path) -> None:
    try:
        node = iptviz.load_node(str(path))
    except DumpError:
        pytest.skip("holds no dump")
    found = {(one.id, one.certainty) for one in iptviz.check(node).findings if one.id in OWN}
    assert found == FOUND.get(f"{path.parent.name}/{path.name}", set())


def test_every_text_that_is_named_is_there() -> None:
    if not CASES.is_dir():
        pytest.skip("needs the collections")
    assert {f"{path.parent.name}/{path.name}" for path in texts()} >= set(FOUND)
