"""Surveys of chains: exact shares, calls and returns, conditions, and dumps made to hang a program."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.dump.model import Dump
from iptviz.engine import cases as cases_module
from iptviz.engine import nodes
from iptviz.engine.condition import clauses
from iptviz.engine.fields import Field
from iptviz.engine.packet import Packet
from iptviz.engine.survey import Survey, survey
from iptviz.rules.iptables import dump_rule, rule_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.engine.survey import Case

Shares = dict[str, Fraction | int]
SCALE = 2**31
RANDOM = "-m statistic --mode random --probability"
HALF = f"{RANDOM} 0.50000000000"
MARK = "-j MARK --set-xmark 0x4000/0x4000"


def surveyed(*rules: str) -> Survey:
    """Survey chain A of a nat table with `rules`."""
    table = Dump("\n".join(["*nat", *rules, "COMMIT", ""]).encode()).tables["nat"]
    own = rule_table(table)
    return survey(own, Packet("tcp", None, 80), own.rules_of("A"))


def only_case(*rules: str) -> Case:
    (case,) = surveyed(*rules).cases
    assert case.when == ()
    return case


def dnat(number: int) -> str:
    return f"-j DNAT --to-destination 10.0.0.{number}:80"


def shares(case: Case) -> Shares:
    """Return who gets which share: the last byte of an endpoint's address, or a target's name."""
    found: Shares = defaultdict(Fraction)
    for place, share in case.ends.items():
        rule = dump_rule(place)
        assert rule.target is not None
        value = rule.target.value("--to-destination")
        found[value.split(":")[0].rpartition(".")[2] if value else rule.target.name] += share
    assert sum(found.values()) + case.leftover == 1
    return dict(found)


def takers(cases: Survey) -> dict[str, set[str]]:
    """Return for each case who gets any connection."""
    whens = [clauses(tuple(sorted(case.when))) for case in cases.cases]
    ends = [{end for end, share in shares(case).items() if share} for case in cases.cases]
    return dict(zip(whens, ends, strict=True))


def test_a_cascade_multiplies_out_exactly() -> None:
    ways = (f"{RANDOM} 0.25000000000", f"{RANDOM} 0.33332999982", HALF, "")
    case = only_case(*(f"-A A {match} {dnat(number)}" for number, match in enumerate(ways, 1)))
    third = Fraction(round(0.33333 * SCALE), SCALE)
    left = Fraction(3, 4) * (1 - third)
    assert shares(case) == {"1": Fraction(1, 4), "2": Fraction(3, 4) * third, "3": left / 2, "4": left / 2}
    assert case.leftover == 0
    assert [arrival.before for arrival in case.arrivals.values()] == [1, Fraction(3, 4), left, left / 2]


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([f"-A A {dnat(1)}", f"-A A {dnat(2)}"], {"1": 1, "2": 0}),
        (["-A A -p udp -j B", f"-A A {dnat(2)}", f"-A B {dnat(1)}"], {"2": 1}),
        (["-A A", f"-A A {dnat(1)}"], {"1": 1}),
        ([f"-A A {MARK}", "-A A -j LOG", f"-A A {dnat(1)}"], {"1": 1}),
        (["-A A -j RETURN", f"-A A {dnat(1)}"], {"1": 0}),
        (["-A A -j ACCEPT", f"-A A {dnat(1)}"], {"ACCEPT": 1, "1": 0}),
        ([f"-A A {RANDOM} 0.25 {dnat(n)}" for n in (1, 2)], {"1": Fraction(1, 4), "2": Fraction(3, 16)}),
        # a jump comes back to the rule after it, a goto does not
        (["-A A -j B", f"-A A {dnat(1)}", "-A B -j RETURN"], {"1": 1}),
        (["-A A -g B", f"-A A {dnat(1)}", "-A B -j RETURN"], {"1": 0}),
        (["-A A -g B", f"-A A {dnat(1)}", f"-A B {MARK}"], {"1": 0}),
        ([":B - [0:0]", "-A A -j B", f"-A A {dnat(1)}"], {"1": 1}),
        ([":B - [0:0]", "-A A -g B", f"-A A {dnat(1)}"], {"1": 0}),
        # RETURN, or the end, of a chain entered by goto: on after the jump that entered the goto's caller
        (["-A A -j B", f"-A A {dnat(1)}", "-A B -g C", f"-A B {dnat(2)}", "-A C -j RETURN"],
         {"2": 0, "1": 1}),
        (["-A A -j B", f"-A A {dnat(1)}", f"-A B {HALF} -g C", f"-A B {dnat(2)}", "-A C"],
         {"2": Fraction(1, 2), "1": Fraction(1, 2)}),
        (["-A A -j B", f"-A A {dnat(1)}", "-A B -g C", "-A C -g D", f"-A C {dnat(2)}", "-A D -j RETURN"],
         {"2": 0, "1": 1}),
        # a chain's name goes before a target's
        (["-A A -j LOG", f"-A A {dnat(2)}", f"-A LOG {dnat(1)}"], {"1": 1, "2": 0}),
    ],
)  # fmt: skip
def test_calls_gotos_and_returns_lead_where_the_kernel_leads(rules: list[str], expected: Shares) -> None:
    assert shares(only_case(*rules)) == expected


def test_a_chain_knows_its_share_and_the_rule_that_first_leads_there() -> None:
    case = only_case(
        f"-A A {HALF} -j B", f"-A A {HALF} -g C", f"-A A {dnat(2)}", "-A B -j C", f"-A C {dnat(1)}"
    )
    assert {chain: (entry.share, entry.via.text) for chain, entry in case.entered.items()} == {
        "B": (Fraction(1, 2), f"-A A {HALF} -j B"),
        "C": (Fraction(3, 4), f"-A A {HALF} -g C"),
    }
    assert shares(case) == {"1": Fraction(3, 4), "2": Fraction(1, 4)}


# --- an independent oracle: every path of a packet, one after another --------------------------------------

MATCHES = {
    "": Fraction(1),
    "-p udp": Fraction(0),
    HALF: Fraction(1, 2),
    f"{RANDOM} 0.33333333349": Fraction(715827883, SCALE),
    "-m statistic --mode random ! --probability 0.25000000000": Fraction(3, 4),
    "-m statistic --mode nth --every 3 --packet 0": Fraction(1, 3),
    "-m statistic --mode nth ! --every 5 --packet 1": Fraction(4, 5),
}
CHAINS = "ABCD"
Chains = dict[str, list[tuple[str, str]]]
"""For each chain its rules: a match, and `-j RETURN`, `-g B`, a DNAT rule, a marking rule or nothing."""


def rules_of(chain: str) -> st.SearchStrategy[list[tuple[str, str]]]:
    later = CHAINS[CHAINS.index(chain) + 1 :]
    calls = [f"{how} {callee}" for callee in later for how in ("-j", "-g")]
    ends = [dnat(10 * len(later)), dnat(10 * len(later) + 1), "-j RETURN", MARK, ""]
    return st.lists(
        st.tuples(st.sampled_from([*MATCHES]), st.sampled_from([*calls, *calls, *ends])), max_size=2
    )


def play(chains: Chains, frames: tuple[tuple[str, int], ...]) -> Iterator[tuple[str, Fraction]]:
    """Yield where each possible path of a packet ends, and its chance; `frames` says where it stands."""
    if not frames:
        yield "left over", Fraction(1)
        return
    *outer, (chain, place) = frames
    callers = tuple(outer)
    if place == len(chains[chain]):
        yield from play(chains, callers)
        return
    match, action = chains[chain][place]
    onward = (*callers, (chain, place + 1))
    yield from ((end, chance * (1 - MATCHES[match])) for end, chance in play(chains, onward))
    if "DNAT" in action:
        yield action, MATCHES[match]
        return
    called = (action[3:], 0)
    jumps = action[:3] == "-j " and action[3:] in chains
    after = (*onward, called) if jumps else (*callers, called) if action[:2] == "-g" else onward
    after = callers if action == "-j RETURN" else after
    yield from ((end, chance * MATCHES[match]) for end, chance in play(chains, after))


@settings(max_examples=300)
@given(st.fixed_dictionaries({chain: rules_of(chain) for chain in CHAINS}))
def test_shares_are_the_sum_over_all_paths(chains: Chains) -> None:
    expected: dict[str, Fraction] = defaultdict(Fraction)
    for end, chance in play(chains, (("A", 0),)):
        expected[end] += chance
    declared = (f":{chain} - [0:0]" for chain in CHAINS)
    case = only_case(
        *declared, *(f"-A {chain} {match} {do}" for chain in CHAINS for match, do in chains[chain])
    )
    found: dict[str, Fraction] = defaultdict(Fraction, {"left over": case.leftover})
    for rule, share in case.ends.items():
        found[rule.text[rule.text.index("-j DNAT") :]] += share
    assert {end: share for end, share in found.items() if share} == {
        end: share for end, share in expected.items() if share
    }


# --- size, loops and holes ---------------------------------------------------------------------------------


def cascade(chain: str) -> list[str]:
    return [f"-A {chain} {match} {dnat(n)}" for n, match in enumerate((f"{RANDOM} 0.33333333349", HALF, ""))]


def called_twice(length: int, match: str) -> list[str]:
    """Return a chain A that calls the next one twice, and so on; the last is chain Z."""
    names = ["A", *(f"C{number}" for number in range(1, length - 1)), "Z"]
    return [f"-A {name} {once} -j {callee}" for name, callee in pairwise(names) for once in (match, "")]


def test_2_to_the_60_paths_are_one_answer() -> None:
    cases = surveyed(*called_twice(60, HALF), *cascade("Z"))
    assert shares(cases.cases[0]) == shares(only_case(*cascade("A")))
    assert not cases.rounded


@pytest.mark.parametrize("match", ["", HALF])
def test_a_share_of_2_to_the_60_digits_is_rounded_and_said_to_be(match: str) -> None:
    cases = surveyed(*called_twice(60, match), f"-A Z {RANDOM} 0.3 {dnat(1)}")
    assert cases.rounded
    assert shares(cases.cases[0]).keys() == {"1"}
    assert 0 <= cases.cases[0].leftover < Fraction(1, 10**6)


def test_ten_thousand_chains_deep_is_no_depth() -> None:
    names = ["A", *(f"C{number}" for number in range(1, 10_000))]
    case = only_case(*(f"-A {name} -j {to}" for name, to in pairwise(names)), f"-A C9999 {dnat(1)}")
    assert shares(case) == {"1": 1}
    assert case.entered["C9999"].via.text == "-A C9998 -j C9999"


@pytest.mark.parametrize(
    ("rules", "loops"),
    [
        (["-A A -j A"], [("A", "A")]),
        (["-A A -j B", "-A B -j B"], [("B", "B")]),
        (["-A A -j B", "-A B -j C", "-A C -g B"], [("B", "C", "B")]),
        (["-A A -j B", f"-A B {HALF} {dnat(2)}", "-A B -j B"], [("B", "B")]),
        (["-A A -p udp -j B", "-A B -j B"], []),
    ],
)
def test_a_loop_is_a_fault_and_no_hang(rules: list[str], loops: list[tuple[str, ...]]) -> None:
    cases = surveyed(*rules, f"-A A {dnat(1)}")
    assert list(cases.broken.loops.values()) == loops
    assert "1" in shares(cases.cases[0])


def test_a_jump_to_a_chain_that_is_not_there_is_a_fault() -> None:
    cases = surveyed(f"-A A {RANDOM} 0.25 -j GONE", f"-A A {HALF} -g LOST", f"-A A {dnat(1)}")
    assert {rule.number: name for rule, name in cases.broken.missing.items()} == {1: "GONE", 2: "LOST"}
    assert shares(cases.cases[0]) == {"1": Fraction(3, 8)}


# --- conditions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([f"-A A -s 10.0.0.0/8 {dnat(1)}", f"-A A -s 10.1.0.0/16 {dnat(2)}", f"-A A {dnat(3)}"],
         {"source in 10.0.0.0/8": {"1"}, "source not in 10.0.0.0/8": {"3"}}),
        (["-A A -s 10.0.0.0/8 -j B", f"-A A {dnat(3)}", f"-A B -s 10.1.0.0/16 {dnat(1)}", f"-A B {dnat(2)}"],
         {"source in 10.1.0.0/16": {"1"}, "source not in 10.0.0.0/8": {"3"},
          "source in 10.0.0.0/8 and source not in 10.1.0.0/16": {"2"}}),
        ([f"-A A {dnat(1)}", f"-A A -s 10.0.0.0/8 {dnat(2)}"], {"always": {"1"}}),
        ([f"-A A -m nosuch {dnat(1)}", f"-A A {dnat(2)}"],
         {"packet matches -m nosuch": {"1"}, "packet does not match -m nosuch": {"2"}}),
    ],
)  # fmt: skip
def test_a_condition_that_decides_makes_cases(rules: list[str], expected: dict[str, set[str]]) -> None:
    assert takers(surveyed(*rules)) == expected


def test_what_only_marks_needs_its_condition_and_splits_nothing() -> None:
    case = only_case("-A A ! -s 10.0.0.0/8 -j M", f"-A A {dnat(1)}", f"-A M {MARK}")
    ((note, share),) = case.notes.items()
    assert (note.rule.chain, note.via.chain) == ("M", "A")
    assert share == 1
    assert clauses(note.needs) == "source not in 10.0.0.0/8"


def test_cases_that_differ_in_nothing_are_one() -> None:
    assert takers(surveyed("-A A -s 10.0.0.0/8 -j B", "-A A -j B", f"-A B {dnat(1)}")) == {"always": {"1"}}


@pytest.mark.parametrize(
    ("match", "need"), [("", "source not in 10.0.0.0/8"), ("! ", "source in 10.0.0.0/8")]
)
@pytest.mark.parametrize("top", ["A", "B"])
def test_a_mark_that_hangs_on_a_condition_says_so_where_the_shares_do_not(
    match: str, need: str, top: str
) -> None:
    """As in kube-proxy's KUBE-EXT chains where all endpoints are local: only the mark differs."""
    call = ["-A A -j B"] if top == "B" else []
    rules = [f"-A {top} {match}-s 10.0.0.0/8 -j C", f"-A {top} {MARK}", f"-A {top} -j C", f"-A C {dnat(1)}"]
    cases = surveyed(*call, *rules)
    needs = [dict.fromkeys((*case.when, *note.needs)) for case in cases.cases for note in case.notes]
    assert [clauses(tuple(one)) for one in needs] == [need]
    assert set().union(*takers(cases).values()) == {"1"}


def test_a_rule_in_between_may_change_what_a_mark_was() -> None:
    marked = "-m mark --mark 0x4000/0x4000"
    cases = surveyed(
        f"-A A {marked} {dnat(1)}", f"-A A {MARK}", f"-A A {marked} {dnat(2)}", f"-A A {dnat(3)}"
    )
    assert set().union(*takers(cases).values()) >= {"1", "2"}


def test_a_target_that_nobody_knows_may_end_the_table_or_not() -> None:
    cases = surveyed("-A A -j NOSUCH --level 1", f"-A A {dnat(1)}")
    ending = {text for text, ends in takers(cases).items() if ends == {"NOSUCH"}}
    assert ending == {text for text in takers(cases) if "rules end at target NOSUCH" in text} != set()
    assert all(ends == {"1"} for text, ends in takers(cases).items() if text not in ending)
    assert not cases.broken.missing


def set_rules(many: int) -> list[str]:
    return [f"-A A -m set --match-set S{n} src {HALF} {dnat(n)}" for n in range(many)]


def test_many_conditions_that_decide_are_all_told_apart() -> None:
    cases = surveyed(*(f"-A A -m set --match-set S{n} src {dnat(n)}" for n in range(12)))
    assert not cases.left_open
    assert [shares(case) for case in cases.cases if case.leftover] == [{}]
    assert len(takers(cases)) == len(cases.cases) == 13


def test_conditions_that_each_change_the_shares_are_told_in_all_combinations() -> None:
    cases = surveyed(*set_rules(7))
    assert not cases.left_open
    assert len(takers(cases)) == len(cases.cases) == 2**7
    assert all(case.leftover == Fraction(1, 2) ** len(shares(case)) for case in cases.cases)


def holding(case: Case) -> int:
    return sum(need.holds for need in case.when)


def test_too_many_cases_leave_questions_open_that_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases_module, "MOST_CASES", 20)
    cases = surveyed(*set_rules(7))
    assert cases.left_open
    assert {field.kind for field in cases.left_open} == {"set"}
    asked = {Field(*need.condition) for case in cases.cases for need in case.when}
    assert not asked & {*cases.left_open}
    assert len(takers(cases)) == len(cases.cases) <= 20


def test_what_is_left_open_is_told_of_a_client_to_whom_it_does_not_apply(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cases_module, "MOST_CASES", 1)
    (case,) = surveyed(*set_rules(7)).cases
    assert case.when == ()
    assert case.leftover == 1


def test_too_many_nodes_leave_questions_open_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MOST_NODES", 3)
    cases = surveyed(*set_rules(4))
    assert cases.left_open
    assert sum(shares(cases.cases[0]).values()) + cases.cases[0].leftover == 1
