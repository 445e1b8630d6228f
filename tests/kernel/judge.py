"""Ask where connections to each frontend of a node go, try them, and compare."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import iptviz
from tests.kernel.attempts import NODE
from tests.kernel.clients_around import attempts, tried
from tests.kernel.crossroads import LONG_PATIENCE, PATIENCE
from tests.kernel.lab import NOTHING, Node
from tests.kernel.site import OUTSIDE, PODS
from tests.kernel.ways import CHANCE, Comparison, Setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.kernel.asked_conditions import Shape
    from tests.kernel.crossroads import Crossroads
    from tests.kernel.ways import Trouble

KINDS = (OUTSIDE, PODS, NODE)
TIMES, MORE_TIMES = 48, 400
"""How many connections each kind of client tries, at first and where something seems wrong."""
NEVER = 1e-10
"""A right share fails once in ten thousand million second comparisons."""
LOOPBACK = "127.0.0.1"


class Verdict(NamedTuple):
    """What disagrees, by frontend, and how often which condition was not known."""

    troubles: list[str]
    unknown: Counter[str]
    compared: int


def put(lab: Crossroads, rules: dict[str, str]) -> iptviz.Snapshot:
    """Load rules of each backend, and nothing of the other; return the node as its own tools save it."""
    for backend in ("legacy", "nft"):
        lab.load(backend, NOTHING + rules.get(backend, ""))
    return iptviz.Snapshot([iptviz.load(Node(lab.name, backend, 4).save("-c").encode()) for backend in rules])


def frontends(node: iptviz.Snapshot) -> list[Shape]:
    """Return the frontends of all service ports, each once, that connections can be tried to."""
    every = [
        frontend
        for dump in node.dumps
        for service in iptviz.services(dump).to_dict()["services"]
        for frontend in service["frontends"]
    ]
    each = {(one["address"], one["port"], one["protocol"]): one for one in every}
    return [one for one in each.values() if one["protocol"] in {"tcp", "udp"} and one["port"]]


def judge(
    lab: Crossroads, node: iptviz.Snapshot, setting: Setting, some: Sequence[Shape] | None = None
) -> Verdict:
    """Compare what is said of each frontend with what its clients meet."""
    troubles, unknown, compared = [], Counter[str](), 0
    for frontend in frontends(node) if some is None else some:
        address, port, protocol = frontend["address"], frontend["port"], frontend["protocol"]
        target = f"{address or ''}:{port}/{protocol}"
        for service in iptviz.trace(node, target).to_dict()["services"]:
            for kind in KINDS:
                comparison = Comparison(service["paths"], lab.site, setting, quiet=_is_quiet(node))
                to = (address or lab.site.addresses[0], port, protocol)
                found = list(_troubles(lab, comparison, kind, to, sticky=bool(service["session_affinity"])))
                troubles += [f"{target} {kind}: {one}" for one in found[:2]]
                unknown += comparison.unknown
                compared += 1
    return Verdict(troubles, unknown, compared)


def _troubles(
    lab: Crossroads, comparison: Comparison, kind: str, to: tuple[str, int, str], *, sticky: bool
) -> Iterator[Trouble]:
    """Yield what disagrees, and still does where more is tried with more patience."""
    fates = tried(lab, attempts(lab.site, kind, *to, TIMES), PATIENCE, sticky=sticky)
    if any(comparison.troubles(fates, CHANCE)):
        comparison.unknown.clear()
        again = tried(lab, attempts(lab.site, kind, *to, MORE_TIMES), LONG_PATIENCE, sticky=sticky)
        yield from comparison.troubles(again, NEVER)


_OWN_DROPS = re.compile(r"(^:(INPUT|OUTPUT|POSTROUTING) DROP|-A (?!FORWARD).* -j (DROP|REJECT))")


def _is_quiet(node: iptviz.Snapshot) -> bool:
    """Whether the node may drop what it says itself, such as refusals, or not let itself hear it."""
    return any(
        _OWN_DROPS.search(line) and "KUBE-" not in line
        for dump in node.dumps
        for line in bytes(dump).decode().splitlines()
    )
