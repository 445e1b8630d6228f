"""Fractions with a power of two below the line, as nearly all shares are.

Chances in rules are multiples of 2^-31, and a cascade of thousands multiplies them to numbers of 100,000 digits.
Fraction keeps both of their halves, looks for common divisors, and divides for a hash; with an exponent in place
of a denominator all of that is shifting.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any

_MODULUS = sys.hash_info.modulus
_MODULUS_BITS = _MODULUS.bit_length()
"""Hashes of numbers are remainders of 2^n - 1, to which 2^n leaves 1."""


class Dyadic(Fraction):
    """The number `numerator` / 2^`exponent` in lowest terms, equal to the Fraction of the same value."""

    __slots__ = ("_hash", "exponent")

    _numerator: int
    _hash: int
    exponent: int

    @property
    def _denominator(self) -> int:
        return 1 << self.exponent

    def __eq__(self, other: object) -> bool:
        if type(other) is Dyadic:
            return self.exponent == other.exponent and self._numerator == other._numerator
        if isinstance(other, (int, Fraction)):
            return self._numerator == other.numerator and self._denominator == other.denominator
        return Fraction(self) == other

    def __hash__(self) -> int:  # type: ignore[override]
        """Return the hash of the equal Fraction, found once and without dividing."""
        try:
            return self._hash
        except AttributeError:
            inverse = 1 << (-self.exponent % _MODULUS_BITS)
            found = hash(hash(abs(self._numerator)) * inverse)
            self._hash = hash(found if self._numerator >= 0 else -found)
            return self._hash

    def _sides(self, other: object) -> tuple[int, int] | None:
        """Return two numbers that compare as this and another; None for what is no fraction of its kind."""
        exponent = exponent_of(other) if isinstance(other, (int, Fraction)) else None
        if exponent is None:
            return None
        more = exponent - self.exponent
        theirs: int = other.numerator  # type: ignore[attr-defined]
        return (self._numerator << more, theirs) if more > 0 else (self._numerator, theirs << -more)

    def __lt__(self, other: Any) -> bool:
        sides = self._sides(other)
        return Fraction(self) < other if sides is None else sides[0] < sides[1]

    def __le__(self, other: Any) -> bool:
        sides = self._sides(other)
        return Fraction(self) <= other if sides is None else sides[0] <= sides[1]

    def __gt__(self, other: Any) -> bool:
        sides = self._sides(other)
        return Fraction(self) > other if sides is None else sides[0] > sides[1]

    def __ge__(self, other: Any) -> bool:
        sides = self._sides(other)
        return Fraction(self) >= other if sides is None else sides[0] >= sides[1]

    def __copy__(self) -> Dyadic:
        return self

    def __deepcopy__(self, _memo: object) -> Dyadic:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return dyadic, (self._numerator, self.exponent)


def dyadic(numerator: int, exponent: int) -> Dyadic:
    """Return numerator / 2^exponent in lowest terms; `exponent` is at least 0."""
    if not numerator & 1:  # products of odd numbers, as most are, are odd
        zeros = min((numerator & -numerator).bit_length() - 1, exponent) if numerator else exponent
        numerator, exponent = numerator >> zeros, exponent - zeros
    made = object.__new__(Dyadic)
    made._numerator, made.exponent = numerator, exponent
    return made


def exponent_of(number: int | Fraction) -> int | None:
    """Return n where the denominator is 2^n, and None otherwise."""
    if type(number) is Dyadic:
        return number.exponent
    denominator: int = number.denominator
    length = denominator.bit_length() - 1
    return length if denominator == 1 << length else None
