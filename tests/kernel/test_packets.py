"""The kernel judges packets: random tables, and which rules matched, what was rewritten, what came out."""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.engine.path import steps_of
from tests.kernel.lab import BACKENDS
from tests.kernel.random_tables import random_packets, random_rules
from tests.kernel.wire import CLIENT, ROUTER, Seen, Sent, wire

if TYPE_CHECKING:
    from iptviz.engine.outcome import Outcome
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULE_SETS = int(os.environ.get("IPTVIZ_RULE_SETS", "500"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
PACKETS = 5
BATCH = 25
SEEDS = range(FIRST_SEED, FIRST_SEED + RULE_SETS, BATCH)

Rules = Counter[tuple[str, str, int]]


def asked(sent: Sent) -> dict[str, Any]:
    """The packet in the words of the question."""
    with_ports = sent.protocol != "icmp"
    return {
        "src": CLIENT, "dst": sent.destination, "protocol": sent.protocol,
        "sport": sent.sport if with_ports else None, "dport": sent.dport if with_ports else None,
        "in_iface": "cli", "out_iface": "srv", "mark": 0, "local_ips": ROUTER, "length": sent.length,
        "ttl": sent.ttl, "tos": sent.tos, "mac": "02:00:00:00:00:01",
        "tcp_flags": sent.flags if sent.protocol == "tcp" else None,
        "icmp_type": f"{sent.icmp[0]}/{sent.icmp[1]}" if not with_ports else None,
    }  # fmt: skip


def matched(before: iptviz.Dump, after: iptviz.Dump) -> Rules:
    """Which rules counted packets in between; those of the router's own answers aside."""
    counts: Rules = Counter()
    for name, table in after.tables.items():
        for rule, old in zip(table.rules(), before.tables[name].rules(), strict=True):
            assert rule.counters is not None
            assert old.counters is not None
            if rule.chain != "OUTPUT" and rule.counters.packets > old.counters.packets:
                counts[name, rule.chain, rule.number] = rule.counters.packets - old.counters.packets
    return counts


def predicted(outcome: Outcome) -> Rules:
    steps, complete = steps_of(outcome.path)
    assert complete
    return Counter((step.table, step.chain, step.rule.number) for step in steps if step.rule)


def came_out(outcome: Outcome, sent: Sent, seen: Seen | None) -> bool:
    """Whether what came out at the server's side is what the outcome says."""
    if outcome.verdict != "ACCEPT" or outcome.route != "FORWARD":
        return seen is None
    end = outcome.packet
    if seen is None or end.destination is None:
        return False
    source = ROUTER[1] if end.snat == "MASQUERADE" else end.snat or CLIENT
    port = sent.dport if sent.protocol != "icmp" else 0
    if end.dnat and ":" in end.dnat and sent.protocol != "icmp":
        port = int(end.dnat.rpartition(":")[2])
    destination = (end.dnat or sent.destination).partition(":")[0]
    expected = (source.partition(":")[0], destination, port, end.ttl, end.tos)
    return (seen.source, seen.destination, seen.dport, seen.ttl, seen.tos) == expected


def compare(lab: Wire, sent: Sent, before: iptviz.Dump) -> tuple[iptviz.Dump, str]:
    """Send one packet; the counters after it, and what disagrees, if anything does."""
    there, _ = lab.send(sent)
    after = iptviz.load(lab.router.save("-c").encode())
    counts = matched(before, after)
    result = iptviz.packet(after, **asked(sent))
    if len(result.outcomes) != 1:
        return after, f"{sent}: {len(result.outcomes)} outcomes: {[one.when for one in result.outcomes]}"
    (outcome,) = result.outcomes
    if predicted(outcome) == counts and came_out(outcome, sent, there):
        return after, ""
    return after, (
        f"{sent}\n  predicted {outcome.verdict} {outcome.route} {outcome.packet.dnat} {outcome.packet.snat} "
        f"{sorted(predicted(outcome).items())}\n  the kernel {there} {sorted(counts.items())}"
    )


@pytest.mark.parametrize("first", SEEDS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_random_tables_do_to_packets_what_is_predicted(backend: str, first: int) -> None:
    with wire(backend) as lab:
        # Half of the rule sets go to each backend: together they are all.
        for seed in range(first + BACKENDS.index(backend), min(first + BATCH, SEEDS.stop), len(BACKENDS)):
            lab.router.load(random_rules(seed))
            before = iptviz.load(lab.router.save("-c").encode())
            for sent in random_packets(seed, PACKETS):
                before, trouble = compare(lab, sent, before)
                assert not trouble, f"seed {seed}: {trouble}\n{random_rules(seed)}"
