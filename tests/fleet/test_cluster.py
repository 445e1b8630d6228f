"""Of a generated cluster exactly what was planted is named: the truth stands beside the generator.

A long run, of clusters that nobody has tried:

    IPTVIZ_FLEETS=200 IPTVIZ_FIRST_SEED=1000000 pytest -n auto tests/fleet/test_cluster.py
"""

from __future__ import annotations

import os
import random
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from iptviz.fleets.summary import places
from iptviz.questions.fleet import fleet
from tests.fleetmaker import TROUBLES, Setup, fleet_with, healthy

if TYPE_CHECKING:
    from pathlib import Path

    from iptviz.questions.fleet import FleetResult
    from tests.fleetmaker import Fleet

FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
FLEETS = int(os.environ.get("IPTVIZ_FLEETS", "1"))
SEEDS = range(FIRST_SEED, FIRST_SEED + FLEETS)
alone = pytest.mark.skipif(FLEETS == 1, reason="asked together; each alone with IPTVIZ_FLEETS=2 or more")

FEW, SMALL, LARGE = 6, 12, 60
"""How many nodes a cluster has."""

ENOUGH = LARGE if FLEETS > 1 else 36
"""How many a cluster needs at least that has all troubles."""

USUAL = (14, 24) if FLEETS > 1 else (8, 10)
"""How many a random cluster has, at least and at most."""

SETUPS = {
    "as usual": Setup(),
    "node networks": Setup(own_network=True),
    "pods by bridge": Setup(detect="bridge"),
    "pods not told": Setup(detect="none"),
    "node ports at own addresses": Setup(own_node_ports=True),
    "counters": Setup(counters=True),
    "both families": Setup(families=(4, 6), own_network=True),
    "host ports": Setup(host_port=9100),
    "nftables mode": Setup(nftables=True),
    "nftables mode, node networks": Setup(nftables=True, own_network=True, own_node_ports=True),
    "1.24": Setup(release="1.24"),
    "1.18, endpoints in no order": Setup(release="1.18"),
}

OFTEN = {"both families", "nftables mode, node networks", "1.18, endpoints in no order"}
"""Setups of which each short run asks."""

TOGETHER = [name for name in TROUBLES if name != "two frozen"]

OWN = {"local policy", "topology"}
"""Why service ports are rightly different on nodes whose setup is the same."""


def asked(made: Fleet, folder: Path) -> FleetResult:
    """Return what is told of a fleet."""
    return fleet(*map(str, made.write(folder)))


def stem(source: str) -> str:
    return source.rpartition("/")[2].removesuffix(".txt")


def named(result: FleetResult) -> set[tuple[str, str, str, str]]:
    """Return what is odd, node by node and endpoint by endpoint."""
    return {
        (odd.id, odd.service.text if odd.service else "", end, stem(result.summary.nodes[place].source))
        for odd in result.odd
        for end in odd.endpoints or ("",)
        for place in places(odd.nodes)
    }


def judge(made: Fleet, folder: Path) -> FleetResult:
    """Compare what is told of a fleet with the truth, and return it."""
    result, truth = asked(made, folder), made.truth
    nodes = result.summary.nodes
    assert named(result) == truth.atoms()
    assert {stem(one.source) for one in result.summary.unreadable} == truth.unreadable
    assert {stem(node.source) for node in nodes if not node.complete} == truth.incomplete
    noticed = {
        (one.finding.id, stem(nodes[place].source))
        for one in result.summary.noticed.values()
        for place in places(one.nodes)
    }
    wanted = {finding for finding, _ in truth.noticed}
    assert {one for one in noticed if one[0] in wanted} == truth.noticed
    rightly = {one.why: one.ports for one in result.rightly if one.why in OWN}
    # Whether sets of nodes are zones is known where rules tell on which nodes endpoints are.
    divided = sum(dict(note.values)["count"] for note in result.notes if note.id == "fleet-divided")  # type: ignore[misc]
    if topology := rightly.pop("topology", 0) + divided:
        rightly["topology"] = topology
    assert rightly == truth.rightly
    return result


@alone
@pytest.mark.parametrize("trouble", TROUBLES)
def test_each_trouble_is_named_and_nothing_else(trouble: str, tmp_path: Path) -> None:
    judge(fleet_with([trouble], 1, SMALL), tmp_path)


def test_nodes_that_are_frozen_alike_are_named(tmp_path: Path) -> None:
    judge(fleet_with(["two frozen"], 1, SMALL), tmp_path)


def test_all_troubles_together_are_told_apart(tmp_path: Path) -> None:
    result = judge(fleet_with(TOGETHER, 2, ENOUGH), tmp_path)
    assert result.differs


@pytest.mark.parametrize("setup", [name for name in SETUPS if FLEETS > 1 or name in OFTEN])
def test_of_a_healthy_cluster_nothing_is_named(setup: str, tmp_path: Path) -> None:
    result = judge(healthy(3, FEW, SETUPS[setup]), tmp_path)
    assert not result.differs
    assert len(result.groups) == 1


@alone
def test_of_sixty_healthy_nodes_nothing_is_named(tmp_path: Path) -> None:
    setup = Setup(own_network=True, counters=True, host_port=9100)
    assert not judge(healthy(4, LARGE, setup, services=40), tmp_path).differs


@pytest.mark.parametrize("seed", SEEDS)
def test_random_clusters(seed: int, tmp_path: Path) -> None:
    dice = random.Random(f"random cluster {seed}")
    setup = replace(
        Setup(),
        release=dice.choice(["1.24", "1.26", "1.29", "1.31"]),
        own_network=dice.random() < 0.5,
        detect=dice.choice(["cidr", "cidr", "bridge", "prefix", "none"]),
        own_node_ports=dice.random() < 0.2,
        counters=dice.random() < 0.3,
        families=(4, 6) if dice.random() < 0.2 else (4,),
    )
    troubles = dice.sample(TOGETHER, dice.randint(0, 3))
    judge(fleet_with(troubles, seed, dice.randint(*USUAL), setup, dice.randint(17, 30)), tmp_path)
