"""Diagrams against brute force: what they say under every assignment of a few small fields, worked out by hand."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.engine import nodes
from iptviz.engine.diagram import Diagrams
from iptviz.engine.laws import Law
from iptviz.engine.nodes import TooLargeError
from iptviz.engine.reaching import reached_from
from iptviz.engine.regions import everything, region_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from random import Random

    from iptviz.engine.regions import Region

FIELDS: dict[int, list[Any]] = {10: [0, 1, 2, 3], 20: [0, 1], 30: ["", "a", "b"]}
"""The values of each field, by its rank."""
ASSIGNMENTS = [dict(zip(FIELDS, values, strict=True)) for values in product(*FIELDS.values())]
LEAVES = ["A", "B", "C"]
Bounds = dict[Any, tuple[Fraction, Fraction]]
"""What may be said, with the least and the greatest share."""
Assignment = dict[int, Any]


# --- expressions: how a diagram is made, and what is to come of it ---------------------------------------------


class Leaf(NamedTuple):
    says: Any


class Asked(NamedTuple):
    rank: int
    region: Region


class Choose(NamedTuple):
    condition: Any
    holding: Any
    otherwise: Any


class Select(NamedTuple):
    rank: int
    ways: tuple[Any, ...]
    """One for each value."""


class Mix(NamedTuple):
    chances: tuple[Fraction, ...]
    parts: tuple[Any, ...]


class Either(NamedTuple):
    ways: tuple[Any, ...]


def holds(region: Region, value: Any) -> bool:
    return any(first <= value and (after is None or value < after) for first, after in region)


def built(diagrams: Diagrams, made_of: Any) -> int:
    match made_of:
        case Leaf(says):
            return diagrams.leaf(says)
        case Asked(rank, region):
            return diagrams.test(rank, region)
        case Choose():
            return diagrams.choose(*(built(diagrams, part) for part in made_of))
        case Select(rank, ways):
            return diagrams.select(rank, FIELDS[rank][1:], [built(diagrams, way) for way in ways])
        case Mix(chances, parts):
            return diagrams.mix(zip(chances, [built(diagrams, part) for part in parts], strict=True))
    return diagrams.either([built(diagrams, way) for way in made_of.ways])


def mixed(chances: Iterable[Fraction], parts: Iterable[Bounds]) -> Bounds:
    found: Bounds = {}
    for chance, part in zip(chances, parts, strict=True):
        for says, (least, most) in part.items():
            before = found.get(says, (0, 0))
            found[says] = before[0] + chance * least, before[1] + chance * most
    return found


def any_of(ways: list[Bounds]) -> Bounds:
    none = Fraction(0), Fraction(0)
    return {
        says: (min(way.get(says, none)[0] for way in ways), max(way.get(says, none)[1] for way in ways))
        for says in {says for way in ways for says in way}
    }


def law_of(made_of: Any, values: Assignment) -> Bounds:
    """What an expression says under an assignment, without a diagram."""
    match made_of:
        case Leaf(says):
            return {says: (Fraction(1), Fraction(1))}
        case Asked(rank, region):
            return {holds(region, values[rank]): (Fraction(1), Fraction(1))}
        case Choose(condition, holding, otherwise):
            (true,) = law_of(condition, values)
            return law_of(holding if true else otherwise, values)
        case Select(rank, ways):
            return law_of(ways[FIELDS[rank].index(values[rank])], values)
        case Mix(chances, parts):
            return mixed(chances, [law_of(part, values) for part in parts])
    return any_of([law_of(way, values) for way in made_of.ways])


def law_at(diagrams: Diagrams, number: int, values: Assignment) -> Bounds:
    """What a diagram says under an assignment, walked as it stands."""
    rank = diagrams.asks(number)
    if rank is not None:
        return law_at(diagrams, diagrams.at(number, rank, values[rank]), values)
    if diagrams.is_leaf(number):
        return {diagrams.says(number): (Fraction(1), Fraction(1))}
    ways = [law_at(diagrams, way, values) for way in diagrams.nodes[number].ways]
    chances = diagrams.nodes[number].cuts
    return mixed(chances, ways) if chances else any_of(ways)


def says_at(diagrams: Diagrams, number: int, values: Assignment) -> Any:
    """What the leaf says that a diagram without chances comes to."""
    while (rank := diagrams.asks(number)) is not None:
        number = diagrams.at(number, rank, values[rank])
    return diagrams.says(number)


def bounds_of(law: Law) -> Bounds:
    return {says: (least, most) for says, least, most in law.parts}


# --- random ones: a seed each, since hypothesis takes longer to draw a tree than to try it -------------------------


def random_region(random: Random, rank: int) -> Region:
    values = FIELDS[rank]
    stretches = [
        (first, after) for first in values for after in [*values, None] if after is None or first < after
    ]
    return region_of(random.choices(stretches, k=random.randint(0, 3)))


def known_region(random: Random, rank: int) -> Region:
    return random_region(random, rank) or everything(FIELDS[rank][0])


def random_condition(random: Random, size: int) -> Any:
    if size < 2:
        rank = random.choice([*FIELDS])
        return (
            Leaf(random.random() < 0.5) if random.random() < 0.1 else Asked(rank, random_region(random, rank))
        )
    condition, *ways = (random_condition(random, size // 3) for _ in range(3))
    return Choose(condition, *ways)


def random_expression(random: Random, size: int, kinds: str) -> Any:
    if size < 2:
        return Leaf(random.choice(LEAVES))

    def parts(many: int) -> tuple[Any, ...]:
        return tuple(random_expression(random, size // many, kinds) for _ in range(many))

    match random.choice(kinds):
        case "c":
            return Choose(random_condition(random, random.randint(1, 9)), *parts(2))
        case "s":
            rank = random.choice([*FIELDS])
            return Select(rank, parts(len(FIELDS[rank])))
        case "m":
            weights = [random.randint(1, 3) for _ in range(random.randint(1, 3))]
            return Mix(tuple(Fraction(weight, sum(weights)) for weight in weights), parts(len(weights)))
    return Either(parts(random.randint(1, 3)))


ranks = st.sampled_from([*FIELDS])
randoms = st.randoms(use_true_random=True)
conditions = st.builds(random_condition, randoms, st.integers(1, 27))
plain = st.builds(random_expression, randoms, st.integers(1, 32), st.just("ccs"))
small = st.builds(random_expression, randoms, st.integers(1, 8), st.just("ccsme"))
everything_there_is = st.builds(random_expression, randoms, st.integers(1, 32), st.just("ccsme"))


# --- the law of every assignment -------------------------------------------------------------------------------


@settings(max_examples=100)
@given(everything_there_is)
def test_a_diagram_says_what_it_was_made_to_say(made_of: Any) -> None:
    diagrams = Diagrams()
    number = built(diagrams, made_of)
    for values in ASSIGNMENTS:
        assert law_at(diagrams, number, values) == law_of(made_of, values)


@settings(max_examples=100)
@given(everything_there_is)
def test_flattened_a_diagram_comes_to_one_law_for_each_assignment(made_of: Any) -> None:
    diagrams = Diagrams()
    flat = diagrams.flattened(built(diagrams, made_of))
    for values in ASSIGNMENTS:
        assert bounds_of(says_at(diagrams, flat, values)) == law_of(made_of, values)


@given(conditions)
def test_a_condition_is_true_or_false(condition: Any) -> None:
    diagrams = Diagrams()
    number = built(diagrams, condition)
    opposite = diagrams.not_(number)
    for values in ASSIGNMENTS:
        (true,) = law_of(condition, values)
        assert says_at(diagrams, number, values) is true
        assert says_at(diagrams, opposite, values) is not true
    assert diagrams.not_(opposite) == number


@settings(max_examples=100)
@given(everything_there_is, st.tuples(*(small for _ in LEAVES)))
def test_replaced_leaves_are_what_stands_in_their_places(made_of: Any, parts: tuple[Any, ...]) -> None:
    others = dict(zip(LEAVES, parts, strict=True))
    diagrams = Diagrams()
    numbers = {diagrams.leaf(says): built(diagrams, other) for says, other in others.items()}
    number = diagrams.replaced(built(diagrams, made_of), lambda leaf: numbers[leaf])
    for values in ASSIGNMENTS:
        assert law_at(diagrams, number, values) == law_of(substituted(made_of, others), values)


def substituted(made_of: Any, others: Mapping[str, Any]) -> Any:
    match made_of:
        case Leaf(says):
            return others[says]
        case Choose(condition, holding, otherwise):
            return Choose(condition, substituted(holding, others), substituted(otherwise, others))
        case Select(rank, ways):
            return Select(rank, tuple(substituted(way, others) for way in ways))
        case Mix(chances, parts):
            return Mix(chances, tuple(substituted(part, others) for part in parts))
    return Either(tuple(substituted(way, others) for way in made_of.ways))


@settings(max_examples=100)
@given(everything_there_is, ranks, randoms)
def test_within_a_region_nothing_is_said_otherwise(made_of: Any, rank: int, random: Random) -> None:
    region = known_region(random, rank)
    diagrams = Diagrams()
    number = built(diagrams, made_of)
    narrowed = diagrams.within(number, rank, region)
    flat = diagrams.within(diagrams.flattened(number), rank, region)
    for values in ASSIGNMENTS:
        if holds(region, values[rank]):
            law = law_of(made_of, values)
            assert law_at(diagrams, narrowed, values) == law
            assert bounds_of(says_at(diagrams, flat, values)) == law


@given(
    everything_there_is, ranks.flatmap(lambda rank: st.tuples(st.just(rank), st.sampled_from(FIELDS[rank])))
)
def test_a_field_of_one_value_is_not_asked(made_of: Any, known: tuple[int, Any]) -> None:
    rank, value = known
    diagrams = Diagrams()
    after = value + "\0" if isinstance(value, str) else value + 1
    narrowed = diagrams.within(built(diagrams, made_of), rank, ((value, after),))
    assert rank not in diagrams.fields(narrowed)


@settings(max_examples=100)
@given(everything_there_is, randoms)
def test_the_leaves_within_regions_are_those_that_are_reached_there(made_of: Any, random: Random) -> None:
    known = {rank: known_region(random, rank) for rank in FIELDS}
    diagrams = Diagrams()
    number = built(diagrams, made_of)
    flat = diagrams.flattened(number)
    reached = [values for values in ASSIGNMENTS if all(holds(known[rank], values[rank]) for rank in known)]
    found = {diagrams.says(leaf) for leaf in diagrams.leaves_within(flat, known)}
    assert found == {says_at(diagrams, flat, values) for values in reached}
    below = {diagrams.says(leaf) for leaf in diagrams.leaves_within(number, known)}
    assert below == {says for values in reached for says in law_at(diagrams, number, values)}


@settings(max_examples=100)
@given(everything_there_is, randoms)
def test_the_leaves_of_many_cases_are_those_of_each(made_of: Any, random: Random) -> None:
    cases = [{rank: known_region(random, rank) for rank in FIELDS if random.random() < 0.7} for _ in range(5)]
    diagrams = Diagrams()
    number = built(diagrams, made_of)
    for each in (number, diagrams.flattened(number)):
        found = reached_from(diagrams, each, cases)
        for place, regions in enumerate(cases):
            assert {leaf for leaf, mask in found.items() if mask >> place & 1} == diagrams.leaves_within(
                each, regions
            )


@given(everything_there_is, st.permutations(sorted(FIELDS)))
def test_a_diagram_that_asks_other_fields_says_the_same_of_them(made_of: Any, order: list[int]) -> None:
    diagrams = Diagrams()
    number = built(diagrams, made_of)
    kinds = {rank: type(FIELDS[rank][0]) for rank in FIELDS}
    free = {kind: iter([rank for rank in order if kinds[rank] is kind]) for kind in kinds.values()}
    ranks = {rank: next(free[kinds[rank]]) for rank in sorted(FIELDS)}
    other = diagrams.asking(number, ranks)
    assert diagrams.asking(other, {there: here for here, there in ranks.items()}) == number
    for values in ASSIGNMENTS:
        moved = {ranks[rank]: value for rank, value in values.items()}
        assert law_at(diagrams, other, moved) == law_at(diagrams, number, values)


@settings(max_examples=100)
@given(everything_there_is, randoms, st.integers(0, 3))
def test_of_too_many_ways_no_leaf_is_forgotten(made_of: Any, random: Random, most: int) -> None:
    known = {rank: known_region(random, rank) for rank in FIELDS}
    diagrams = Diagrams()
    number = built(diagrams, made_of)
    exact = diagrams.leaves_within(number, known)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "_MOST_WAYS", most)
        assert exact <= diagrams.leaves_within(number, known) <= {*diagrams.leaves(number)}


@given(everything_there_is)
def test_the_leaves_are_those_within_no_regions(made_of: Any) -> None:
    diagrams = Diagrams()
    number = built(diagrams, made_of)
    flat = diagrams.flattened(number)
    assert {*diagrams.leaves(flat)} == diagrams.leaves_within(flat, {})
    assert {*diagrams.leaves(number)} >= diagrams.leaves_within(number, {})
    assert len(diagrams.leaves(number)) == len({*diagrams.leaves(number)})


def test_a_field_that_is_asked_again_below_chances_answers_as_before() -> None:
    diagrams = Diagrams()
    first, second, third = map(diagrams.leaf, LEAVES)
    asked = diagrams.test(10, ((1, None),))
    again = diagrams.choose(asked, first, second)
    mixed = diagrams.mix([(Fraction(1, 2), again), (Fraction(1, 2), third)])
    number = diagrams.node(10, [1], [mixed, third])
    assert {*diagrams.leaves(number)} == {first, second, third}
    assert diagrams.leaves_within(number, {}) == {second, third}
    assert diagrams.leaves_within(number, {10: ((1, 2),)}) == {third}


# --- equal functions are equal numbers ---------------------------------------------------------------------------


def by_hand(diagrams: Diagrams, says: Callable[[Assignment], Any], values: Assignment) -> int:
    """The diagram of a function, made of nothing but a node for each field with a way for each value."""
    if len(values) == len(FIELDS):
        return diagrams.leaf(says(values))
    rank = [*FIELDS][len(values)]
    ways = [by_hand(diagrams, says, {**values, rank: value}) for value in FIELDS[rank]]
    return diagrams.node(rank, FIELDS[rank][1:], ways)


@settings(max_examples=100)
@given(plain)
def test_a_function_has_one_number_however_it_was_made(made_of: Any) -> None:
    diagrams = Diagrams()
    number = built(diagrams, made_of)

    def says(values: Assignment) -> Any:
        return next(iter(law_of(made_of, values)))

    assert number == by_hand(diagrams, says, {})


@settings(max_examples=100)
@given(everything_there_is)
def test_a_function_of_laws_has_one_number_however_it_was_made(made_of: Any) -> None:
    diagrams = Diagrams()

    def says(values: Assignment) -> Any:
        return Law((says, least, most) for says, (least, most) in law_of(made_of, values).items())

    assert diagrams.flattened(built(diagrams, made_of)) == by_hand(diagrams, says, {})


@given(everything_there_is)
def test_fields_are_asked_in_order_and_only_where_they_matter(made_of: Any) -> None:
    diagrams = Diagrams()
    flat = diagrams.flattened(built(diagrams, made_of))
    for number in diagrams.from_below(flat):
        node, rank = diagrams.nodes[number], diagrams.asks(number)
        if rank is None:
            assert diagrams.is_leaf(number)
            continue
        assert len(node.ways) == len(node.cuts) + 1 > 1
        assert all(one != other for one, other in zip(node.ways, node.ways[1:], strict=False))
        assert [*node.cuts] == sorted({*node.cuts})
        assert all(diagrams.nodes[way].rank > rank for way in node.ways)
    assert len({*diagrams.nodes}) == len(diagrams.nodes)


@given(everything_there_is)
def test_a_diagram_built_again_from_its_leaves_is_the_same(made_of: Any) -> None:
    diagrams = Diagrams()
    flat = diagrams.flattened(built(diagrams, made_of))
    assert diagrams.replaced(flat, lambda leaf: leaf) == flat


@given(everything_there_is)
def test_what_stands_below_comes_first_and_each_node_once(made_of: Any) -> None:
    diagrams = Diagrams()
    number = built(diagrams, made_of)
    order = [*diagrams.from_below(number)]
    places = {each: place for place, each in enumerate(order)}
    assert len(places) == len(order)
    assert order[-1] == number
    assert all(places[way] < places[each] for each in order for way in diagrams.nodes[each].ways)


def test_neighbours_that_agree_are_one() -> None:
    diagrams = Diagrams()
    one, other = diagrams.leaf("A"), diagrams.leaf("B")
    assert diagrams.node(10, [1, 2, 3], [one, one, other, other]) == diagrams.node(10, [2], [one, other])
    assert diagrams.node(10, [1, 2], [one, one, one]) == one
    assert diagrams.test(10, everything(0)) == diagrams.yes
    assert diagrams.test(10, ()) == diagrams.no
    assert diagrams.test(30, everything("")) == diagrams.yes


def test_what_is_mixed_with_itself_is_itself() -> None:
    diagrams = Diagrams()
    half = Fraction(1, 2)
    one, other = diagrams.leaf("A"), diagrams.leaf("B")
    both = diagrams.mix([(half, one), (half, other)])
    assert diagrams.mix([(half, one), (half, one)]) == one
    assert diagrams.mix([(Fraction(0), other), (Fraction(1), one)]) == one
    assert diagrams.mix([(half, both), (half, both)]) == both
    assert diagrams.mix([(half, other), (half, one)]) == both
    assert diagrams.either([one, one]) == one
    assert diagrams.either([one, diagrams.either([other, one])]) == diagrams.either([other, one])


def test_leaves_of_other_types_are_others() -> None:
    diagrams = Diagrams()
    assert len({diagrams.leaf(True), diagrams.leaf(1), diagrams.leaf(1.0)}) == 3
    assert diagrams.leaf(True) == diagrams.yes


def test_a_condition_that_is_left_open_may_go_either_way() -> None:
    diagrams = Diagrams()
    open_ = diagrams.either([diagrams.no, diagrams.yes])
    one, other = diagrams.leaf("A"), diagrams.leaf("B")
    number = diagrams.choose(open_, diagrams.mix([(Fraction(1, 4), one), (Fraction(3, 4), other)]), other)
    assert bounds_of(diagrams.says(diagrams.flattened(number))) == {
        "A": (0, Fraction(1, 4)),
        "B": (Fraction(3, 4), 1),
    }
    assert diagrams.choose(open_, one, one) == one


# --- size ----------------------------------------------------------------------------------------------------------

DEEP = 5_000


def one_below_the_other(diagrams: Diagrams, depth: int) -> int:
    """The first field that is 1 says the rest of its rank by 7."""
    number = diagrams.leaf("end")
    for rank in reversed(range(depth)):
        number = diagrams.choose(diagrams.test(rank, ((1, None),)), diagrams.leaf(rank % 7), number)
    return number


def test_no_depth_is_too_deep() -> None:
    diagrams = Diagrams()
    number = one_below_the_other(diagrams, DEEP)
    assert len(diagrams.fields(number)) == DEEP
    assert len(diagrams.leaves(number)) == 8
    flat = diagrams.flattened(number)
    assert len([*diagrams.from_below(flat)]) == DEEP + 8
    assert diagrams.says(diagrams.within(number, 0, ((1, 2),))) == 0
    same = diagrams.replaced(number, lambda _: diagrams.yes)
    assert same == diagrams.yes
    odd = diagrams.replaced(number, lambda leaf: diagrams.leaf(diagrams.says(leaf) in {1, 3, 5}))
    chosen = diagrams.choose(odd, diagrams.leaf("odd"), number)
    assert says_at(diagrams, chosen, dict.fromkeys(range(DEEP), 0)) == "end"
    assert says_at(diagrams, chosen, dict.fromkeys(range(DEEP), 0) | {DEEP - 2: 1}) == (DEEP - 2) % 7
    halves = diagrams.mix([(Fraction(1, 2), number), (Fraction(1, 2), odd)])
    assert len(diagrams.leaves(diagrams.flattened(halves))) == 8


def test_leaves_within_regions_may_be_as_deep() -> None:
    diagrams = Diagrams()
    number = one_below_the_other(diagrams, 1_200)
    assert len(diagrams.leaves_within(number, {})) == 8
    assert len(diagrams.leaves_within(number, {1_199: ((1, None),)})) == 7


def test_too_many_nodes_are_an_error() -> None:
    diagrams = Diagrams(3)
    for rank in range(3):
        diagrams.test(rank, ((1, None),))
    diagrams.test(0, ((1, None),))
    diagrams.mix([(Fraction(1, 2), diagrams.leaf("A")), (Fraction(1, 2), diagrams.either([0, 1]))])
    with pytest.raises(TooLargeError):
        diagrams.test(3, ((1, None),))


def test_a_chance_of_too_many_digits_is_rounded_and_said_to_be() -> None:
    diagrams = Diagrams()
    most = Fraction(3**6000 - 1, 3**6000)
    one, other, third = map(diagrams.leaf, LEAVES)
    inner = diagrams.mix([(most, one), (1 - most, other)])
    before = diagrams.rounded
    number = diagrams.mix([(most, inner), (1 - most, third)])
    assert (before, diagrams.rounded) == (False, True)
    assert sum(diagrams.nodes[number].cuts) <= 1
