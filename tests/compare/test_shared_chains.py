"""What is read once of two dumps is what each of them says by itself."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING, Any

import pytest

from iptviz import load
from iptviz.compare.ports.shared_chains import SharedChains
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from tests.kubeproxy import ERAS, numbered, saved

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.kube.service_ports import ServicePort

CHAINS = re.compile(r"-A (KUBE-(?:SVC|SVL|SEP|EXT|MARK-MASQ)\S*)")


def alone(dump: Dump) -> list[ServicePort]:
    return service_ports(DispatchingRules(dump), Naming(dump, ()))


def changed(text: str, chance: random.Random) -> str:
    """Return a dump with a few rules of services' chains gone, doubled, moved, led elsewhere or changed."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.randrange(1, 4)):
        places = [place for place, line in enumerate(lines) if CHAINS.match(line)]
        at, other = chance.choice(places), chance.choice(places)
        line = lines[at]
        match chance.randrange(7):
            case 0:
                del lines[at]
            case 1:
                lines.insert(at, line)
            case 2:
                lines.insert(other, lines.pop(at))
            case 3:
                lines[at] = re.sub(r"--to-destination [\d.]+", "--to-destination 10.99.0.1", line)
            case 4:
                lines[at] = line.replace("-p tcp", "-p udp").replace("--dport 80", "--dport 81")
            case 5:
                lines[at] = re.sub(r"KUBE-SEP-\S+$", "KUBE-SEP-NOWHERE", line.rstrip("\n")) + "\n"
            case _:
                lines[at] = re.sub(r" -j (?:MARK|KUBE-MARK-MASQ)", " -j DROP", line)
    if chance.random() < 0.5:
        lines = [f"[7:420] {line}" if line.startswith("-A ") else line for line in lines]
    return "".join(lines)


@pytest.mark.parametrize("seed", range(80))
def test_what_both_have_alike_is_told_as_each_alone_tells_it(seed: int) -> None:
    chance = random.Random(seed)
    options: dict[str, Any] = (
        {"local_only": True, "local": 2} if seed % 3 == 0 else {"affinity": 300} if seed % 3 == 1 else {}
    )
    before = saved(numbered(6, 4, era=ERAS[seed % len(ERAS)], **options))
    texts = [before, changed(before, chance)]
    chance.shuffle(texts)
    old, new = (load(text.encode()) for text in texts)
    shared = SharedChains(old, new)
    for dump in (old, new):
        assert shared.service_ports(DispatchingRules(dump)) == alone(dump)


def test_what_is_alike_is_kept_once() -> None:
    before = saved(numbered(5, 3))
    old, new = (load(text.encode()) for text in (before, before.replace("-A KUBE", "[1:60] -A KUBE")))
    shared = SharedChains(old, new)
    sides = [shared.service_ports(DispatchingRules(dump)) for dump in (old, new)]
    assert sides[0]
    for one, other in zip(*sides, strict=True):
        assert one.usual.endpoints is other.usual.endpoints


def test_where_what_marks_does_more_nothing_is_taken_for_alike() -> None:
    before = saved(numbered(5, 3))
    after = re.sub(r"(-A KUBE-MARK-MASQ) -j MARK.*", r"\1 -j DROP", before)
    assert after != before
    old, new = load(before.encode()), load(after.encode())
    shared = SharedChains(old, new)
    for dump in (old, new):
        assert shared.service_ports(DispatchingRules(dump)) == alone(dump)
