"""What is assumed narrows an answer; what contradicts the packet, or something else that is assumed, is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.engine.condition import Assumption, Condition
from iptviz.errors import PacketError
from tests.engine.clients import Client, clients, meets_all
from tests.engine.test_journey import ask, told

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from iptviz.questions.packet import PacketResult

UNKNOWN: dict[str, Any] = {
    "src": None, "in_iface": None, "ctstate": None, "mark": None, "protocol": None, "sport": None, "dport": None,
    "tcp_flags": None,
}  # fmt: skip
NO_RULES = "filter|:FORWARD ACCEPT"


@pytest.mark.parametrize(
    "text",
    [
        "source in 10.9.0.0/16", "source not in 10.1.0.0/16", "source in 10.9.0.1-10.9.0.9", "not source in 10.1.0.2/32",
        "destination in 10.9.0.0/16", "destination not in 10.2.0.2/32", "destination not in 10.0.0.1-10.9.0.9",
        "protocol is udp", "protocol is not tcp", "protocol is udp,icmp", "source port 80", "source port not 40000",
        "destination port 443", "destination port not 1:100", "input interface is eth0", "input interface is not c+",
        "input interface is eth+, en+", "connection state is ESTABLISHED", "connection state is not NEW",
        "connection state is RELATED,ESTABLISHED", "source is local to this node",
        "destination is local to this node",
        "mark is 0x1", "mark is not 0x0/0x1",
    ],
)  # fmt: skip
def test_what_the_packet_says_otherwise_is_refused(text: str) -> None:
    with pytest.raises(PacketError, match="contradicts the packet or another"):
        ask(NO_RULES, ctstate="NEW", assume=(text,))


@pytest.mark.parametrize(
    "text",
    [
        "source in 10.1.0.0/16", "source not in 10.9.0.0/16", "destination in 10.2.0.0/16,10.9.0.0/16", "protocol is tcp,udp",
        "source port not 80", "destination port 1:100", "input interface is c+", "connection state is NEW,RELATED",
        "mark is 0x0", "source is not local to this node",
    ],
)  # fmt: skip
def test_what_the_packet_says_as_well_changes_nothing(text: str) -> None:
    assert told(ask(NO_RULES, ctstate="NEW", assume=(text,))) == {"always": "1 ACCEPT FORWARD"}


@pytest.mark.parametrize(
    "texts",
    [
        ("source in 10.1.0.0/16", "source not in 10.0.0.0/8"),
        ("source not in 10.0.0.0/8", "source in 10.1.0.0/16"),
        ("source in 10.1.0.0/16", "source in 10.2.0.0/16"),
        ("source in 10.0.0.0/8", "source not in 10.0.0.0/9", "source not in 10.128.0.0/9"),
        ("source in 10.0.0.1-10.0.0.9", "source in 10.0.0.16/28"),
        ("packet is in ipset x src", "packet is not in ipset x src"),
        ("mark is 0x1", "mark is not 0x1/0x1"),
        ("mark is not 0x1/0x1", "mark is 0x1"),
        ("mark is 0x0/0x1", "mark is 0x1/0x1"),
        ("mark is 0x1", "mark is 0x2"),
        ("mark is 0x3", "mark is 0x4/0x4"),
        ("connection mark is 0x1", "connection mark is 0x0"),
        ("input interface is cali0", "input interface is not cali+"),
        ("input interface is cali+", "input interface is eth0, eth1"),
        ("protocol is tcp", "protocol is udp"),
        ("destination port 80", "destination port not 80:90"),
        ("connection state is NEW", "connection state is RELATED,ESTABLISHED"),
        ("source is local to this node", "source is of type MULTICAST"),
        ("mark is 0x1/0x1", "mark is 0x2/0x2", "mark is not 0x3/0x3"),
        ("source in 127.0.0.0/8", "source is not local to this node"),
        ("source in 224.0.0.0/4", "source is not of type MULTICAST"),
        ("connection state is NEW", "connection mark is 0x1"),
        ("connection state is INVALID", "connection mark is 0x0"),
        tuple(f"mark is not {value}/0x3" for value in ("0x0", "0x1", "0x2", "0x3")),
        ("mark is not 0x6", *(f"mark is not {value}/0x3" for value in ("0x0", "0x1", "0x2", "0x3"))),
        ("connection state is NEW,INVALID,UNTRACKED", "connection mark is 0x3"),
    ],
)  # fmt: skip
def test_what_cannot_be_so_together_is_refused(texts: tuple[str, ...]) -> None:
    with pytest.raises(PacketError, match="contradicts the packet or another"):
        ask(NO_RULES, **UNKNOWN, local_ips=(), assume=texts)
    for text in texts:
        ask(NO_RULES, **UNKNOWN, local_ips=(), assume=(text,))


SETS = "create S hash:net family inet hashsize 1024 maxelem 65536\nadd S 10.0.0.0/8\n"


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("packet is in ipset S src", "source in 11.0.0.0/8"),
        ("packet is not in ipset S src", "source in 10.1.0.0/16"),
        ("source is local to this node", "source in 10.9.0.0/16"),
        ("source is not local to this node", "source in 10.1.0.1/32"),
    ],
)
def test_what_an_address_tells_is_refused_where_it_tells_otherwise(
    text: str, other: str, tmp_path: Path
) -> None:
    sets = tmp_path / "sets"
    sets.write_text(SETS, encoding="utf-8")
    for both in ((text, other), (other, text)):
        with pytest.raises(PacketError, match="contradicts the packet or another"):
            ask(NO_RULES, **UNKNOWN, ipset=str(sets), assume=both)


@pytest.mark.parametrize(
    ("text", "matches", "verdict"),
    [
        ("source in 10.1.0.0/16", "-s 10.0.0.0/8", "DROP"),
        ("source in 10.1.0.0/16", "-s 10.2.0.0/16", "ACCEPT"),
        ("source not in 10.0.0.0/8", "-s 10.2.0.0/16", "ACCEPT"),
        ("source not in 10.0.0.0/8", "! -s 10.2.0.0/16", "DROP"),
        ("source in 10.0.0.1-10.0.0.9", "-m iprange --src-range 10.0.0.0-10.0.0.20", "DROP"),
        ("mark is 0x3", "-m mark --mark 0x1/0x1", "DROP"),
        ("mark is 0x3", "-m mark --mark 0x4/0x4", "ACCEPT"),
        ("mark is 0x0/0x1", "-m mark --mark 0x1", "ACCEPT"),
        ("mark is not 0x1/0x1", "-m mark ! --mark 0x1", "DROP"),
        ("input interface is cali0", "-i cali+", "DROP"),
        ("input interface is not eth0, eth1", "-i eth0", "ACCEPT"),
        ("protocol is udp", "-p tcp", "ACCEPT"),
        ("protocol is udp", "! -p tcp", "DROP"),
        ("connection state is NEW", "-m conntrack --ctstate RELATED,ESTABLISHED", "ACCEPT"),
        ("packet is in ipset x src", "-m set --match-set x src", "DROP"),
        ("source is of type MULTICAST", "-m addrtype --src-type LOCAL", "ACCEPT"),
    ],
)
def test_what_is_consistent_narrows_the_answer(text: str, matches: str, verdict: str) -> None:
    rules = f"mangle|-A PREROUTING {matches} -j DROP"
    about = UNKNOWN | {"dst": "10.2.0.2", "local_ips": ("10.2.0.1",)}
    if "addrtype" in matches:
        about |= {"local_ips": (), "dst": "127.0.0.1", "in_iface": "lo"}
    (when,) = {outcome.when for outcome in ask(rules, **about, assume=(text,)).outcomes}
    assert when == ()
    assert {outcome.verdict for outcome in ask(rules, **about, assume=(text,)).outcomes} == {verdict}
    assert {outcome.verdict for outcome in ask(rules, **about).outcomes} == {"ACCEPT", "DROP"}


@pytest.mark.parametrize(
    ("text", "matches", "verdict"),
    [
        ("packet is in ipset S src", "-m set --match-set S src", "DROP"),
        ("packet is not in ipset S src", "-m set --match-set S src", "ACCEPT"),
        ("source is local to this node", "-m addrtype --src-type LOCAL", "DROP"),
        ("source is not local to this node", "-m addrtype --src-type LOCAL", "ACCEPT"),
        ("source in 10.1.0.1/32", "-m addrtype --src-type LOCAL", "DROP"),
        ("source in 10.1.2.0/24", "-m set --match-set S src", "DROP"),
        ("source in 11.1.2.0/24", "-m set --match-set S src", "ACCEPT"),
    ],
)  # fmt: skip
def test_what_an_address_tells_narrows_the_answer(
    text: str, matches: str, verdict: str, tmp_path: Path
) -> None:
    sets = tmp_path / "sets"
    sets.write_text(SETS, encoding="utf-8")
    result = ask(f"mangle|-A PREROUTING {matches} -j DROP", **UNKNOWN, ipset=str(sets), assume=(text,))
    assert {(outcome.when, outcome.verdict) for outcome in result.outcomes} == {((), verdict)}


def test_networks_that_are_assumed_not_to_hold_the_source_may_be_named_by_rules() -> None:
    rules = "\n".join(f"filter|-A FORWARD -s 10.{number}.0.0/16 -j DROP" for number in (2, 1, 3))
    assert told(ask(rules, src=None, assume=("source not in 10.1.0.0/16",))) == {
        "source in 10.2.0.0/16,10.3.0.0/16": "1 DROP FORWARD",
        "source not in 10.2.0.0/16,10.3.0.0/16": "1 ACCEPT FORWARD",
    }


@pytest.mark.parametrize("text", ["mark is 0x1", "mark is 0x5"])
def test_a_mark_that_is_assumed_has_no_other_bits(text: str) -> None:
    rules = """mangle|-A PREROUTING -s 10.1.0.0/16 -m mark --mark 0x0/0x2 -j DROP
        mangle|-A PREROUTING -m mark --mark 0x1 -j DROP
        mangle|-A PREROUTING -m mark --mark 0x5 -j DROP"""
    assert {outcome.verdict for outcome in ask(rules, **UNKNOWN, assume=(text,)).outcomes} == {"DROP"}


# --- a condition of many values, of which an answer shows the first few ----------------------------------------------

FOUR = "\n".join(f"filter|-A FORWARD -s 10.{number}.0.0/16 -j DROP" for number in (1, 3, 5, 7))
SHORT = "10.1.0.0/16,10.3.0.0/16,10.5.0.0/16 and 1 more"
INSIDE = {"always": "1 DROP FORWARD"}
OUTSIDE = {"always": "1 ACCEPT FORWARD"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"source in {SHORT}", INSIDE),
        (f"source not in {SHORT}", OUTSIDE),
        (f"not source in {SHORT}", OUTSIDE),
        (f" ! not source in {SHORT} ", INSIDE),
        ("source in 10.1.0.0/16,10.3.0.0/16,10.5.0.0/16,10.7.0.0/16", INSIDE),
    ],
)
def test_a_shortened_condition_is_the_one_that_the_answer_states_so(
    text: str, expected: dict[str, str]
) -> None:
    assert f"source in {SHORT}" in told(ask(FOUR, src=None))
    result = ask(FOUR, src=None, assume=(text,))
    assert told(result) == expected
    assert len(result.given[0].condition.values) == 4


def test_shortened_conditions_are_looked_for_where_the_others_hold() -> None:
    rules = "\n".join(f"filter|-A FORWARD -s 10.{number}.0.0/16 -i eth0 -j DROP" for number in (1, 3, 5, 7))
    texts = f"source in {SHORT}", "input interface is eth0"
    about = {"src": None, "in_iface": None}
    assert told(ask(rules, **about, assume=texts)) == INSIDE


@pytest.mark.parametrize(
    "text",
    [
        "source in 10.1.0.0/16 and 3 more", "source not in 10.1.0.0/16,10.3.0.0/16,10.5.0.0/16 and 2 more",
        f"destination in {SHORT}", "source port 1,2,3 and 1 more", "input interface is a, b, c and 1,000 more",
    ],
)  # fmt: skip
def test_a_shortened_condition_that_no_answer_states_is_refused(text: str) -> None:
    with pytest.raises(PacketError, match="leaves values out, and no condition of the answer matches"):
        ask(FOUR, src=None, assume=(text,))


def test_a_shortened_condition_that_several_are_stated_as_is_refused() -> None:
    rules = "\n".join(
        f"filter|-A FORWARD -p {protocol} -s 10.{number}.0.0/16 -j DROP"
        for protocol, numbers in (("tcp", (1, 3, 5, 7)), ("udp", (1, 3, 5, 9)))
        for number in numbers
    )
    with pytest.raises(PacketError, match="several conditions of the answer match"):
        ask(
            rules,
            src=None,
            protocol=None,
            sport=None,
            dport=None,
            tcp_flags=None,
            assume=(f"source in {SHORT}",),
        )


# --- values that mean nothing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "source in hello", "not source in hello", "source in 10.0.0.0/40", "source in 10.0.0.9-10.0.0.1", "source in fd00::/8",
        "destination not in 10.0.0.0/8,hello", "destination in 10.0.0.1-hello", "destination port 99999", "source port 70000",
        "source port 9:1", "destination port not 80,zz", "mark is zz", "mark is not 0x1/zz", "mark is 0x100000000",
        "connection mark is zz", "protocol is zz", "protocol is 256", "protocol is", "input interface is eth0 eth1",
        "output interface is a/b", "time to live is 256", "length is 70000", "length is zz",
        "connection state is OPEN", "source is of type ZZ", "hello is an address of this node",
    ],
)  # fmt: skip
def test_a_value_that_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(PacketError, match=r"has an invalid value|unknown condition"):
        ask(NO_RULES, **UNKNOWN, assume=(text,))


def test_a_network_of_another_family_is_refused() -> None:
    with pytest.raises(PacketError, match="has an invalid value"):
        ask("filter|-A FORWARD -s fd00::/8 -j DROP", src="fd00::1", dst="fd00::2", local_ips=(), assume=("source in 10.0.0.0/8",))  # fmt: skip


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("source in intranet.example", "-s intranet.example"),
        ("source in 10.0.0.1/255.0.0.255", "-s 10.0.0.1/255.0.0.255"),
        ("destination port http", "-p tcp -m tcp --dport http"),
    ],
)
def test_a_value_that_the_answer_asks_about_can_be_assumed_however_it_is_written(
    text: str, rule: str
) -> None:
    about = UNKNOWN | {"protocol": "tcp", "mark": 0}
    assert told(ask(f"filter|-A FORWARD {rule} -j DROP", **about, assume=(text,))) == INSIDE
    assert told(ask(f"filter|-A FORWARD {rule} -j DROP", **about, assume=(f"not {text}",))) == OUTSIDE


# --- ports of protocols that have none -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "texts"),
    [
        ({}, ("protocol is icmp", "destination port 79")),
        ({}, ("destination port 79", "protocol is icmp")),
        ({}, ("protocol is 47,esp", "not source port not 1:5")),
        ({}, ("protocol is not tcp,udp,udplite,sctp,dccp", "source port 5")),
        ({"protocol": "icmp"}, ("destination port 79",)),
        ({"dport": 79}, ("protocol is icmp",)),
        ({"sport": 79}, ("protocol is not tcp,udp,udplite", "protocol is not sctp,dccp")),
    ],
)
def test_ports_of_a_protocol_without_ports_are_refused(about: dict[str, Any], texts: tuple[str, ...]) -> None:
    with pytest.raises(PacketError, match="contradicts the packet or another"):
        ask(NO_RULES, **(UNKNOWN | about), assume=texts)


@pytest.mark.parametrize(
    "texts",
    [
        ("protocol is icmp", "destination port not 79"),
        ("protocol is icmp,udp", "destination port 79"),
        ("protocol is not tcp", "source port 79"),
    ],
)
def test_what_a_packet_without_ports_may_be_is_accepted(texts: tuple[str, ...]) -> None:
    assert told(ask(NO_RULES, **(UNKNOWN | {"mark": 0}), assume=texts)) == OUTSIDE


# --- any client fares as before, if what is assumed is true of it --------------------------------------------------

MATCHES = {
    "-s 10.0.0.0/8": Condition("source-cidr", "10.0.0.0/8"), "-s 10.1.0.0/16": Condition("source-cidr", "10.1.0.0/16"),
    "-s 10.2.0.0/16": Condition("source-cidr", "10.2.0.0/16"), "-i eth0": Condition("in-interface", "eth0"),
    "-i eth+": Condition("in-interface", "eth+"), "-m mark --mark 0x1/0x1": Condition("mark", "0x1/0x1"),
    "-m mark --mark 0x1": Condition("mark", "0x1"), "-m mark --mark 0x0/0x2": Condition("mark", "0x0/0x2"),
    "-m set --match-set A src": Condition("set", "A", "src"),
}  # fmt: skip
CLIENTS = [
    *clients(
        source=("10.0.0.1", "10.1.0.1", "10.2.0.1", "9.9.9.9"), interface=("eth0", "eth1", "lo"), mark=range(8),
        sets=(frozenset(), frozenset("A")),
    )
]  # fmt: skip


def verdict_for(result: PacketResult, client: Client) -> str:
    (verdict,) = {outcome.verdict for outcome in result.outcomes if meets_all(outcome.when, client)}
    return verdict


def random_rules(random: Random) -> str:
    return "\n".join(
        f"mangle|-A PREROUTING {' '.join(random.sample([*MATCHES], random.randint(1, 2)))} -j {random.choice(['ACCEPT', 'DROP', 'QUEUE'])}"
        for _ in range(random.randint(1, 4))
    )


@settings(max_examples=100)
@given(st.randoms(use_true_random=True))
def test_a_client_fares_with_assumptions_as_without(random: Random) -> None:
    rules = random_rules(random)
    assumed = [Assumption(random.choice([*MATCHES.values()]), random.random() < 0.5) for _ in range(random.randint(1, 3))]  # fmt: skip
    fitting = [client for client in CLIENTS if meets_all(assumed, client)]
    texts = tuple(one.text for one in assumed)
    if not fitting:
        with pytest.raises(PacketError, match="contradicts the packet or another"):
            ask(rules, **UNKNOWN, assume=texts)
        return
    free, narrowed = ask(rules, **UNKNOWN), ask(rules, **UNKNOWN, assume=texts)
    assert narrowed.given == tuple(assumed)
    for client in fitting:
        assert verdict_for(narrowed, client) == verdict_for(free, client)
    for when in {outcome.when for outcome in narrowed.outcomes}:
        assert any(meets_all(when, client) for client in fitting)
