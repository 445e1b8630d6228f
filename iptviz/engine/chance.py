"""The exact chance of `-m statistic`.

Source: iptables' extensions/libxt_statistic.c keeps `lround(0x80000000 * p)`, and the kernel's
net/netfilter/xt_statistic.c compares 31 random bits with it; so a random rule matches with exactly
k / 2^31. In nth mode the kernel counts the packets that reach the rule and takes one in `every`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.dump.parts import Match

RANDOM_BITS = 31
CERTAIN = Fraction(1)
NEVER = Fraction(0)


def random_chance(probability: str) -> Fraction:
    """Return k / 2^31 for the text of `--probability`.

    Raises:
        ValueError: not a number in [0, 1].
    """
    value = float(probability)
    if not 0.0 <= value <= 1.0:
        raise ValueError(probability)
    # Scaling by a power of two is exact, and adding a half before floor is lround for positive numbers.
    return Fraction(math.floor(value * (1 << RANDOM_BITS) + 0.5), 1 << RANDOM_BITS)


def statistic_chance(match: Match) -> Fraction | None:
    """Return the chance, in [0, 1], that a `-m statistic` matches, or None where its text makes no sense.

    For nth it is the share in the long run: exact over every full turn of the counter.
    """
    option = match.option("--probability") or match.option("--every")
    if option is None or not option.values:
        return None
    try:
        if option.name == "--every":
            chance = Fraction(1, int(option.values[0], 0))
        else:
            chance = random_chance(option.values[0])
    except (ValueError, ZeroDivisionError):
        return None
    return CERTAIN - chance if option.negated else chance
