"""The kernel judges what the node sends to itself: out by lo and in again, past random rules.

A long run, of rule sets that nobody has tried, half of them for each backend:

    sudo IPTVIZ_REQUIRE_KERNEL=1 IPTVIZ_RULE_SETS=2000 IPTVIZ_FIRST_SEED=1000000 .venv/bin/python -m pytest -n auto \\
        tests/kernel/test_looped.py
"""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS, NOTHING
from tests.kernel.random_tables import PLAIN, PORTS, Menu, random_rules
from tests.kernel.test_packets import ask, asked, matched, trouble_with
from tests.kernel.universe import in_family
from tests.kernel.wire import ROUTER, wire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kernel.random_tables import Place
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULE_SETS = int(os.environ.get("IPTVIZ_RULE_SETS", "20"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
PACKETS = 4
BATCH = 20
SEEDS = range(FIRST_SEED, FIRST_SEED + RULE_SETS, BATCH)
QUIET = "*security\n-A INPUT -j DROP\nCOMMIT\n"
"""The last table that is asked: what the node would answer counts nowhere."""


def _targets(place: Place) -> list[str]:
    """What does not answer by itself, and leaves the connection as it is."""
    return [
        one for one in PLAIN.targets(place) if one.split()[0] not in {"REJECT", "NOTRACK", "CT", "MASQUERADE"}
    ]


LOOPED = Menu(PLAIN.match, _targets)


@pytest.mark.parametrize("first", SEEDS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", [4, 6])
def test_what_the_node_sends_to_itself_meets_what_is_predicted(
    backend: str, family: int, first: int, tmp_path: Path
) -> None:
    seeds = range(first + BACKENDS.index(backend), min(first + BATCH, SEEDS.stop), len(BACKENDS))
    with wire(backend, family) as lab:
        around = {"addresses": tmp_path / "addresses", "routes": tmp_path / "routes"}
        around["addresses"].write_text(lab.router.run("ip", "addr"))
        around["routes"].write_text(lab.router.run("ip", f"-{family}", "route", "show", "table", "all"))
        for seed in seeds:
            check_rule_set(lab, seed, {name: str(path) for name, path in around.items()})


def check_rule_set(lab: Wire, seed: int, around: dict[str, Any]) -> None:
    dice = random.Random(seed)
    family = lab.router.family
    rules = random_rules(seed, family, "looped", LOOPED)
    lab.router.load(NOTHING + rules + QUIET)
    before = iptviz.load(lab.router.save("-c").encode())
    for number in range(PACKETS):
        sent = Sent(
            in_family(dice.choice([*ROUTER, "10.3.0.1"]), family),
            dice.choice(["tcp", "udp"]),
            1024 + (seed * PACKETS + number) % 60_000,
            dice.choice(PORTS),
            tos=dice.choice([0, 0x10]),
            source=in_family(ROUTER[1], family),
        )
        there, _ = lab.send_out(sent)
        after = iptviz.load(lab.router.save("-c").encode())
        question = asked(sent, out_iface=None, local_ips=()) | around
        trouble = trouble_with(sent, ask(after, question).outcomes, matched(before, after), there)
        assert not trouble, f"seed {seed}: {trouble}\n{rules}"
        before = after
