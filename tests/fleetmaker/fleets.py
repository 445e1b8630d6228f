"""Whole fleets: the files of all nodes, with the truth about them."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from tests.fleetmaker.troubles import NEWER, TROUBLES, Draft
from tests.fleetmaker.world import world
from tests.fleetmaker.writing import Setup
from tests.kubeproxy.eras import era

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.fleetmaker.truth import Truth
    from tests.fleetmaker.world import World

HOST_PORT = 9100


class Fleet(NamedTuple):
    """Files by their names without suffix, which are the nodes', and what must be told of them."""

    texts: dict[str, str]
    truth: Truth

    def write(self, folder: Path) -> list[Path]:
        """Write all files, and return them in order."""
        paths = [folder / f"{name}.txt" for name in sorted(self.texts)]
        for path in paths:
            path.write_text(self.texts[path.stem])
        return paths


def healthy(seed: int, machines: int, setup: Setup, services: int | None = None) -> Fleet:
    """Return a fleet without any trouble."""
    return fleet_with((), seed, machines, setup, services)


def fleet_with(
    troubles: Iterable[str], seed: int, machines: int, setup: Setup | None = None, services: int | None = None
) -> Fleet:
    """Return a fleet with troubles, each on nodes of its own."""
    troubles = list(troubles)
    setup = _suited(setup or Setup(), troubles)
    made = world(seed, machines) if services is None else world(seed, machines, services)
    dice = random.Random(f"fleet {seed}")
    draft = Draft(made, setup, dice, list(made.machines))
    dice.shuffle(draft.free)
    for name in troubles:
        TROUBLES[name](draft)
    for machine in draft.free:
        draft.write(machine, draft.healthy(machine))
    draft.truth.rightly = _rightly(made, setup)
    return Fleet(draft.texts, draft.truth)


def _suited(setup: Setup, troubles: Iterable[str]) -> Setup:
    """Return a setup in which the troubles can be: a release that has a newer form, a host port."""
    if "roll-out" in troubles and setup.release not in NEWER:
        setup = replace(setup, release="1.26")
    return replace(setup, host_port=HOST_PORT) if "host port" in troubles else setup


def _rightly(made: World, setup: Setup) -> dict[str, int]:
    """Return how many service ports may have other endpoints on some nodes than on others, by policy and by topology."""
    zones = {machine.number: machine.zone for machine in made.machines}
    inside = era(setup.release).has("internal policy Local") or setup.nftables
    near = [
        {frozenset(spec.usable(machine, zones)[0]) for machine in made.machines}
        for spec in made.specs
        if spec.near
    ]
    counts = {
        "local policy": sum(spec.local_only or (spec.internal_local and inside) for spec in made.specs),
        "topology": sum(len(sets) > 1 for sets in near),
    }
    return {why: count * len(setup.families) for why, count in counts.items() if count}
