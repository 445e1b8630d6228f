"""The chi-square test, for whole degrees of freedom."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

LEVEL = 1e-6
"""A right prediction fails once in a million runs."""


def chi_square_p(observed: Sequence[int], shares: Sequence[Fraction]) -> float:
    """Return how likely counts at least this far from `shares` are, if `shares` are right.

    What is predicted never to happen must not happen: then the likelihood is 0.
    """
    total = sum(observed)
    if any(count and not share for count, share in zip(observed, shares, strict=True)):
        return 0.0
    expected = [(count, float(share * total)) for count, share in zip(observed, shares, strict=True) if share]
    distance = sum((count - mean) ** 2 / mean for count, mean in expected)
    return survival(distance, len(expected) - 1)


def survival(distance: float, freedom: int) -> float:
    """Return P(X >= distance) for a chi-square variable, by the recurrence over degrees of freedom."""
    if freedom == 0:
        return 1.0 if distance < 1e-9 else 0.0
    half = distance / 2
    if freedom % 2:
        total, term, k = math.erfc(math.sqrt(half)), math.sqrt(half / math.pi) * 2 * math.exp(-half), 1
    else:
        total, term, k = math.exp(-half), math.exp(-half) * half, 2
    while k < freedom:
        total += term
        k += 2
        term *= distance / k
    return total
