"""The question `trace` asks: where do new connections to TARGET go, with what share, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from iptviz.dump.model import Dump
from iptviz.kube.find import find
from iptviz.kube.frontends import CHAIN, SERVICE_KINDS, Frontend, frontends_leading_to
from iptviz.kube.names import NAMELESS
from iptviz.kube.naming import Naming
from iptviz.kube.service import ServiceTrace, trace_frontend
from iptviz.kube.spellings import without_password
from iptviz.kube.target import AddressTarget, family_of_target, parse_target
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.questions.document import document_of
from iptviz.questions.trace_notes import address_notes, dump_notes, frontend_notes, marks_in_vain, since_notes
from iptviz.questions.ways import Beside, evidence_of, paths_of
from iptviz.records import NamedTuple
from iptviz.rules.form import is_virtual
from iptviz.rules.iptables import dump_rule
from iptviz.supplied.files import FileArgument, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.finding import Finding, Item
    from iptviz.compare.ports.differences import PortChanges
    from iptviz.kube.nftables.pinned import Pinned
    from iptviz.kube.observed import Observation
    from iptviz.node.listing import NftListing, RuleSource
    from iptviz.node.virtual_servers import IpvsListing
    from iptviz.paths.model import FrontendPaths
    from iptviz.paths.survey import Evidence
    from iptviz.questions.pod_targets import AskedPod
    from iptviz.questions.service_sources import ServiceSource
    from iptviz.rules.form import Place
    from iptviz.supplied.service_names import Candidate


class TraceResult(NamedTuple):
    """The answer: one trace per frontend that TARGET names; none where it is not in the dump.

    `wanted` holds the DNAT rules of the endpoint that TARGET names, if it names one. `siblings` has, for
    each trace, the other frontends of the same service port. `notes` are findings and remarks on what the
    answer lacks or hangs on. `observed` has, for each trace, what the counters of the dump tell, between it
    and the older dump `since` where that is not None. `others` are the answers of other dumps of the node
    that have the target, too: `dump` may be a listing of nft. `paths` has, for each trace, what really becomes of
    connections, in all tables, by kinds of clients; `evidence` is what was known of the node for that. `changes`
    are what differs of the services since `since`. `pinned` has, for each trace in a listing of nft, the clients
    that stay with an endpoint.
    """

    dump: RuleSource
    target: str
    services: tuple[ServiceTrace, ...]
    wanted: frozenset[Place]
    siblings: tuple[tuple[Frontend, ...], ...]
    notes: tuple[Item, ...]
    observed: tuple[tuple[Observation, ...], ...] = ()
    since: Dump | NftListing | None = None
    snapshot: Snapshot | None = None
    others: tuple[TraceResult, ...] = ()
    paths: tuple[FrontendPaths, ...] = ()
    evidence: Evidence | None = None
    changes: PortChanges | None = None
    pinned: tuple[tuple[Pinned, ...], ...] = ()

    @property
    def answers(self) -> tuple[TraceResult, ...]:
        """This answer and those of other dumps."""
        return (self, *self.others)

    @property
    def follows_rules(self) -> bool:
        """Whether rules choose endpoints: of virtual servers of IPVS there are none to follow."""
        return not any(is_virtual(traced.frontend.rule) for traced in self.services)

    @property
    def complete(self) -> bool:
        """Whether neither the dump nor the rules that were walked lack anything."""
        broken = (traced.broken.loops or traced.broken.missing for traced in self.services)
        dangling = any(note.id == "dangling-jump" for note in self.notes)
        return self.dump.complete and not dangling and not any(broken)

    @property
    def left_open(self) -> bool:
        """Whether questions were left open, since there were too many cases."""
        return any(traced.left_open for traced in self.services)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with what was asked for: what the notes say of it, and what checks find of the services.

        What the notes say is not found once more.
        """
        from iptviz.checks.finding import findings_among

        noted = findings_among(self.notes)
        if self.evidence is None or not isinstance(self.dump, Dump):
            return noted
        from iptviz.questions.touching import touching_trace, with_noted

        node = self.snapshot or as_snapshot(self.dump)
        return with_noted(noted, touching_trace(node, self.dump, self.services, self.paths, self.evidence))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.trace.v1`."""
        return document_of("trace", self)


def trace(
    dump: Dump | Snapshot,
    target: str,
    *,
    names: FileArgument = None,
    since: Dump | Snapshot | None = None,
    client: str = "",
    addresses: FileArgument = None,
    routes: FileArgument = None,
    ipset: FileArgument = None,
    recent: FileArgument = None,
    sysctl: FileArgument = None,
    pods: FileArgument = None,
    assume: Sequence[str] = (),
) -> TraceResult:
    """Follow new connections to `target` through the dumps of a node, those of its family where it has one.

    `since` is the same node at an earlier time: what changed for the services since then is told; with counters
    in both, what endpoints got between the two is compared with their shares.

    `names` is the path of a list of services, such as `kubectl get services -A` prints, which names those
    whose comments are lost: see `iptviz.kube.naming`.

    `client` is whose connections are followed: `outside`, `pod`, `node`, or an address; empty: all kinds'.
    What is known of the node beside its rules comes from the snapshot, or is supplied as for
    `iptviz.packet`.

    `pods` is the path of what `kubectl get pods -A -o wide` prints: it names endpoints by their pods, and
    `target` may be the name of a pod.

    Raises:
        TargetError: `target` has none of the forms that name a service, an endpoint or a chain.
        PacketError: there is no such client, or what is assumed cannot be so of any.
        DumpError: the list of services, or another file, cannot be read.
    """
    target = without_password(target)
    snapshot = as_snapshot(dump, listed=True, ipvs=True).with_pods(pods)
    before = None if since is None else as_snapshot(since, listed=True)
    candidates = read_file(names, _names_reader) or []
    pod = _pod_asked_for(snapshot, target, candidates)
    asked = pod.target if pod else target
    family = family_of_target(asked)
    beside = Beside(client, addresses, routes, ipset, recent, sysctl, tuple(assume)).once()
    question = _Question(snapshot, asked, candidates, before, beside)
    answers = [question.of(source) for source in _sources(snapshot, family)]
    answers = [answer for answer in answers if answer.services] or answers[:1]
    answers = [_with_paths(answer, snapshot, beside) for answer in answers]
    first, *others = [_with_changes(answer, snapshot, before) for answer in answers] if before else answers
    if others and not isinstance(others[0].dump, Dump):
        from iptviz.questions.service_sources import beyond

        others = [other._replace(notes=beyond(first.notes, other.notes)) for other in others]
    if isinstance(first.dump, Dump) and (len(snapshot.dumps) > 1 or first.dump.legacy_warning is not None):
        from iptviz.checks.backends import backends

        first = first._replace(notes=(*first.notes, *backends(snapshot, first.dump)))
    if not first.services:
        first = first._replace(notes=(*first.notes, *_absent_notes(first, snapshot, beside)))
    if pod:
        first = first._replace(target=target, notes=(*first.notes, pod.note))
        others = [other._replace(target=target) for other in others]
    return first._replace(snapshot=snapshot, others=tuple(others))


def _sources(node: Snapshot, family: str | None) -> tuple[ServiceSource, ...]:
    """Return where a node tells of services.

    Raises:
        DumpError: nothing does.
    """
    if node.dumps and not node.evidence:
        return node.of_family(family)
    from iptviz.questions.service_sources import all_sources  # most nodes are one dump

    return all_sources(node, family)


class _Question(NamedTuple):
    """What is asked of each source of a node's services: see `trace`."""

    node: Snapshot
    target: str
    candidates: Sequence[Candidate]
    before: Snapshot | None
    beside: Beside

    def of(self, source: ServiceSource) -> TraceResult:
        """Return what one source says."""
        if isinstance(source, Dump):
            return _trace(source, self.target, self.candidates, self._older(source.family))
        from iptviz.node.virtual_servers import IpvsListing  # most sources are dumps

        if isinstance(source, IpvsListing):
            return self._at(source)
        return _traced_in(source, self.target)._replace(since=self._older(source.family))

    def _older(self, family: str) -> Dump | NftListing | None:
        """Return where rules of an older time told of services, of a family if there are such; None without any.

        Raises:
            DumpError: none told of any.
        """
        if self.before is None:
            return None
        from iptviz.questions.service_sources import service_sources  # few compare with an older dump

        found = service_sources(self.before, family)
        if not found:
            raise self.before.without_dumps()
        return next((source for source in found if source.family == family), found[0])

    def _at(self, listing: IpvsListing) -> TraceResult:
        from iptviz.questions.virtual_services import frontends_of, traced_at

        frontends = frontends_of(self.node, listing, self.candidates, self.beside)
        found, services, siblings, notes = traced_at(frontends, self.target)
        return TraceResult(listing, self.target, services, found.wanted, siblings, _said_once(notes))


def _traced_in(listing: NftListing, target: str) -> TraceResult:
    """Return what a listing of nft says."""
    from iptviz.questions.native_trace import traced_in  # most sources are dumps

    found, services, siblings, pinned, notes = traced_in(listing, target)
    return TraceResult(listing, target, services, found.wanted, siblings, _said_once(notes), pinned=pinned)


def _pod_asked_for(node: Snapshot, target: str, candidates: Sequence[Candidate]) -> AskedPod | None:
    if node.pods is None:
        return None
    from iptviz.questions.pod_targets import pod_asked_for  # most questions know of no pods

    return pod_asked_for(node, target, candidates)


def _absent_notes(answer: TraceResult, snapshot: Snapshot, beside: Beside) -> Iterator[Item]:
    """Yield what becomes of connections to a TARGET that no service has, as far as the node shows it."""
    parsed = parse_target(answer.target)
    if isinstance(parsed, AddressTarget) and isinstance(answer.dump, Dump):
        from iptviz.questions.unserved import unserved

        yield from unserved(snapshot, answer.dump, parsed, beside)


def _with_paths(answer: TraceResult, snapshot: Snapshot, beside: Beside) -> TraceResult:
    """Return the answer of one source with what really becomes of connections, where that has rules."""
    if not answer.services:
        return answer
    notes: list[Item] = [*answer.notes]
    if snapshot.pods is not None:
        from iptviz.questions.pod_targets import unlisted

        notes += unlisted(snapshot, answer.services)
    if not answer.follows_rules:
        return answer._replace(notes=_said_once(notes), snapshot=snapshot)
    evidence = evidence_of(snapshot, answer.dump.family, beside)
    paths = paths_of(answer.dump, answer.services, evidence, beside)
    notes += marks_in_vain(answer.services, paths)
    return answer._replace(paths=paths, notes=_said_once(notes), evidence=evidence, snapshot=snapshot)


def _with_changes(answer: TraceResult, snapshot: Snapshot, before: Snapshot) -> TraceResult:
    """Return the answer of one dump with what changed since an older one, be it that the target is gone."""
    since = answer.since
    source = cast("Dump | NftListing", answer.dump)
    if since is None or since.family != source.family:
        return answer
    from iptviz.questions.since import changes_since, was_there  # few compare with an older dump

    if not answer.services:
        return answer._replace(notes=(*answer.notes, *was_there(since, parse_target(answer.target))))
    changes = changes_since((before, snapshot), (since, source), answer.services)
    return answer._replace(changes=changes)


def _trace(
    dump: Dump, target: str, candidates: Sequence[Candidate], since: Dump | NftListing | None
) -> TraceResult:
    """Return what one dump says."""
    parsed = parse_target(target)
    naming = Naming(dump, candidates)
    found = find(dump, parsed, candidates)
    services = tuple(_named(_traced(dump, frontend), naming) for frontend in found.frontends)
    siblings = _siblings(dump, services)
    notes: list[Item] = list(dump_notes(dump, services))
    for traced in services:
        notes += frontend_notes(dump, traced)
    notes += address_notes(parsed, found, target)
    older = since if isinstance(since, Dump) else None
    notes += since_notes(dump, older)
    if not services:
        from iptviz.checks.absence import absence
        from iptviz.checks.sync import missing_ground

        notes = [*absence(dump, parsed, target, missing_ground(dump)), *notes]
    observed = tuple(tuple(_observed(dump, traced, older)) for traced in services)
    return TraceResult(dump, target, services, found.wanted, siblings, _said_once(notes), observed, since)


def _traced(dump: Dump, frontend: Frontend) -> ServiceTrace:
    """Follow new connections to a frontend of any kind."""
    if frontend.kind in (*SERVICE_KINDS, CHAIN):
        return trace_frontend(dump, frontend)
    from iptviz.kube.port_ways import trace_health_check, trace_port  # most questions are about services

    if frontend.kind == "health-check":
        return trace_health_check(frontend)
    from iptviz.kube.published import owner_of

    return trace_port(dump, frontend, owner_of(dump_rule(frontend.rule)))


def _observed(dump: Dump, traced: ServiceTrace, since: Dump | None) -> list[Observation]:
    nat = dump.tables.get("nat")
    if nat is None or all(end.via.counters is None for case in traced.outcomes for end in case.endpoints):
        return []
    from iptviz.kube.observed import observe

    return observe(traced.outcomes, nat, since.tables.get("nat") if since is not None else None)


def _said_once(notes: list[Item]) -> tuple[Item, ...]:
    """Return each note once; where there is none, nothing is imported for it."""
    if not notes:
        return ()
    from iptviz.checks.finding import distinct

    return distinct(notes)


def _names_reader(text: str, source: str) -> list[Candidate]:
    from iptviz.supplied.service_names import read_service_names

    return read_service_names(text, source)


def _named(traced: ServiceTrace, naming: Naming) -> ServiceTrace:
    """Return a trace with the name that a hash confirms, where comments tell none."""
    if traced.service is not NAMELESS:
        return traced
    chains = (traced.frontend.leads_to, traced.chain)
    hashed = (naming.name_of(chain) for chain in chains if chain)
    return traced._replace(hashed=next((name for name in hashed if name is not NAMELESS), NAMELESS))


def _siblings(dump: Dump, services: tuple[ServiceTrace, ...]) -> tuple[tuple[Frontend, ...], ...]:
    """Return for each service the other frontends that lead to the chains which share its connections out."""
    leading: dict[frozenset[str], list[Frontend]] = {}
    for traced in services:
        if traced.chains not in leading:
            leading[traced.chains] = frontends_leading_to(dump, traced.chains) if traced.chains else []
    return tuple(
        tuple(other for other in leading[traced.chains] if other.text != traced.frontend.text)
        for traced in services
    )
