"""Each fault is found where it is planted in big healthy dumps, alone: at several places, in dumps of several kinds."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.checks.registry import all_diagnoses
from tests.checks import planted
from tests.checks.planted import bases
from tests.checks.test_faults import counted
from tests.conftest import EVERYTHING, part_of

if TYPE_CHECKING:
    from tests.checks.planted import Base, Plant

PLANTS: dict[str, Plant] = {
    what: plant
    for module in iter_modules(planted.__path__)
    for what, plant in import_module(f"tests.checks.planted.{module.name}").PLANTS.items()
}
BASES = {base.name: base for base in bases()}


@cache
def healthy(name: str) -> iptviz.CheckResult:
    return iptviz.check(iptviz.load(BASES[name].text.encode()))


def places() -> list[tuple[str, str, int]]:
    """What is planted in which base at which place: one place a base, in turn, or all where every era is tried."""
    return [
        (what, base.name, place)
        for first, (what, plant) in enumerate(PLANTS.items())
        for turn, base in enumerate(BASES.values(), first)
        if base.family in plant.families and (plant.nameless or "--comment" in base.text)
        for place in (range(3) if EVERYTHING else [turn % 3])
    ]


@pytest.mark.parametrize(("what", "name", "place"), part_of(places(), 5))
def test_a_fault_in_a_big_dump_is_found_once_and_alone(what: str, name: str, place: int) -> None:
    base: Base = BASES[name]
    text = PLANTS[what].put(base, place)
    assert text != base.text
    found = counted(iptviz.check(iptviz.load(text.encode())), what)
    found.subtract(counted(healthy(name), what))
    assert found[what] == 1
    assert {other for other, count in found.items() if count} == {what} | PLANTS[what].beside


def test_what_is_planted_is_a_fault() -> None:
    assert set(PLANTS) <= set(all_diagnoses())
