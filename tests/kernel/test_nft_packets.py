"""The kernel judges packets through random rule sets of nft: which rules matched, what was rewritten, what came out.

A long run, of rule sets that nobody has tried:

    sudo IPTVIZ_REQUIRE_KERNEL=1 IPTVIZ_RULE_SETS=300 IPTVIZ_FIRST_SEED=1000000 .venv/bin/python -m pytest \\
        tests/kernel/test_nft_packets.py
"""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from itertools import combinations, cycle
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.path import steps_of
from iptviz.nft.read import read_ruleset
from iptviz.node.load import load_node
from iptviz.rules.native.merging import Neighbours, with_neighbours
from iptviz.rules.native.words import match_words
from iptviz.rules.nftables import NftRules
from tests.kernel.lab import NOTHING
from tests.kernel.random_nft import random_ruleset
from tests.kernel.random_tables import random_packets, random_rules
from tests.kernel.test_packets import WAYS, Way, asked, came_out, known_of_tracking
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.engine.outcome import Outcome
    from tests.kernel.frames import Seen, Sent
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULE_SETS = int(os.environ.get("IPTVIZ_RULE_SETS", "60"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
PACKETS = 5
BATCH = 30

COUNTED = re.compile(
    r"counter packets (\d+) bytes \d+\b(?! meta l4proto| (?:ct|meta) mark set ct mark)(?!.* map )"
)
"""A counter before something that the rule does whatever the packet is like: then it is a step of the way."""

Rules = set[tuple[str, str, int]]


def counts_of(text: str) -> dict[tuple[str, str, int], int]:
    """How often each rule with a counter was met, by table, chain and number."""
    found = {}
    for table in read_ruleset(text.encode()).tables.values():
        for chain in table.chains.values():
            for rule in chain.rules:
                counted = COUNTED.search(rule.text)
                if counted:
                    found[f"{table.family} {table.name}", chain.name, rule.number] = int(counted[1])
    return found


def predicted(outcome: Outcome) -> Rules:
    steps, complete = steps_of(outcome.path)
    assert complete
    rules = [(step.table, step.rule) for step in steps if step.rule and COUNTED.search(step.rule.text)]
    return {(table, rule.chain, rule.number) for table, rule in rules}


def ask(text: str, question: dict[str, Any], dump: str = "", addresses: str = "") -> tuple[Outcome, ...]:
    """The outcomes; what no listing tells is known here: the last chain is asked first, and what nft joins.

    Those of a `dump` of iptables were loaded before all others. `addresses` are what `ip addr` says of the router.
    """
    node = load_node(*(part.encode() for part in (dump, text, addresses) if part))
    family = "ipv6" if ":" in str(question["dst"]) else "ipv4"
    ruleset = read_ruleset(text.encode())
    rules = NftRules(ruleset, family)
    tracks = rules.wants_tracking or known_of_tracking(*node.dumps) == ()
    given: tuple[str, ...] = () if tracks else ("this node does not track connections",)
    given += tuple(
        f"the kernel does not ask {one.table} {one.chain} before {other.table} {other.chain}"
        for one, other in combinations(rules.bases, 2)
        if (one.hook, one.priority, one.type == "nat") == (other.hook, other.priority, other.type == "nat")
        if one.table != other.table and not dump
    )
    given += tuple(
        Assumption(Condition("merged", " ".join(map(match_words, one.matches)), rule=rule.line), joins()).text
        for table in ruleset.tables.values()
        for chain in table.chains.values()
        for rule in chain.rules
        for one in with_neighbours(rule.statements)
        if isinstance(one, Neighbours)
    )
    outcomes = iptviz.packet(node, **question, assume=given).outcomes
    order: list[str] = [
        f"{table.name} {chain}"
        for one in node.dumps
        for table in one.tables.values()
        for chain in table.chains
    ]
    order += [
        f"{table.family} {table.name} {chain}" for table in ruleset.tables.values() for chain in table.chains
    ]
    known = dict.fromkeys(
        f"the kernel {'asks' if first else 'does not ask'} {need.condition.text}"
        for one in outcomes
        for need in (*one.when, *one.first, *one.client)
        if need.condition.kind == "hook-order"
        for first in [_is_first(need.condition.value, order)]
    )
    return iptviz.packet(node, **question, assume=(*given, *known)).outcomes if known else outcomes


@cache
def joins() -> bool:
    """Whether the nft that loads the rules joins neighbouring fields that must differ, as those before 1.1.0 do."""
    rule = "table ip t {\n chain c {\n tcp sport != 80 tcp dport != 443\n }\n}\n"
    command = ["nft", "--check", "--debug=netlink", "-f", "/dev/stdin"]
    done = subprocess.run(command, input=rule, capture_output=True, text=True, check=True)
    return done.stdout.count("cmp neq") == 1


def judged_by_addresses(
    lab: Wire, text: str, question: dict[str, Any], there: Seen | None, sent: Sent, dump: str = ""
) -> tuple[tuple[Outcome, ...], str]:
    """The outcomes for who knows the router's addresses, where MASQUERADE asks for them, and what is wrong without.

    Which source it gives a packet is known by the addresses alone; rules behind it may ask for that. What is told
    without them must be open to what the kernel does.
    """
    told = ask(text, question, dump)
    if not any(one.packet.snat == "MASQUERADE" for one in told):
        return told, ""
    is_open = any((one.verdict == "ACCEPT" and one.route != "INPUT") == (there is not None) for one in told)
    trouble = "" if is_open else f"{sent}: none of {[(one.when, one.verdict) for one in told]}: {there}"
    return ask(text, question, dump, lab.router.run("ip", "addr")), trouble


def _is_first(value: str, order: list[str]) -> bool:
    """Whether the first of two chains was registered after the other one, and so is asked before it."""
    chain, _, other = value.partition(" before ")
    return order.index(chain) > order.index(other)


def trouble_with(sent: Sent, outcomes: Sequence[Outcome], counts: Rules, there: Seen | None) -> str:
    if len(outcomes) != 1:
        return f"{sent}: {len(outcomes)} outcomes: {[(one.when, one.verdict) for one in outcomes]}"
    (outcome,) = outcomes
    if predicted(outcome) == counts and came_out(outcome, sent, there):
        return ""
    return (
        f"{sent}\n  predicted {outcome.verdict} {outcome.route} {outcome.packet.dnat} {outcome.packet.snat} "
        f"{sorted(predicted(outcome))}\n  the kernel {there} {sorted(counts)}"
    )


def compare(lab: Wire, sent: Sent, before: str) -> tuple[str, str]:
    """Send one packet; the listing after it, and what disagrees, if anything does."""
    question = asked(sent)
    there, _ = (lab.send_out if question["hook"] == "output" else lab.send)(sent)
    after, trouble = judged(lab, sent, before, there, question)
    if trouble and there is None:
        there, _ = lab.late()
        after, trouble = judged(lab, sent, before, there, question)
    return after, trouble


def judged(
    lab: Wire, sent: Sent, before: str, there: Seen | None, question: dict[str, Any]
) -> tuple[str, str]:
    after = lab.router.run("nft", "list", "ruleset")
    old, new = counts_of(before), counts_of(after)
    matched = {rule for rule, count in new.items() if count > old[rule]}
    outcomes, trouble = judged_by_addresses(lab, before, question, there, sent)
    return after, trouble or trouble_with(sent, outcomes, matched, there)


REFUSED = re.compile(r"^/dev/stdin:(\d+):", re.MULTILINE)


def load(lab: Wire, rules: str) -> None:
    """Load a rule set without the rules that nft refuses, such as those that ask for two protocols at once."""
    lines = rules.splitlines()
    for _ in range(12):
        done = subprocess.run(
            ["ip", "netns", "exec", lab.router.name, "nft", "-f", "/dev/stdin"],
            input="\n".join(lines), capture_output=True, text=True, check=False,
        )  # fmt: skip
        if not done.returncode:
            return
        refused = set(map(int, REFUSED.findall(done.stderr)))
        assert refused, done.stderr
        lines = [line for number, line in enumerate(lines, 1) if number not in refused]
    raise AssertionError(done.stderr)


def check_rule_set(lab: Wire, seed: int, way: Way) -> None:
    load(lab, f"flush ruleset\n{random_ruleset(seed, way.family, way.hook)}")
    before = lab.router.run("nft", "list", "ruleset")
    for sent in random_packets(seed, PACKETS, *way):
        before, trouble = compare(lab, sent, before)
        assert not trouble, f"seed {seed}: {trouble}\n{before}"


@pytest.mark.parametrize("first", range(FIRST_SEED, FIRST_SEED + RULE_SETS, BATCH))
def test_random_rule_sets_do_to_packets_what_is_predicted(first: int) -> None:
    seeds = range(first, min(first + BATCH, FIRST_SEED + RULE_SETS))
    for family in (4, 6):
        with wire("nft", family) as lab:
            for seed, way in zip(seeds, cycle(WAYS), strict=False):
                if way.family == family:
                    check_rule_set(lab, seed, way)


# --- tables of nft beside those of iptables ------------------------------------------------------------------

MIXED = max(RULE_SETS // 3, 1)


def check_mixed(lab: Wire, seed: int, way: Way) -> None:
    lab.router.run("nft", "flush", "ruleset")
    lab.router.load(NOTHING + random_rules(seed, *way))
    load(lab, random_ruleset(seed, way.family, way.hook))
    for sent in random_packets(seed, PACKETS, *way):
        dump, listing = lab.router.save("-c"), lab.router.run("nft", "list", "ruleset")
        question = asked(sent)
        there, _ = (lab.send_out if question["hook"] == "output" else lab.send)(sent)
        trouble = trouble_mixed(lab, sent, question, there, listing, dump)
        if trouble and there is None:
            trouble = trouble_mixed(lab, sent, question, lab.late()[0], listing, dump)
        assert not trouble, f"seed {seed}: {trouble}\n{dump}\n{listing}"


def trouble_mixed(
    lab: Wire, sent: Sent, question: dict[str, Any], there: Seen | None, listing: str, dump: str
) -> str:
    outcomes, trouble = judged_by_addresses(lab, listing, question, there, sent, dump)
    if trouble:
        return trouble
    if len(outcomes) != 1:
        return f"{sent}: {len(outcomes)} outcomes: {[(one.when, one.verdict) for one in outcomes]}"
    (outcome,) = outcomes
    said = f"{outcome.verdict} {outcome.route} {outcome.packet.dnat} {outcome.packet.snat}"
    return "" if came_out(outcome, sent, there) else f"{sent}\n  predicted {said}\n  the kernel {there}"


def test_tables_of_nft_act_beside_those_of_iptables() -> None:
    for family in (4, 6):
        with wire("nft", family) as lab:
            for seed, way in zip(range(FIRST_SEED, FIRST_SEED + MIXED), cycle(WAYS), strict=False):
                if way.family == family:
                    check_mixed(lab, seed, way)
