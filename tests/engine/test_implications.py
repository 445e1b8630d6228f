"""What is assumed about networks implies answers about others, never too much."""

from __future__ import annotations

import ipaddress
from functools import cache

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.engine.condition import Assumption, Condition, clauses
from iptviz.engine.implications import Assumed, essential
from iptviz.engine.meanings.truth import RuleTruth


def source(network: str, *, holds: bool = True) -> Assumption:
    return Assumption(Condition("source-cidr", network), holds)


@pytest.mark.parametrize(
    ("known", "holds", "asked", "answer"),
    [
        ("10.1.0.0/16", True, "10.1.0.0/16", True),
        ("10.1.0.0/16", True, "10.0.0.0/8", True),
        ("10.1.0.0/16", True, "10.1.0.0/255.255.0.0", True),
        ("10.1.0.0/16", True, "10.2.0.0/16", False),
        ("10.1.0.0/16", True, "10.1.2.0/24", None),
        ("10.1.0.0/16", True, "fd00::/8", False),
        ("10.0.0.0/8", False, "10.0.0.0/8", False),
        ("10.0.0.0/8", False, "10.1.0.0/16", False),
        ("10.0.0.0/8", False, "10.0.0.0/255.0.0.0", False),
        ("10.0.0.0/8", False, "11.0.0.0/8", None),
        ("10.0.0.0/8", False, "0.0.0.0/1", None),
        ("10.0.0.0/8", False, "fd00::/8", None),
        ("fd00:1::/32", True, "fd00::/16", True),
        ("fd00:1::/32", True, "fe00::/16", False),
        ("10.0.0.5/255.0.0.255", True, "10.0.0.0/8", True),
        ("10.0.0.5/255.0.0.255", True, "0.0.0.6/0.0.0.255", False),
        ("10.1.0.0/16", True, "0.0.0.5/0.0.0.255", None),
        ("10.1.0.0/16", True, "no.network", None),
    ],
)
def test_one_network_answers_for_others(known: str, holds: bool, asked: str, answer: bool | None) -> None:
    assert Assumed([source(known, holds=holds)]).answer(Condition("source-cidr", asked)) is answer


def test_source_and_destination_say_nothing_about_each_other() -> None:
    assert Assumed([source("10.1.0.0/16")]).answer(Condition("destination-cidr", "10.0.0.0/8")) is None
    assert Assumed([source("10.1.0.0/16")]).answer(Condition("set", "10.0.0.0/8")) is None


@pytest.mark.parametrize("holds", [True, False])
def test_any_condition_answers_for_itself_alone(holds: bool) -> None:
    assumed = Assumed([Assumption(Condition("set", "a src"), holds)])
    assert assumed.answer(Condition("set", "a src")) is holds
    assert assumed.answer(Condition("set", "a dst")) is None
    assert Assumed().answer(Condition("set", "a src")) is None


HALF = RuleTruth(CERTAIN / 2, (source("10.0.0.0/8"), Assumption(Condition("mark", "0x1"), holds=False)))


@pytest.mark.parametrize(
    ("assumed", "chance", "needs"),
    [
        ((), CERTAIN / 2, HALF.needs),
        ((source("10.1.0.0/16"),), CERTAIN / 2, HALF.needs[1:]),
        ((source("10.1.0.0/16"), HALF.needs[1]), CERTAIN / 2, ()),
        ((source("11.0.0.0/8"),), NEVER, ()),
        ((HALF.needs[1].opposite(),), NEVER, ()),
    ],
)
def test_needs_that_hold_are_dropped_and_one_that_does_not_stops_the_rule(
    assumed: tuple[Assumption, ...], chance: object, needs: tuple[Assumption, ...]
) -> None:
    assert Assumed(assumed).settle(HALF) == (chance, needs)


# Networks inside 10.0.0.0/28 and two around it; every address that they can tell apart.
SMALL = ipaddress.IPv4Network("10.0.0.0/28")
ADDRESSES = [*map(str, SMALL), "10.0.0.16", "11.0.0.0", "192.168.0.1"]
networks = st.one_of(
    st.integers(28, 32).flatmap(lambda bits: st.sampled_from([*SMALL.subnets(new_prefix=bits)]).map(str)),
    st.sampled_from(["10.0.0.0/8", "0.0.0.0/0"]),
)  # fmt: skip
assumptions = st.lists(
    st.builds(lambda net, holds: source(net, holds=holds), networks, st.booleans()), max_size=4
)


@cache
def inside(address: str, network: str) -> bool:
    return ipaddress.ip_address(address) in ipaddress.ip_network(network)


def possible(assumed: list[Assumption] | tuple[Assumption, ...]) -> list[str]:
    return [
        address
        for address in ADDRESSES
        if all(inside(address, one.condition.value) == one.holds for one in assumed)
    ]


@settings(max_examples=300)
@given(assumptions, networks)
def test_an_answer_is_true_of_every_address_that_is_left(assumed: list[Assumption], asked: str) -> None:
    addresses = possible(assumed)
    assume(addresses)
    answer = Assumed(assumed).answer(Condition("source-cidr", asked))
    assert answer is None or {inside(address, asked) for address in addresses} == {answer}


@given(networks, networks)
def test_a_known_network_leaves_open_only_what_is_open(known: str, asked: str) -> None:
    truths = {inside(address, asked) for address in possible([source(known)])}
    answer = Assumed([source(known)]).answer(Condition("source-cidr", asked))
    assert answer is (truths.pop() if len(truths) == 1 else None)


@settings(max_examples=300)
@given(assumptions)
def test_what_is_essential_says_all_and_nothing_twice(assumed: list[Assumption]) -> None:
    assume(possible(assumed))
    kept = essential(tuple(dict.fromkeys(assumed)))
    assert possible(kept) == possible(assumed)
    for one in kept:
        assert Assumed(other for other in kept if other != one).answer(one.condition) is None


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ((), "always"),
        ((source("10.1.0.0/16"), source("10.2.0.0/16", holds=False)), "source in 10.1.0.0/16"),
        ((source("10.2.0.0/16", holds=False), source("10.1.0.0/16")), "source in 10.1.0.0/16"),
        ((source("10.0.0.0/8"), source("10.1.0.0/16")), "source in 10.1.0.0/16"),
        ((source("10.0.0.0/8", holds=False), source("10.1.0.0/16", holds=False)), "source not in 10.0.0.0/8"),
        (
            (source("10.0.0.0/8"), source("10.1.0.0/16", holds=False)),
            "source in 10.0.0.0/8 and source not in 10.1.0.0/16",
        ),
    ],
)
def test_only_what_is_essential_is_said(when: tuple[Assumption, ...], text: str) -> None:
    assert clauses(essential(when)) == text


def test_the_opposite_of_the_opposite_is_the_same() -> None:
    for one in HALF.needs:
        assert one.opposite() != one
        assert one.opposite().opposite() == one
