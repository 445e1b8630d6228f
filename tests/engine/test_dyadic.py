"""Fractions with a power of two below the line are the Fractions of the same value, in all that can be asked."""

from __future__ import annotations

import copy
import operator
import pickle
from fractions import Fraction
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from iptviz.engine.dyadic import Dyadic, dyadic, exponent_of

NUMERATORS = st.one_of(st.integers(-9, 9), st.integers(-(1 << 300), 1 << 300))
EXPONENTS = st.integers(0, 300)
DYADICS = st.builds(dyadic, NUMERATORS, EXPONENTS)
OTHERS = st.one_of(DYADICS, st.integers(-2, 2), st.fractions(), st.floats(allow_nan=False))


def plain(number: Any) -> Any:
    return Fraction(number.numerator, number.denominator) if isinstance(number, Dyadic) else number


@given(NUMERATORS, EXPONENTS)
@example(0, 5)
@example(-1, 0)
@example((1 << 61) - 1, 61)
def test_one_is_the_fraction_of_its_value(numerator: int, exponent: int) -> None:
    made, same = dyadic(numerator, exponent), Fraction(numerator, 1 << exponent)
    assert (made.numerator, made.denominator) == (same.numerator, same.denominator)
    assert made == same
    assert same == made
    assert hash(made) == hash(same)
    assert exponent_of(made) == exponent_of(same)
    assert float(made) == float(same)


@given(DYADICS, OTHERS)
def test_they_compare_as_fractions_do(one: Dyadic, other: Any) -> None:
    for compare in (operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge):
        assert compare(one, other) == compare(plain(one), plain(other))
        assert compare(other, one) == compare(plain(other), plain(one))


@given(DYADICS, DYADICS)
def test_they_are_reckoned_with_as_fractions_are(one: Dyadic, other: Dyadic) -> None:
    for reckon in (operator.add, operator.sub, operator.mul):
        assert reckon(one, other) == reckon(plain(one), plain(other))
    assert not other or one / other == plain(one) / plain(other)


@given(DYADICS)
def test_a_copy_is_the_same_number(one: Dyadic) -> None:
    assert copy.deepcopy(one) is copy.copy(one) is one
    assert pickle.loads(pickle.dumps(one)) == one


def test_what_is_no_number_is_no_equal() -> None:
    assert dyadic(1, 1) != "1/2"
