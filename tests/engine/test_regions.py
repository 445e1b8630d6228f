"""Regions are sets: of whole numbers and of texts, each operation does what it does to a set."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.engine.regions import (
    NOTHING,
    Region,
    common,
    complement,
    everything,
    lies_in,
    meets,
    region_of,
    touches,
)

NUMBERS: list[Any] = list(range(12))
"""All values that are looked at; stretches begin and end among them, or never end."""
TEXTS: list[Any] = [
    "",
    "\0",
    "c",
    "ca",
    "cal",
    "cali",
    "cali\0",
    "cali0",
    "calj",
    "d",
    "eth",
    "eth0",
    "eth0\0",
    "eth1",
]


def stretches(values: list[Any]) -> st.SearchStrategy[list[tuple[Any, Any]]]:
    ends = st.sampled_from([*values, None])
    one = st.tuples(st.sampled_from(values), ends).filter(lambda ends: ends[1] is None or ends[0] < ends[1])
    return st.lists(one, max_size=5)


def holds(region: Region | list[tuple[Any, Any]], value: Any) -> bool:
    return any(first <= value and (after is None or value < after) for first, after in region)


def held(region: Region | list[tuple[Any, Any]], values: list[Any]) -> set[Any]:
    """The values of a region that are looked at; an endless stretch holds the last of them."""
    return {value for value in values if holds(region, value)}


either = st.sampled_from([(NUMBERS, 0), (TEXTS, "")])
universes = either.flatmap(
    lambda known: st.tuples(
        st.just(known[0]), st.just(known[1]), stretches(known[0]), stretches(known[0])
    )
)  # fmt: skip


def assert_is_region(region: Region) -> None:
    """Sorted, apart, and nothing empty: so equal sets are equal regions."""
    for first, after in region:
        assert after is None or first < after
    for (_, after), (first, _) in pairwise(region):
        assert after is not None
        assert after < first


@settings(max_examples=50)
@given(universes)
def test_a_region_holds_what_any_of_its_stretches_holds(known: tuple[list[Any], Any, Any, Any]) -> None:
    values, _, ranges, _ = known
    region = region_of(ranges)
    assert_is_region(region)
    assert held(region, values) == held(ranges, values)


@settings(max_examples=50)
@given(universes)
def test_the_order_of_the_stretches_makes_no_difference(known: tuple[list[Any], Any, Any, Any]) -> None:
    _, _, ranges, _ = known
    assert region_of(ranges) == region_of(ranges[::-1]) == region_of([*region_of(ranges)])


@settings(max_examples=50)
@given(universes)
def test_the_complement_holds_all_other_values(known: tuple[list[Any], Any, Any, Any]) -> None:
    values, least, ranges, _ = known
    region = region_of(ranges)
    others = complement(region, least)
    assert_is_region(others)
    assert held(others, values) == {*values} - held(region, values)
    assert complement(others, least) == region


@settings(max_examples=50)
@given(universes)
def test_what_is_common_is_in_both(known: tuple[list[Any], Any, Any, Any]) -> None:
    values, _, *both = known
    one, other = map(region_of, both)
    found = common(one, other)
    assert_is_region(found)
    assert held(found, values) == held(one, values) & held(other, values)
    assert common(other, one) == found
    assert meets(one, other) == bool(found)


@settings(max_examples=50)
@given(universes)
def test_lying_in_is_being_a_subset(known: tuple[list[Any], Any, Any, Any]) -> None:
    values, _, *both = known
    one, other = map(region_of, both)
    assert lies_in(one, other) == (held(one, values) <= held(other, values))
    assert lies_in(common(one, other), one)


@settings(max_examples=50)
@given(universes)
def test_not_to_be_in_either_is_to_be_outside_of_both(known: tuple[list[Any], Any, Any, Any]) -> None:
    _, least, one, other = known
    outside = common(complement(region_of(one), least), complement(region_of(other), least))
    assert complement(region_of([*one, *other]), least) == outside


@settings(max_examples=50)
@given(universes)
def test_a_region_touches_a_stretch_where_it_has_a_value_in_it(
    known: tuple[list[Any], Any, Any, Any],
) -> None:
    _, _, ranges, asked = known
    region = region_of(ranges)
    for first, after in asked:
        assert touches(region, first, after) == meets(region, ((first, after),))


@pytest.mark.parametrize("least", [0, ""])
def test_everything_and_nothing_are_each_others_opposites(least: Any) -> None:
    assert complement(NOTHING, least) == everything(least)
    assert complement(everything(least), least) == NOTHING
    assert region_of([]) == NOTHING
    assert lies_in(NOTHING, NOTHING)
    assert not meets(NOTHING, everything(least))
    assert not touches(NOTHING, least, None)


def test_stretches_that_touch_are_one() -> None:
    assert region_of([(5, 7), (1, 3), (3, 5)]) == ((1, 7),)
    assert region_of([(5, None), (1, 3), (6, 8)]) == ((1, 3), (5, None))
