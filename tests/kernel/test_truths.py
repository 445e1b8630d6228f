"""The kernel judges single matches of every kind: does a rule count a packet, as it is said to?

What is said for certain must be so; what hangs on a condition is counted. A long run, of matches that nobody has
tried, so many truths for each backend:

    sudo IPTVIZ_REQUIRE_KERNEL=1 IPTVIZ_TRUTHS=2000 IPTVIZ_FIRST_SEED=1000000 .venv/bin/python -m pytest -n auto -rP \\
        tests/kernel/test_truths.py
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import iptviz
from tests.kernel.lab import BACKENDS, NOTHING
from tests.kernel.netlink import forget_connections
from tests.kernel.random_matches import random_match, sets
from tests.kernel.rare_frames import WITH_PORTS, random_rare
from tests.kernel.universe import in_family
from tests.kernel.wire import ROUTER, wire

if TYPE_CHECKING:
    from pathlib import Path

    from tests.kernel.rare_frames import Rare
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

MATCHES, PACKETS = 20, 4
TRUTHS = int(os.environ.get("IPTVIZ_TRUTHS", "160"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
BATCHES = -(-TRUTHS // (2 * MATCHES * PACKETS))
"""For each family; a run has that many rule sets."""
SOME = 5
"""So many batches share a router."""
SEEDS = range(FIRST_SEED, FIRST_SEED + BATCHES, SOME)

PLACES = {
    "prerouting": [
        ("raw", "PREROUTING"), ("mangle", "PREROUTING"), ("mangle", "INPUT"), ("mangle", "FORWARD"),
        ("filter", "FORWARD"), ("filter", "INPUT"), ("mangle", "POSTROUTING"),
    ],
    "output": [("raw", "OUTPUT"), ("mangle", "OUTPUT"), ("filter", "OUTPUT"), ("mangle", "POSTROUTING")],
}  # fmt: skip
TRACKING = "*security\n-A FORWARD -m conntrack --ctstate NEW\nCOMMIT\n"
"""That connections are tracked hangs on no match."""


class Batch(NamedTuple):
    """Rules of one chain, each of one match and without a target, and packets for them."""

    table: str
    chain: str
    rules: list[str]
    packets: list[Rare]

    def dump(self) -> str:
        """The rules as they are loaded; the router answers nothing, which would count, too."""
        lines = [f"-A {self.chain} {rule}" for rule in self.rules]
        tables = {
            self.table: lines,
            "filter": [*(lines if self.table == "filter" else ()), "-A INPUT -j DROP"],
        }
        return TRACKING + "".join(
            f"*{name}\n" + "\n".join([*some, "COMMIT\n"]) for name, some in tables.items()
        )


def random_batch(seed: int, family: int) -> Batch:
    """Return what a seed says."""
    dice = random.Random(seed * 2 + family % 4)
    hook = dice.choice(["prerouting", "prerouting", "output"])
    table, chain = dice.choice(PLACES[hook])
    rules = [random_match(dice, family, chain) for _ in range(MATCHES)]
    packets = [random_rare(dice, family, hook, seed * PACKETS + number) for number in range(PACKETS)]
    return Batch(table, chain, rules, packets)


@pytest.mark.parametrize("first", SEEDS)
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", [4, 6])
def test_what_is_said_of_a_match_for_certain_is_so(
    backend: str, family: int, first: int, tmp_path: Path
) -> None:
    told: Counter[str] = Counter()
    with wire(backend, family) as lab:
        around = _around(lab, tmp_path)
        for seed in range(first, min(first + SOME, FIRST_SEED + BATCHES)):
            told += check_batch(lab, random_batch(seed, family), around, random.Random(seed))
    print(dict(told))  # of a long run it is worth to know
    assert told["certain"] > told["conditions"]


def _around(lab: Wire, folder: Path) -> dict[str, Any]:
    """What the router says of itself."""
    for name, command in {
        "addresses": "addr",
        "routes": f"-{lab.router.family} route show table all",
    }.items():
        (folder / name).write_text(lab.router.run("ip", *command.split()))
    lab.router.run("ipset", "restore", stdin=sets(lab.router.family))
    (folder / "ipset").write_text(lab.router.run("ipset", "save"))
    return {name: str(folder / name) for name in ("addresses", "routes", "ipset")}


def check_batch(lab: Wire, batch: Batch, around: dict[str, Any], dice: random.Random) -> Counter[str]:
    """Load what can be loaded, send the packets, and compare what is said with what is counted."""
    batch = _loaded(lab, batch)
    told: Counter[str] = Counter()
    before = _rules(lab, batch)
    for rare in batch.packets:
        send(lab, rare)
        after = _rules(lab, batch)
        for rule, old in zip(after, before, strict=True):
            assert rule.counters is not None
            assert old.counters is not None
            question = _question(rare, lab, around, dice)
            said = answer(batch, rule.text, question)
            told["conditions" if said is None else "certain"] += 1
            counted = rule.counters.packets > old.counters.packets
            agree = said in {None, counted} or _hangs_on_the_kernel(rule.text, rare)
            assert agree, f"{rule.text}: said {said}, the kernel {counted}\n{rare}\n{question}"
        before = after
    return told


def _loaded(lab: Wire, batch: Batch) -> Batch:
    """Load the rules of a batch, but for those that this kernel or its tools refuse."""
    try:
        lab.router.load(NOTHING + batch.dump())
    except AssertionError:
        batch = batch._replace(rules=[rule for rule in batch.rules if _loads(lab, batch, rule)])
        lab.router.load(NOTHING + batch.dump())
    return batch


def _loads(lab: Wire, batch: Batch, rule: str) -> bool:
    try:
        lab.router.load(NOTHING + batch._replace(rules=[rule]).dump())
    except AssertionError:
        return False
    return True


def _rules(lab: Wire, batch: Batch) -> list[iptviz.Rule]:
    chain = iptviz.load(lab.router.save("-c").encode()).tables[batch.table].chains[batch.chain]
    return list(chain.rules[: len(batch.rules)])


def send(lab: Wire, rare: Rare) -> None:
    """Send a packet, as the first of its connection."""
    if rare.protocol not in WITH_PORTS:
        forget_connections(lab.router.name)  # nothing but addresses tells such connections apart
    if rare.is_own:
        lab.own.sendto(rare.packet(), (rare.destination, 0))
    else:
        lab.near.send(rare.frame())
    time.sleep(0.005)


OFTEN = 0.9
KEPT = {"hook", "dst", "icmp_type", "addresses", "routes"}


def _question(rare: Rare, lab: Wire, around: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """Most of what can be said of a packet, each time another part."""
    node: dict[str, Any] = around
    if dice.random() > OFTEN and "255" not in rare.destination:
        node = {"local_ips": tuple(in_family(one, lab.router.family) for one in ROUTER)}
    return {
        name: value for name, value in (rare.asked() | node).items() if name in KEPT or dice.random() < OFTEN
    }


def answer(batch: Batch, rule: str, question: dict[str, Any]) -> bool | None:
    """Whether a rule, alone with a target that shows, is said to match; None: that hangs on a condition."""
    tool = "ip6tables" if ":" in question["dst"] else "iptables"
    dump = f"# Generated by {tool}-save v1.8.9\n{TRACKING}*{batch.table}\n{rule} -j DROP\nCOMMIT\n"
    outcomes = iptviz.packet(iptviz.load(dump.encode()), **question).outcomes
    told = {outcome.by is not None and outcome.by.text == f"{rule} -j DROP" for outcome in outcomes}
    return told.pop() if len(told) == 1 else None


def _hangs_on_the_kernel(rule: str, rare: Rare) -> bool:
    """Whether kernels differ: none since 6.16 knows DCCP's ports when it tracks (nf_conntrack_proto_dccp.c)."""
    return rare.protocol == "dccp" and "--ct" in rule and "port" in rule
