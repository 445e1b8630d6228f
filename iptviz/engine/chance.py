"""Exact shares: sums and products of fractions, most of which have a power of two below the line."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

from iptviz.engine.dyadic import Dyadic, dyadic, exponent_of

if TYPE_CHECKING:
    from collections.abc import Iterable

CERTAIN = Fraction(1)
NEVER = Fraction(0)

_SMALL = 64
_MOST_BITS = 1 << 14
_ROUNDED_BITS = 1 << 12
MOST_CASCADE_BITS = 1 << 17
"""What a cascade leaves over is exact up to here: after some 4,200 endpoints it is rounded."""
MOST_ROUNDED_BITS = 1 << 13
"""What has been rounded once is kept this short: more digits would not make it more exact."""
_MOST_COMPARED_BITS = 1 << 16
"""Where shares tell only whether two cases are one, they are kept shorter than where they are told."""


def trimmed(share: Fraction, bits: int) -> Fraction:
    """Return `share` rounded down to a multiple of 2^-bits, or as it is where its denominator is smaller."""
    if _length(share) <= bits:
        return share
    exponent = exponent_of(share)
    if exponent is not None:
        return dyadic(share.numerator >> (exponent - bits), bits)
    return dyadic((share.numerator << bits) // share.denominator, bits)


def _length(share: Fraction) -> int:
    """Return how many bits the denominator of a share has."""
    if type(share) is Dyadic:
        return share.exponent + 1
    length: int = share.denominator.bit_length()
    return length


def without(chance: Fraction) -> Fraction:
    """Return 1 - chance, which has no common divisor either."""
    exponent = exponent_of(chance)
    return CERTAIN - chance if exponent is None else dyadic((1 << exponent) - chance.numerator, exponent)


def times(one: Fraction, other: Fraction) -> Fraction:
    """Return the exact product of two shares, by shifting where their denominators are powers of two."""
    if one is CERTAIN or other is CERTAIN:
        return other if one is CERTAIN else one
    mine, theirs = exponent_of(one), exponent_of(other)
    if mine is None or theirs is None:
        return one * other
    return dyadic(one.numerator * other.numerator, mine + theirs)


def product(one: Fraction, other: Fraction) -> tuple[Fraction, bool]:
    """Return the product of two shares, and whether it is exact.

    A cascade multiplies by one chance after the other, which stays exact whatever its length. But chains that
    share out what other chains leave over double their digits at each level: 60 levels would need 2^60 of
    them. Products of two long numbers are therefore rounded down to 2^-4096.
    """
    if one == 1 or other == 1:  # a number, which is compared at once
        return (other if one == 1 else one), True
    lengths = _length(one), _length(other)
    if min(lengths) <= _SMALL or sum(lengths) <= _MOST_BITS:
        return times(one, other), True
    return trimmed(times(one, other), _ROUNDED_BITS), False


def cascade(chances: Iterable[Fraction], bits: int | None = None) -> tuple[list[Fraction], Fraction]:
    """Return the share that each of `chances` (in [0, 1]) takes where they are asked in turn, and what is left.

    Shares and leftover are exact and sum to 1; with `bits` what is left is rounded down to a multiple of 2^-bits
    after each, which keeps the numbers of thousands of them short.
    """
    left, shares = CERTAIN, []
    for chance in chances:
        shares.append(times(left, chance))
        left = times(left, without(chance))
        left = left if bits is None else trimmed(left, bits)
    return shares, left


def walked_cascade(chances: Iterable[Fraction]) -> tuple[tuple[Fraction, ...], Fraction, bool]:
    """Return shares and what is left as a walk through the rules has them, and whether they are exact.

    Shares and leftover sum to 1 in any case.
    """
    left, shares, bits = CERTAIN, [], MOST_CASCADE_BITS
    for chance in chances:
        after, exact = remaining(left, chance, bits)
        bits = bits if exact else MOST_ROUNDED_BITS
        shares.append(times(left, chance) if exact else left - after)
        left = after
    return tuple(shares), left, bits == MOST_CASCADE_BITS


@lru_cache(maxsize=8)
def bounded_cascade(chances: tuple[Fraction, ...]) -> tuple[tuple[Fraction, ...], Fraction]:
    """Return as `cascade` does; what is left is rounded where it has got too long.

    Shares and what is left always sum to 1. All kinds of clients meet the same chances: their shares are kept
    once.
    """
    left, shares = CERTAIN, []
    for chance in chances:
        after, exact = remaining(left, chance, _MOST_COMPARED_BITS)
        shares.append(times(left, chance) if exact else left - after)
        left = after
    return tuple(shares), left


def remaining(share: Fraction, chance: Fraction, bits: int = MOST_CASCADE_BITS) -> tuple[Fraction, bool]:
    """Return what is left of `share` once a rule has taken its chance of it, and whether that is exact.

    It is rounded where it has more than `bits`: twenty thousand exact ones in turn would take 3 GB.
    """
    if chance == 1:
        return NEVER, True
    left = times(share, without(chance))
    if _length(left) <= bits:
        return left, True
    return trimmed(left, _ROUNDED_BITS), False


def total(shares: Iterable[Fraction]) -> Fraction:
    """Return the exact sum of `shares`.

    Adding thousands of Fractions one by one reduces each sum, which is slow for long numbers; nearly all
    denominators are powers of two, and those are brought to the longest of them by shifting.
    """
    parts: list[tuple[int, int]] = []
    rest = NEVER
    found = NEVER
    for share in shares:
        exponent = exponent_of(share)
        if exponent is None:
            rest += share
        else:
            found = share
            parts.append((share.numerator, exponent))
    if len(parts) > 1:
        most = max(exponent for _, exponent in parts)
        found = dyadic(sum(numerator << (most - exponent) for numerator, exponent in parts), most)
    return rest + found if rest else found
