"""Rule sets whose rules were moved at random, to tell whether a packet can tell them apart."""

from __future__ import annotations

import random


def chains_of(lines: list[str]) -> dict[tuple[str, str], list[int]]:
    """Return where the rules of each chain stand, by table and chain."""
    found: dict[tuple[str, str], list[int]] = {}
    table = ""
    for place, line in enumerate(lines):
        if line.startswith("*"):
            table = line
        elif line.startswith("-A "):
            found.setdefault((table, line.split()[1]), []).append(place)
    return found


def moved(rules: str, seed: int, chains: int = 1) -> str:
    """Return a dump in which a rule of each of some chains has changed places with the next, or gone elsewhere."""
    dice = random.Random(seed)
    lines = rules.splitlines()
    long = [places for places in chains_of(lines).values() if len(places) > 1]
    for places in dice.sample(long, min(chains, len(long))):
        order = [lines[place] for place in places]
        one = dice.randrange(len(order) - 1)
        order.insert(one + 1 if dice.random() < 0.7 else dice.randrange(len(order)), order.pop(one))
        for place, line in zip(places, order, strict=True):
            lines[place] = line
    return "\n".join(lines) + "\n"
