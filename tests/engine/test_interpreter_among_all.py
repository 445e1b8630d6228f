"""The cases that the engine tells where little is known agree with the interpreter, packet by packet.

Of random rule sets it is asked about packets of which some fields are left out. Each concrete packet meets one case,
as the interpreter's own reading of the conditions says; what that case tells must come of it. A long run:

    IPTVIZ_RULE_SETS=200000 IPTVIZ_FIRST_SEED=1000000 pytest -n auto tests/engine/test_interpreter_among_all.py
"""

from __future__ import annotations

import os
import random
import shlex
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.engine.journey import fate_of
from iptviz.xtables.address import split_endpoint
from tests.engine.concrete import TESTS, Packet, holds
from tests.engine.interpreter import NEVER_TRACKED, interpret
from tests.engine.test_interpreter import WRITERS, packet_of
from tests.kernel.random_tables import random_packets, random_rules
from tests.kernel.test_packets import WAYS, asked, known_of_tracking
from tests.kernel.universe import in_family
from tests.kernel.wire import ROUTER

if TYPE_CHECKING:
    from iptviz.engine.condition import Condition
    from iptviz.engine.outcome import Outcome
    from tests.kernel.frames import Sent

RULE_SETS = int(os.environ.get("IPTVIZ_RULE_SETS", "300"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "700000"))
PACKETS = 4
BATCH = 30
SEEDS = range(FIRST_SEED, FIRST_SEED + RULE_SETS, BATCH)

LEFT_OUT = (
    ("src",), ("dst",), ("sport",), ("dport",), ("mark",), ("ttl",), ("length",), ("tcp_flags",), ("src", "mark"),
    ("dst", "dport"), ("src", "sport", "mark", "ttl"), ("protocol", "sport", "dport", "tcp_flags", "icmp_type"),
    ("src", "dst", "protocol", "sport", "dport", "tcp_flags", "icmp_type", "mark", "ttl", "length"),
)  # fmt: skip
"""What is not said of a packet, in turn."""

OPTIONS = {
    "source-cidr": "-s", "destination-cidr": "-d", "source-range": "iprange --src-range",
    "destination-range": "iprange --dst-range", "protocol": "-p", "source-port": "tcp --sport",
    "destination-port": "tcp --dport", "in-interface": "-i", "mark": "mark --mark", "ttl": "ttl", "length": "length",
    "source-type": "addrtype --src-type", "destination-type": "addrtype --dst-type",
}  # fmt: skip
"""By the kind of a condition the option of a rule that asks the same."""


def is_met(condition: Condition, packet: Packet) -> bool | None:
    """Whether the interpreter finds a condition true of a packet as it comes; None where it cannot tell."""
    if condition.since is not None or condition.rewritten or condition.rule is not None:
        return None
    if condition.kind == "match":
        return is_matched(condition.value, packet)
    option = OPTIONS.get(condition.kind)
    return None if option is None else any(is_so(option, word, packet) for word in condition.values)


def is_so(option: str, word: str, packet: Packet) -> bool:
    if option in {"ttl", "length"}:
        first, colon, last = word.partition(":")
        number: int = getattr(packet, option)
        return int(first) <= number <= int(last if colon else first)
    if option in RANGES and "-" not in word:
        option = RANGES[option]  # a list of networks and ranges
    return holds(packet, option, word, negated=False)


RANGES = {"iprange --src-range": "-s", "iprange --dst-range": "-d"}


def is_matched(text: str, packet: Packet) -> bool | None:
    words = shlex.split(text)
    match = words[1] if words[0] == "-m" else "tcp"
    option, *values = words[2:] if words[0] == "-m" else words
    name = f"{match} {option}"
    if name not in TESTS or TESTS[name][0].startswith("connection."):
        return None
    return holds(packet, name, " ".join(values), negated=False)


def selected(outcomes: tuple[Outcome, ...], packet: Packet) -> list[Outcome] | None:
    """The outcomes of the case that a packet meets; None where a condition cannot be told."""
    found = []
    for outcome in outcomes:
        answers = [(is_met(need.condition, packet), need.holds) for need in outcome.when]
        if any(answer is None for answer, _ in answers):
            return None
        found += [outcome] if all(answer == true for answer, true in answers) else []
    return found


def first_that_holds(outcomes: tuple[Outcome, ...], packet: Packet) -> Outcome:
    """What comes of a packet for a reader of the cases in order."""
    for outcome in outcomes:
        if all(is_met(need.condition, packet) == need.holds for need in outcome.first):
            return outcome
    raise AssertionError(outcomes)


def trouble_with(dump: iptviz.Dump, rules: str, sent: Sent, left_out: tuple[str, ...]) -> str | None:
    """What disagrees; empty where nothing does, None where the conditions ask what is not to be told."""
    if "ttl" in left_out and sent.ttl == 1:
        return None  # a time to live that is not said is taken to suffice
    if "protocol" in left_out and sent.protocol == "icmp" and sent.icmp[0] in NEVER_TRACKED:
        return None  # a protocol that is not said is taken for one whose connections are tracked
    question = asked(sent) | dict.fromkeys(left_out)
    outcomes = iptviz.packet(dump, **question, assume=known_of_tracking(dump)).outcomes
    packet = packet_of(sent)
    found = selected(outcomes, packet)
    if found is None:
        return None
    said = f"{sent} without {left_out}\n{rules}"
    if len(found) != 1 or found[0].share != 1:
        return f"{len(found)} outcomes of {[outcome.when for outcome in outcomes]}: {said}"
    outcome = first_that_holds(outcomes, packet)
    if fate_of(outcome.verdict, outcome.packet) != fate_of(found[0].verdict, found[0].packet):
        return f"another case comes first: {said}"
    verdict, end, _ = interpret(rules, packet)
    if "/" in (outcome.packet.dnat or "") + (outcome.packet.snat or ""):
        return ""  # NETMAP tells the network alone where the address is not known
    told = end_of(outcome, sent)
    true = (
        verdict,
        end.route,
        str(end.source),
        str(end.destination),
        0 if sent.protocol == "icmp" else end.dport,
    )
    if told != true:
        return f"{told}, not {true}: {said}"
    mark = outcome.packet.mark
    if (
        mark.origin.since is None
        and mark.label is not None
        and (packet.mark & mark.keep) ^ mark.value != end.mark
    ):
        return f"mark {mark.text}, not {end.mark:#x}: {said}"
    return ""


def end_of(outcome: Outcome, sent: Sent) -> tuple[str, str, str, str, int]:
    end = outcome.packet
    router = in_family(ROUTER[1], sent.family)
    source, _ = split_endpoint((router if end.snat == "MASQUERADE" else end.snat) or sent.source)
    # What keeps the address or the port of a destination that is not known says so.
    words = (end.dnat or "").replace("its address", sent.destination)
    destination, port = split_endpoint(words or sent.destination)
    return (
        outcome.verdict, outcome.route, source, destination, 0 if sent.protocol == "icmp" else port or sent.dport
    )  # fmt: skip


@pytest.mark.parametrize("first", SEEDS)
def test_each_packet_fares_as_the_case_says_that_it_meets(first: int) -> None:
    told = 0
    for seed in range(first, min(first + BATCH, SEEDS.stop)):
        way = WAYS[seed % len(WAYS)]
        rules = random_rules(seed, *way)
        dump = iptviz.load(f"{WRITERS[way.family]}{rules}".encode())
        left_out = random.Random(seed).choice(LEFT_OUT)
        for sent in random_packets(seed, PACKETS, *way):
            trouble = trouble_with(dump, rules, sent, left_out)
            assert not trouble, f"seed {seed}: {trouble}"
            told += trouble is not None
    assert told > BATCH
