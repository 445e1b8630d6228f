"""Hand-made ways of clients, put on real traces: what the views say of them needs no engine."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import iptviz
from iptviz.engine.condition import Assumption, Condition
from iptviz.paths.model import ClientPaths, Decider, EndpointRow, FrontendPaths, LeftoverRow
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from iptviz.engine.condition import When
    from iptviz.questions.trace import TraceResult

QUARTER, HALF, WHOLE = Fraction(1, 4), Fraction(1, 2), Fraction(1)
VIP = "10.97.13.198:79"
FOUR = ("10.244.1.17", "10.244.1.18", "10.244.2.20", "10.244.2.21")
KINDS = ("outside", "pod", "node")

POLICY = Decider("filter", "FORWARD", None, 5, ":FORWARD DROP [0:0]")
DROP_RULE = Decider("filter", "FORWARD", 2, 31, "-A FORWARD -d 10.244.0.0/16 -j DROP")
ACCEPT_FIRST = Decider("nat", "PREROUTING", 1, 12, "-A PREROUTING -j ACCEPT")
NO_ENDPOINTS = Decider(
    "filter", "KUBE-SERVICES", 1, 88,
    '-A KUBE-SERVICES -d 10.97.13.198/32 -m comment --comment "shop/web has no endpoints" -j REJECT',
)  # fmt: skip


def pod_rule(number: int, others: int = 0) -> Decider:
    """Return the rule of a pod's own chain that refuses it."""
    chain = f"KUBE-POD-FW-{number}"
    return Decider("filter", chain, 3, 60 + number, f"-A {chain} -j REJECT", others)


def when(kind: str, value: str, *, holds: bool = True) -> When:
    """Return one condition."""
    return (Assumption(Condition(kind, value), holds),)


def row(address: str, share: Fraction = QUARTER, outcome: str = "ACCEPT", by: Decider | None = None,
        conditions: When = (), snat: str | None = None) -> EndpointRow:  # fmt: skip
    """Return a row of one endpoint at port 80."""
    return EndpointRow(address, 80, share, conditions, outcome, by, snat)


def rest(
    outcome: str, by: Decider | None = None, share: Fraction = WHOLE, conditions: When = ()
) -> LeftoverRow:
    """Return what becomes of what gets no endpoint."""
    return LeftoverRow(share, conditions, outcome, by, VIP)


def entry(
    clients: tuple[str, ...],
    *rows: EndpointRow | LeftoverRow,
    conditions: When = (),
    untracked: bool = False,
) -> ClientPaths:
    """Return an entry; what reaches for sure is counted from its rows."""
    endpoints = tuple(row for row in rows if isinstance(row, EndpointRow))
    leftover = tuple(row for row in rows if isinstance(row, LeftoverRow))
    reached = sum((row.share for row in endpoints if row.reaches), Fraction(0))
    return ClientPaths(clients, conditions, untracked, endpoints, leftover, min(reached, WHOLE), WHOLE)


def four(snat: str | None = None, by: Decider | None = None, outcome: str = "ACCEPT") -> list[EndpointRow]:
    """Return the four endpoints of the fixture `httpd-service`, all alike."""
    return [row(address, outcome=outcome, by=by, snat=snat) for address in FOUR]


def paths(*entries: ClientPaths, left_open: bool = False) -> FrontendPaths:
    """Return all that becomes of connections to a frontend."""
    return FrontendPaths(when("state", "NEW"), entries, left_open)


def traced(*ways: FrontendPaths, target: str = "10.97.13.198") -> TraceResult:
    """Return a real trace of `httpd-service` with these ways, one for each of its frontends."""
    result = iptviz.trace(iptviz.load(FIXTURES / "httpd-service/dump.rules"), target)
    assert len(result.services) == len(ways)
    return result._replace(paths=ways)


REACHED = paths(entry(("outside", "node"), *four("MASQUERADE")), entry(("pod",), *four()))
POD_DROPPED = paths(
    entry(("outside", "node"), *four("MASQUERADE")), entry(("pod",), *four(by=POLICY, outcome="DROP"))
)
IN_PART = paths(
    entry(KINDS, row("10.244.1.17", HALF, "REJECT", pod_rule(7)), row("10.244.1.18", HALF, snat="MASQUERADE"))
)
NOT_REWRITTEN = paths(entry(("outside",), rest("ACCEPT", ACCEPT_FIRST)), entry(("pod", "node"), *four()))
ANSWER = paths(
    entry(("outside", "node"), *four("MASQUERADE")),
    entry(("pod",), *(each._replace(reply="DROP", reply_by=DROP_RULE) for each in four())),
)
LOCAL_ENDPOINT = paths(
    entry(
        ("outside", "pod"),
        row("192.0.2.10", WHOLE, "DROP", Decider("filter", "INPUT", None, 4, ":INPUT DROP [0:0]"),
            when("local", "192.0.2.10")),
        row("192.0.2.10", WHOLE, conditions=when("local", "192.0.2.10", holds=False), snat="MASQUERADE"),
    ),
    entry(("node",), row("192.0.2.10", WHOLE)),
)  # fmt: skip
BY_SOURCE = paths(
    entry(("outside",), *four(by=DROP_RULE, outcome="DROP"), conditions=when("source-cidr", "10.0.0.0/8")),
    entry(("outside",), *four(), conditions=when("source-cidr", "10.0.0.0/8", holds=False)),
    entry(("pod", "node"), *four()),
)
CACHED = paths(
    entry(("pod", "node"), rest("LOCAL"), untracked=True), entry(("outside",), *four("MASQUERADE"))
)
REFUSED = paths(entry(KINDS, rest("REJECT", NO_ENDPOINTS)))
