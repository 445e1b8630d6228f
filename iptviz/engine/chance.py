"""Exact shares: sums and products of fractions, most of which have a power of two below the line."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

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
    if share.denominator.bit_length() <= bits:
        return share
    length = _exponent(share)
    if length is not None:
        return _dyadic(share.numerator >> (length - bits), bits)
    return _dyadic((share.numerator << bits) // share.denominator, bits)


def _exponent(share: Fraction) -> int | None:
    """Return n where the denominator is 2^n, as nearly all are, and None otherwise."""
    denominator: int = share.denominator
    length = denominator.bit_length() - 1
    return length if denominator == 1 << length else None


def _dyadic(numerator: int, bits: int) -> Fraction:
    """Return numerator / 2^bits in lowest terms, by shifting.

    Fraction would look for a common divisor, which takes seconds where a number has 100,000 digits, and there
    is none once the zeros at its end are gone; so its two slots are filled as its own arithmetic does it.
    """
    if numerator & 1:  # as all products of such numbers are
        return _reduced(numerator, _power(bits))
    zeros = min((numerator & -numerator).bit_length() - 1, bits) if numerator else bits
    return _reduced(numerator >> zeros, _power(bits - zeros))


@lru_cache(maxsize=16)
def _power(exponent: int) -> int:
    """Return a power of two, kept once: what a rule takes and what it leaves have the same denominator."""
    return 1 << exponent


def _reduced(numerator: int, denominator: int) -> Fraction:
    """Return a fraction of two numbers without a common divisor."""
    made = object.__new__(Fraction)
    made._numerator, made._denominator = numerator, denominator  # type: ignore[attr-defined]
    return made


def without(chance: Fraction) -> Fraction:
    """Return 1 - chance, which has no common divisor either."""
    return _reduced(chance.denominator - chance.numerator, chance.denominator)


def times(one: Fraction, other: Fraction) -> Fraction:
    """Return the exact product of two shares, by shifting where their denominators are powers of two."""
    if one is CERTAIN or other is CERTAIN:
        return other if one is CERTAIN else one
    mine, theirs = _exponent(one), _exponent(other)
    if mine is None or theirs is None:
        return one * other
    return _dyadic(one.numerator * other.numerator, mine + theirs)


def product(one: Fraction, other: Fraction) -> tuple[Fraction, bool]:
    """Return the product of two shares, and whether it is exact.

    A cascade multiplies by one chance after the other, which stays exact whatever its length. But chains that
    share out what other chains leave over double their digits at each level: 60 levels would need 2^60 of
    them. Products of two long numbers are therefore rounded down to 2^-4096.
    """
    if one == 1 or other == 1:  # a number, which is compared at once
        return (other if one == 1 else one), True
    lengths = one.denominator.bit_length(), other.denominator.bit_length()
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


def bounded_cascade(chances: Iterable[Fraction]) -> tuple[list[Fraction], Fraction]:
    """Return as `cascade` does; what is left is rounded where it has got too long.

    Shares and what is left always sum to 1.
    """
    left, shares = CERTAIN, []
    for chance in chances:
        after, exact = remaining(left, chance, _MOST_COMPARED_BITS)
        shares.append(times(left, chance) if exact else left - after)
        left = after
    return shares, left


def remaining(share: Fraction, chance: Fraction, bits: int = MOST_CASCADE_BITS) -> tuple[Fraction, bool]:
    """Return what is left of `share` once a rule has taken its chance of it, and whether that is exact.

    It is rounded where it has more than `bits`: twenty thousand exact ones in turn would take 3 GB.
    """
    if chance == 1:
        return NEVER, True
    left = times(share, without(chance))
    if left.denominator.bit_length() <= bits:
        return left, True
    return trimmed(left, _ROUNDED_BITS), False


def total(shares: Iterable[Fraction]) -> Fraction:
    """Return the exact sum of `shares`.

    Adding thousands of Fractions one by one reduces each sum, which is slow for long numbers; nearly all
    denominators are powers of two, and those are brought to the longest of them by shifting.
    """
    dyadic: list[Fraction] = []
    rest = NEVER
    for share in shares:
        if _exponent(share) is None:
            rest += share
        else:
            dyadic.append(share)
    if len(dyadic) == 1:
        return rest + dyadic[0] if rest else dyadic[0]
    bits = max((share.denominator.bit_length() for share in dyadic), default=1)
    numerator = sum(share.numerator << (bits - share.denominator.bit_length()) for share in dyadic)
    return rest + _dyadic(numerator, bits - 1) if rest else _dyadic(numerator, bits - 1)
