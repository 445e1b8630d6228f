"""The kernel judges a node with rules of both backends: packets pass both, in the order of their registration."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.engine.path import steps_of
from iptviz.node.snapshot import Snapshot
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS, Node
from tests.kernel.random_tables import random_packets, random_rules
from tests.kernel.test_packets import asked, came_out, known_of_tracking, matched
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from iptviz import PacketResult
    from iptviz.engine.outcome import Outcome
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

TABLES = ("raw", "mangle", "nat", "filter")
RULE_SETS, PACKETS = 5, 5


class Both:
    """A router with rules of two backends; the one that is loaded last is asked first."""

    def __init__(self, lab: Wire, last: str) -> None:
        self.lab = lab
        order = [backend for backend in BACKENDS if backend != last] + [last]
        self.tools = {backend: Node(lab.router.name, backend, lab.router.family) for backend in order}
        word = "before" if last == "legacy" else "after"
        self.order = tuple(f"legacy table {table} runs {word} that of nf_tables" for table in TABLES)

    def load(self, rules: dict[str, str]) -> None:
        for backend, tool in self.tools.items():
            tool.load(rules[backend])

    def node(self) -> Snapshot:
        return Snapshot([iptviz.load(tool.save("-c").encode()) for tool in self.tools.values()])


def trouble(both: Both, sent: Sent) -> str:
    """Send a packet; what disagrees between the one outcome that there must be and the kernel."""
    before = both.node()
    there, _ = (both.lab.send_out if asked(sent)["hook"] == "output" else both.lab.send)(sent)
    after = both.node()
    found = ask(after, sent, both.order).outcomes
    if len(found) != 1:
        return f"{sent}: {[outcome.when for outcome in found]}"
    counts = [matched(old, new) for old, new in zip(before.dumps, after.dumps, strict=True)]
    if there is None and not came_out(found[0], sent, there):
        there, _ = both.lab.late()
    if predicted(found[0], len(counts)) == counts and came_out(found[0], sent, there):
        return ""
    return f"{sent}\n  predicted {predicted(found[0], len(counts))}\n  the kernel {there} {counts}"


def ask(node: Snapshot, sent: Sent, order: tuple[str, ...]) -> PacketResult:
    return iptviz.packet(node, **asked(sent), assume=(*order, *known_of_tracking(*node.dumps)))


def predicted(outcome: Outcome, dumps: int) -> list[Counter[tuple[str, str, int]]]:
    """Which rules of each dump count the packet."""
    steps, complete = steps_of(outcome.path)
    assert complete
    counts: list[Counter[tuple[str, str, int]]] = [Counter() for _ in range(dumps)]
    for step in steps:
        if step.rule and step.rule.text != "-A OUTPUT -j DROP":
            counts[step.layer][step.rule.table.name, step.rule.chain, step.rule.number] += 1
    return counts


DROPS = {
    "legacy": "*filter\n-A FORWARD -p tcp -j DROP\nCOMMIT\n",
    "nft": "*filter\n-A FORWARD -p udp -j DROP\nCOMMIT\n",
}
REWRITES = {
    "legacy": "*nat\n-A PREROUTING -d 10.3.0.1/32 -j DNAT --to-destination 10.2.0.3\nCOMMIT\n",
    "nft": "*nat\n-A PREROUTING -d 10.3.0.0/24 -j DNAT --to-destination 10.2.0.4\nCOMMIT\n"
    "*filter\n-A FORWARD -d 10.2.0.3/32\n-A FORWARD -d 10.2.0.4/32\nCOMMIT\n",
}
MARKS = {
    "legacy": "*mangle\n-A PREROUTING -m mark --mark 0x2 -j DROP\n-A PREROUTING -j MARK --set-mark 0x1\nCOMMIT\n",
    "nft": "*mangle\n-A PREROUTING -m mark --mark 0x1 -j DROP\n-A PREROUTING -j MARK --set-mark 0x2\nCOMMIT\n",
}
REFUSES = {
    "legacy": "*filter\n-A FORWARD -p udp -j DROP\nCOMMIT\n",
    "nft": "*filter\n-A FORWARD -p udp -j REJECT --reject-with icmp-port-unreachable\nCOMMIT\n",
}
SENT = [
    Sent(to, protocol, 2000, 80) for to in ("10.2.0.2", "10.3.0.1", "10.3.0.2") for protocol in ("tcp", "udp")
]


@pytest.mark.parametrize("last", BACKENDS)
@pytest.mark.parametrize("rules", [DROPS, REWRITES, MARKS], ids=["drops", "rewrites", "marks"])
def test_packets_pass_the_rules_of_both_backends(rules: dict[str, str], last: str) -> None:
    with wire("legacy") as lab:
        both = Both(lab, last)
        both.load(rules)
        for sent in SENT:
            assert not (wrong := trouble(both, sent)), wrong


@pytest.mark.parametrize("last", BACKENDS)
def test_random_tables_of_both_backends_do_what_is_predicted(last: str) -> None:
    for seed in range(RULE_SETS):
        with wire("legacy") as lab:
            both = Both(lab, last)
            both.load({"legacy": random_rules(seed), "nft": random_rules(seed + 1000)})
            for sent in random_packets(seed, PACKETS):
                assert not (wrong := trouble(both, sent)), f"seed {seed}: {wrong}"


def test_without_the_order_each_is_a_case() -> None:
    dumps = [iptviz.load(f"# Generated by iptables-save v1.8.9{' (nf_tables)' if backend == 'nft' else ''}\n{REWRITES[backend]}".encode())
             for backend in BACKENDS]  # fmt: skip
    found = iptviz.packet(Snapshot(dumps), **asked(SENT[2]))
    assert {(outcome.when[0].text, outcome.packet.dnat) for outcome in found.outcomes} == {
        ("legacy table nat runs before that of nf_tables", "10.2.0.3:80"),
        ("legacy table nat runs after that of nf_tables", "10.2.0.4:80"),
    }


@pytest.mark.parametrize("last", BACKENDS)
def test_of_two_refusals_that_of_the_backend_that_is_asked_first_is_seen(last: str) -> None:
    with wire("legacy") as lab:
        both = Both(lab, last)
        both.load(REFUSES)
        sent = Sent("10.2.0.2", "udp", 2000, 80)
        (outcome,) = iptviz.packet(both.node(), **asked(sent), assume=both.order).outcomes
        _, answer = lab.send(sent)
        assert (outcome.verdict, answer is not None) == (
            ("DROP", False) if last == "legacy" else ("REJECT", True)
        )
        cases = iptviz.packet(both.node(), **asked(sent)).outcomes
        assert {case.verdict for case in cases} == {"DROP", "REJECT"}
