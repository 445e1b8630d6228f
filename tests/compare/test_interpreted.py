"""Whatever is said of two rule sets is so by the interpreter: alike, packets fare alike; else the packet told does not.

A long run, here 20,000 pairs:

    IPTVIZ_PAIRS=20000 IPTVIZ_FIRST_SEED=1000000 pytest -n auto tests/compare/test_interpreted.py
"""

from __future__ import annotations

import os
import random
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.compare.judged import NONE, At, Client, ask, fitting, law, near, packet_of
from tests.compare.pairs import random_pair
from tests.kernel.random_tables import DESTINATIONS, PORTS
from tests.kernel.wire import ROUTER

if TYPE_CHECKING:
    from iptviz.compare.fates.endings import Apart
    from tests.compare.pairs import Pair

PAIRS = int(os.environ.get("IPTVIZ_PAIRS", "300"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
BATCH = 100
SEEDS = range(FIRST_SEED, FIRST_SEED + PAIRS, BATCH)
SOURCES = ["10.1.0.2", "10.1.0.9", "10.1.0.3", "10.2.0.3", "10.9.9.9", "192.0.2.1"]


def places(seed: int) -> list[At]:
    dice = random.Random(seed)
    return [At(dice.choice(DESTINATIONS), dice.choice(["tcp", "udp"]), dice.choice(PORTS)) for _ in range(2)]


def trouble_with(pair: Pair, seed: int, at: At) -> tuple[str, str]:
    """What is wrong with an answer, nothing where it is right; and what the answer was: apart, alike, open.

    Or that two sides are apart for a packet that cannot be judged here.
    """
    told = ask(pair.old, pair.new, at)
    if told.apart is not None:
        if told.apart.packet.hook == "output" and at.address in ROUTER:
            return "", "unjudged"  # what a node sends to itself the interpreter does not follow
        if _as_itself(told.apart) or any(one.condition.kind == "bridged" for one in told.apart.packet.when):
            return "", "unjudged"  # nor what a bridge takes through the hooks, whose TTL stays
        packet = fitting(told.apart.packet, at)
        same = law(pair.old, packet) == law(pair.new, packet)
        return (f"fares alike: {packet}\n{told.apart}" if same else ""), "apart"
    if told.open_by:
        return "", "open"
    dice = random.Random(seed)
    usual = any(each.text == "time to live is 64" for each in told.assumed)
    for _ in range(8):
        client = Client(
            dice.choice(SOURCES), dice.choice([*PORTS, 40_000]), dice.choice(["cli", "srv"]), dice.choice([64, 5, 63]),
            dice.choice([40, 48, 60]), dice.choice([0, 0x10, 0x28, 8]), dice.choice([0, 1000]),
        )  # fmt: skip
        client = client._replace(ttl=64, tos=0) if usual else client
        for hook in ("prerouting",) if at.address in ROUTER else ("prerouting", "output"):
            packet = packet_of(client._replace(source="10.2.0.1") if hook == "output" else client, at, hook)
            if not near(law(pair.old, packet), law(pair.new, packet)):
                return (
                    f"said to be alike: {packet}\n{law(pair.old, packet)}\n{law(pair.new, packet)}",
                    "alike",
                )
    return "", "alike"


def _as_itself(apart: Apart) -> bool:
    """Whether all that differs is that the router's packet gets the source that it has: nothing knows here."""
    laws = [
        Counter({end._replace(share=NONE, snat=None if end.snat == "MASQUERADE" else end.snat): end.share})
        for ends in (apart.old, apart.new)
        for end in ends
    ]
    old = sum(laws[: len(apart.old)], Counter())
    new = sum(laws[len(apart.old) :], Counter())
    return apart.packet.hook == "output" and apart.packet.source == ROUTER[1] and old == new


@pytest.mark.parametrize("first", SEEDS)
def test_what_is_said_of_two_rule_sets_is_so(first: int) -> None:
    answers, of_equal = Counter[str](), Counter[str]()
    for seed in range(first, min(first + BATCH, SEEDS.stop)):
        pair = random_pair(seed, "output" if seed % 4 == 0 else "prerouting")
        for at in places(seed):
            trouble, answer = trouble_with(pair, seed, at)
            (of_equal if pair.equal else answers)[answer] += 1
            assert not trouble, (
                f"seed {seed} ({pair.how}) {at}: {trouble}\n--- old\n{pair.old}\n--- new\n{pair.new}"
            )
            assert not (pair.equal and answer in {"apart", "unjudged"}), (
                f"seed {seed}: {pair.how}: {at} {answer}"
            )
    # Whoever never knows is never wrong: these are far from what is usual, and say that something is proved.
    assert of_equal["alike"] >= 0.9 * of_equal.total()
    assert answers["apart"] >= 0.02 * answers.total()
    assert answers["alike"] >= 0.6 * answers.total()
    assert answers["unjudged"] + answers["open"] <= 0.08 * answers.total()
