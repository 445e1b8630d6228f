"""The kernel tells the order in which rules match: nf_tables traces a packet rule by rule."""

from __future__ import annotations

import contextlib
import re
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.engine.path import steps_of
from tests.kernel.frames import Sent
from tests.kernel.random_tables import random_packets, random_rules
from tests.kernel.test_packets import ask, asked
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULE_SETS = 60
PACKETS = 3
PATIENCE = 10.0
"""How long to wait, in seconds, for what the kernel tells; rarely for more than a hundredth of it."""

PROBE = Sent("10.2.0.2", "udp", 1, 9)

TRACE = "-A PREROUTING -j TRACE"
TRACED = re.compile(r" TRACE: \d+ (\w+) (\w+):\w+:rule:\S+  -[46] -t \w+ (-A .*)")
PROBED = re.compile(rf"PACKET: \d+ (\w+) .*SPORT={PROBE.sport} DPORT={PROBE.dport}\b")
Steps = list[tuple[str, str]]


def traced_rules(seed: int) -> str:
    """A random dump whose first rule asks for a trace."""
    rules = random_rules(seed)
    raw = rules[rules.index("*raw\n") :]
    declared = re.match(r"\*raw\n(?::.*\n)*", raw)
    assert declared is not None
    return rules.replace(declared[0], f"{declared[0]}{TRACE}\n")


def predicted(lab: Wire, sent: Sent) -> Steps:
    """The table and text of each rule that matches, in order; the rule that asks for the trace aside."""
    (outcome,) = ask(iptviz.load(lab.router.save().encode()), asked(sent)).outcomes
    steps, complete = steps_of(outcome.path)
    assert complete
    return [(step.rule.table.name, step.rule.text) for step in steps if step.rule and step.rule.text != TRACE]


class Monitor:
    """Listens to what the kernel tells of packets."""

    def __init__(self, lab: Wire) -> None:
        command = ["ip", "netns", "exec", lab.router.name, "stdbuf", "-oL", "xtables-monitor", "--trace"]
        self.lab = lab
        self.lines: list[str] = []
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as output:
            self.lines.extend(output)

    def packets(self) -> list[Steps]:
        """What the kernel told of each packet but the probes."""
        packets: dict[str, Steps] = {}
        probes: set[str] = set()
        for line in list(self.lines):
            if found := PROBED.match(line):
                probes.add(found[1])
            elif found := TRACED.match(line):
                packets.setdefault(found[1], [])
                if found[3].rstrip() != TRACE:
                    packets[found[1]].append((found[2], found[3].rstrip()))
        return [steps for packet, steps in packets.items() if packet not in probes]

    def watch(self, sents: list[Sent], expected: list[Steps]) -> list[Steps]:
        """Send packets; what the kernel told of them once it has told all that is expected, or nothing more."""
        self._wait(lambda: self.lab.send(PROBE) and bool(self.lines))
        for sent in sents:
            self.lab.send(sent)
        self._wait(lambda: self.packets() == expected)
        return self.packets()

    def _wait(self, done: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE
        while not done() and time.monotonic() < until:
            time.sleep(0.005)

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()
        self.reader.join()


# The monitor cannot print all rules of IPv6 (REJECT); what they match there is judged by their counters.
def test_rules_match_in_the_order_that_is_predicted() -> None:
    with wire("nft") as lab:
        for seed in range(RULE_SETS):
            rules = traced_rules(seed)
            lab.router.load(rules)
            sents = random_packets(seed, PACKETS)
            expected = [predicted(lab, sent) for sent in sents]
            with contextlib.closing(Monitor(lab)) as monitor:
                assert monitor.watch(sents, expected) == expected, f"seed {seed}\n{rules}"
