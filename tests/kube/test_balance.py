"""Even or not: healthy chains of both kube-proxy eras, and chains with mistakes in them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from iptviz.kube.balance import balance_of, kube_proxy_shares
from tests.kubeproxy import kernel_chance

COUNTS = (1, 2, 3, 4, 7, 10, 100, 319, 1000)


def cascade(*chances: str) -> list[Fraction]:
    """Return the shares of rules with these probabilities, asked one after the other; "" always matches."""
    shares, left = [], Fraction(1)
    for text in chances:
        chance = kernel_chance(text) if text else Fraction(1)
        shares.append(left * chance)
        left *= 1 - chance
    return shares


def written(count: int, digits: int) -> list[str]:
    """Return the probabilities that kube-proxy writes for `count` endpoints."""
    return [*(f"{1 / remaining:.{digits}f}" for remaining in range(count, 1, -1)), ""]


@pytest.mark.parametrize("digits", [5, 10])
@pytest.mark.parametrize("count", COUNTS)
def test_a_healthy_chain_is_even(count: int, digits: int) -> None:
    shares = cascade(*written(count, digits))
    balance = balance_of(shares)
    assert balance is not None
    assert balance.even
    assert balance.endpoints == count
    deviation = max(abs(share - Fraction(1, count)) for share in shares)
    found = (balance.least, balance.most, balance.deviation)
    truth = (min(shares), max(shares), deviation)
    slack = (
        Fraction(0) if count <= 16 else Fraction(1, 2**500)
    )  # a judgement of many may be rounded, far down
    assert all(abs(one - other) <= slack for one, other in zip(found, truth, strict=True))
    assert kube_proxy_shares(count, digits) == shares


@pytest.mark.parametrize(
    ("count", "digits", "rounded"),
    [(3, 5, True), (7, 5, True), (319, 5, True), (3, 10, False), (7, 10, False)],
)
def test_five_digits_are_named_as_the_reason_where_they_are(count: int, digits: int, rounded: bool) -> None:
    balance = balance_of(cascade(*written(count, digits)))
    assert balance is not None
    assert balance.rounded is rounded


@pytest.mark.parametrize("count", [1, 2])
def test_one_half_has_no_deviation(count: int) -> None:
    balance = balance_of(cascade(*written(count, 5)))
    assert balance is not None
    assert balance.deviation == 0
    assert (balance.even, balance.rounded) == (True, False)


@pytest.mark.parametrize(
    "chances",
    [
        ("0.333", "0.333", "0.333"),  # the same number thrice, by hand
        ("0.333", "0.333", ""),
        ("0.25", "0.25", "0.25", ""),
        ("0.5", "0.5", ""),  # the first rule of three is missing or wrong
        ("0.25000", "0.50000", ""),  # the second of four was deleted
        ("0.25000", "0.33333", "0.50000"),  # the last of four was deleted
        ("0.49990", ""),
        ("0.33300", "0.50000", ""),  # three digits: more than kube-proxy ever lost
        ("1", ""),  # the first takes all
        ("0", "0.5", ""),  # the first takes nothing
    ],
)
def test_a_mistake_is_uneven(chances: tuple[str, ...]) -> None:
    balance = balance_of(cascade(*chances))
    assert balance is not None
    assert not balance.even
    assert not balance.rounded


def test_deleting_the_first_rule_leaves_the_others_even() -> None:
    balance = balance_of(cascade("0.33333", "0.50000", ""))
    assert balance is not None
    assert balance.even


def test_no_endpoint_has_no_balance() -> None:
    assert balance_of([]) is None
