"""Shares and chances as text. Everything before this point is exact; rounding happens here alone."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

_HUNDREDTH = Fraction(1, 10_000)


@lru_cache(maxsize=1024)
def percent(share: Fraction) -> str:
    """Return a share in [0, 1] as `25.00 %`; what is not quite 0 or 1 never reads as if it were."""
    if share == 0 or share == 1:
        return "100 %" if share else "0 %"
    if share < _HUNDREDTH / 2:
        return "<0.01 %"
    if _HUNDREDTH > 1 - share > 0:
        return ">99.99 %"
    return f"{_decimal(share * 100, 2)} %"


def bounds(least: Fraction, most: Fraction) -> str:
    """Return the least and the greatest of a share, as `25.00 % to 50.00 %`; as one if they read alike."""
    first, last = percent(least), percent(most)
    return first if first == last else f"{first} to {last}"


def visits(count: Fraction) -> str:
    """Return how often a connection enters a chain: a share, or where it may come again a number of times."""
    return percent(count) if count <= 1 else f"{_decimal(count, 2)} times on average"


def chance(share: Fraction) -> str:
    """Return a raw chance in [0, 1] with five decimals, as `0.33333`."""
    return _decimal(share, 5)


def seconds(count: int) -> str:
    """Return a time span as people say it."""
    for unit, size in (("h", 3600), ("min", 60)):
        if count >= size and count % size == 0:
            return f"{count // size} {unit}"
    return f"{count} s"


def counted(count: int, noun: str) -> str:
    """Return `1 endpoint`, `4 endpoints`."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def _decimal(value: Fraction, places: int) -> str:
    """Round half up, exactly: a float would round 0.125 by its own lights."""
    scaled = (value * 10**places + Fraction(1, 2)).__floor__()
    return f"{scaled // 10**places}.{scaled % 10**places:0{places}d}"
