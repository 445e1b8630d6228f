"""Rules that stand in their chain again are found, however far apart, and no others."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from iptviz import check, load


def copies(rules: list[str]) -> int:
    dump = load(("*filter\n:A - [0:0]\n" + "".join(f"{rule}\n" for rule in rules) + "COMMIT\n").encode())
    return sum(finding.times for finding in check(dump).findings if finding.id == "duplicate-rules")


def in_runs(rules: list[str]) -> int:
    """Count the rules that stand again among those of their chain; each chain's stand together here."""
    return sum(count - 1 for count in Counter(rule.partition("] ")[2] or rule for rule in rules).values())


@pytest.mark.parametrize("seed", range(6))
def test_copies_are_found_wherever_chains_end(seed: int) -> None:
    chance = random.Random(seed)
    rules = []
    for number in range(chance.randrange(3, 9)):
        chain = [
            f"-A C{number} -s 10.0.{place // 256}.{place % 256} -j DROP"
            for place in range(chance.choice([2, 40, 1700]))
        ]
        if chance.random() < 0.5:
            chain.append(chance.choice(chain))
        rules += chain
    if seed % 2:
        rules = [f"[{place}:{place * 60}] {rule}" for place, rule in enumerate(rules)]
    assert copies(rules) == in_runs(rules)


def test_the_last_rule_of_a_long_chain_may_be_the_first_again() -> None:
    rules = [f"-A LONG -s 10.0.{place // 256}.{place % 256}/32 -j DROP" for place in range(6_000)]
    assert copies([*rules, rules[0]]) == 1
    assert copies(rules) == 0
