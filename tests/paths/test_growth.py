"""Twice the rules are twice the work: counted in calls of functions, which are the same on any machine."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.paths.small import TWO, paths_of, service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def blocked(chain: str, side: str) -> Callable[[int], Iterator[str]]:
    """Rules that drop so many addresses, one each."""

    def rules(number: int) -> Iterator[str]:
        for each in range(number):
            yield f"filter|-A {chain} {side} 198.{18 + each // 250}.{each % 250}.7/32 -j DROP"

    return rules


def pods(number: int) -> Iterator[str]:
    """Chains for so many pods, each with its interface and its own policy, as Calico writes them."""
    yield "filter|-A FORWARD -i cali+ -j from-pods"
    yield "filter|-A FORWARD -o cali+ -j to-pods"
    for each in range(number):
        yield f"filter|-A from-pods -i cali{each:04} -g from-{each}"
        yield f"filter|-A to-pods -o cali{each:04} -g to-{each}"
    yield "filter|-A from-pods -j DROP"
    yield "filter|-A to-pods -j DROP"
    for each in range(number):
        for way in ("from", "to"):
            yield f"filter|-A {way}-{each} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"
            yield f"filter|-A {way}-{each} -j MARK --set-xmark 0x0/0x10000"
        yield f"filter|-A to-{each} -m set --match-set allowed{each % 12} src -j MARK --set-xmark 0x10000/0x10000"
        yield f"filter|-A to-{each} -m mark --mark 0x10000/0x10000 -j RETURN"
        yield f"filter|-A to-{each} -j DROP"


def calls(rules: Iterator[str]) -> int:
    """Return how many functions are called to find the paths of a service among more rules."""
    counted = 0

    def count(_frame: object, event: str, _of: object) -> None:
        nonlocal counted
        counted += event in {"call", "c_call"}

    written = service(TWO, *rules)
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        paths_of(*written)
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize(
    ("rules", "sizes"),
    [
        (blocked("FORWARD", "-s"), (100, 200, 400)),
        (blocked("FORWARD", "-d"), (100, 200, 400)),
        (blocked("INPUT", "-s"), (100, 200, 400)),
        (pods, (10, 20, 40)),
    ],
    ids=["blocked sources", "blocked destinations", "blocked from the node", "pods"],
)
def test_twice_the_rules_are_twice_the_work(
    rules: Callable[[int], Iterator[str]], sizes: tuple[int, int, int]
) -> None:
    calls(rules(1))  # what is imported when it is needed is no work
    few, more, most = (calls(rules(number)) for number in sizes)
    assert most - more < 2.6 * (more - few), (few, more, most)


def test_policies_of_single_pods_tell_no_clients_apart() -> None:
    found = paths_of(*service(TWO, *pods(24)))
    assert len(found.entries) < 12
    asked = {one.condition.kind for entry in found.entries for one in entry.when}
    assert "set" not in asked
    rows = [row for entry in found.entries for row in entry.endpoints]
    assert any(one.condition.kind == "set" for row in rows for one in row.when)


def test_blocked_addresses_are_one_case() -> None:
    found = paths_of(*service(TWO, *blocked("FORWARD", "-s")(100)))
    barred, other = (entry for entry in found.entries if entry.clients == ("outside",))
    assert [(row.outcome, row.by and row.by.others) for row in barred.endpoints] == [("DROP", 99)] * 2
    assert {row.outcome for row in other.endpoints} == {"ACCEPT"}
