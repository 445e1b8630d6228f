"""The question `check` asks: what is broken or suspicious on this node, the worst first."""

from __future__ import annotations

from itertools import chain as joined
from itertools import compress
from typing import TYPE_CHECKING, Any

from iptviz.checks.examined import Examined
from iptviz.checks.finding import CERTAIN, SEVERITIES, distinct, findings_among
from iptviz.checks.nft_tables import services_untold
from iptviz.checks.registry import OF_LISTINGS, examine, examine_listings
from iptviz.checks.sync import emptiness
from iptviz.dump.model import Dump
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.hooks import granted_of
from iptviz.errors import TargetError
from iptviz.intake.remark import Remark, remark
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.mode import mode_of
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.kube.synced import own_nft_table
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.paths.many_fares import reached_in
from iptviz.progress import nobody, stepwise
from iptviz.questions.baseline import fingerprint, read_baseline
from iptviz.questions.document import document_of
from iptviz.questions.explain_finding import ids_of
from iptviz.questions.pseudonyms import agreed, withheld
from iptviz.questions.wanted import INFO, Wanted, lookable
from iptviz.questions.ways import FOLLOWING, Beside, evidence_of
from iptviz.records import NamedTuple
from iptviz.rules.iptables import DumpRules
from iptviz.supplied.files import FileArgument, read_file
from iptviz.supplied.service_names import read_service_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from iptviz.checks.examined import ExaminedTable
    from iptviz.checks.finding import Finding, Item, Withheld
    from iptviz.engine.condition import When
    from iptviz.engine.host import Host
    from iptviz.kube.service_ports import ServicePort
    from iptviz.node.listing import RuleSource
    from iptviz.progress import Progress
    from iptviz.questions.services import ServicesResult
    from iptviz.supplied.service_names import Candidate


class CheckResult(NamedTuple):
    """What is wrong with a node, the worst first. `dump` is the one that is obviously meant, or a listing of nft.

    `ports` counts the service ports that were looked at, `ports_of` those of each dump; `looked_for` are the ids
    of what was looked for, which were `selected` or are all but some. `left_out` counts findings that were not
    asked for, `known` are those that stand in the baseline. `hosts` are what was known of the node beside each
    of its dumps. `notes` say why there are no services to look at, or not all of them. Of what was left out,
    `below` were less severe than `min_severity`. `unseen` are tables that the node has or may have, and no dump
    shows; `nftables` those of nft in which kube-proxy keeps services, which were not looked at. `granted` are
    chains, after their table, of which rules are taken for granted that no dump shows. `withheld` is what the
    dump itself shows, and its pseudonyms do not. `tables` are listings of nft with kube-proxy's own table.
    """

    dump: RuleSource
    findings: tuple[Finding, ...]
    ports: int
    left_out: int = 0
    snapshot: Snapshot | None = None
    looked_for: tuple[str, ...] = ()
    selected: bool = False
    known: tuple[Finding, ...] = ()
    hosts: tuple[Host, ...] = ()
    notes: tuple[Item, ...] = ()
    withheld: tuple[Withheld, ...] = ()
    min_severity: str = SEVERITIES[-1]
    below: int = 0
    ports_of: tuple[int, ...] = ()
    unseen: tuple[str, ...] = ()
    nftables: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    tables: tuple[RuleSource, ...] = ()

    @property
    def assumed(self) -> When:
        """What is taken for granted of all connections: of tables, and of chains, that no dump shows."""
        unseen = [Condition("unseen-tables", ", ".join(self.unseen))] if self.unseen else []
        granted = [Condition("unseen-chains", " and ".join(self.granted))] if self.granted else []
        return tuple(Assumption(each, holds=True) for each in (*unseen, *granted)) if self.ports else ()

    @property
    def dumps(self) -> tuple[Dump, ...]:
        """The dumps of the node, each of which was looked at; none where it has a listing of nft alone."""
        if self.snapshot is not None:
            return self.snapshot.dumps
        return (self.dump,) if isinstance(self.dump, Dump) else ()

    @property
    def sources(self) -> tuple[RuleSource, ...]:
        """Where the rules come from that were looked at: dumps, and listings of nft with kube-proxy's table.

        Without any of these all listings: what they hold was looked at.
        """
        found = (*self.dumps, *self.tables)
        return found or (self.snapshot.listings if self.snapshot else ())

    @property
    def counts(self) -> bool:
        """Whether there is any finding that is more than information, be it withheld."""
        severities = [each.severity for each in self.findings] + [each.severity for each in self.withheld]
        return any(severity != INFO for severity in severities)

    def dump_of(self, finding: Finding) -> RuleSource:
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


def check(
    dump: Dump | Snapshot,
    *,
    select: str | Sequence[str] = (),
    ignore: str | Sequence[str] = (),
    min_severity: str = INFO,
    baseline: FileArgument = None,
    names: FileArgument = None,
    addresses: FileArgument = None,
    routes: FileArgument = None,
    ipset: FileArgument = None,
    recent: FileArgument = None,
    sysctl: FileArgument = None,
    pods: FileArgument = None,
    original: CheckResult | None = None,
    progress: Progress = nobody,
) -> CheckResult:
    """Return what is wrong with a node: findings of the ids in `select`, of all where it is empty.

    Ids are named one by one, or in a text with commas between them. Those of ids in `ignore` are left out, those
    less severe than `min_severity`, and those that stand in the file `baseline`. `names` is a list of services
    that names those whose comments are lost. What is known of the node beside its rules comes from the snapshot,
    or is supplied as for `iptviz.packet`; so are `pods`. `original` is what the same check found before all of
    that went into pseudonyms: what is found in these alone is left out, and what is not found is withheld.
    `progress` is told what is done next, and which share of all is done by then, from 0 to 1.

    Raises:
        TargetError: there is no such id, or no such severity, or nothing is left to look for.
        DumpError: a file cannot be read.
    """
    wanted = Wanted(tuple(ids_of(select)), tuple(ids_of(ignore)), min_severity.strip().lower())
    wanted.validate()
    snapshot = _node_of(dump).with_pods(pods)
    listed = read_file(names, read_service_names) or ()
    kept = read_file(baseline, read_baseline) or frozenset()
    beside = Beside("", addresses, routes, ipset, recent, sysctl).once()
    stages = _Stages(progress, len(snapshot.dumps))
    examined = [_examined(snapshot, each, listed, beside, stages) for each in snapshot.dumps]
    tables = _tables(snapshot, beside)
    result = _result(snapshot, examined, tables, wanted, stages)
    if original is not None:
        result = _as_found(original, result)
    return _without(kept, result) if kept else result


def _node_of(dump: Dump | Snapshot) -> Snapshot:
    """Return what is to be checked as a node, be it one of which there is a listing of nft alone."""
    if not isinstance(dump, Snapshot):
        return as_snapshot(dump)
    if not (dump.dumps or dump.listings):
        raise dump.without_dumps()
    return dump


def check_listed(found: ServicesResult) -> CheckResult:
    """Return what is wrong with a node of which all services are listed: how they fare is not asked once more."""
    snapshot = found.snapshot or Snapshot([found.dump] if isinstance(found.dump, Dump) else [])
    listed = {id(answer.dump): answer.examined for answer in found.answers}
    stages = _Stages(nobody, len(snapshot.dumps))
    examined = [
        listed.get(id(dump)) or _examined(snapshot, dump, (), Beside(), stages) for dump in snapshot.dumps
    ]
    tables = _tables(snapshot, Beside())
    return _result(snapshot, examined, tables, Wanted((), (), INFO), stages)


def _tables(node: Snapshot, beside: Beside) -> list[ExaminedTable]:
    """Return kube-proxy's tables in listings of nft as checks see them."""
    if not node.listings:
        return []
    from iptviz.questions.examined_tables import examined_tables  # most nodes have no listing

    return list(examined_tables(node, beside))


def _result(
    node: Snapshot,
    examined: Sequence[Examined],
    tables: Sequence[ExaminedTable],
    wanted: Wanted,
    stages: _Stages,
) -> CheckResult:
    """Return what is wrong with the dumps and listings of a node, as far as it is asked for."""
    found = _ordered((*_findings(examined, stages), *findings_among(examine_listings(node, tables))))
    asked = tuple(filter(wanted.includes, found))
    below = sum(wanted.is_named(one.id) for one in found) - len(asked)
    return CheckResult(
        _meant(node),
        asked,
        sum(len(one.ports) for one in examined) + sum(len(one.ports) for one in tables),
        len(found) - len(asked),
        node,
        _looked_for(node, wanted),
        bool(wanted.select),
        hosts=tuple(one.evidence.host for one in examined),
        notes=distinct(_untold(node, examined, tables)),
        min_severity=wanted.min_severity,
        below=below,
        ports_of=tuple(len(one.ports) for one in examined),
        unseen=tuple(dict.fromkeys(joined.from_iterable(_unseen(node, (*examined, *tables))))),
        granted=tuple(dict.fromkeys(joined.from_iterable(map(_granted, examined)))),
        nftables=tuple(dict.fromkeys(joined.from_iterable(map(_own_tables, examined)))),
        tables=tuple(one.listing for one in tables),
    )


def _meant(node: Snapshot) -> RuleSource:
    """Return the dump that is obviously meant; without any, the first listing that shows a table."""
    if node.dumps or not node.listings:
        return node.dump
    return next((one for one in node.listings if one.ruleset), node.listings[0])


def _looked_for(node: Snapshot, wanted: Wanted) -> tuple[str, ...]:
    """Return the ids of what was looked for.

    Raises:
        TargetError: without a dump, nothing of what is asked for is looked for.
    """
    found = tuple(what for what in lookable() if node.dumps or what in OF_LISTINGS)
    looked_for = tuple(filter(wanted.looks_for, found))
    if not looked_for:
        raise TargetError(
            "no selected finding is looked for in a listing of nft alone",
            hint=f"findings there: {', '.join(found)}",
        )
    return looked_for


def _unseen(node: Snapshot, examined: Sequence[Examined | ExaminedTable]) -> Iterator[tuple[str, ...]]:
    """Yield the tables that the node has or may have, and neither a dump nor a listing of nft shows."""
    for one in examined:
        yield (*one.evidence.unseen, *one.evidence.beyond)
    for family in () if examined else ("ipv4", "ipv6"):
        listing = node.listing(family)
        shown = () if listing is None else listing.names
        yield tuple(name for name in node.tables_beyond(family) if name not in shown)


def _granted(one: Examined) -> tuple[str, ...]:
    """Return the chains of which rules are taken for granted that a dump does not show."""
    return granted_of(map(DumpRules, one.evidence.dumps))


def _own_tables(one: Examined) -> tuple[str, ...]:
    """Return kube-proxy's own nft table of a dump's family, where that has services and the dump has none."""
    own = own_nft_table(one.dump)
    return (own,) if not one.ports and own in one.evidence.beyond else ()


def _untold(
    node: Snapshot, examined: Sequence[Examined], tables: Sequence[ExaminedTable]
) -> Iterator[Remark]:
    """Yield why there are no services to look at, or not all."""
    if not node.dumps:
        yield from services_untold(node)
    elif not tables:
        yield from _without_services(examined)


def _without_services(examined: Sequence[Examined]) -> Iterator[Remark]:
    """Yield why the dumps that count for services have none, or none that a check of rules would see."""
    for one in [one for one in examined if one.ports] or examined:
        if not _own_tables(one) and (not one.ports or mode_of(one.dump).name != "iptables"):
            yield from (item for item in emptiness(one.dump, one.node) if isinstance(item, Remark))


def _as_found(original: CheckResult, shown: CheckResult) -> CheckResult:
    """Return the result of a check in pseudonyms with what the original shows, and no more."""
    lost = withheld(shown.findings, original.findings)
    said = (remark("not-in-pseudonyms", withheld=lost),) if lost else ()
    return shown._replace(
        findings=agreed(shown.findings, original.findings), withheld=lost, notes=(*said, *shown.notes)
    )


def _without(kept: Collection[str], result: CheckResult) -> CheckResult:
    """Return a result without the findings whose fingerprints are kept."""
    is_known = [result.fingerprint(finding) in kept for finding in result.findings]
    shown = tuple(one for one, known in zip(result.findings, is_known, strict=True) if not known)
    return result._replace(findings=shown, known=tuple(compress(result.findings, is_known)))


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
        begun, self._done = self._done, self._done + share / self._dumps
        return stepwise(ports, doing, self._tell, min(begun, 1.0), min(self._done, 1.0))


_READING, _FOLLOWING, _CHECKING = 0.3, 0.5, 0.2
"""About which share of the time each stage takes."""


def _examined(
    node: Snapshot, dump: Dump, names: Sequence[Candidate], beside: Beside, stages: _Stages
) -> Examined:
    """Return a dump of a node as checks see it."""
    stages.begin("reading services", _READING)
    rules = DispatchingRules(dump)
    ports = tuple(service_ports(rules, Naming(dump, names)))
    evidence = evidence_of(node, dump.family, beside)
    followed = stages.each(ports, FOLLOWING, _FOLLOWING)
    reached = reached_in(rules, followed, evidence, by_decider=True)
    return Examined(node, dump, rules, ports, reached, evidence)


def _findings(examined: Iterable[Examined], stages: _Stages) -> Iterator[Finding]:
    """Yield what is found in each dump; one cause is one finding."""
    for one in examined:
        stages.begin("checking", _CHECKING)
        number = one.dump.number if len(one.node.dumps) > 1 else 0
        for finding in findings_among(examine(one)):
            yield finding._replace(dump=number)


def _ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings with the worst first; of those as bad what is certain, in the order of the catalogues."""
    return sorted(findings, key=lambda one: (SEVERITIES.index(one.severity), one.certainty != CERTAIN))
