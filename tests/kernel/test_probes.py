"""Whole ways on nodes where other programs wrote rules beside kube-proxy: `trace` against connections tried there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from tests.conftest import FIXTURES
from tests.kernel.attempts import NODE
from tests.kernel.probes import ProbedSite, probes
from tests.kernel.ways import CHANCE, Comparison, Setting

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kernel.asked_conditions import Shape
    from tests.kernel.probes import Probe
    from tests.kernel.ways import Trouble

FOLDERS = sorted({path.parent for path in (FIXTURES / "probed").glob("*/*/*.rules")})
GIVEN = ("nft.rules", "legacy.rules", "addresses", "routes")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_node_that_others_wrote_on_does_what_is_said(folder: Path) -> None:
    node = iptviz.load_node(*(str(folder / name) for name in GIVEN if (folder / name).exists()))
    site = ProbedSite(folder)
    found = [f"{probe}: {trouble}" for probe in probes(folder) for trouble in _troubles(node, site, probe)]
    assert not found, "\n".join(found)


def _troubles(node: iptviz.Snapshot, site: ProbedSite, probe: Probe) -> list[Trouble]:
    asked = probe.fate.attempt
    address = "" if site.has(asked.destination) else asked.destination
    result = iptviz.trace(node, f"{address}:{asked.port}/tcp")
    return [
        trouble
        for service in result.to_dict()["services"]
        for trouble in _trouble(service["paths"], site, probe)
    ]


def _trouble(paths: list[Shape], site: ProbedSite, probe: Probe) -> list[Trouble]:
    """What disagrees; a connection that timed out came nowhere, or was not answered."""
    asks = Setting((("net.bridge.bridge-nf-call-iptables", "0" if site.is_bypassed else "1"),))
    comparison = Comparison(paths, site, asks)
    if not probe.timed_out:
        probe.fate.at = NODE if probe.fate.arrived and site.has(probe.fate.arrived.destination) else ""
        return list(comparison.troubles([probe.fate], CHANCE))
    return list(comparison.silence(probe.fate))
