"""The exact chance of `-m statistic`.

Source: iptables' extensions/libxt_statistic.c keeps `lround(0x80000000 * p)`, and the kernel's
net/netfilter/xt_statistic.c compares 31 random bits with it; so a random rule matches with exactly
k / 2^31. In nth mode the kernel counts the packets that reach the rule and takes one in `every`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from iptviz.xtables.values.numbers import RANDOM_BITS, read_probability, read_uint

if TYPE_CHECKING:
    from iptviz.grammar.parts import Match


def random_chance(probability: str) -> Fraction:
    """Return k / 2^31 for the text of `--probability`.

    Raises:
        ValueError: not a number in [0, 1].
    """
    matching = read_probability(probability)
    if matching is None:
        raise ValueError(probability)
    return Fraction(matching, 1 << RANDOM_BITS)


def statistic_chance(match: Match) -> Fraction | None:
    """Return the chance, in [0, 1], that a `-m statistic` matches, or None where its text makes no sense.

    For nth it is the share in the long run: exact over every full turn of the counter.
    """
    option = match.option("--probability") or match.option("--every")
    if option is None or not option.values:
        return None
    try:
        if option.name == "--every":
            chance = Fraction(1, read_uint(option.values[0]) or 0)  # one of none makes no sense
        else:
            chance = random_chance(option.values[0])
    except (ValueError, ZeroDivisionError):
        return None
    return 1 - chance if option.negated else chance
