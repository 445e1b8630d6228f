"""Hand-made ways of clients, put on real lists of services: what is said of them needs no engine."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import iptviz
from iptviz.compare.ports.of_rules import forms_of
from iptviz.engine.condition import Assumption, Condition
from iptviz.paths.fares import Reached, fares_of
from iptviz.paths.model import ClientPaths, Decider, EndpointRow, FrontendPaths, LeftoverRow
from tests.conftest import FIXTURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.engine.condition import When
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.service_ports import ServicePort
    from iptviz.questions.services import ServicesResult

    PathsOfPort = tuple[FrontendPaths | None, ...]

ALL = ("outside", "pod", "node")
HALF, WHOLE = Fraction(1, 2), Fraction(1)
TODAY = FIXTURES / "policies-today" / "dump.rules"

POLICY = Decider("filter", "FORWARD", None, 7, ":FORWARD DROP [0:0]")
RULE = Decider("filter", "KUBE-POD-FW-A", 3, 67, "-A KUBE-POD-FW-A -j REJECT")
FIRST = Decider("nat", "PREROUTING", 1, 12, "-A PREROUTING -j ACCEPT")
ROUTING = Decider("", "", None, None, "martian source")
LOCAL = (Assumption(Condition("endpoint-local", "10.244.0.5"), holds=True),)


def entry(
    clients: tuple[str, ...],
    outcome: str = "ACCEPT",
    by: Decider | None = None,
    *,
    share: Fraction = WHOLE,
    when: When = (),
    reply: str | None = None,
) -> ClientPaths:
    """Return what becomes of clients of whom the share `share` meets `outcome`, or whose answers meet `reply`."""
    failing = outcome != "ACCEPT" or reply not in {None, "ACCEPT"}
    row = EndpointRow("10.244.0.5", 80, share, when, outcome, by if reply is None else None, None, reply, by)
    rest = EndpointRow("10.244.0.6", 80, WHOLE - share, (), "ACCEPT")
    lost = share if failing else Fraction(0)
    most = WHOLE if when else WHOLE - lost
    return ClientPaths(
        clients, (), untracked=False, endpoints=(row, rest), leftover=(), at_least=WHOLE - lost, at_most=most
    )


def not_rewritten(
    clients: tuple[str, ...], outcome: str, by: Decider | None, *, most: Fraction = Fraction(0)
) -> ClientPaths:
    """Return clients whose connections get no endpoint."""
    rest = LeftoverRow(WHOLE, (), outcome, by, "10.97.20.1:80")
    return ClientPaths(
        clients, (), untracked=False, endpoints=(), leftover=(rest,), at_least=Fraction(0), at_most=most
    )


def ways(*entries: ClientPaths) -> FrontendPaths:
    """Return what becomes of connections to a frontend."""
    return FrontendPaths((), entries)


YES = ways(entry(ALL))
NOT_BY_POD = ways(entry(("outside", "node")), entry(("pod",), "DROP", POLICY))
NOBODY = ways(entry(ALL, "DROP", POLICY))
IN_PART = ways(entry(("outside", "node")), entry(("pod",), "REJECT", RULE, share=HALF))
DEPENDS = ways(entry(("outside", "pod")), entry(("node",), "DROP", POLICY, when=LOCAL))
ANSWER = ways(entry(("outside", "node")), entry(("pod",), by=POLICY, reply="DROP"))
NOT_DNATED = ways(not_rewritten(("outside",), "ACCEPT", FIRST), entry(("pod", "node")))
CACHED = ways(entry(("outside",)), not_rewritten(("pod", "node"), "LOCAL", None)._replace(untracked=True))
MARTIAN = ways(entry(("outside",), "DROP", ROUTING), entry(("pod", "node")))
LOST = ways(
    ClientPaths(
        ALL, (), untracked=False, endpoints=(), leftover=(), at_least=Fraction(0), at_most=Fraction(0)
    )
)


def listed(*of_port: PathsOfPort, dump: str | bytes = str(TODAY), **options: bool) -> ServicesResult:
    """Return the services of a dump; the first have these ways, one for each frontend, and all others are reached.

    A tuple of one way is that of every frontend.
    """
    loaded = iptviz.load(dump)
    result = iptviz.services(loaded, **options)  # type: ignore[arg-type]
    reached = made(result.services, of_port)
    return result._replace(reached=reached, forms=forms_of(loaded, result.services, reached))


def made(ports: Sequence[ServicePort], of_port: tuple[PathsOfPort, ...]) -> tuple[tuple[Reached, ...], ...]:
    """Return how clients fare at each service port: where its ways are None that is not known."""
    answers = (port.answers for port in ports)
    return tuple(map(_reached_of, answers, fitted(ports, of_port)))


def _reached_of(answers: Sequence[FrontendAnswer], paths: PathsOfPort) -> tuple[Reached, ...]:
    return tuple(
        Reached(answer.frontend, () if way is None else tuple(fares_of(answer, way)))
        for answer, way in zip(answers, paths, strict=True)
    )


def fitted(ports: Sequence[ServicePort], of_port: tuple[PathsOfPort, ...]) -> Iterator[PathsOfPort]:
    """Yield the ways of each service port, one for each frontend."""
    for place, port in enumerate(ports):
        own = of_port[place] if place < len(of_port) else (YES,)
        yield own * len(port.answers) if len(own) == 1 else own
