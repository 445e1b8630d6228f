"""Answers that would be too large: questions are left open and named, and shares become bounds that hold the exact ones."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import iptviz
from iptviz.checks.wording import sentences
from iptviz.engine import cases as cases_module
from iptviz.engine import nodes
from iptviz.engine import unknowns as unknowns_module
from iptviz.engine.journey import Fate, fate_of
from iptviz.errors import PacketError
from iptviz.view.blocks import Facts
from iptviz.view.packet import packet_view
from tests.engine.clients import Client, clients, meets_all
from tests.engine.test_journey import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from iptviz.questions.packet import PacketResult

UNKNOWN: dict[str, Any] = {"src": None, "in_iface": None, "mark": None}
RANDOM = "-m statistic --mode random --probability"


@pytest.fixture(params=[1, 2, 4, 8])
def _few_nodes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let diagrams have few nodes."""
    monkeypatch.setattr(nodes, "MOST_NODES", request.param)


few_nodes = pytest.mark.usefixtures("_few_nodes")


def set_rules(many: int) -> str:
    return "\n".join(
        f"filter|-A FORWARD -m set --match-set S{n} src {RANDOM} 0.5 -j {('DROP', 'QUEUE')[n % 2]}" for n in range(many)
    )  # fmt: skip


def left_open_notes(result: PacketResult) -> list[str]:
    return [text for text in sentences(result.notes) if "left open: " in text]


def bounds(result: PacketResult, client: Client) -> dict[Fate, tuple[Fraction, Fraction]]:
    """What may become of a client, with the least and the greatest share."""
    found: dict[Fate, tuple[Fraction, Fraction]] = {}
    for outcome in result.outcomes:
        if meets_all(outcome.when, client):
            fate = fate_of(outcome.verdict, outcome.packet)
            least, most = found.get(fate, (Fraction(0), Fraction(0)))
            at_most = outcome.share if outcome.at_most is None else outcome.at_most
            found[fate] = least + outcome.share, most + at_most
    return found


@few_nodes
def test_an_answer_names_what_was_left_open() -> None:
    result = ask(set_rules(9), **UNKNOWN)
    (note,) = left_open_notes(result)
    assert "whether packet is in ipset S" in note
    assert {outcome.verdict for outcome in result.outcomes} == {"ACCEPT", "DROP", "QUEUE"}
    for outcome in result.outcomes:
        assert outcome.at_most is not None
        assert 0 <= outcome.share <= outcome.at_most <= 1


def truncated(result: PacketResult) -> bool:
    """Whether the answer says that it leaves conditions open."""
    facts = (fact for facts in packet_view(result).of(Facts) for fact in facts.facts)
    return any(fact.label == "Truncated" and "conditions left open" in fact.text for fact in facts)


def depends(result: PacketResult) -> str:
    """What the answer says that it depends on."""
    facts = (fact for facts in packet_view(result).of(Facts) for fact in facts.facts)
    return "; ".join(fact.text for fact in facts if fact.kind == "depends")


@few_nodes
def test_what_was_left_open_is_no_fault_of_the_dump() -> None:
    result = ask(f"filter|:FORWARD ACCEPT [0:0]\n{set_rules(9)}", **UNKNOWN)
    view, dump = packet_view(result), result.to_dict()["dump"]
    assert dump["complete"] is True
    assert view.source.endswith(" · complete")
    assert truncated(result)
    assert depends(result) == ""
    assert result.to_dict()["left_open"] == [field.text for field in result.left_open]


def test_a_dump_that_lacks_lines_and_leaves_questions_open_says_both(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MOST_NODES", 8)
    result = iptviz.packet(iptviz.load(LISTING.encode()), dst="10.0.0.1", local_ips=("10.0.0.1",))
    result = result._replace(complete=False)
    view = packet_view(result)
    assert view.source.endswith(" · INCOMPLETE, see the notes")
    assert depends(result).endswith("what is missing in this dump (see the notes)")
    assert truncated(result)


OPTIONS = {"source": "--src", "destination": "--dst", "in-interface": "--in"}


@pytest.mark.parametrize("most", [8, 12, 20, 1000])
def test_the_options_that_settle_what_was_left_open_come_first(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nodes, "MOST_NODES", most)
    rules = [f"filter|-A FORWARD -s 10.{n}.0.0/16 -i eth{n} -j {('DROP', 'QUEUE')[n % 2]}" for n in range(3)]
    result = ask("\n".join(["filter|-A FORWARD -d 10.2.0.0/16 -j DROP", *rules]), **UNKNOWN | {"dst": None})
    assert bool(result.left_open) == (most < 1000)
    (advice,) = (text for text in sentences(result.notes) if text.startswith("narrow the packet with "))
    named = advice.removeprefix("narrow the packet with ").split(", ")
    left_open = {OPTIONS[field.kind] for field in result.left_open}
    assert set(named[: len(left_open)]) == left_open
    assert sorted(named) == sorted(OPTIONS.values())


def test_of_many_questions_the_first_few_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MOST_NODES", 1)
    (note,) = left_open_notes(ask(set_rules(12), **UNKNOWN))
    assert note.count("whether packet is in ipset") == 5
    assert " more" in note


def test_what_is_not_too_large_is_exact() -> None:
    result = ask(set_rules(4), **UNKNOWN)
    assert not left_open_notes(result)
    assert all(outcome.at_most is None for outcome in result.outcomes)


def test_too_many_cases_leave_questions_open_as_too_many_nodes_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases_module, "MOST_CASES", 6)
    result = ask(set_rules(6), **UNKNOWN)
    assert left_open_notes(result)
    assert len({outcome.when for outcome in result.outcomes}) <= 6


@few_nodes
def test_what_needs_no_question_stays_exact() -> None:
    rules = f"mangle|-A PREROUTING {RANDOM} 0.25 -j DROP\n{set_rules(9)}"
    result = ask(rules, **UNKNOWN)
    for when in {outcome.when for outcome in result.outcomes}:
        least = sum(
            outcome.share for outcome in result.outcomes if outcome.verdict == "DROP" and outcome.when == when
        )
        assert least >= Fraction(1, 4)


@few_nodes
def test_questions_that_change_nothing_are_not_left_open() -> None:
    rules = "\n".join(f"mangle|-A PREROUTING -m set --match-set S{n} src -j ACCEPT" for n in range(9))
    result = ask(rules, **UNKNOWN)
    assert {outcome.verdict for outcome in result.outcomes} == {"ACCEPT"}


# --- the exact shares lie within the bounds ------------------------------------------------------------------------

MATCHES = (
    "-s 10.0.0.0/8", "-s 10.1.0.0/16", "-i eth0", "-i eth+", "-m mark --mark 0x1/0x1", "-m set --match-set A src",
    "-m set --match-set B src", f"{RANDOM} 0.5", f"{RANDOM} 0.25",
)  # fmt: skip
CLIENTS = [
    *clients(
        source=("10.0.0.1", "10.1.0.1", "9.9.9.9"), interface=("eth0", "eth1", "lo"), mark=(0, 1),
        sets=(frozenset(), frozenset("A"), frozenset("B"), frozenset("AB")),
    )
]  # fmt: skip
PASSING = ("-j ACCEPT", "-j RETURN", "-j MARK --set-mark 0x1")


def random_rules(random: Random) -> str:
    """Rules of which each that refuses packets does it in another way."""
    ways = ["-j DROP", "-j QUEUE", "-j REJECT"]
    random.shuffle(ways)

    def rule(chain: str, others: tuple[str, ...] = ()) -> str:
        matches = random.sample(MATCHES, random.randint(0, 2))
        action = ways.pop() if ways and random.random() < 0.5 else random.choice((*PASSING, *others))
        return " ".join((f"mangle|-A {chain}", *matches, action))

    entered = [rule("PREROUTING", ("-j C", "-g C")) for _ in range(random.randint(2, 6))]
    return "\n".join(["mangle|:C -", *entered, rule("C"), rule("C")])


def differing(rules: str, most: int) -> Iterator[str]:
    """Ask with few nodes and without a bound; yield where the exact share is not within its bounds."""
    exact = ask(rules, **UNKNOWN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nodes, "MOST_NODES", most)
        bounded = ask(rules, **UNKNOWN)
    if not left_open_notes(bounded):
        assert [one.at_most for one in bounded.outcomes if one.at_most is not None] == []
    for client in CLIENTS:
        found, shares = bounds(bounded, client), bounds(exact, client)
        for fate in {**found, **shares}:
            (share, _), (least, greatest) = shares.get(fate, (0, 0)), found.get(fate, (0, 0))
            if not least <= share <= greatest:
                yield f"{client} {fate.verdict}: {share} is not within {least} and {greatest}\n{rules}"
        if not left_open_notes(bounded) and found != shares:
            yield f"{client}: other shares without a note\n{rules}"


@settings(max_examples=60)
@given(st.randoms(use_true_random=True), st.integers(1, 8))
def test_the_exact_share_is_within_the_bounds(random: Random, most: int) -> None:
    assert not [*differing(random_rules(random), most)]


def test_two_rules_that_come_to_the_same_have_the_bounds_of_both_together() -> None:
    rules = f"""mangle|-A PREROUTING -m set --match-set A src -j ACCEPT
        mangle|-A PREROUTING -m set --match-set B src -j ACCEPT
        mangle|-A PREROUTING {RANDOM} 0.5 -j DROP
        mangle|-A PREROUTING -j DROP"""
    assert not [*differing(rules, 1)]


def test_what_is_assumed_makes_no_answer_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MOST_NODES", 3)
    texts = ("packet is in ipset A src", "packet is in ipset B src", "packet is in ipset C src")
    assert ask(set_rules(3), **UNKNOWN, assume=texts).outcomes


LISTING = "".join((
    "Chain INPUT (policy ACCEPT)\ntarget     prot opt source               destination\n",
    *(f"DROP       tcp  --  10.{n}.0.0/16          0.0.0.0/0            tcp dpt:{n}\n" for n in range(1, 6)),
))  # fmt: skip


def test_more_packets_than_can_be_followed_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unknowns_module, "MOST_WALKS", 20)
    marks = [f"mangle|-A FORWARD -m set --match-set S{n} src -j MARK --or-mark {1 << n}" for n in range(6)]
    with pytest.raises(PacketError, match="too many different packets"):
        ask("\n".join([*marks, "mangle|-A FORWARD -m mark --mark 5 -j DROP"]), **UNKNOWN)


def test_whether_a_packet_can_be_followed_at_all_is_not_left_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "MOST_NODES", 8)
    result = iptviz.packet(iptviz.load(LISTING.encode()), dst="10.0.0.1", local_ips=("10.0.0.1",))
    assert left_open_notes(result)
    assert {outcome.verdict for outcome in result.outcomes} == {"ACCEPT", "DROP"}
