"""The kernel judges rule sets that leave questions open: what happens must be among what is said to be possible.

A long run, of rule sets that nobody has tried, half of them for each backend:

    sudo IPTVIZ_REQUIRE_KERNEL=1 IPTVIZ_RULE_SETS=2000 IPTVIZ_FIRST_SEED=1000000 .venv/bin/python -m pytest -n auto -rP \\
        tests/kernel/test_wild.py
"""

from __future__ import annotations

import os
import random
from collections import Counter
from ipaddress import ip_address
from itertools import cycle
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.xtables.address import split_endpoint
from tests.kernel.lab import BACKENDS, NOTHING
from tests.kernel.random_tables import random_packets
from tests.kernel.random_wild import wild_rules
from tests.kernel.test_packets import WAYS, ask, asked, matched, predicted
from tests.kernel.universe import in_family
from tests.kernel.wire import ROUTER, wire

if TYPE_CHECKING:
    from iptviz.engine.outcome import Outcome
    from tests.kernel.frames import Seen, Sent
    from tests.kernel.test_packets import Way
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULE_SETS = int(os.environ.get("IPTVIZ_RULE_SETS", "24"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
PACKETS = 4
BATCH = 40
HALF = 0.5
KEPT = {"hook", "src", "dst", "protocol", "local_ips", "in_iface", "out_iface", "icmp_type", "ttl"}
SEEDS = range(FIRST_SEED, FIRST_SEED + RULE_SETS, BATCH)


@pytest.mark.parametrize("first", SEEDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_what_happens_is_among_what_is_possible(backend: str, first: int) -> None:
    told: Counter[str] = Counter()
    seeds = range(first + BACKENDS.index(backend), min(first + BATCH, SEEDS.stop), len(BACKENDS))
    for family in (4, 6):
        with wire(backend, family) as lab:
            for seed, way in zip(seeds, cycle(WAYS), strict=False):
                if way.family == family:
                    told += check_rule_set(lab, seed, way)
    print(dict(told))  # of a long run it is worth to know
    assert told["certain"] > told["refused"]


def check_rule_set(lab: Wire, seed: int, way: Way) -> Counter[str]:
    rules = wild_rules(seed, *way)
    told: Counter[str] = Counter()
    try:
        lab.router.load(NOTHING + rules)
    except AssertionError:
        return Counter(refused=1)
    before = iptviz.load(lab.router.save("-c").encode())
    dice = random.Random(seed)
    for sent in random_packets(seed, PACKETS, *way):
        question = _partly(asked(sent), dice)
        there, _ = (lab.send_out if question["hook"] == "output" else lab.send)(sent)
        outcomes = ask(before, question).outcomes
        told["certain" if len(outcomes) == 1 else "conditions"] += 1
        after = iptviz.load(lab.router.save("-c").encode())
        if there is None and not any(may_have_come_out(one, sent, None) for one in outcomes):
            there, _ = lab.late()
            after = iptviz.load(lab.router.save("-c").encode())
        agree = any(may_have_come_out(one, sent, there) for one in outcomes)
        assert agree, (
            f"seed {seed}: {sent}\n  {_shown(outcomes)}\n  the kernel {there} {matched(before, after)}\n{rules}"
        )
        before = after
    return told


def _partly(question: dict[str, Any], dice: random.Random) -> dict[str, Any]:
    """All that can be said of a packet, or half of it."""
    if dice.random() < HALF:
        return question
    return {name: value for name, value in question.items() if name in KEPT or dice.random() < HALF}


def _shown(outcomes: tuple[Outcome, ...]) -> str:
    return "\n  ".join(
        f"{one.verdict} {one.route} {one.packet.dnat} {one.packet.snat} "
        f"{[need.text for need in one.when]} {dict(predicted(one))}"
        for one in outcomes
    )


def may_have_come_out(outcome: Outcome, sent: Sent, seen: Seen | None) -> bool:
    """Whether what came out at the server's side is what an outcome says.

    Cases are not told apart by the time to live or the type of service, which are those of one packet of several.
    """
    if outcome.verdict != "ACCEPT" or outcome.route == "INPUT" or seen is None:
        return seen is None and (outcome.verdict != "ACCEPT" or outcome.route == "INPUT")
    end = outcome.packet
    source = in_family(ROUTER[1], sent.family) if end.snat == "MASQUERADE" else end.snat or sent.source
    return _is_one_of(seen.source, source) and _is_one_of(seen.destination, end.dnat or sent.destination)


def _is_one_of(address: str, endpoint: str) -> bool:
    first, _, last = split_endpoint(endpoint)[0].partition("-")
    return ip_address(first) <= ip_address(address) <= ip_address(last or first)  # type: ignore[operator]
