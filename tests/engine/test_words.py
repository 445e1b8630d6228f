"""Regions told as conditions: they hold for exactly the values of the region, and nothing is said twice."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iptviz.engine.cases import cases_of
from iptviz.engine.condition import Assumption, Condition, clauses
from iptviz.engine.fields import Field, all_values, field_of, region_asked
from iptviz.engine.laws import Law
from iptviz.engine.regions import common, complement, meets, region_of
from iptviz.engine.unknowns import Unknowns
from iptviz.engine.words import told
from tests.engine.clients import Client, holds

if TYPE_CHECKING:
    from random import Random

    from iptviz.engine.condition import When
    from iptviz.engine.regions import Region


class Words(NamedTuple):
    """The words that rules may use of a field, and how a client with one of its values is made."""

    kind: str
    choice: tuple[str, ...]
    client: Any


SMALL = ipaddress.ip_network("10.0.0.0/28")
NETWORKS = tuple(str(part) for bits in range(28, 33) for part in SMALL.subnets(new_prefix=bits))
WORDS = {
    "source": Words("source-cidr", (*NETWORKS, "10.0.0.0/8", "10.0.0.16/28", "11.0.0.0/8", "128.0.0.0/1", "0.0.0.0/1"),
                    lambda value: Client(source=str(ipaddress.IPv4Address(value)))),
    "destination-port": Words("destination-port",
                              ("80", "443", "80:90", "85:95", "90:100", "0:79", "100", "8000:65535", "0:65534", "81:82"),
                              lambda value: Client(port=value)),
    "in-interface": Words("in-interface", ("eth0", "eth1", "eth+", "e+", "cali+", "cali0", "cali01", "cali0+", "lo"),
                          lambda value: Client(interface=value)),
    "state": Words("state", ("NEW", "ESTABLISHED", "RELATED,ESTABLISHED", "INVALID", "NEW,INVALID"),
                   lambda value: Client(state=("NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED")[value])),
}  # fmt: skip
GREATEST = {"source": 2**32, "destination-port": 2**16, "state": 5}


class Asked(NamedTuple):
    """A field about which conditions were asked, and a region that is made of theirs."""

    unknowns: Unknowns
    rank: int
    region: Region
    values: list[Any]

    @property
    def field(self) -> Field:
        return self.unknowns.fields[self.rank]

    def client(self, value: Any) -> Client:
        made: Client = WORDS[self.field.kind].client(value)
        return made

    def held(self, when: When) -> set[Any]:
        """The values for which all of `when` hold."""
        return {
            value
            for value in self.values
            if all(holds(one, self.client(value)) == true for one, true in when)
        }

    def inside(self, region: Region) -> set[Any]:
        return {value for value in self.values if meets(region, ((value, following(value)),))}


def following(value: Any) -> Any:
    return value + "\0" if isinstance(value, str) else value + 1


def combined(random: Random, regions: list[Region], least: Any) -> Region:
    """A region made of some of others: of what is in them, in several, or in none."""
    found = random.choice(regions)
    for _ in range(random.randint(0, 4)):
        other = random.choice(regions)
        other = complement(other, least) if random.random() < 0.4 else other
        found = common(found, other) if random.random() < 0.5 else region_of([*found, *other])
    return found


def asked(random: Random, kind: str, *, narrowed: bool) -> Asked | None:
    """Ask some conditions of a field, of which more may be known; None where nothing is left to tell."""
    row = WORDS[kind]
    conditions = [
        Condition(row.kind, word)
        for word in random.sample(row.choice, random.randint(1, min(6, len(row.choice))))
    ]
    field = field_of(conditions[0])
    known = (
        combined(random, [region_asked(one) for one in conditions], field.least)
        if narrowed
        else all_values(field)
    )
    unknowns = Unknowns("ipv4", {field: known})
    for condition in conditions:
        unknowns.condition(condition)
    if not known or field not in unknowns.used(field.kind):
        return None
    rank = unknowns.rank(field)
    region = combined(random, list(map(region_asked, conditions)), field.least)
    cuts = {bound for one in (*map(region_asked, conditions), known) for ends in one for bound in ends}
    values = sorted({field.least, *cuts, *(range(5) if kind == "state" else ())} - {None, GREATEST.get(kind)})
    inside = [value for value in values if meets(known, ((value, following(value)),))]
    region = common(region, known)
    return Asked(unknowns, rank, region, inside) if region else None


randoms = st.randoms(use_true_random=True)
kinds = st.sampled_from([*WORDS])
questions = st.builds(lambda random, kind, narrowed: asked(random, kind, narrowed=narrowed), randoms, kinds, st.booleans())  # fmt: skip


@settings(max_examples=400)
@given(questions)
def test_conditions_hold_for_exactly_the_values_of_the_region(one: Asked | None) -> None:
    assume(one)
    assert one is not None
    parts = told(one.unknowns, one.rank, one.region)
    for when, part in parts:
        assert one.held(when) == one.inside(part)
        assert part
    whole = [value for _, part in parts for value in one.inside(part)]
    assert len(whole) == len({*whole})
    assert {*whole} == one.inside(one.region)


def without_a_word(when: When) -> list[When]:
    """All that is said with one condition, or one value of one, left out."""
    found = [when[:place] + when[place + 1 :] for place in range(len(when))]
    for place, (condition, true) in enumerate(when):
        between = ", " if condition.kind == "in-interface" else ","
        for word in condition.values if len(condition.values) > 1 else ():
            rest = between.join(other for other in condition.values if other != word)
            said = Assumption(condition._replace(value=rest), true)
            found.append((*when[:place], said, *when[place + 1 :]))
    return found


nested = st.builds(
    lambda random, kind: asked(random, kind, narrowed=False), randoms, st.sampled_from(["source", "in-interface", "state"])
)  # fmt: skip


@settings(max_examples=400)
@given(nested)
def test_nothing_is_said_that_goes_without_saying(one: Asked | None) -> None:
    """Of names that lie in each other or apart, as networks, interfaces and states do."""
    assume(one)
    assert one is not None
    for when, part in told(one.unknowns, one.rank, one.region):
        for less in without_a_word(when):
            assert one.held(less) != one.inside(part), (clauses(when), clauses(less))


@pytest.mark.parametrize("kind", WORDS)
def test_all_that_a_field_may_be_needs_no_condition(kind: str) -> None:
    unknowns = Unknowns("ipv4")
    unknowns.condition(Condition(WORDS[kind].kind, WORDS[kind].choice[0]))
    (field,) = unknowns.used(kind)
    assert told(unknowns, unknowns.rank(field), all_values(field)) == [((), all_values(field))]


def test_a_question_of_its_own_is_told_as_it_was_asked() -> None:
    unknowns = Unknowns("ipv4")
    condition = Condition("set", "clients", "src")
    unknowns.condition(condition)
    rank = unknowns.rank(field_of(condition))
    for region, true in ((((1, None),), True), (((0, 1),), False)):
        assert told(unknowns, rank, region) == [((Assumption(condition, true),), region)]


# --- what is said where several conditions are to hold ---------------------------------------------------------


def source(network: str, *, holds: bool = True) -> Assumption:
    return Assumption(Condition("source-cidr", network), holds)


def said(when: When) -> str:
    """What is told of a client for whom all of `when` hold; several cases are separated by `or`."""
    unknowns = Unknowns("ipv4")
    diagrams = unknowns.diagrams
    true = diagrams.yes
    for one in when:
        true = diagrams.choose(unknowns.assumption(one), true, diagrams.no)
    cases = cases_of(unknowns, diagrams.flattened(true))
    return " or ".join(clauses(case.when) for case in cases if case.says == Law([(True, 1, 1)]))  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("when", "text"),
    [
        ((), "always"),
        ((source("10.1.0.0/16"), source("10.2.0.0/16", holds=False)), "source in 10.1.0.0/16"),
        ((source("10.2.0.0/16", holds=False), source("10.1.0.0/16")), "source in 10.1.0.0/16"),
        ((source("10.0.0.0/8"), source("10.1.0.0/16")), "source in 10.1.0.0/16"),
        ((source("10.0.0.0/8", holds=False), source("10.1.0.0/16", holds=False)), "source not in 10.0.0.0/8"),
        ((source("10.1.0.0/16", holds=False), source("10.2.0.0/16", holds=False)), "source not in 10.1.0.0/16,10.2.0.0/16"),
        ((source("10.1.0.0/16"), source("10.2.0.0/16")), ""),
        (
            (source("10.0.0.0/8"), source("10.1.0.0/16", holds=False)),
            "source in 10.0.0.0/8 and source not in 10.1.0.0/16",
        ),
        (
            (source("10.0.0.0/8"), source("10.0.0.0/16", holds=False), source("10.1.0.0/16", holds=False)),
            "source in 10.0.0.0/8 and source not in 10.0.0.0/16,10.1.0.0/16",
        ),
        (
            (source("10.0.0.0/8"), source("10.1.0.0/16", holds=False), source("10.2.0.0/16")),
            "source in 10.2.0.0/16",
        ),
    ],
)  # fmt: skip
def test_only_what_is_essential_is_said(when: When, text: str) -> None:
    assert said(when) == text


PORT_PAIR = (Condition("destination-port", "80:90"), Condition("destination-port", "85:95"))


@pytest.mark.parametrize(
    ("region", "text"),
    [
        (((80, 96),), "destination port 80:90,85:95"),
        (((80, 91),), "destination port 80:90"),
        (((80, 85),), "destination port 80:90 and destination port not 85:95"),
        (((91, 96),), "destination port 91:95"),
        (((85, 91),), "destination port 85:90"),
        (((0, 80), (96, None)), "destination port not 80:90,85:95"),
        (((0, 85), (96, None)), "destination port not 85:95"),
    ],
)
def test_ports_that_overlap_are_told_by_either_or_by_themselves(region: Region, text: str) -> None:
    unknowns = Unknowns("ipv4")
    for condition in PORT_PAIR:
        unknowns.condition(condition)
    rank = unknowns.rank(field_of(PORT_PAIR[0]))
    assert " or ".join(clauses(when) for when, _ in told(unknowns, rank, region)) == text


@pytest.mark.parametrize(
    ("names", "region", "known", "text"),
    [
        (("10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"), "10.0.0.0/8 - 10.1.0.0/16", None,
         "source in 10.0.0.0/8 and source not in 10.1.0.0/16"),
        (("0.0.0.0/1", "10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"), "0.0.0.0/1 - 10.0.0.0/8 + 10.1.0.0/16", "0.0.0.0/1",
         "source in 10.1.0.0/16 or source not in 10.0.0.0/8"),
        (("10.0.0.0/8", "10.1.0.0/16"), "0.0.0.0/0 - 10.0.0.0/8 + 10.1.0.0/16", None,
         "source in 10.1.0.0/16 or source not in 10.0.0.0/8"),
        (("10.0.0.0/8", "10.1.0.0/16"), "10.0.0.0/8 - 10.1.0.0/16", "10.0.0.0/8", "source not in 10.1.0.0/16"),
        (("10.0.0.0/8", "10.1.0.0/16"), "10.1.0.0/16", "10.0.0.0/8", "source in 10.1.0.0/16"),
    ],
)  # fmt: skip
def test_networks_are_told_by_those_that_hold_them(
    names: tuple[str, ...], region: str, known: str | None, text: str
) -> None:
    field = Field("source")
    unknowns = Unknowns("ipv4", {field: networks(known)} if known else {})
    for name in names:
        unknowns.condition(Condition("source-cidr", name))
    parts = told(unknowns, unknowns.rank(field), networks(region))
    assert " or ".join(sorted(clauses(when) for when, _ in parts)) == text


def networks(text: str) -> Region:
    """Read `10.0.0.0/8 - 10.1.0.0/16 + 10.1.2.0/24`, from the left to the right."""
    found: Region = ()
    sign = "+"
    for word in text.split():
        if word in {"+", "-"}:
            sign = word
            continue
        region = region_asked(Condition("source-cidr", word))
        found = region_of([*found, *region]) if sign == "+" else common(found, complement(region, 0))
    return found
