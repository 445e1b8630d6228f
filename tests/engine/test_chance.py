"""Chances of `-m statistic` are the kernel's: k / 2^31, exactly."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iptviz.engine.chance import cascade, product, times, total, trimmed
from iptviz.grammar.reader import take_apart
from iptviz.rules.reading.chances import random_chance, statistic_chance

SCALE = 2**31
# n, and what iptables-save prints for 1/n given with five decimals (kube-proxy up to 1.16) and with ten
PRINTED = [
    (2, "0.50000000000", "0.50000000000"),
    (3, "0.33332999982", "0.33333333349"),
    (4, "0.25000000000", "0.25000000000"),
    (5, "0.20000000019", "0.20000000019"),
    (6, "0.16667000018", "0.16666666651"),
    (7, "0.14286000002", "0.14285714272"),
    (8, "0.12500000000", "0.12500000000"),
    (9, "0.11110999994", "0.11111111101"),
    (10, "0.10000000009", "0.10000000009"),
    (11, "0.09090999980", "0.09090909082"),
    (12, "0.08332999982", "0.08333333349"),
    (16, "0.06250000000", "0.06250000000"),
    (20, "0.04999999981", "0.04999999981"),
    (64, "0.01562000019", "0.01562500000"),
    (100, "0.00999999978", "0.00999999978"),
    (1000, "0.00100000016", "0.00100000016"),
]


def chance_of(options: str) -> Fraction | None:
    (match,) = take_apart(f"-A CHAIN -m statistic {options} -j A").matches
    return statistic_chance(match)


@pytest.mark.parametrize(
    ("given_text", "printed"),
    [
        *((f"{1 / n:.5f}", five) for n, five, _ in PRINTED),
        *((f"{1 / n:.10f}", ten) for n, _, ten in PRINTED),
    ],
)
def test_a_chance_is_what_iptables_save_prints(given_text: str, printed: str) -> None:
    chance = random_chance(given_text)
    assert f"{float(chance):.11f}" == printed
    assert random_chance(printed) == chance


@pytest.mark.parametrize(
    ("text", "numerator"),
    [("0", 0), ("1", SCALE), ("0.5", SCALE // 2), ("0.33333333349", 715827883), ("1e-3", 2147484),
     ("0.00000000047", 1), ("0.00000000023", 0)],
)  # fmt: skip
def test_a_chance_has_the_numerator_that_the_kernel_keeps(text: str, numerator: int) -> None:
    assert random_chance(text) == Fraction(numerator, SCALE)


@given(st.floats(0, 1))
@example(0.49999999999999994 / SCALE)
@example(0.5 / SCALE)
@example(math.nextafter(1, 0))
def test_a_chance_is_rounded_half_up_as_lround_does(value: float) -> None:
    exact = Fraction(float(repr(value))) * SCALE
    assert random_chance(repr(value)) == Fraction(math.floor(exact + Fraction(1, 2)), SCALE)


@given(st.integers(0, SCALE))
def test_what_is_printed_reads_as_the_same_chance(numerator: int) -> None:
    chance = Fraction(numerator, SCALE)
    assert random_chance(f"{float(chance):.11f}") == chance


@pytest.mark.parametrize("text", ["", "x", "1.1", "-0.1", "nan", "inf", "0,5", "50%"])
def test_what_is_no_number_from_0_to_1_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is float's or the text itself
        random_chance(text)


@pytest.mark.parametrize(
    ("options", "chance"),
    [
        ("--mode random --probability 0.50000000000", Fraction(1, 2)),
        ("--mode random --probability 0.00000000000", Fraction(0)),
        ("--mode random --probability 1.00000000000", Fraction(1)),
        ("--mode random ! --probability 0.25000000000", Fraction(3, 4)),
        ("--mode random ! --probability 0.33332999982", Fraction(SCALE - 715820724, SCALE)),
        ("--mode random --probability 0.33332999982", Fraction(715820724, SCALE)),
        ("--mode nth --every 3 --packet 0", Fraction(1, 3)),
        ("--mode nth --every 3 --packet 2", Fraction(1, 3)),
        ("--mode nth ! --every 3 --packet 0", Fraction(2, 3)),
        ("--mode nth --every 1", Fraction(1)),
        ("--mode nth ! --every 1", Fraction(0)),
        ("--mode nth --every 0x10", Fraction(1, 16)),
    ],
)
def test_both_modes_and_their_inverse_are_exact(options: str, chance: Fraction) -> None:
    assert chance_of(options) == chance


@pytest.mark.parametrize(
    "options",
    ["", "--mode random", "--mode random --probability", "--mode random --probability x",
     "--mode random --probability 1.5", "--mode random --probability nan", "--mode nth --every 0",
     "--mode nth --every x", "--mode nth --every -3", "--mode nth --packet 0"],
)  # fmt: skip
def test_what_makes_no_sense_has_no_chance(options: str) -> None:
    (match,) = take_apart(f"-A CHAIN -m statistic {options}").matches
    assert statistic_chance(match) is None


@given(st.integers(1, 2**32 - 1))
def test_nth_and_its_inverse_share_all_packets(every: int) -> None:
    chance, inverse = chance_of(f"--mode nth --every {every}"), chance_of(f"--mode nth ! --every {every}")
    assert (chance, inverse) == (Fraction(1, every), 1 - Fraction(1, every))


chances = st.builds(Fraction, st.integers(0, 2**70), st.just(2**70))
long_shares = st.builds(lambda odd: Fraction(2 * odd + 1, 2**20_000), st.integers(0, 2**19_000))
any_shares = st.one_of(st.fractions(0, 1), chances, long_shares, st.sampled_from([Fraction(0), Fraction(1)]))


@given(st.lists(any_shares, max_size=5))
def test_the_total_of_shares_is_exact(shares: list[Fraction]) -> None:
    found = total(shares)
    assert found == sum(shares)
    assert hash(found) == hash(sum(shares))


@given(st.one_of(st.fractions(0, 1), chances), any_shares)
def test_a_product_with_a_short_share_is_exact(one: Fraction, other: Fraction) -> None:
    found, exact = product(one, other)
    assert exact is (found == one * other)
    assert exact or one.denominator.bit_length() > 64


@given(long_shares, long_shares)
def test_a_product_of_two_long_shares_is_rounded_down_by_next_to_nothing(
    one: Fraction, other: Fraction
) -> None:
    found, exact = product(one, other)
    assert not exact
    assert 0 <= one * other - found < Fraction(1, 2**4096)


@given(any_shares, st.integers(1, 100))
def test_a_trimmed_share_is_the_next_lower_multiple(share: Fraction, bits: int) -> None:
    found = trimmed(share, bits)
    assert found == share or found == Fraction(math.floor(share * 2**bits), 2**bits)
    assert found.denominator.bit_length() <= bits + 1


@given(st.fractions(0, 1), st.fractions(0, 1), st.integers(0, SCALE), st.integers(0, 2**200))
def test_a_product_of_shares_is_exact_whatever_their_denominators(
    one: Fraction, other: Fraction, numerator: int, long: int
) -> None:
    dyadic, longer = Fraction(numerator, SCALE), Fraction(long, 2**200)
    for left, right in ((one, other), (one, dyadic), (dyadic, longer), (longer, longer)):
        assert times(left, right) == left * right
        assert math.gcd(times(left, right).numerator, times(left, right).denominator) == 1


CHANCES = st.lists(st.fractions(0, 1, max_denominator=2**31), max_size=12)


@given(CHANCES)
@example([])
@example([Fraction(1), Fraction(1, 2)])
def test_a_cascade_shares_out_everything(chances: list[Fraction]) -> None:
    shares, left = cascade(chances)
    assert sum(shares, left) == 1
    reached = Fraction(1)
    for chance, share in zip(chances, shares, strict=True):
        assert share == reached * chance
        reached -= share
    assert left == reached


@given(CHANCES, st.integers(40, 200))
def test_a_trimmed_cascade_differs_by_next_to_nothing(chances: list[Fraction], bits: int) -> None:
    exact, rough = cascade(chances), cascade(chances, bits)
    differences = [a - b for a, b in zip([*exact[0], exact[1]], [*rough[0], rough[1]], strict=True)]
    assert all(0 <= difference <= Fraction(len(chances), 1 << (bits - 1)) for difference in differences)
