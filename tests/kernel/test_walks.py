"""The kernel judges control flow: random chains with jumps, gotos, RETURN, marks and chances."""

from __future__ import annotations

import random

import pytest

import iptviz
from tests.kernel.lab import BACKENDS, node
from tests.kernel.statistics import LEVEL, chi_square_p

CONNECTIONS = 3_000
SEEDS = range(30)

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]


def random_rules(seed: int) -> str:
    """Chains that call only later ones; so there is no loop, and all but that is left to chance."""
    dice = random.Random(seed)
    chains = [f"KUBE-SVC-R{number}" for number in range(dice.randint(2, 8))]
    rules = [f"-A {chain} {rule}" for i, chain in enumerate(chains) for rule in _chain(dice, chains[i + 1 :])]
    return "\n".join(
        [
            "*nat",
            *(f":{chain} - [0:0]" for chain in ("KUBE-SERVICES", *chains)),
            "-A OUTPUT -j KUBE-SERVICES",
            "-A KUBE-SERVICES -d 10.96.7.7/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-R0",
            *rules,
            "COMMIT\n",
        ]
    )


def _chain(dice: random.Random, later: list[str]) -> list[str]:
    return [f"{_match(dice)} {_target(dice, later)}" for _ in range(dice.randint(1, 6))]


def _match(dice: random.Random) -> str:
    chance = f"--probability {dice.random():.5f}"
    return dice.choice(
        [
            "-p tcp",
            f"-p tcp -m statistic --mode random {chance}",
            f"-p tcp -m statistic --mode random ! {chance}",
            f"-p tcp -m statistic --mode random {chance}",
            "-p tcp -m tcp --dport 81",
            "-p tcp -m tcp ! --dport 81 -m statistic --mode random --probability 0.5",
        ]
    )


def _target(dice: random.Random, later: list[str]) -> str:
    ends = [f"-j DNAT --to-destination 10.244.0.{dice.randint(1, 250)}:80"] * 2
    calls = [f"-{letter} {dice.choice(later)}" for letter in "jjjg"] if later else []
    return dice.choice([*ends, *calls, "-j RETURN", "-j MARK --set-xmark 0x1/0x1", ""])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_random_chains_share_as_predicted(backend: str, seed: int) -> None:
    with node(backend) as lab:
        lab.load(random_rules(seed))
        lab.connect(("10.96.7.7", 80), CONNECTIONS, source="198.51.100.7")
        (one,) = iptviz.trace(iptviz.load(lab.save("-c").encode()), "10.96.7.7").services
    (outcome,) = one.outcomes
    observed = [end.counters.packets for end in outcome.endpoints if end.counters]
    shares = [*(end.share for end in outcome.endpoints), outcome.leftover]
    assert sum(shares) == 1
    assert chi_square_p([*observed, CONNECTIONS - sum(observed)], shares) > LEVEL


def test_the_random_chains_reach_endpoints_in_many_ways() -> None:
    texts = [random_rules(seed) for seed in SEEDS]
    assert all(
        any(word in text for text in texts) for word in (" -g ", "-j RETURN", "! --probability", "-j MARK")
    )
    ends = [
        iptviz.trace(iptviz.load(text.encode()), "10.96.7.7").services[0].usual.endpoints for text in texts
    ]
    assert sum(len({end.share for end in some}) > 2 for some in ends) >= 4
