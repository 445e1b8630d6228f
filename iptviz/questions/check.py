"""The question `check` asks: what is broken or suspicious on this node, the worst first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.checks.examined import Examined
from iptviz.checks.finding import SEVERITIES, findings_among
from iptviz.checks.registry import all_diagnoses, examine
from iptviz.errors import TargetError
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.paths.fares import reached_in
from iptviz.questions.document import document_of
from iptviz.questions.ways import Beside, evidence_of
from iptviz.supplied.files import FileArgument, read_file
from iptviz.supplied.service_names import read_service_names

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.questions.services import ServicesResult
    from iptviz.supplied.files import Supplied
    from iptviz.supplied.service_names import Candidate


class CheckResult(NamedTuple):
    """What is wrong with a node, the worst first; `left_out` counts findings that were not asked for.

    `ports` counts the service ports that were looked at, `examined` the dumps.
    """

    dump: Dump
    findings: tuple[Finding, ...]
    ports: int
    left_out: int = 0
    snapshot: Snapshot | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.check.v1`."""
        return document_of("check", self)


def check(
    dump: Dump | Snapshot,
    *,
    select: Sequence[str] = (),
    ignore: Sequence[str] = (),
    min_severity: str = "info",
    names: str | Supplied | None = None,
    addresses: FileArgument = None,
    routes: FileArgument = None,
    ipset: FileArgument = None,
    recent: FileArgument = None,
    sysctl: FileArgument = None,
    progress: Callable[[Iterable[Dump]], Iterable[Dump]] = iter,
) -> CheckResult:
    """Return what is wrong with a node: findings of the ids in `select`, of all where it is empty.

    Those of ids in `ignore` are left out, and those less severe than `min_severity`. `names` is a list of
    services that names those whose comments are lost. What is known of the node beside its rules comes from the
    snapshot, or is supplied as for `iptviz.packet`.

    Raises:
        TargetError: there is no such id, or no such severity.
        DumpError: a file cannot be read.
    """
    wanted = _Wanted(frozenset(select), frozenset(ignore), min_severity)
    wanted.validate()
    snapshot = as_snapshot(dump)
    listed = read_file(names, read_service_names) or ()
    beside = Beside("", addresses, routes, ipset, recent, sysctl)
    examined = [_examined(snapshot, each, listed, beside) for each in progress(snapshot.dumps)]
    found = _ordered(_findings(examined))
    shown = tuple(finding for finding in found if wanted.includes(finding))
    return _result(snapshot, examined, shown, len(found) - len(shown))


def check_listed(found: ServicesResult) -> CheckResult:
    """Return what is wrong with a node of which all services are listed: how they fare is not asked once more."""
    snapshot = found.snapshot or as_snapshot(found.dump)
    answers = {id(answer.dump): answer for answer in found.answers}
    examined = [
        _as_listed(snapshot, answers[id(dump)])
        if id(dump) in answers
        else _examined(snapshot, dump, (), Beside())
        for dump in snapshot.dumps
    ]
    return _result(snapshot, examined, tuple(_ordered(_findings(examined))), 0)


def _result(
    node: Snapshot, examined: Sequence[Examined], findings: tuple[Finding, ...], left_out: int
) -> CheckResult:
    return CheckResult(node.dump, findings, sum(len(one.ports) for one in examined), left_out, node)


class _Wanted(NamedTuple):
    """Which findings are asked for."""

    select: Collection[str]
    ignore: Collection[str]
    min_severity: str

    def validate(self) -> None:
        """Raise TargetError where something is asked for that there is not."""
        from difflib import get_close_matches

        known = all_diagnoses()
        for what in (*self.select, *self.ignore):
            if what not in known:
                near = get_close_matches(what, known, 1)
                meant = f"did you mean {near[0]}? " if near else ""
                raise TargetError(
                    f"there is no finding {what!r}", hint=f"{meant}iptviz check --list names all"
                )
        if self.min_severity not in SEVERITIES:
            raise TargetError(
                f"there is no severity {self.min_severity!r}", hint=f"severities: {', '.join(SEVERITIES)}"
            )

    def includes(self, finding: Finding) -> bool:
        """Whether a finding is asked for."""
        return (
            (not self.select or finding.id in self.select)
            and finding.id not in self.ignore
            and SEVERITIES.index(finding.severity) <= SEVERITIES.index(self.min_severity)
        )


def _examined(node: Snapshot, dump: Dump, names: Sequence[Candidate], beside: Beside) -> Examined:
    """Return a dump of a node as checks see it."""
    rules = DispatchingRules(dump)
    ports = tuple(service_ports(rules, Naming(dump, names)))
    evidence = evidence_of(node, dump.family, beside)
    return Examined(node, dump, rules, ports, reached_in(rules, ports, evidence), evidence)


def _as_listed(node: Snapshot, answer: ServicesResult) -> Examined:
    """Return a dump as checks see it, whose services are listed."""
    dump, evidence = answer.dump, evidence_of(node, answer.dump.family, Beside())
    return Examined(node, dump, DispatchingRules(dump), answer.services, answer.reached, evidence)


def _findings(examined: Iterable[Examined]) -> Iterator[Finding]:
    """Yield what is found in each dump; one cause is one finding."""
    for one in examined:
        number = one.dump.number if len(one.node.dumps) > 1 else 0
        for finding in findings_among(examine(one)):
            yield finding._replace(dump=number)


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the worst first; of those as bad, in the order of the catalogues."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
