"""How evenly a service's endpoints share its connections."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from iptviz.engine.chance import CERTAIN, random_chance, trimmed

if TYPE_CHECKING:
    from collections.abc import Sequence

# kube-proxy hands 1/n to iptables with five decimals up to 1.16 and with ten since 1.17.
_OLD_DIGITS, _NEW_DIGITS = 5, 10

# Exact up to 16 endpoints; for judging thousands, numbers of 150,000 bits would only be slow.
_ENOUGH_BITS = 512


class Balance(NamedTuple):
    """`deviation` is the largest distance of a share from 1/n; `even` allows for kube-proxy's own rounding.

    `rounded` says that the deviation is what five-digit probabilities bring, no more and no less.
    """

    endpoints: int
    least: Fraction
    most: Fraction
    deviation: Fraction
    even: bool
    rounded: bool


def balance_of(shares: Sequence[Fraction]) -> Balance | None:
    """Return how even `shares` (each in [0, 1]) are, or None without any."""
    if not shares:
        return None
    shares = [trimmed(share, _ENOUGH_BITS) for share in shares]
    deviation = _deviation(shares)
    old = _deviation(kube_proxy_shares(len(shares), _OLD_DIGITS))
    new = _deviation(kube_proxy_shares(len(shares), _NEW_DIGITS))
    return Balance(
        len(shares), min(shares), max(shares), deviation, deviation <= max(old, new), new < deviation <= old
    )


def _deviation(shares: Sequence[Fraction]) -> Fraction:
    shares = [trimmed(share, _ENOUGH_BITS) for share in shares]
    fair = Fraction(1, len(shares))
    return max(abs(share - fair) for share in shares)


def kube_proxy_shares(endpoints: int, digits: int) -> list[Fraction]:
    """Return the exact shares of a healthy chain whose probabilities were written with `digits` decimals."""
    shares, left = [], CERTAIN
    for remaining in range(endpoints, 0, -1):
        chance = CERTAIN if remaining == 1 else random_chance(f"{1 / remaining:.{digits}f}")
        shares.append(left * chance)
        left *= CERTAIN - chance
    return shares
