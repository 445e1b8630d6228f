"""Of rules that are said to do nothing, no packet of many meets one: small tables, walked by a few lines of Python."""

from __future__ import annotations

from itertools import product
from random import Random
from typing import NamedTuple

import pytest

import iptviz

TRIES, RULES = 60, 14
CHAINS = ("ONE", "TWO", "THREE")
SOURCES = ("10.0.0.1", "10.0.1.1", "10.1.0.1")
HOOKS = {
    "INPUT": (("eth0", "eth1"), ("",)),
    "FORWARD": (("eth0", "eth1"), ("eth0", "eth1")),
    "OUTPUT": (("",), ("eth0",)),
}
"""The interfaces that packets come in by and leave by, in each built-in chain."""
TESTS = {
    "-p": {"tcp": {"tcp"}, "udp": {"udp"}},
    "-s": {
        "10.0.0.1/32": {"10.0.0.1"}, "10.0.0.0/24": {"10.0.0.1"}, "10.0.0.0/16": {"10.0.0.1", "10.0.1.1"},
        "10.1.0.0/16": {"10.1.0.1"}, "10.0.0.0/8": set(SOURCES),
    },
    "-i": {"eth0": {"eth0"}, "eth+": {"eth0", "eth1"}},
    "-o": {"eth1": {"eth1"}, "eth+": {"eth0", "eth1"}},
    "-m conntrack --ctstate": {"NEW": {"NEW"}, "RELATED,ESTABLISHED": {"RELATED", "ESTABLISHED"}, "NEW,INVALID": {"NEW", "INVALID"}},
}  # fmt: skip
"""What rules ask for, and which values pass."""
NEGATED = {"-m conntrack --ctstate": "-m conntrack ! --ctstate"}
PACKETS = [
    (hook, dict(zip(TESTS, packet, strict=True)))
    for hook, (inside, outside) in HOOKS.items()
    for packet in product(
        ("tcp", "udp", "icmp"), SOURCES, inside, outside, ("NEW", "ESTABLISHED", "RELATED", "INVALID")
    )
]


class Line(NamedTuple):
    """A rule: its chain, its tests (option, value, negated), and its verdict or the chain that it leads to."""

    chain: str
    tests: tuple[tuple[str, str, bool], ...]
    target: str

    @property
    def text(self) -> str:
        tests = (
            f" {NEGATED.get(option, f'! {option}') if negated else option} {value}"
            for option, value, negated in self.tests
        )
        return f"-A {self.chain}{''.join(tests)} {self.target}"

    def matches(self, packet: dict[str, str]) -> bool:
        return all(
            (packet[option] in TESTS[option][value]) != negated for option, value, negated in self.tests
        )


def table(random: Random) -> list[Line]:
    """A table of rules; chains lead to later ones alone."""
    lines = []
    for chain in (*HOOKS, *CHAINS):
        for _ in range(random.randint(1, RULES // 3)):
            later = CHAINS[CHAINS.index(chain) + 1 :] if chain in CHAINS else CHAINS
            goes = [f"-{how} {one}" for one in later for how in "jjg"]
            target = random.choice(("-j ACCEPT", "-j DROP", "-j RETURN", "-j LOG", *goes))
            options = [
                option
                for option in TESTS
                if random.random() < 0.3 and (option, chain) not in {("-i", "OUTPUT"), ("-o", "INPUT")}
            ]
            tests = tuple(
                (option, random.choice(list(TESTS[option])), random.random() < 0.25) for option in options
            )
            lines.append(Line(chain, tests, target))
    return lines


def met(lines: list[Line], hook: str, packet: dict[str, str]) -> set[int]:
    """The rules that match a packet on its way, by number."""
    found: set[int] = set()

    def walk(chain: str) -> bool:
        """Whether the chain ends the packet's way."""
        for number, line in enumerate(lines):
            if line.chain != chain or not line.matches(packet):
                continue
            found.add(number)
            how, target = line.target.split()
            if target in {"ACCEPT", "DROP"}:
                return True
            if target == "RETURN":
                return False
            if how == "-g":
                return walk(target)
            if target in CHAINS and walk(target):
                return True
        return False

    walk(hook)
    return found


@pytest.mark.parametrize("seed", range(TRIES))
def test_no_packet_meets_a_rule_that_is_in_vain(seed: int) -> None:
    lines = table(Random(seed))
    head = [
        "*filter",
        *(f":{hook} ACCEPT [0:0]" for hook in HOOKS),
        *(f":{chain} - [0:0]" for chain in CHAINS),
    ]
    dump = iptviz.load("\n".join([*head, *(line.text for line in lines), "COMMIT", ""]).encode())
    reached = {len(head) + 1 + number for hook, packet in PACKETS for number in met(lines, hook, packet)}
    for finding in iptviz.check(dump).findings:
        if finding.id in {"unreachable-rule", "shadowed-rule", "rule-contradiction"}:
            blamed = {piece.line for piece in finding.evidence[-finding.times :]}
            assert blamed.isdisjoint(reached), finding
