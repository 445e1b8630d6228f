"""The question `report` asks: everything that an incident needs of one dump."""

from __future__ import annotations

import hashlib
from itertools import chain, islice
from typing import TYPE_CHECKING

from iptviz.dump.model import Dump
from iptviz.errors import TargetError
from iptviz.kube.frontends import CHAIN
from iptviz.kube.target import parse_target
from iptviz.node.snapshot import as_snapshot
from iptviz.node.virtual_servers import IpvsListing
from iptviz.paths.fares import fails_unduly, worst_at
from iptviz.progress import nobody, part_of, stepwise
from iptviz.questions.check import CheckResult, check_listed
from iptviz.questions.services import ServicesResult, findings_of, services
from iptviz.questions.trace import trace
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.kube.frontends import Frontend
    from iptviz.node.listing import RuleSource
    from iptviz.node.snapshot import Snapshot
    from iptviz.progress import Progress
    from iptviz.questions.graph import GraphResult
    from iptviz.questions.packet import PacketResult
    from iptviz.questions.trace import TraceResult
    from iptviz.questions.verify import VerifyResult
    from iptviz.supplied.files import FileArgument

    Answer = TraceResult | PacketResult | GraphResult | VerifyResult

MOST_ODD = 12
"""More services that fail or look odd than this are listed, not shown one by one."""


class ReadFrom(NamedTuple):
    """What the rules were read from: its sources, the bytes, and their SHA-256 in hexadecimal.

    The two families of a listing of nft are two sources in one text.
    """

    sources: tuple[RuleSource, ...]
    text: bytes
    digest: str


class ReportResult(NamedTuple):
    """All services of a node, and the answers that were asked for; `odd` says that these fail or look odd.

    `checked` is what is wrong with the node, None where nobody asked for that.

    `read` are the dumps and listings with which services are kept, or may be; `left_out` counts such services
    that are not traced.
    """

    read: tuple[ReadFrom, ...]
    services: ServicesResult
    answers: tuple[Answer, ...]
    odd: bool
    left_out: int
    checked: CheckResult | None = None

    @property
    def dump(self) -> RuleSource:
        """The dump that is obviously meant, or a listing of nft."""
        return self.services.dump

    @property
    def sources(self) -> tuple[RuleSource, ...]:
        """Where rules come from: the dumps, and listings of nft."""
        return tuple(source for one in self.read for source in one.sources)


_LISTED, _TRACED = 0.6, 0.9
"""About which share of the time has passed after each stage."""


def report(
    dump: Dump | Snapshot,
    targets: Sequence[str] = (),
    *,
    pods: FileArgument = None,
    progress: Progress = nobody,
) -> ReportResult:
    """Return what a report on a node says: of `targets`; without any, of the services that fail or look odd.

    `pods` is the path of what `kubectl get pods -A -o wide` prints: it names endpoints by their pods. `progress`
    is told what is done next, and which share of all is done by then, from 0 to 1.

    Raises:
        TargetError: a target has none of the forms that name a service, an endpoint or a chain.
    """
    node = as_snapshot(dump, listed=True).with_pods(pods)
    found = services(node, progress=part_of(progress, 0.0, _LISTED))
    wanted = list(targets) or list(dict.fromkeys((*_failing(found), *_odd(found))))
    shown = wanted if targets else wanted[:MOST_ODD]
    traces = tuple(trace(node, target) for target in stepwise(shown, "tracing", progress, _LISTED, _TRACED))
    progress("checking", _TRACED)
    left_out = len(wanted) - len(shown)
    return report_of(found, traces)._replace(odd=not targets, left_out=left_out, checked=check_listed(found))


def report_of(found: ServicesResult, answers: tuple[Answer, ...]) -> ReportResult:
    """Return the report of answers that are there already."""
    return ReportResult(tuple(_read(found)), found, answers, odd=False, left_out=0)


def _read(found: ServicesResult) -> Iterator[ReadFrom]:
    """Yield what a node was read from: each dump, then listings of nft or of virtual servers with services."""
    node = found.snapshot
    for dump in node.dumps if node else ():
        yield _read_from(bytes(dump), (dump,))
    listed = tuple(one.dump for one in found.answers if not isinstance(one.dump, Dump))
    for piece in node.evidence if node and listed else ():
        if piece.kind in _LISTINGS and piece.namespace is None and not piece.says_nothing:
            own = piece.source.data[piece.section.start : piece.section.end]
            told = tuple(one for one in listed if isinstance(one, IpvsListing) is (piece.kind == "ipvs"))
            told = tuple(one for one in told if piece.source.name in one.source.split(", "))
            if told or piece.kind == "nft":
                yield _read_from(own, told)


_LISTINGS = {"nft", "ipvs"}


def _read_from(text: bytes, sources: tuple[RuleSource, ...]) -> ReadFrom:
    return ReadFrom(sources, text, hashlib.sha256(text).hexdigest())


def _failing(found: ServicesResult) -> Iterator[str]:
    """Yield a TARGET for each service port that clients do not reach: the frontend at which they fare worst.

    Then for those that usual clients may not reach.
    """
    sure = (filter(fails_unduly, answer.reached) for answer in found.answers)
    likely = (map(answer.reached.__getitem__, answer.likely) for answer in found.answers)
    for port in chain.from_iterable((*sure, *likely)):
        yield from _target(min(port, key=worst_at).frontend)


def _odd(found: ServicesResult) -> Iterator[str]:
    """Yield a TARGET for each other service port that something is wrong with."""
    for answer in found.answers:
        for port, reached in zip(answer.services, answer.reached, strict=True):
            odd = isinstance(answer.dump, Dump) and next(findings_of(answer.dump, port), None)
            if odd and not fails_unduly(reached):
                yield from _target(port.usual.frontend)


def _target(frontend: Frontend) -> Iterator[str]:
    """Yield the TARGET that names a frontend: by its address, or where that does not by its service or chain."""
    by_address = frontend.text if frontend.kind != CHAIN and not frontend.lacks_port else ""
    yield from islice(filter(_is_target, (by_address, frontend.service.text, frontend.leads_to)), 1)


def _is_target(text: str) -> bool:
    try:
        parse_target(text)
    except TargetError:
        return False
    return True
