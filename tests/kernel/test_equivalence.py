"""The kernel confirms what is said of two rule sets: a packet that tells them apart fares differently, others do not.

A long run, here 200 pairs for each backend:

    IPTVIZ_PAIRS=200 IPTVIZ_FIRST_SEED=1000000 .venv/bin/python -m pytest -n auto tests/kernel/test_equivalence.py
"""

from __future__ import annotations

import itertools
import os
import random
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.compare.judged import At, Client, Law, ask, fitting, law, packet_of
from tests.compare.pairs import PLAIN_MENU, random_pair
from tests.kernel.frames import Sent
from tests.kernel.lab import BACKENDS, NOTHING
from tests.kernel.random_tables import DESTINATIONS, PORTS
from tests.kernel.wire import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.compare.fates.connections import Compared
    from iptviz.compare.fates.endings import TellingPacket
    from tests.compare.pairs import Pair
    from tests.engine.concrete import Packet
    from tests.kernel.frames import Seen
    from tests.kernel.wire import Wire

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("kernel")]

PAIRS = int(os.environ.get("IPTVIZ_PAIRS", "24"))
FIRST_SEED = int(os.environ.get("IPTVIZ_FIRST_SEED", "0"))
SAMPLES = 3
DELIVERED = "*security\n:INPUT ACCEPT\n-A INPUT\nCOMMIT\n"
"""A rule that counts what is delivered to the router, behind all that may refuse it."""


class Fate(NamedTuple):
    """What becomes of a packet as it can be seen: source, destination and port of what came out, or delivered."""

    out: tuple[str, str, int] | None
    delivered: bool


def sent_of(packet: Packet) -> Sent:
    plain = Sent(
        str(packet.destination), packet.protocol, packet.sport, packet.dport, source=str(packet.source)
    )
    return plain._replace(ttl=packet.ttl, tos=packet.tos, payload=packet.length - plain.length)


def loaded(lab: Wire, rules: str) -> str:
    """Load rules; the dump of them as this backend's tool saves it, without what counts for the test."""
    lab.router.load(NOTHING + rules + DELIVERED)
    return re.sub(r"\*security.*?COMMIT\n", "", lab.router.save(), flags=re.DOTALL)


def fate(lab: Wire, packet: Packet, expected: Law) -> Fate:
    """Send a packet; what was seen of it, which is waited for where it is to be expected."""
    before = delivered(lab)
    sends = lab.send_out if packet.route == "OUTPUT" else lab.send_back if packet.into == "srv" else lab.send
    there, _ = sends(sent_of(packet))
    comes_out = any(end[:2] == ("ACCEPT", way) for end in expected for way in ("FORWARD", "OUTPUT"))
    if there is None and comes_out:
        there, _back = lab.late()
    seen: Seen | None = there
    out = None if seen is None else (seen.source, seen.destination, seen.dport)
    return Fate(out, delivered(lab) > before)


def delivered(lab: Wire) -> int:
    counted = re.search(r"\[(\d+):\d+\] -A INPUT", lab.router.save("-c", "-t", "security"))
    assert counted is not None
    return int(counted[1])


def can_be_seen(old: Law, new: Law) -> bool:
    """Whether two fates differ in what a wire shows, or that the router gets the packet."""
    return {_shown(end) for end in old} != {_shown(end) for end in new}


def _shown(end: tuple[object, ...]) -> tuple[object, ...]:
    """What can be seen of an end: not whether it was refused or dropped, nor the source that the router sees."""
    return ("DROP",) if end[0] == "REJECT" else end[:2] if end[1:2] == ("INPUT",) else end


def packets_of(told: TellingPacket | None, at: At, seed: int, sports: Iterator[int]) -> list[Packet]:
    """The packet that is told, or a few others, each of a connection of its own."""
    if told is not None:
        return [fitting(told, at)]
    dice = random.Random(seed)
    clients = [
        Client(dice.choice(["10.1.0.2", "10.1.0.9", "10.2.0.3"]), next(sports), "cli", dice.choice([64, 5]), 60, dice.choice([0, 0x10]))
        for _ in range(SAMPLES)
    ]  # fmt: skip
    return [packet_of(client, at, "prerouting") for client in clients]


def answered(told: Compared) -> str:
    """What is said: apart, alike, or nothing."""
    return "apart" if told.apart else "" if told.open_by else "alike"


def pairs() -> Iterator[tuple[int, Pair, At]]:
    """Pairs, and where connections go, without end."""
    for seed in itertools.count(FIRST_SEED):
        dice = random.Random(seed)
        at = At(dice.choice(DESTINATIONS), dice.choice(["tcp", "udp"]), dice.choice(PORTS))
        yield seed, random_pair(seed, "prerouting", PLAIN_MENU), at


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_kernel_treats_two_rule_sets_as_is_said(backend: str) -> None:
    compared = {"apart": 0, "alike": 0}
    sports = itertools.count(20_000)
    used: set[tuple[object, ...]] = set()
    with wire(backend) as first, wire(backend) as second:
        for seed, pair, at in pairs():
            missing = [each for each, count in compared.items() if count * 2 < PAIRS]
            answer = answered(ask(pair.old, pair.new, at))
            if answer not in missing:
                continue  # enough of these, or open: loading takes much longer than to know that
            old, new = loaded(first, pair.old), loaded(second, pair.new)
            told = ask(old, new, at)
            assert answered(told) == answer, f"seed {seed}: otherwise where the kernel prints the rules"
            seen = 0
            for packet in packets_of(told.apart and told.apart.packet, at, seed, sports):
                laws = law(pair.old, packet), law(pair.new, packet)
                key = packet.source, packet.destination, packet.protocol, packet.sport, packet.dport
                if key in used or packet.route == "OUTPUT" or (told.apart and not can_be_seen(*laws)):
                    continue  # of a connection that is there already, or nothing to be seen
                used.add(key)
                fates = fate(first, packet, laws[0]), fate(second, packet, laws[1])
                differ = fates[0] != fates[1]
                assert differ == bool(told.apart), (
                    f"seed {seed}, {at}: {fates}\n{told}\n{old}\n--- new\n{new}"
                )
                seen += 1
            compared[answer] += bool(seen)
            if min(compared.values()) * 2 >= PAIRS:
                return
