"""Shares as text: rounded half up, and never 0 or 100 % for what is not quite that."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.view.numbers import bounds, chance, counted, percent, seconds

TINY = Fraction(1, 2**31)
SHARES = st.fractions(min_value=0, max_value=1)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(1, 4), "25.00 %"),
        (Fraction(1, 3), "33.33 %"),
        (Fraction(2, 3), "66.67 %"),
        (Fraction(1, 8), "12.50 %"),
        (Fraction(1, 1000), "0.10 %"),
        (Fraction(33335, 100_000), "33.34 %"),  # half up, not to even
        (Fraction(12345, 100_000), "12.35 %"),  # a float of it is a little less than half
        (Fraction(333_349_999, 10**9), "33.33 %"),
        (Fraction(1, 10_000), "0.01 %"),
        (Fraction(1, 20_000), "0.01 %"),
        (Fraction(9999, 10_000), "99.99 %"),
    ],
)
def test_a_share_has_two_decimals_rounded_half_up(share: Fraction, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(0), "0 %"),
        (TINY, "<0.01 %"),
        (Fraction(1, 20_000) - TINY, "<0.01 %"),
        (Fraction(9999, 10_000) + TINY, ">99.99 %"),
        (1 - TINY, ">99.99 %"),
        (Fraction(1), "100 %"),
    ],
)
def test_the_ends_are_told_apart_from_what_is_close_to_them(share: Fraction, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("least", "most", "text"),
    [
        (Fraction(1, 4), Fraction(1, 2), "25.00 % to 50.00 %"),
        (Fraction(1, 3), Fraction(1, 3), "33.33 %"),
        (Fraction(333_333_333, 10**9), Fraction(333_333_334, 10**9), "33.33 %"),
    ],
)
def test_two_shares_that_read_alike_are_one(least: Fraction, most: Fraction, text: str) -> None:
    assert bounds(least, most) == text


@given(SHARES)
def test_only_0_and_1_read_as_0_and_100_percent(share: Fraction) -> None:
    text = percent(share)
    assert (text in {"0 %", "0.00 %"}) == (share == 0)
    assert (text == "100 %") == (share == 1)


@given(SHARES)
def test_a_share_is_within_half_a_hundredth_of_what_is_shown(share: Fraction) -> None:
    text = percent(share)
    shown = Fraction(text.strip("<> %")) / 100
    near = {"<": share < shown, ">": share > shown}
    assert near.get(text[0], abs(shown - share) <= Fraction(1, 20_000))


@given(SHARES, SHARES)
def test_a_larger_share_never_reads_as_less(one: Fraction, other: Fraction) -> None:
    def key(share: Fraction) -> tuple[Fraction, int]:
        text = percent(share)
        return Fraction(text.strip("<> %")), {"<": -1, ">": 1}.get(text[0], 0)

    less, more = sorted((one, other))
    assert key(less) <= key(more)


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (Fraction(1, 3), "0.33333"),
        (Fraction(2, 3), "0.66667"),
        (Fraction(1, 2), "0.50000"),
        (Fraction(1), "1.00000"),
        (Fraction(0), "0.00000"),
        (Fraction(1, 200_000), "0.00001"),
        (Fraction(715_826_196, 2**31), "0.33333"),
    ],
)
def test_a_raw_chance_has_five_decimals(share: Fraction, text: str) -> None:
    assert chance(share) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1, "1 s"),
        (59, "59 s"),
        (60, "1 min"),
        (90, "90 s"),
        (180, "3 min"),
        (3600, "1 h"),
        (5400, "90 min"),
        (10800, "3 h"),
        (86400, "24 h"),
    ],
)
def test_time_spans_read_as_people_say_them(count: int, text: str) -> None:
    assert seconds(count) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 endpoints"), (1, "1 endpoint"), (4, "4 endpoints"), (330_000, "330,000 endpoints")],
)
def test_counted_things_have_their_plural(count: int, text: str) -> None:
    assert counted(count, "endpoint") == text
