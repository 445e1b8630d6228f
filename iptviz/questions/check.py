"""The question `check` asks: what is broken or suspicious on this node, the worst first."""

from __future__ import annotations

from itertools import compress
from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.checks.examined import Examined
from iptviz.checks.finding import SEVERITIES, distinct, findings_among
from iptviz.checks.registry import CATALOGUES, catalogue, examine
from iptviz.checks.sync import emptiness
from iptviz.errors import TargetError
from iptviz.intake.remark import Remark
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.mode import mode_of
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.paths.fares import reached_in
from iptviz.questions.baseline import fingerprint, read_baseline
from iptviz.questions.document import document_of
from iptviz.questions.explain_finding import named
from iptviz.questions.ways import Beside, evidence_of
from iptviz.supplied.files import FileArgument, read_file
from iptviz.supplied.service_names import read_service_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from iptviz.checks.finding import Diagnosis, Finding, Item
    from iptviz.dump.model import Dump
    from iptviz.engine.host import Host
    from iptviz.kube.service_ports import ServicePort
    from iptviz.questions.services import ServicesResult
    from iptviz.supplied.files import Supplied
    from iptviz.supplied.service_names import Candidate

    Progress = Callable[[str, float], object]


class CheckResult(NamedTuple):
    """What is wrong with a node, the worst first.

    `ports` counts the service ports that were looked at; `looked_for` are the ids of what was looked for, which
    were `selected` or are all but some. `left_out` counts findings that were not asked for, `known` are those
    that stand in the baseline. `hosts` are what was known of the node beside each of its dumps. `notes` say why
    there are no services to look at, or not all of them.
    """

    dump: Dump
    findings: tuple[Finding, ...]
    ports: int
    left_out: int = 0
    snapshot: Snapshot | None = None
    looked_for: tuple[str, ...] = ()
    selected: bool = False
    known: tuple[Finding, ...] = ()
    hosts: tuple[Host, ...] = ()
    notes: tuple[Item, ...] = ()

    @property
    def dumps(self) -> tuple[Dump, ...]:
        """The dumps of the node, each of which was looked at."""
        return as_snapshot(self.snapshot or self.dump).dumps

    @property
    def counts(self) -> bool:
        """Whether there is any finding that is more than information."""
        return any(finding.severity != INFO for finding in self.findings)

    def dump_of(self, finding: Finding) -> Dump:
        """Return the dump of the node that a finding is about."""
        return next((dump for dump in self.dumps if dump.number == finding.dump), self.dump)

    def fingerprint(self, finding: Finding) -> str:
        """Return by what a finding is known again."""
        return fingerprint(finding, self.dump_of(finding))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.check.v1`."""
        return document_of("check", self)

    def to_baseline(self) -> dict[str, Any]:
        """Return all findings that were asked for as the document `iptviz.baseline.v1`."""
        return document_of("baseline", self)


INFO = SEVERITIES[-1]
"""The severity of what is no fault, but what answers depend on."""


def _tell_nobody(_doing: str, _done: float) -> None:
    """Do without telling anybody how far the work has come."""


def check(
    dump: Dump | Snapshot,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    min_severity: str = INFO,
    baseline: FileArgument = None,
    names: str | Supplied | None = None,
    addresses: FileArgument = None,
    routes: FileArgument = None,
    ipset: FileArgument = None,
    recent: FileArgument = None,
    sysctl: FileArgument = None,
    progress: Progress = _tell_nobody,
) -> CheckResult:
    """Return what is wrong with a node: findings of the ids in `select`, of all where it is empty.

    Those of ids in `ignore` are left out, those less severe than `min_severity`, and those that stand in the file
    `baseline`. `names` is a list of services that names those whose comments are lost. What is known of the node
    beside its rules comes from the snapshot, or is supplied as for `iptviz.packet`. `progress` is told what is
    done next, and which share of all is done by then, from 0 to 1.

    Raises:
        TargetError: there is no such id, or no such severity.
        DumpError: a file cannot be read.
    """
    wanted = _Wanted(tuple(select), tuple(ignore), min_severity)
    wanted.validate()
    snapshot = as_snapshot(dump)
    listed = read_file(names, read_service_names) or ()
    kept = read_file(baseline, read_baseline) or frozenset()
    beside = Beside("", addresses, routes, ipset, recent, sysctl)
    stages = _Stages(progress, len(snapshot.dumps))
    examined = [_examined(snapshot, each, listed, beside, stages) for each in snapshot.dumps]
    result = _result(snapshot, examined, wanted, stages)
    return _without(kept, result) if kept else result


def check_listed(found: ServicesResult) -> CheckResult:
    """Return what is wrong with a node of which all services are listed: how they fare is not asked once more."""
    snapshot = found.snapshot or as_snapshot(found.dump)
    answers = {id(answer.dump): answer for answer in found.answers}
    stages = _Stages(_tell_nobody, len(snapshot.dumps))
    examined = [
        _as_listed(snapshot, answers[id(dump)])
        if id(dump) in answers
        else _examined(snapshot, dump, (), Beside(), stages)
        for dump in snapshot.dumps
    ]
    return _result(snapshot, examined, _Wanted((), (), INFO), stages)


def _result(node: Snapshot, examined: Sequence[Examined], wanted: _Wanted, stages: _Stages) -> CheckResult:
    """Return what is wrong with the dumps of a node, as far as it is asked for."""
    found = _ordered(_findings(examined, stages))
    asked = tuple(filter(wanted.includes, found))
    return CheckResult(
        node.dump,
        asked,
        sum(len(one.ports) for one in examined),
        len(found) - len(asked),
        node,
        tuple(filter(wanted.looks_for, lookable())),
        bool(wanted.select),
        hosts=tuple(one.evidence.host for one in examined),
        notes=distinct(_without_services(examined)),
    )


def _without_services(examined: Sequence[Examined]) -> Iterator[Remark]:
    """Yield why the dumps that count for services have none, or none that a check of rules would see."""
    for one in [one for one in examined if one.ports] or examined:
        if not one.ports or mode_of(one.dump).name != "iptables":
            yield from (item for item in emptiness(one.dump, one.node) if isinstance(item, Remark))


def _without(kept: Collection[str], result: CheckResult) -> CheckResult:
    """Return a result without the findings whose fingerprints are kept."""
    is_known = [result.fingerprint(finding) in kept for finding in result.findings]
    shown = tuple(one for one, known in zip(result.findings, is_known, strict=True) if not known)
    return result._replace(findings=shown, known=tuple(compress(result.findings, is_known)))


def lookable() -> dict[str, Diagnosis]:
    """Return the diagnoses that a check of a node looks for, by id; others take more than a node to be found."""
    return {
        what: made
        for name in CATALOGUES
        if catalogue(name).looks
        for what, made in catalogue(name).diagnoses.items()
    }


class _Stages:
    """Tells what is done, and how far all of it has come."""

    def __init__(self, tell: Progress, dumps: int) -> None:
        self._tell = tell
        self._dumps = dumps
        self._done = 0.0

    def begin(self, doing: str, share: float) -> None:
        """Begin what takes about this share of the work on one dump."""
        self._tell(doing, min(self._done, 1.0))
        self._done += share / self._dumps

    def each(self, ports: Sequence[ServicePort], doing: str, share: float) -> Iterator[ServicePort]:
        """Yield ports, of which all together take about this share of the work on one dump."""
        self._tell(doing, min(self._done, 1.0))
        step = share / self._dumps / max(len(ports), 1)
        for port in ports:
            yield port
            self._done += step
            self._tell(doing, min(self._done, 1.0))


_READING, _FOLLOWING, _CHECKING = 0.3, 0.5, 0.2
"""About which share of the time each stage takes."""


class _Wanted(NamedTuple):
    """Which findings are asked for."""

    select: Sequence[str]
    ignore: Sequence[str]
    min_severity: str

    def validate(self) -> None:
        """Raise TargetError where something is asked for that there is not."""
        for what in (*self.select, *self.ignore):
            named(what)
        if self.min_severity not in SEVERITIES:
            raise TargetError(
                f'unknown severity "{self.min_severity}"', hint=f"severities: {', '.join(SEVERITIES)}"
            )
        for what in self.select:
            if what not in lookable():
                raise TargetError(
                    f"check does not look for {what}: a dump alone does not show it",
                    hint="compare the dump with the API: iptviz verify DUMP KUBECTL.json",
                )

    def includes(self, finding: Finding) -> bool:
        """Whether a finding is asked for."""
        return self._is_named(finding.id) and self._is_severe(finding.severity)

    def looks_for(self, what: str) -> bool:
        """Whether findings of an id can be asked for."""
        return self._is_named(what) and any(map(self._is_severe, lookable()[what].severities))

    def _is_named(self, what: str) -> bool:
        return (not self.select or what in self.select) and what not in self.ignore

    def _is_severe(self, severity: str) -> bool:
        return SEVERITIES.index(severity) <= SEVERITIES.index(self.min_severity)


def _examined(
    node: Snapshot, dump: Dump, names: Sequence[Candidate], beside: Beside, stages: _Stages
) -> Examined:
    """Return a dump of a node as checks see it."""
    stages.begin("reading services", _READING)
    rules = DispatchingRules(dump)
    ports = tuple(service_ports(rules, Naming(dump, names)))
    evidence = evidence_of(node, dump.family, beside)
    followed = stages.each(ports, "following connections", _FOLLOWING)
    reached = reached_in(rules, followed, evidence, by_decider=True)
    return Examined(node, dump, rules, ports, reached, evidence)


def _as_listed(node: Snapshot, answer: ServicesResult) -> Examined:
    """Return a dump as checks see it, whose services are listed."""
    dump, evidence = answer.dump, evidence_of(node, answer.dump.family, Beside())
    return Examined(node, dump, DispatchingRules(dump), answer.services, answer.reached, evidence)


def _findings(examined: Iterable[Examined], stages: _Stages) -> Iterator[Finding]:
    """Yield what is found in each dump; one cause is one finding."""
    for one in examined:
        stages.begin("checking", _CHECKING)
        number = one.dump.number if len(one.node.dumps) > 1 else 0
        for finding in findings_among(examine(one)):
            yield finding._replace(dump=number)


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the worst first; of those as bad, in the order of the catalogues."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
