"""The kernel judges packets: random tables, and which rules matched, what was rewritten, what came out.

A long run, of rule sets that nobody has tried:

    sudo IPTVIZ_REQUIRE_KERNEL=1 IPTVIZ_RULE_SETS=5000 IPTVIZ_FIRST_SEED=1000000 .venv/bin/python -m pytest -n auto \\
        tests/kernel/test_packets.py
"""

from __future__ import annotations

import os
import re
from collections import Counter
from itertools import cycle
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

import iptviz
from iptviz.engine.path import steps_of
from iptviz.rules.iptables import DumpRules
from iptviz.xtables.address import split_endpoint
from tests.conftest import EVERYTHING
from tests.kernel.lab import BACKENDS, NOTHING
from tests.kernel.random_tables import random_packets, random_rules
from tests.kernel.universe import in_family
from tests.kernel.wire import ROUTER, wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from iptviz import PacketResult
    from iptviz.engine.outcome import Outcome
    from tests.kernel.frames import Seen, Sent
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULE_SETS = int(os.environ.get("IPTVIZ_RULE_SETS", "120"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
PACKETS = 5
BATCH = 25
SEEDS = range(FIRST_SEED, FIRST_SEED + RULE_SETS, BATCH)

Rules = Counter[tuple[str, str, int]]


class Way(NamedTuple):
    """How a packet comes to the rules."""

    family: int = 4
    hook: str = "prerouting"


WAYS = [Way(4), Way(6), Way(4, "output"), Way(4), Way(6), Way(6, "output")]


def asked(sent: Sent, **more: object) -> dict[str, Any]:
    """The packet in the words of the question."""
    with_ports = sent.protocol != "icmp"
    routers = tuple(in_family(one, sent.family) for one in ROUTER)
    own = sent.source in routers
    return {
        "src": sent.source, "dst": sent.destination,
        "protocol": "ipv6-icmp" if sent.family == 6 and not with_ports else sent.protocol,
        "sport": sent.sport if with_ports else None, "dport": sent.dport if with_ports else None,
        "hook": "output" if own else "prerouting", "in_iface": None if own else "cli", "out_iface": "srv",
        "mark": 0, "local_ips": routers, "length": sent.length, "ttl": sent.ttl, "tos": sent.tos,
        "mac": None if own else "02:00:00:00:00:01", "uid": 0 if own else None, "gid": 0 if own else None,
        "tcp_flags": sent.flags if sent.protocol == "tcp" else None,
        "icmp_type": f"{sent.icmp[0]}/{sent.icmp[1]}" if not with_ports else None, **more,
    }  # fmt: skip


def matched(before: iptviz.Dump, after: iptviz.Dump) -> Rules:
    """Which rules counted packets in between; those that drop the router's own answers aside."""
    counts: Rules = Counter()
    for name, table in after.tables.items():
        for rule, old in zip(table.rules(), before.tables[name].rules(), strict=True):
            assert rule.counters is not None
            assert old.counters is not None
            if rule.text != "-A OUTPUT -j DROP" and rule.counters.packets > old.counters.packets:
                counts[name, rule.chain, rule.number] = rule.counters.packets - old.counters.packets
    return counts


def predicted(outcome: Outcome) -> Rules:
    steps, complete = steps_of(outcome.path)
    assert complete
    rules = [step.rule for step in steps if step.rule and step.rule.text != "-A OUTPUT -j DROP"]
    return Counter((rule.table.name, rule.chain, rule.number) for rule in rules)


def came_out(outcome: Outcome, sent: Sent, seen: Seen | None) -> bool:
    """Whether what came out at the server's side is what the outcome says."""
    if outcome.verdict != "ACCEPT" or outcome.route == "INPUT":
        return seen is None
    end = outcome.packet
    if seen is None or end.destination is None:
        return False
    source, _ = split_endpoint(end.snat or sent.source)
    source = in_family(ROUTER[1], sent.family) if end.snat == "MASQUERADE" else source
    destination, port = split_endpoint(end.dnat or sent.destination)
    expected = (source, destination, port or sent.dport, end.ttl, end.tos)
    if sent.protocol == "icmp":
        expected = (*expected[:2], 0, *expected[3:])
    return (seen.source, seen.destination, seen.dport, seen.ttl, seen.tos) == expected


def trouble_with(sent: Sent, outcomes: Sequence[Outcome], counts: Rules, there: Seen | None) -> str:
    """What disagrees between the one outcome that there must be and the kernel; nothing if all agrees."""
    if len(outcomes) != 1:
        return f"{sent}: {len(outcomes)} outcomes: {[one.when for one in outcomes]}"
    (outcome,) = outcomes
    if predicted(outcome) == counts and came_out(outcome, sent, there):
        return ""
    return (
        f"{sent}\n  predicted {outcome.verdict} {outcome.route} {outcome.packet.dnat} {outcome.packet.snat} "
        f"{sorted(predicted(outcome).items())}\n  the kernel {there} {sorted(counts.items())}"
    )


def ask(dump: iptviz.Dump, question: dict[str, Any]) -> PacketResult:
    """The answer; that nothing but the rules makes the kernel track connections is known here."""
    return iptviz.packet(dump, **question, assume=known_of_tracking(dump))


def known_of_tracking(*dumps: iptviz.Dump) -> tuple[str, ...]:
    """What is known here of connections where no rule makes the kernel track them."""
    tracked = any(DumpRules(dump).wants_tracking for dump in dumps)
    return () if tracked else ("this node does not track connections",)


def compare(lab: Wire, sent: Sent, before: iptviz.Dump) -> tuple[iptviz.Dump, str]:
    """Send one packet; the counters after it, and what disagrees, if anything does."""
    question = asked(sent)
    there, _ = (lab.send_out if question["hook"] == "output" else lab.send)(sent)
    after, trouble = judged(lab, sent, before, there, question)
    if trouble and there is None:
        there, _ = lab.late()
        after, trouble = judged(lab, sent, before, there, question)
    return after, trouble


def judged(
    lab: Wire, sent: Sent, before: iptviz.Dump, there: Seen | None, question: dict[str, Any]
) -> tuple[iptviz.Dump, str]:
    """The counters now, and what disagrees."""
    after = iptviz.load(lab.router.save("-c").encode())
    return after, trouble_with(sent, ask(after, question).outcomes, matched(before, after), there)


@pytest.mark.parametrize("first", SEEDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_random_tables_do_to_packets_what_is_predicted(backend: str, first: int) -> None:
    # Half of the rule sets go to each backend: together they are all.
    seeds = range(first + BACKENDS.index(backend), min(first + BATCH, SEEDS.stop), len(BACKENDS))
    for family in (4, 6):
        with wire(backend, family) as lab:
            for seed, way in zip(seeds, cycle(WAYS), strict=False):
                if way.family == family:
                    check_rule_set(lab, seed, way)


def check_rule_set(lab: Wire, seed: int, way: Way) -> None:
    rules = random_rules(seed, *way)
    lab.router.load(NOTHING + rules)
    before = iptviz.load(lab.router.save("-c").encode())
    for sent in random_packets(seed, PACKETS, *way):
        before, trouble = compare(lab, sent, before)
        assert not trouble, f"seed {seed}: {trouble}\n{rules}"


# --- packets of a connection that is there already ---------------------------------------------------------

REMEMBERED = re.compile("(?i)connmark|--ct(orig|repl|proto|dir|status)|notrack|[SD]NAT")
"""What hangs on how the connection began, which a question about a later packet does not tell."""
NEW_PASS = {
    "filter": ("INPUT", "FORWARD"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "POSTROUTING"),
    "raw": (),
}


def later_rules(seed: int, family: int) -> str:
    """Random rules that let connections be established, without nat and what is remembered."""
    dump = iptviz.load(random_rules(seed, family).encode())
    lines: list[str] = []
    for name, chains in NEW_PASS.items():
        if name in dump.tables:
            rules = [rule.text for rule in dump.tables[name].rules() if not REMEMBERED.search(rule.text)]
            own = [
                f":{chain} - " for chain in dump.tables[name].chain_names() if re.fullmatch(r"C\d+", chain)
            ]
            passing = [f"-A {chain} -m conntrack --ctstate NEW -j ACCEPT" for chain in chains]
            lines += [f"*{name}", *own, *passing, *rules, "COMMIT"]
    return "\n".join([*lines, ""])


LATER_RULE_SETS = 60 if EVERYTHING else 40


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", [4, 6])
def test_answers_and_second_packets_meet_what_is_predicted(backend: str, family: int) -> None:
    compared = 0
    with wire(backend, family) as lab:
        for seed in range(LATER_RULE_SETS):
            rules = later_rules(seed, family)
            lab.router.load(rules)
            for sent in random_packets(seed, PACKETS, family):
                there, _ = lab.send(sent)
                if there is not None and sent.icmp[0] in {8, 128}:
                    for later, sends in ((sent.answer(), lab.send_back), (sent.answer().answer(), lab.send)):
                        trouble = compare_later(lab, later, sends)
                        assert not trouble, f"seed {seed}: {trouble}\n{rules}"
                        compared += 1
    assert compared > LATER_RULE_SETS


def compare_later(lab: Wire, later: Sent, sends: Callable[[Sent], tuple[Seen | None, Seen | None]]) -> str:
    before = iptviz.load(lab.router.save("-c").encode())
    answering = sends == lab.send_back
    question = asked(later, ctstate="ESTABLISHED")
    if answering:
        question |= {"in_iface": "srv", "out_iface": "cli", "mac": "02:00:00:00:00:03"}
    seen = sends(later)[answering]
    _, trouble = judged(lab, later, before, seen, question)
    if trouble and seen is None:
        _, trouble = judged(lab, later, before, lab.late()[answering], question)
    return trouble
