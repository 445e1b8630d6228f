"""The kernel judges the interpreter that the engine is held against: tests/engine/interpreter.py."""

from __future__ import annotations

import re
from collections import Counter
from itertools import cycle
from typing import TYPE_CHECKING

import pytest

from tests.engine.interpreter import Outcome, interpret
from tests.engine.test_interpreter import CASES, OWN, PACKETS, dump_of, packet_of
from tests.kernel.lab import BACKENDS, NOTHING
from tests.kernel.random_tables import random_packets, random_rules
from tests.kernel.test_packets import WAYS
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.kernel.frames import Seen, Sent
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

SEEDS = range(50_000, 50_008)
"""None of those of tests/kernel/test_packets.py, so that more is judged; for each backend and family."""
Rules = Counter[tuple[str, str, int]]


def counted(saved: str) -> Rules:
    """How many packets each rule of a dump with counters has met."""
    counts, numbers = Rules(), Counter[tuple[str, str]]()
    table = ""
    for line in saved.splitlines():
        table = line[1:] if line.startswith("*") else table
        if found := re.match(r"\[(\d+):\d+\] -A (\S+)", line):
            numbers[table, found[2]] += 1
            counts[table, found[2], numbers[table, found[2]]] = int(found[1])
    return counts


def met(before: str, after: str, *, own: bool) -> Rules:
    """Which rules a packet has met; where it is not the router's own, what OUTPUT sees is the answer to it."""
    counts = counted(after) - counted(before)
    return Counter({rule: count for rule, count in counts.items() if own or rule[1] != "OUTPUT"})


def came_out(outcome: Outcome, sent: Sent, seen: Seen | None) -> bool:
    """Whether what came out at the server's side is what the interpreter says."""
    end = outcome.packet
    if outcome.verdict != "ACCEPT" or end.route == "INPUT":
        return seen is None
    expected = str(end.source), str(end.destination), sent.protocol, end.dport, end.ttl, end.tos
    return seen is not None and expected == (
        seen.source, seen.destination, seen.protocol, seen.dport, seen.ttl, seen.tos,
    )  # fmt: skip


def check(lab: Wire, name: str, rules: str, sents: Iterable[Sent]) -> None:
    """Load rules alone, send packets, and compare what the kernel does with what the interpreter says."""
    lab.router.load(NOTHING + rules)
    saved = lab.router.save("-c")
    for sent in sents:
        packet = packet_of(sent)
        outcome = interpret(saved, packet)
        seen, _ = (lab.send_out if packet.route == "OUTPUT" else lab.send)(sent)
        if seen is None and not came_out(outcome, sent, None):
            seen, _ = lab.late()
        before, saved = saved, lab.router.save("-c")
        counts = met(before, saved, own=packet.route == "OUTPUT")
        agree = came_out(outcome, sent, seen) and counts == Counter(outcome.matched)
        assert agree, f"{name}: {sent}\n  {outcome}\n  the kernel {seen} {sorted(counts.items())}\n{rules}"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", [4, 6])
def test_what_is_written_by_hand_is_what_the_kernel_does(backend: str, family: int) -> None:
    own = {name: case for name, case in CASES.items() if (":" in case.sent.source) == (family == 6)}
    with wire(backend, family) as lab:
        for number, (name, case) in enumerate(own.items()):
            quiet = "" if case.sent == OWN else ";raw|-A OUTPUT -j DROP"  # its answers count nowhere else
            check(lab, name, dump_of(case.rules + quiet), [case.sent._replace(sport=1024 + number)])


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("family", [4, 6])
def test_the_interpreter_does_what_the_kernel_does(backend: str, family: int) -> None:
    ways = [way for way in WAYS if way.family == family]
    with wire(backend, family) as lab:
        for seed, way in zip(SEEDS, cycle(ways), strict=False):
            check(lab, f"seed {seed}", random_rules(seed, *way), random_packets(seed, PACKETS, *way))
