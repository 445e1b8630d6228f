"""Cases exclude each other, cover all that is possible, and read in order say the same by their first words alone."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.engine import cases as cases_module
from iptviz.engine.assume import read_assumption
from iptviz.engine.cases import cases_of
from iptviz.engine.condition import Assumption, Condition, clauses
from iptviz.engine.fields import Field, field_of, region_asked
from iptviz.engine.implications import whole_bit
from iptviz.engine.laws import Law
from iptviz.engine.nodes import TooLargeError
from iptviz.engine.regions import NOTHING, common, complement
from iptviz.engine.unknowns import EXCLUDED, Unknowns
from tests.engine.clients import WITHOUT_CONNECTION, Client, clients, holds, meets_all

if TYPE_CHECKING:
    from random import Random

    from iptviz.engine.cases import Case


class Rule(NamedTuple):
    """All of `needs` are to hold; then `says` is said, else the next rule is asked."""

    needs: tuple[Assumption, ...]
    says: Any


class World(NamedTuple):
    """Conditions that may be asked together, and clients who differ in all that these ask."""

    conditions: tuple[Condition, ...]
    clients: list[Client]


def conditions(kind: str, *values: str) -> tuple[Condition, ...]:
    return tuple(Condition(kind, value) for value in values)


WORLDS = {
    "networks, ports and interfaces": World(
        (
            *conditions("source-cidr", "10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16", "10.1.2.0/24", "128.0.0.0/1"),
            *conditions("destination-port", "80", "443", "80:90", "85:95"),
            *conditions("in-interface", "eth0", "eth+", "cali+"),
        ),
        [*clients(
            source=("10.0.0.1", "10.1.0.1", "10.1.2.1", "10.2.0.1", "200.0.0.1", "9.9.9.9"),
            port=(80, 84, 85, 91, 443, 8080), interface=("eth0", "eth1", "cali0", "lo"),
        )],
    ),
    "sets, states and protocols": World(
        (
            *conditions("set", "A", "B", "C"), *conditions("state", "NEW", "RELATED,ESTABLISHED", "INVALID"),
            *conditions("protocol", "tcp", "udp"), *conditions("source-cidr", "10.0.0.0/8"),
        ),
        [*clients(
            source=("10.0.0.1", "9.9.9.9"), protocol=("tcp", "udp", "icmp"),
            state=("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"),
            sets=[frozenset(one) for one in ("", "A", "B", "C", "AB", "AC", "BC", "ABC")],
        )],
    ),
    "marks": World(
        conditions("mark", "0x1/0x1", "0x2/0x2", "0x4/0x4", "0x0/0x1", "0x0/0x4", "0x1", "0x6"),
        [*clients(mark=range(16))],
    ),
    "marks of connections": World(
        (*conditions("connmark", "0x1/0x1", "0x0", "0x3"), *conditions("state", "NEW", "ESTABLISHED", "INVALID,UNTRACKED")),
        [
            client
            for client in clients(state=("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED"), connmark=range(5))
            if not client.connmark or client.state not in ("NEW", *WITHOUT_CONNECTION)
        ],
    ),
    "types of addresses": World(
        (
            *conditions("source-type", "LOCAL", "MULTICAST", "BROADCAST"),
            *conditions("source-cidr", "127.0.0.0/8", "224.0.0.0/4", "255.255.255.255/32"),
        ),
        [
            Client(source=source, source_type=kind)
            for source, kinds in {
                "127.0.0.1": ["LOCAL"], "224.0.0.1": ["MULTICAST"], "255.255.255.255": ["BROADCAST"],
                "10.0.0.1": ["LOCAL", "UNICAST", "BROADCAST"],
            }.items() for kind in kinds
        ],
    ),
}  # fmt: skip


def random_rules(random: Random, world: World) -> list[Rule]:
    def needs() -> tuple[Assumption, ...]:
        chosen = random.sample(world.conditions, random.randint(1, 2))
        return tuple(Assumption(condition, random.random() < 0.7) for condition in chosen)

    return [Rule(needs(), random.choice("ABC")) for _ in range(random.randint(1, 5))]


def diagram_of(unknowns: Unknowns, rules: list[Rule]) -> int:
    diagrams = unknowns.diagrams
    number = diagrams.leaf("otherwise")
    for needs, says in reversed(rules):
        then = diagrams.leaf(says)
        for need in needs:
            then = diagrams.choose(unknowns.assumption(need), then, number)
        number = then
    return number


def said(rules: list[Rule], client: Client) -> Any:
    return next((says for needs, says in rules if meets_all(needs, client)), "otherwise")


def cases_among(rules: list[Rule]) -> list[Case]:
    unknowns = Unknowns("ipv4")
    return cases_of(unknowns, unknowns.diagrams.flattened(diagram_of(unknowns, rules)))


def told(case: Case) -> Any:
    ((says, least, most),) = case.says.parts
    assert least == most == 1
    return says


named_worlds = pytest.mark.parametrize("name", WORLDS)
randoms = st.randoms(use_true_random=True)


@named_worlds
@settings(max_examples=40)
@given(randoms)
def test_each_client_is_in_one_case_which_says_what_comes_of_it(name: str, random: Random) -> None:
    world = WORLDS[name]
    rules = random_rules(random, world)
    cases = cases_among(rules)
    for client in world.clients:
        (case,) = [case for case in cases if meets_all(case.when, client)]
        assert told(case) == said(rules, client)


@named_worlds
@settings(max_examples=40)
@given(randoms)
def test_the_first_that_holds_says_the_same_in_fewer_words(name: str, random: Random) -> None:
    world = WORLDS[name]
    rules = random_rules(random, world)
    cases = cases_among(rules)
    for case in cases:
        assert all(meets_all(case.first, one) for one in world.clients if meets_all(case.when, one))
    assert cases[-1].first == ()
    for client in world.clients:
        case = next(case for case in cases if meets_all(case.first, client))
        assert told(case) == said(rules, client)


def test_what_goes_without_saying_in_full_is_said_where_that_is_shortened() -> None:
    """That a mark with bit 0x4 is not 0x1 need not be said, unless the bit is not said either."""
    bits, whole = "0x0/0x4", "0x1"
    needs = [
        Assumption(Condition("mark", value), holds) for value, holds in ((bits, False), ("0x2/0x2", False))
    ]
    exact = Assumption(Condition("mark", whole), holds=True)
    odd = Assumption(Condition("mark", "0x1/0x1"), holds=False)
    rules = [Rule(tuple(needs), "B"), Rule((exact,), "C"), Rule((odd,), "C")]
    for client in WORLDS["marks"].clients:
        case = next(case for case in cases_among(rules) if meets_all(case.first, client))
        assert told(case) == said(rules, client)


@named_worlds
@settings(max_examples=100)
@given(randoms)
def test_no_case_is_without_clients(name: str, random: Random) -> None:
    world = WORLDS[name]
    for case in cases_among(random_rules(random, world)):
        assert any(meets_all(case.when, client) for client in world.clients), clauses(case.when)


@named_worlds
@settings(max_examples=20)
@given(randoms)
def test_cases_that_come_to_the_same_stand_together(name: str, random: Random) -> None:
    says = [told(case) for case in cases_among(random_rules(random, WORLDS[name]))]
    assert len([one for one, after in zip(says, [*says[1:], None], strict=True) if one != after]) == len(
        {*says}
    )


@named_worlds
@settings(max_examples=20)
@given(randoms)
def test_the_regions_of_a_case_are_those_of_its_conditions(name: str, random: Random) -> None:
    unknowns = Unknowns("ipv4")
    rules = random_rules(random, WORLDS[name])
    cases = cases_of(unknowns, unknowns.diagrams.flattened(diagram_of(unknowns, rules)))
    for place, case in enumerate(cases):
        assert {unknowns.fields[rank].kind for rank in case.regions} == {
            field_kind(need) for need in case.when
        }
        for other in cases[place + 1 :]:
            shared = case.regions.keys() & other.regions.keys()
            assert any(common(case.regions[rank], other.regions[rank]) == NOTHING for rank in shared)


def field_kind(need: Assumption) -> str:
    return field_of(need.condition).kind


# --- what cannot be, and what is not asked about ------------------------------------------------------------------


@named_worlds
@settings(max_examples=40)
@given(randoms)
def test_what_some_client_is_may_be(name: str, random: Random) -> None:
    world = WORLDS[name]
    needs = [
        Assumption(condition, random.random() < 0.5)
        for condition in random.sample(world.conditions, random.randint(1, min(4, len(world.conditions))))
    ]
    regions: dict[Field, Any] = {}
    for condition, true in needs:
        bit = whole_bit(condition)  # that a bit is 0 is asked as the opposite of that it is 1
        field = field_of(bit or condition)
        region = region_asked(condition)
        region = region if true == (bit is None) else complement(region, field.least)
        regions[field] = common(regions[field], region) if field in regions else region
    some = any(meets_all(needs, client) for client in world.clients)
    may_be = NOTHING not in regions.values() and Unknowns("ipv4").possible(regions)
    assert may_be == some, clauses(tuple(needs))


def test_what_is_known_tells_what_may_be() -> None:
    mark, state = need("connection mark is 0x1"), need("connection state is NEW")
    marked, new = ({field_of(one.condition): region_asked(one.condition)} for one in (mark, state))
    assert Unknowns("ipv4").possible(marked)
    assert not Unknowns("ipv4").possible(marked | new)
    assert not Unknowns("ipv4", new).possible(marked)
    assert not Unknowns("ipv4", marked).possible(new)
    assert Unknowns("ipv4", new).possible({})


@named_worlds
@settings(max_examples=40)
@given(randoms)
def test_who_is_excluded_is_in_no_case(name: str, random: Random) -> None:
    world = WORLDS[name]
    rules = [one._replace(says=random.choice([one.says, EXCLUDED])) for one in random_rules(random, world)]
    unknowns = Unknowns("ipv4")
    diagrams = unknowns.diagrams
    flat = diagrams.flattened(diagram_of(unknowns, rules))
    number = diagrams.replaced(
        flat, lambda leaf: diagrams.leaf(EXCLUDED) if says_excluded(diagrams.says(leaf)) else leaf
    )
    cases = cases_of(unknowns, number)
    for client in world.clients:
        told_to_them = [told(case) for case in cases if meets_all(case.when, client)]
        assert told_to_them == [one for one in [said(rules, client)] if one != EXCLUDED]


def says_excluded(law: Law) -> bool:
    return any(says == EXCLUDED for says, _, _ in law.parts)


@pytest.mark.parametrize("text", ["source in 10.0.0.0/8", "packet is not in ipset x src", "mark is 0x1/0x3"])
def test_who_is_not_assumed_is_excluded(text: str) -> None:
    unknowns = Unknowns("ipv4")
    unknowns.assume([need(text)])
    rules = [rule("A", text), rule("B", "destination port 80")]
    flat = unknowns.diagrams.flattened(diagram_of(unknowns, rules))
    (case,) = cases_of(unknowns, unknowns.narrowed(flat))
    assert (case.when, told(case)) == ((), "A")


# --- by hand -----------------------------------------------------------------------------------------------------


def need(text: str) -> Assumption:
    return read_assumption(text)


def rule(says: str, *needs: str) -> Rule:
    return Rule(tuple(map(need, needs)), says)


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([], ["always: otherwise"]),
        ([rule("A", "source in 10.0.0.0/8")], ["source in 10.0.0.0/8: A", "always: otherwise"]),
        ([rule("A", "source not in 10.0.0.0/8")], ["source in 10.0.0.0/8: otherwise", "always: A"]),
        ([rule("otherwise", "source in 10.0.0.0/8")], ["always: otherwise"]),
        ([rule("A", "source in 10.1.0.0/16"), rule("A", "source in 10.2.0.0/16")],
         ["source in 10.1.0.0/16,10.2.0.0/16: A", "always: otherwise"]),
        ([rule("A", "source in 10.1.0.0/16"), rule("A", "source in 10.0.0.0/8")],
         ["source in 10.0.0.0/8: A", "always: otherwise"]),
        ([rule("A", "source in 10.1.0.0/16"), rule("B", "source in 10.0.0.0/8")],
         ["source in 10.1.0.0/16: A", "source in 10.0.0.0/8: B", "always: otherwise"]),
        ([rule("A", "source in 10.0.0.0/8", "packet is in ipset x src"), rule("B", "source in 10.0.0.0/8")],
         ["source in 10.0.0.0/8 and packet is in ipset x src: A", "source in 10.0.0.0/8: B", "always: otherwise"]),
        ([rule("A", "packet is in ipset x src"), rule("B", "packet is in ipset y src")],
         ["packet is in ipset x src: A", "packet is in ipset y src: B", "always: otherwise"]),
    ],
)  # fmt: skip
def test_rules_are_told_in_few_words(rules: list[Rule], expected: list[str]) -> None:
    assert [f"{clauses(case.first)}: {told(case)}" for case in cases_among(rules)] == expected


def test_the_last_case_is_that_of_the_client_whom_no_rule_names() -> None:
    rules = [rule("A", "destination port 80"), rule("A", "source in 10.0.0.0/8", "input interface is eth0")]
    assert told(cases_among(rules)[-1]) == "otherwise"


def test_a_case_has_all_shares_of_what_comes_of_it() -> None:
    unknowns = Unknowns("ipv4")
    diagrams = unknowns.diagrams
    one, other = diagrams.leaf("A"), diagrams.leaf("B")
    shared = diagrams.mix([(Fraction(1, 4), one), (Fraction(3, 4), other)])
    number = diagrams.choose(unknowns.assumption(need("source in 10.0.0.0/8")), shared, one)
    first, last = cases_of(unknowns, diagrams.flattened(number))
    assert first.says == Law([("A", Fraction(1, 4), Fraction(1, 4)), ("B", Fraction(3, 4), Fraction(3, 4))])
    assert last.says == Law([("A", Fraction(1), Fraction(1))])


def test_too_many_cases_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    rules = [rule(str(number), f"packet is in ipset {number} src") for number in range(4)]
    monkeypatch.setattr(cases_module, "MOST_CASES", 5)
    assert len(cases_among(rules)) == 5
    monkeypatch.setattr(cases_module, "MOST_CASES", 4)
    with pytest.raises(TooLargeError):
        cases_among(rules)


def test_of_very_many_cases_each_is_told_in_full() -> None:
    rules = [
        rule(str(number), f"source in 10.{number // 256}.{number % 256}.0/24") for number in range(1_000)
    ]
    cases = cases_among(rules)
    assert len(cases) == 1_001
    assert all(case.first == case.when for case in cases)
    assert holds(cases[3].when[0].condition, Client(source="10.0.3.1"))
