"""Ask where connections to each frontend of a node go, try them, and compare."""

from __future__ import annotations

import re
from collections import Counter
from ipaddress import ip_address, ip_network
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

    from iptviz.supplied.files import Supplied
    from tests.kernel.asked_conditions import Shape
    from tests.kernel.attempts import Fate
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


class Question(NamedTuple):
    """How to ask: what is handed in beside the rules, and whether for kinds of clients, or for one address of each."""

    setting: Setting
    beside: dict[str, Supplied] = {}  # noqa: RUF012 - nobody changes it
    one_address: bool = False


def judge(
    lab: Crossroads, node: iptviz.Snapshot, question: Question, some: Sequence[Shape] | None = None
) -> Verdict:
    """Compare what is said of each frontend with what its clients meet."""
    troubles, unknown, compared = [], Counter[str](), 0
    quiet, sticky = _is_quiet(node), _remembers(node)
    for frontend in frontends(node) if some is None else some:
        address, port, protocol = frontend["address"], frontend["port"], frontend["protocol"]
        target = f"{address or ''}:{port}/{protocol}"
        said: dict[str, list[Shape]] = {}
        for asked in _askers(lab, (address, port, protocol), question):
            if asked.client not in said:
                said[asked.client] = _traced(node, target, asked.client, question)
            for service in (one for one in said[asked.client] if answers_at(one["frontend"], asked.to[0])):
                comparison = Comparison(service["paths"], lab.site, question.setting, quiet=quiet)
                found = list(_troubles(asked, comparison, sticky=sticky))
                troubles += [f"{target} {asked.client or asked.kind}: {one}" for one in found[:2]]
                unknown += comparison.unknown
                compared += 1
    return Verdict(troubles, unknown, compared)


def answers_at(frontend: Shape, address: str) -> bool:
    """Whether a frontend is one of those at an address: another program's port may be at some alone."""
    if frontend["address"] is not None:
        return bool(frontend["address"] == address)
    limits = frontend.get("addresses") or {"not": []}
    named = [one for networks in limits.values() for one in networks]
    inside = any(ip_address(address) in ip_network(one, strict=False) for one in named)
    return inside is ("only" in limits)


def _askers(lab: Crossroads, frontend: tuple[str | None, int, str], question: Question) -> Iterator[_Asked]:
    """Yield who asks for a frontend; for a port of the node, the node asks at its loopback address, too."""
    address, port, protocol = frontend
    for kind in KINDS:
        to = (address or lab.site.addresses[0], port, protocol)
        yield _Asked(lab, kind, to, question.one_address)
    if address is None and not question.one_address:
        yield _Asked(lab, NODE, (LOOPBACK, port, protocol), one_address=False)


class _Asked(NamedTuple):
    """Clients of a kind, and where they go."""

    lab: Crossroads
    kind: str
    to: tuple[str, int, str]
    one_address: bool

    def fates(self, times: int, patience: float, *, sticky: bool) -> list[Fate]:
        every = attempts(self.lab.site, self.kind, *self.to, 1 if self.one_address else times)
        return tried(self.lab, every * times if self.one_address else every, patience, sticky=sticky)

    @property
    def client(self) -> str:
        """The address to ask for; empty: whole kinds."""
        return attempts(self.lab.site, self.kind, *self.to, 1)[0].source if self.one_address else ""


def _traced(node: iptviz.Snapshot, target: str, client: str, question: Question) -> list[Shape]:
    result = iptviz.trace(node, target, client=client, **question.beside)  # type: ignore[arg-type]
    found: list[Shape] = result.to_dict()["services"]
    return found


def _troubles(asked: _Asked, comparison: Comparison, *, sticky: bool) -> Iterator[Trouble]:
    """Yield what disagrees, and still does where more is tried with more patience."""
    if any(comparison.troubles(asked.fates(TIMES, PATIENCE, sticky=sticky), CHANCE)):
        comparison.unknown.clear()
        yield from comparison.troubles(asked.fates(MORE_TIMES, LONG_PATIENCE, sticky=sticky), NEVER)


_OWN_DROPS = re.compile(r"(^:(INPUT|OUTPUT|POSTROUTING) DROP|-A (?!FORWARD).* -j (DROP|REJECT))")


def _is_quiet(node: iptviz.Snapshot) -> bool:
    """Whether the node may drop what it says itself, such as refusals, or not let itself hear it."""
    return any(
        _OWN_DROPS.search(line) and "KUBE-" not in line
        for dump in node.dumps
        for line in bytes(dump).decode().splitlines()
    )


def _remembers(node: iptviz.Snapshot) -> bool:
    """Whether any rule remembers clients, so that chance does not choose anew for each connection."""
    return any(b" -m recent " in bytes(dump) for dump in node.dumps)
