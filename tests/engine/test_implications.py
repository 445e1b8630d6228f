"""What one question says of another: answers follow from answers, never too much, and no case is told that cannot be."""

from __future__ import annotations

import ipaddress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from iptviz.engine.chance import CERTAIN, NEVER
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.implications import IMPLICATIONS, IMPOSSIBLE
from iptviz.engine.knowing import answers_of
from iptviz.engine.matching import settled
from iptviz.engine.meanings.truth import RuleTruth
from iptviz.errors import PacketError
from tests.engine.test_journey import ask, told

if TYPE_CHECKING:
    from pathlib import Path


def source(network: str, *, holds: bool = True) -> Assumption:
    return Assumption(Condition("source-cidr", network), holds)


HOLES = pytest.mark.xfail(reason="a mask with holes says nothing of other networks", strict=True)


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
        pytest.param("10.0.0.5/255.0.0.255", True, "10.0.0.0/8", True, marks=HOLES),
        pytest.param("10.0.0.5/255.0.0.255", True, "0.0.0.6/0.0.0.255", False, marks=HOLES),
        ("10.0.0.5/255.0.0.255", True, "10.0.0.5/255.0.0.255", True),
        ("10.1.0.0/16", True, "0.0.0.5/0.0.0.255", None),
        ("10.1.0.0/16", True, "no.network", None),
    ],
)
def test_one_network_answers_for_others(known: str, holds: bool, asked: str, answer: bool | None) -> None:
    assert answers_of([source(known, holds=holds)])(Condition("source-cidr", asked)) is answer


class Implied(NamedTuple):
    """What is known, what is asked, and the answer that follows."""

    known: tuple[str, str, bool]
    asked: tuple[str, str]
    answer: bool | None


@pytest.mark.parametrize(
    "one",
    [
        Implied(("destination-port", "80:90", True), ("destination-port", "1:100"), True),
        Implied(("destination-port", "80:90", True), ("destination-port", "443"), False),
        Implied(("destination-port", "80:90", False), ("destination-port", "85"), False),
        Implied(("destination-port", "80", True), ("source-port", "80"), None),
        Implied(("in-interface", "cali0", True), ("in-interface", "cali+"), True),
        Implied(("in-interface", "cali+", True), ("in-interface", "eth+"), False),
        Implied(("in-interface", "cali+", True), ("in-interface", "cali0"), None),
        Implied(("in-interface", "cali+", True), ("out-interface", "cali+"), None),
        Implied(("protocol", "tcp", True), ("protocol", "udp"), False),
        Implied(("state", "RELATED", True), ("state", "RELATED,ESTABLISHED"), True),
        Implied(("state", "RELATED,ESTABLISHED", False), ("state", "ESTABLISHED"), False),
        Implied(("source-range", "10.0.0.1-10.0.0.9", True), ("source-cidr", "10.0.0.0/28"), True),
        Implied(("source-cidr", "10.0.0.4/31", True), ("source-range", "10.0.0.1-10.0.0.9"), True),
        Implied(("source-range", "10.0.0.1-10.0.0.9", True), ("source-cidr", "11.0.0.0/8"), False),
        Implied(("source-type", "LOCAL", True), ("source-type", "MULTICAST"), False),
        Implied(("source-type", "LOCAL", True), ("source-type", "LOCAL,BROADCAST"), True),
        Implied(("mark", "0x3", True), ("mark", "0x1/0x1"), True),
        Implied(("mark", "0x3", True), ("mark", "0x4/0x4"), False),
        Implied(("mark", "0x3", True), ("mark", "0x0/0x4"), True),
        Implied(("mark", "0x3", True), ("mark", "0x4"), False),
        Implied(("mark", "0x1/0x1", False), ("mark", "0x3"), False),
        Implied(("mark", "0x1/0x1", False), ("mark", "0x0/0x1"), True),
        Implied(("mark", "0x0/0x1", True), ("mark", "0x1/0x1"), False),
        Implied(("mark", "0x1/0x1", True), ("mark", "0x3"), None),
        Implied(("mark", "0x3", False), ("mark", "0x1/0x1"), None),
        Implied(("mark", "0x3", True), ("connmark", "0x1/0x1"), None),
        Implied(("connmark", "0x3", True), ("connmark", "0x1/0x1"), True),
    ],
    ids=lambda one: f"{one.known[1]} {one.known[2]} {one.asked[1]}",
)
def test_one_answer_says_others(one: Implied) -> None:
    kind, value, holds = one.known
    assert answers_of([Assumption(Condition(kind, value), holds)])(Condition(*one.asked)) is one.answer


def test_what_a_rule_has_changed_is_another_question() -> None:
    answer = answers_of([Assumption(Condition("mark", "0x3"), holds=True)])
    assert answer(Condition("mark", "0x1/0x1", since=7)) is None
    assert answers_of([source("10.1.0.0/16")])(Condition("source-cidr", "10.0.0.0/8", since=7)) is None


def test_source_and_destination_say_nothing_about_each_other() -> None:
    assert answers_of([source("10.1.0.0/16")])(Condition("destination-cidr", "10.0.0.0/8")) is None
    assert answers_of([source("10.1.0.0/16")])(Condition("set", "10.0.0.0/8")) is None


@pytest.mark.parametrize("holds", [True, False])
def test_any_condition_answers_for_itself_alone(holds: bool) -> None:
    answer = answers_of([Assumption(Condition("set", "a src"), holds)])
    assert answer(Condition("set", "a src")) is holds
    assert answer(Condition("set", "a dst")) is None
    assert answers_of([])(Condition("set", "a src")) is None


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
    assert settled(HALF, answers_of(assumed)) == (chance, needs)


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


def possible(assumed: list[Assumption]) -> list[str]:
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
    answer = answers_of(assumed)(Condition("source-cidr", asked))
    truths = {inside(address, asked) for address in addresses}
    assert answer is None or truths == {answer}
    if assumed:
        assert answer is (truths.pop() if len(truths) == 1 else None)


@settings(max_examples=200)
@given(assumptions)
def test_what_leaves_no_address_is_refused(assumed: list[Assumption]) -> None:
    if possible(assumed):
        answers_of(assumed)
    else:
        with pytest.raises(PacketError, match="contradicts the packet or another"):
            answers_of(assumed)


@given(networks, networks)
def test_a_known_network_leaves_open_only_what_is_open(known: str, asked: str) -> None:
    truths = {inside(address, asked) for address in possible([source(known)])}
    answer = answers_of([source(known)])(Condition("source-cidr", asked))
    assert answer is (truths.pop() if len(truths) == 1 else None)


def test_the_opposite_of_the_opposite_is_the_same() -> None:
    for one in HALF.needs:
        assert one.opposite() != one
        assert one.opposite().opposite() == one


# --- every row: a rule that no packet meets is in no case -------------------------------------------------------


class Row(NamedTuple):
    """Matches of rules that drop: of `never` no packet has all that one of them asks, of `ever` some do."""

    row: str
    about: dict[str, Any]
    never: tuple[str, ...]
    ever: tuple[str, ...]
    chain: str = "PREROUTING"


UNKNOWN: dict[str, Any] = {"src": None, "mark": None, "ctstate": None, "local_ips": (), "tcp_flags": None}
OWN: dict[str, Any] = UNKNOWN | {"local_ips": ("10.1.0.1", "10.2.0.1")}
ENTRIES = (
    "create S hash:net family inet hashsize 1024 maxelem 65536\nadd S 10.0.0.0/8\nadd S 192.168.0.0/16\n"
)
ROUTES = "default via 10.1.0.254 dev eth0\n10.6.0.0/16 dev eth1\n10.6.7.0/24 dev eth2\n"
LOCAL, TYPE = "-m addrtype --src-type LOCAL", "-m addrtype --src-type"
MEMBER, STATE, MARK, CONNMARK = "-m set --match-set S src", "-m conntrack --ctstate", "-m mark", "-m connmark"
RANGE = "-m iprange --src-range"


ROWS = {
    "an address of the node is local": Row(
        "source-type _by_address", OWN, ("-s 10.1.0.1/32 -m addrtype ! --src-type LOCAL",), (f"-s 10.1.0.1/32 {LOCAL}",)),
    "no other address is local": Row(
        "source-type _by_address", OWN, (f"-s 10.9.0.0/16 {LOCAL}",), ("-s 10.9.0.0/16 -m addrtype ! --src-type LOCAL",)),
    "loopback is local where addresses are known": Row(
        "source-type _by_address", OWN, ("-s 127.0.0.0/8 -m addrtype ! --src-type LOCAL",), (f"-s 127.0.0.0/8 {LOCAL}",)),
    "an address of the node is not unicast": Row(
        "source-type _by_address", OWN, (f"-s 10.1.0.1/32 {TYPE} UNICAST",), (f"-s 10.1.0.9/32 {TYPE} UNICAST",)),
    "no other address is local or broadcast because it is local": Row(
        "source-type _by_address", OWN, (f"-s 10.9.0.0/16 {TYPE} LOCAL,BROADCAST -m addrtype ! --src-type BROADCAST",),
        (f"-s 10.9.0.0/16 {TYPE} LOCAL,BROADCAST",)),
    "destinations are told like sources": Row(
        "destination-type _by_address", OWN | {"dst": None},
        ("-d 10.9.0.0/16 -m addrtype --dst-type LOCAL", "-d 10.1.0.1/32 -m addrtype ! --dst-type LOCAL"),
        ("-d 10.9.0.0/16 -m addrtype ! --dst-type LOCAL",)),
    "what a set has is in it": Row(
        "set _by_member", UNKNOWN, ("-s 10.2.0.0/16 -m set ! --match-set S src",), (f"-s 10.2.0.0/16 {MEMBER}",)),
    "what a set has not is not in it": Row(
        "set _by_member", UNKNOWN, (f"-s 11.0.0.0/8 {MEMBER}",), ("-s 11.0.0.0/8 -m set ! --match-set S src",)),
    "where routes lead tells the interface": Row(
        "out-interface _by_route", UNKNOWN | {"dst": None, "out_iface": None},
        ("-d 10.5.0.0/16 -o eth1", "-d 10.6.8.0/24 ! -o eth1", "-d 10.6.8.0/24 -o eth2", "-d 10.6.7.0/24 ! -o eth2", "-o eth3"),
        ("-d 10.5.0.0/16 -o eth0", "-d 10.6.0.0/16 -o eth1", "-d 10.6.0.0/16 -d 10.6.7.0/24 -o eth2", "-o eth+"), chain="FORWARD"),
    "bits of a mark that is known": Row(
        "mark _by_other_bits", UNKNOWN,
        (f"{MARK} --mark 0x1 -m mark ! --mark 0x1/0x1", f"{MARK} --mark 0x1 -m mark --mark 0x2/0x2", f"{MARK} --mark 0x1 -m mark --mark 0x2",
         "-m mark ! --mark 0x1/0x1 -m mark --mark 0x3/0x3", f"{MARK} --mark 0x0/0x1 -m mark --mark 0x1/0x1"),
        (f"{MARK} --mark 0x1/0x1 -m mark ! --mark 0x1", f"{MARK} --mark 0x1/0x1 -m mark --mark 0x2/0x2")),
    "bits of a connection's mark that is known": Row(
        "connmark _by_other_bits", UNKNOWN,
        (f"{CONNMARK} --mark 0x1 -m connmark ! --mark 0x1/0x1", f"{CONNMARK} --mark 0x1 -m connmark --mark 0x2/0x2"),
        (f"{CONNMARK} --mark 0x1/0x1 -m connmark ! --mark 0x1",)),
    "two bits that together are a third question": Row(
        "_no_such_mark", UNKNOWN, (f"{MARK} --mark 0x1/0x1 -m mark --mark 0x2/0x2 -m mark ! --mark 0x3/0x3",),
        (f"{MARK} --mark 0x1/0x1 -m mark --mark 0x2/0x2 -m mark --mark 0x3/0x3",)),
    "one of all values that two bits have": Row(
        "_no_such_mark", UNKNOWN, (" ".join(f"-m mark ! --mark {value}/0x3" for value in ("0x0", "0x1", "0x2", "0x3")),),
        (" ".join(f"-m mark ! --mark {value}/0x3" for value in ("0x0", "0x1", "0x2")),)),
    "loopback, multicast and broadcast have types of their own": Row(
        "_other_type", UNKNOWN,
        ("-s 127.0.0.0/8 -m addrtype ! --src-type LOCAL", "-s 224.0.0.0/4 -m addrtype ! --src-type MULTICAST",
         f"-s 224.0.0.0/4 {LOCAL}", "-s 255.255.255.255/32 -m addrtype ! --src-type BROADCAST", f"-s 127.0.0.1/32 {TYPE} UNICAST"),
        (f"-s 127.0.0.0/8 {LOCAL}", f"-s 126.0.0.0/7 {TYPE} UNICAST", f"-s 10.0.0.0/8 {TYPE} BROADCAST")),
    "nothing else is multicast": Row(
        "_other_type", UNKNOWN, (f"-s 10.0.0.0/8 {TYPE} MULTICAST",), (f"-s 224.0.0.0/4 {TYPE} MULTICAST",)),
    "what lies in a network whose mask has holes lies in the one that its first bits name": Row(
        "_outside_of_holes", UNKNOWN,
        (f"-s 10.0.0.5/255.0.0.255 {RANGE} 11.0.0.0-11.255.255.255", "-s 10.0.0.5/255.0.0.255 -m iprange ! --src-range 10.0.0.0-10.255.255.255"),
        (f"-s 10.0.0.5/255.0.0.255 {RANGE} 10.0.0.0-10.0.0.9", f"-s 0.0.0.5/0.0.0.255 {RANGE} 11.0.0.0-11.255.255.255",
         f"! -s 10.0.0.5/255.0.0.255 {RANGE} 11.0.0.0-11.255.255.255")),
    "a new connection has no mark": Row(
        "_marked_without_connection", UNKNOWN,
        (f"{STATE} NEW {CONNMARK} --mark 0x1", f"{STATE} NEW -m connmark ! --mark 0x0", f"{CONNMARK} --mark 0x4/0x4 {STATE} NEW"),
        (f"{STATE} NEW {CONNMARK} --mark 0x0", f"{STATE} RELATED {CONNMARK} --mark 0x1", f"{STATE} NEW -m connmark ! --mark 0x1")),
    "without a connection no mark of one is so": Row(
        "_marked_without_connection", UNKNOWN,
        (f"{STATE} INVALID {CONNMARK} --mark 0x1", f"{STATE} UNTRACKED {CONNMARK} --mark 0x0", f"{STATE} INVALID,UNTRACKED {CONNMARK} --mark 0x1"),
        (f"{STATE} INVALID,NEW {CONNMARK} --mark 0x0",)),
    "without a connection no mark of one is otherwise": Row(
        "_marked_without_connection", UNKNOWN, (f"{STATE} INVALID -m connmark ! --mark 0x1",), (f"{STATE} ESTABLISHED -m connmark ! --mark 0x1",)),
}  # fmt: skip


def verdicts(row: Row, matches: str, beside: Path) -> set[str]:
    """What becomes of packets, where the entries of a set are known, and the routes of what is forwarded."""
    sets, routes = beside / "sets", beside / "routes"
    sets.write_text(ENTRIES, encoding="utf-8")
    routes.write_text(ROUTES, encoding="utf-8")
    known = {"ipset": str(sets)} | ({"routes": str(routes)} if row.chain == "FORWARD" else {})
    result = ask(f"mangle|-A {row.chain} {matches} -j DROP", **row.about, **known)
    told(result)  # the shares of each case sum to 1
    return {outcome.verdict for outcome in result.outcomes}


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_rule_that_no_packet_meets_is_in_no_case(row: Row, tmp_path: Path) -> None:
    for matches in row.never:
        assert verdicts(row, matches, tmp_path) == {"ACCEPT"}, matches
    for matches in row.ever:
        assert verdicts(row, matches, tmp_path) == {"ACCEPT", "DROP"}, matches


ELSEWHERE = {"rewriting _by_what_nat_made"}
"""What no rule asks: see test_pasts.py."""


def test_each_implication_is_tested() -> None:
    implied = {
        f"{kind} {function.__name__}" for kind, functions in IMPLICATIONS.items() for function in functions
    }
    impossible = {function.__name__ for function in IMPOSSIBLE}
    assert {row.row for row in ROWS.values()} | ELSEWHERE == implied | impossible


def test_networks_of_fixed_types_have_no_third_type_together() -> None:
    rules = """mangle|-A PREROUTING -s 127.0.0.0/8 -j A
        mangle|-A PREROUTING -s 224.0.0.0/4 -j A
        mangle|-A A -m addrtype ! --src-type LOCAL -m addrtype ! --src-type MULTICAST -j DROP"""
    assert {outcome.verdict for outcome in ask(rules, **UNKNOWN).outcomes} == {"ACCEPT"}


def test_a_mark_is_not_said_to_be_what_it_is_not_as_well() -> None:
    rules = """mangle|-A PREROUTING -i eth0 -m mark --mark 0x3 -j DROP
        mangle|-A PREROUTING -i eth0 -m mark --mark 0x0 -j DROP
        mangle|-A PREROUTING -m mark --mark 0x1/0x1 -j QUEUE"""
    whens = told(ask(rules, **UNKNOWN | {"in_iface": None}))
    assert not [when for when in whens if "mark is 0x3" in when and "mark is not 0x0" in when]


@pytest.mark.parametrize(
    "matches", ["! -s 10.0.0.0/8", "-s 11.0.0.0/8", pytest.param("-s 0.0.0.6/0.0.0.255", marks=HOLES)]
)
def test_a_mask_with_holes_is_told_together_with_other_networks(matches: str) -> None:
    rules = f"mangle|-A PREROUTING -s 10.0.0.5/255.0.0.255 -j A\nmangle|-A A {matches} -j DROP"
    assert {outcome.verdict for outcome in ask(rules, **UNKNOWN).outcomes} == {"ACCEPT"}
