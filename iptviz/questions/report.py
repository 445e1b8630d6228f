"""The question `report` asks: everything that an incident needs of one dump."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

from iptviz.questions.services import ServicesResult, findings_of, services
from iptviz.questions.trace import trace
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.kube.service_ports import ServicePort
    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.graph import GraphResult
    from iptviz.questions.packet import PacketResult
    from iptviz.questions.trace import TraceResult
    from iptviz.questions.verify import VerifyResult

    Answer = TraceResult | PacketResult | GraphResult | VerifyResult

MOST_ODD = 12
"""More services that look odd than this are listed, not shown one by one."""


class ReportResult(NamedTuple):
    """All services of a node, and the answers that were asked for; `odd` says that these only look odd.

    `digests` are the SHA-256 of what each of its `dumps` was read from, in hexadecimal; `left_out` counts odd
    services that are not traced.
    """

    dumps: tuple[Dump, ...]
    digests: tuple[str, ...]
    services: ServicesResult
    answers: tuple[Answer, ...]
    odd: bool
    left_out: int

    @property
    def dump(self) -> Dump:
        """The dump that is obviously meant."""
        return self.dumps[0]


def report(dump: Dump | Snapshot, targets: Sequence[str] = ()) -> ReportResult:
    """Return what a report on a node says: of `targets`, or where there are none of the services that look odd.

    Raises:
        TargetError: a target has none of the forms that name a service, an endpoint or a chain.
    """
    found = services(dump)
    wanted = list(targets) or list(dict.fromkeys(_odd(found)))
    shown = wanted if targets else wanted[:MOST_ODD]
    traces = tuple(trace(dump, target) for target in shown)
    return report_of(found, traces)._replace(odd=not targets, left_out=len(wanted) - len(shown))


def report_of(found: ServicesResult, answers: tuple[Answer, ...]) -> ReportResult:
    """Return the report of answers that are there already."""
    dumps = found.snapshot.dumps if found.snapshot else (found.dump,)
    digests = tuple(hashlib.sha256(bytes(dump)).hexdigest() for dump in dumps)
    return ReportResult(dumps, digests, found, answers, odd=False, left_out=0)


def _odd(found: ServicesResult) -> Iterator[str]:
    """Yield a TARGET for each service port that something is wrong with."""
    for answer in found.answers:
        for service_port in answer.services:
            if next(findings_of(answer.dump, service_port), None):
                yield _target(service_port)


def _target(service_port: ServicePort) -> str:
    frontend = service_port.usual.frontend
    return f"{join_endpoint(frontend.address or '', frontend.port)}/{frontend.protocol}"
