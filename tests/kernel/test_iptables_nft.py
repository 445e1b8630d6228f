"""nft judges the reading of what iptables-nft made: its listing says of packets what iptables-nft-save says.

A long run: `IPTVIZ_RULE_SETS=500`, with `IPTVIZ_FIRST_SEED` for rule sets that nobody has tried.
"""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.node.load import load_node
from tests.kernel.lab import node
from tests.kernel.random_tables import random_packets, random_rules
from tests.kernel.random_wild import WILD
from tests.kernel.test_packets import asked

if TYPE_CHECKING:
    from iptviz.engine.outcome import Outcome
    from tests.kernel.lab import Node

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

RULE_SETS = int(os.environ.get("IPTVIZ_RULE_SETS", "30"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
PACKETS = 3
OPEN = ("-m nft ", "[hidden by nft]", "nft:statement")
"""What stands for something that nft does not print, or not in words of iptables."""
ALWAYS = " -m time --datestop 2038-01-19T03:14:07"
"""The end of time, which iptables-save prints and nft does not."""

Ends = set[tuple[Any, ...]]


def listed(lab: Node) -> bytes:
    command = ["ip", "netns", "exec", lab.name, "nft", "list", "ruleset"]
    done = subprocess.run(command, capture_output=True, check=True)
    return done.stdout


def end_of(outcome: Outcome) -> tuple[Any, ...]:
    packet = outcome.packet
    return outcome.verdict, packet.dnat, packet.snat


def told(source: bytes, question: dict[str, Any]) -> tuple[list[Outcome], Ends]:
    outcomes = list(iptviz.packet(load_node(source), **question).outcomes)
    return outcomes, {end_of(one) for one in outcomes}


def whens(outcomes: list[Outcome]) -> list[tuple[Any, ...]]:
    found = [(end_of(one), one.share, tuple(need.text for need in one.when)) for one in outcomes]
    return sorted(found, key=str)


def compare(saved: bytes, listing: bytes, question: dict[str, Any]) -> str:
    """Return what the two say that disagrees; where nft hides something, what its listing leaves out."""
    (one, _), (other, others) = told(saved, question), told(listing, question)
    if whens(one) == whens(other):
        return ""
    text = "\n".join(rule.text for table in load_node(listing).dump.tables.values() for rule in table.rules())
    unknown = any("unknown" in str(end) for end in others)
    if any(word in text for word in OPEN) and (unknown or len(other) > 1):
        return "open"
    return f"{question}\n{whens(one)}\n{whens(other)}"


def both(rules: str, family: int) -> tuple[bytes, bytes] | None:
    """Load rules by iptables-nft; how iptables and nft show them. None: the kernel refuses them."""
    with node("nft", family) as lab:
        command = ["ip", "netns", "exec", lab.name, lab.tool("restore")]
        if subprocess.run(command, input=rules.encode(), capture_output=True, check=False).returncode:
            return None
        return lab.save("-c").replace(ALWAYS, "").encode(), listed(lab)


@pytest.mark.parametrize("family", [4, 6])
def test_a_listing_answers_as_the_dump_does(family: int) -> None:
    counts = {"": 0, "open": 0}
    for seed in range(FIRST_SEED, FIRST_SEED + RULE_SETS):
        menu = WILD if family == 4 and seed % 3 == 0 else None
        rules = random_rules(seed, family, "prerouting", *([menu] if menu else []))
        shown = both(rules, family)
        if shown is None:
            continue
        for sent in random_packets(seed, PACKETS, family):
            found = compare(*shown, asked(sent))
            assert found in counts, f"seed {seed}, family {family}: {found}"
            counts[found] += 1
    assert counts[""] > counts["open"]
