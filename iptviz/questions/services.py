"""The question `services` asks: which service ports does the dump hold, and how do they balance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks import leftovers, reading
from iptviz.checks.backends import backends
from iptviz.checks.examined import Examined
from iptviz.checks.finding import Finding, findings_among
from iptviz.checks.services import port_findings, shares_unevenly
from iptviz.checks.ways import asked_before, collision
from iptviz.compare.ports.of_rules import forms_of
from iptviz.dump.model import Dump
from iptviz.errors import TargetError, near, near_names, quoted
from iptviz.intake.remark import remark
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.era import Era, era_of
from iptviz.kube.families import SERVICES
from iptviz.kube.mode import mode_of
from iptviz.kube.naming import Naming
from iptviz.kube.published import PublishedPort, published_ports
from iptviz.kube.service_ports import ServicePort, service_ports
from iptviz.kube.synced import lost_hooks
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.paths.fares import Reached, fails, surely_reached
from iptviz.paths.likely import likely_fails, usual_clients
from iptviz.paths.many_fares import reached_in
from iptviz.progress import nobody, part_of, stepwise
from iptviz.questions.document import document_of
from iptviz.questions.unprinted_notes import suspects, unprinted_notes
from iptviz.questions.ways import FOLLOWING, Beside, evidence_of
from iptviz.records import NamedTuple
from iptviz.supplied.files import FileArgument, read_file
from iptviz.supplied.service_names import read_service_names
from iptviz.xtables.address import parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.compare.ports.form import PortForm
    from iptviz.node.listing import NftListing, RuleSource
    from iptviz.node.virtual_servers import IpvsListing
    from iptviz.paths.many_fares import Elsewhere
    from iptviz.progress import Progress
    from iptviz.questions.service_sources import ServiceSource
    from iptviz.supplied.service_names import Candidate


class ServicesResult(NamedTuple):
    """The service ports that were asked for; `total` counts those that the dump has.

    `era` is when the dump was written; `published` are ports that others than kube-proxy publish, where they
    were asked for. `others` are the answers of the node's other dumps. `reached` has for each of the
    services how clients fare at each of its frontends; `forms` has each in the normal form, which lists print;
    `examined` is the dump as checks see it with these.
    `missed` says that no service of any dump has the namespace or the endpoint that was asked for.
    """

    dump: RuleSource
    services: tuple[ServicePort, ...]
    total: int
    notes: tuple[Item, ...]
    era: Era
    published: tuple[PublishedPort, ...] = ()
    snapshot: Snapshot | None = None
    others: tuple[ServicesResult, ...] = ()
    reached: tuple[tuple[Reached, ...], ...] = ()
    examined: Examined | None = None
    missed: tuple[Item, ...] = ()
    forms: tuple[PortForm, ...] = ()

    @property
    def answers(self) -> tuple[ServicesResult, ...]:
        """This answer and those of other dumps."""
        return (self, *self.others)

    @property
    def likely(self) -> list[int]:
        """The places of the services that usual clients may not reach, and that do not surely fail."""
        if self.examined is None:
            return []
        usual = usual_clients(self.examined.dump, self.examined.evidence.host)
        return [place for place, port in enumerate(self.reached) if likely_fails(port, usual)]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the dump as far as the notes say it, and what checks find of the service ports.

        What the notes say is not found once more.
        """
        noted = findings_among(self.notes)
        if self.examined is None:
            return noted
        from iptviz.questions.touching import touching_ports, with_noted  # a list to look at does without

        return with_noted(noted, touching_ports(self.examined))

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.services.v1`."""
        return document_of("services", self)


def _name_key(service_port: ServicePort) -> tuple[object, ...]:
    """Sort by name; those without one come last."""
    name = service_port.service
    return not name.text, name.namespace, name.name, name.port_name, service_port.name, service_port.protocol


def _address_key(service_port: ServicePort) -> tuple[object, ...]:
    address = service_port.usual.frontend.address
    network = parse_network(address) if address else None
    return network is None, network, service_port.usual.frontend.port or 0


def _unevenness(service_port: ServicePort) -> tuple[object, ...]:
    balance = service_port.balance
    return (-balance.deviation if balance else 1, *_name_key(service_port))


SORTS: dict[str, Callable[[ServicePort], tuple[object, ...]]] = {
    "name": _name_key,
    "address": _address_key,
    "endpoints": lambda service_port: (-len(service_port.endpoints), *_name_key(service_port)),
    "uneven": _unevenness,
    "line": lambda service_port: (min(answer.frontend.rule.line for answer in service_port.answers),),
}
"""What services can be sorted by: the key to each word."""


def services(
    dump: Dump | Snapshot,
    *,
    namespace: str | None = None,
    uneven: bool = False,
    no_endpoints: bool = False,
    failing: bool = False,
    endpoint: str | None = None,
    sort: str = "name",
    published: bool = False,
    names: FileArgument = None,
    addresses: FileArgument = None,
    routes: FileArgument = None,
    ipset: FileArgument = None,
    recent: FileArgument = None,
    sysctl: FileArgument = None,
    pods: FileArgument = None,
    progress: Progress = nobody,
    elsewhere: Elsewhere | None = None,
) -> ServicesResult:
    """Return the service ports of a node: all, or those to which all that is asked for applies.

    They come from every dump that has any, as a service of two families stands in two.

    `uneven`: the endpoints share less evenly than kube-proxy's rounding explains, or some connections get none.
    `no_endpoints`: no frontend leads to an endpoint. `failing`: some kind of clients does not reach a frontend,
    or not with all connections; behind those, others that usual clients fail to reach under conditions. Where
    conditions leave only clients that rules single out, or it was not looked at, a note counts them.
    `endpoint` is an address, or address:port, of an endpoint.
    `published` adds the ports that others than kube-proxy publish: host ports, Docker's. `names` is the path of
    a list of services, which names those whose comments are lost. What is known of the node beside its rules
    comes from the snapshot, or is supplied as for `iptviz.packet`; so are `pods`. `progress` is told what is done
    next, and which share of all is done by then, from 0 to 1. `elsewhere` is what was found on nodes before, for
    who asks many: most frontends fare alike on all.

    Raises:
        TargetError: `endpoint` is no address, or there is no such way to sort.
        DumpError: the list of services, or another file, cannot be read.
    """
    if sort not in SORTS:
        raise TargetError(
            f"cannot sort by {quoted(sort)}", hint=f"{near(sort, SORTS)}sort by {', '.join(SORTS)}"
        )
    snapshot = as_snapshot(dump, listed=True, ipvs=True).with_pods(pods)
    listed = read_file(names, read_service_names) or ()
    wanted = _Wanted(
        namespace,
        endpoint,
        sort,
        uneven=uneven,
        no_endpoints=no_endpoints,
        failing=failing,
        published=published,
        beside=Beside("", addresses, routes, ipset, recent, sysctl).once(),
        elsewhere=elsewhere,
    )
    sources = _sources(snapshot)
    share = 1 / len(sources)
    answers = [
        _answered(snapshot, each, wanted, listed, part_of(progress, place * share, (place + 1) * share))
        for place, each in enumerate(sources)
    ]
    first, *others = [answer for answer in answers if answer.total or answer.published] or answers[:1]
    if others and not isinstance(others[0].dump, Dump):
        from iptviz.questions.service_sources import beyond

        others = [other._replace(notes=beyond(first.notes, other.notes)) for other in others]
    missed = first.missed if all(answer.missed for answer in answers) else ()
    notes: list[Item] = [*first.notes]
    if isinstance(first.dump, Dump):
        notes += backends(snapshot, first.dump)
    if first.total and isinstance(first.dump, Dump):
        notes += _other_families(snapshot, first.dump)
    return first._replace(snapshot=snapshot, others=tuple(others), notes=tuple(notes), missed=missed)


def _sources(node: Snapshot) -> tuple[ServiceSource, ...]:
    """Return where a node tells of services.

    Raises:
        DumpError: nothing does.
    """
    if node.dumps and not node.evidence:
        return node.dumps
    from iptviz.questions.service_sources import all_sources  # most nodes are one dump

    return all_sources(node, None)


def _other_families(node: Snapshot, asked: Dump) -> Iterator[Item]:
    """Yield that kube-proxy never wrote the services of the node's other family of addresses."""
    for other in node.dumps:
        nat = other.tables.get("nat")
        if other.family != asked.family and nat is not None and nat.has_chain(SERVICES):
            from iptviz.checks.sync import emptiness  # few nodes have two families

            if "skeleton-only" in {item.id for item in findings_among(emptiness(other))}:
                yield remark("other-family-not-synced", number=other.number, family=other.family)


_READ = 0.3
"""About which share of the time it takes to read all services."""


class _Wanted(NamedTuple):
    """What is asked for: see `services`."""

    namespace: str | None
    endpoint: str | None
    sort: str
    uneven: bool
    no_endpoints: bool
    failing: bool
    published: bool
    beside: Beside
    elsewhere: Elsewhere | None

    def includes(self, service_port: ServicePort) -> bool:
        """Whether all fits that a service port's own chains tell, but for the endpoint."""
        return (
            self.namespace in {None, service_port.service.namespace}
            and (not self.uneven or is_uneven(service_port))
            and (not self.no_endpoints or not (service_port.has_endpoints or service_port.usual.unseen))
        )


def _answered(
    node: Snapshot,
    source: ServiceSource,
    asked: _Wanted,
    names: Sequence[Candidate],
    progress: Progress,
) -> ServicesResult:
    """Return what one source says; chains of nft bear the names of services: no list is needed."""
    if isinstance(source, Dump):
        return _services(node, source, asked, names, progress)
    from iptviz.node.virtual_servers import IpvsListing  # most sources are dumps

    if isinstance(source, IpvsListing):
        return _virtual(node, source, asked, names)
    return _listed(node, source, asked, progress)


def _services(
    node: Snapshot, dump: Dump, asked: _Wanted, names: Sequence[Candidate], progress: Progress
) -> ServicesResult:
    """Return what one dump of a node says."""
    progress("reading services", 0.0)
    rules = DispatchingRules(dump)
    found = service_ports(rules, Naming(dump, names))
    wanted, missed = _chosen(found, asked, "dump")
    others = tuple(published_ports(dump)) if asked.published else ()
    notes = tuple(_notes(node, rules, found))
    evidence = evidence_of(node, dump.family, asked.beside)
    following = stepwise(wanted, FOLLOWING, progress, _READ, 1.0)
    reached = reached_in(rules, following, evidence, elsewhere=asked.elsewhere)
    result = ServicesResult(
        dump,
        tuple(wanted),
        len(found),
        notes,
        era_of(dump),
        others,
        reached=reached,
        examined=Examined(node, dump, rules, tuple(wanted), reached, evidence),
        snapshot=node,
        missed=tuple(missed),
        forms=forms_of(dump, wanted, reached),
    )
    return _failing(result) if asked.failing else result


def _chosen(found: list[ServicePort], asked: _Wanted, there: str) -> tuple[list[ServicePort], list[Item]]:
    """Return the service ports that are asked for, in their order, and what none of them has.

    `there` is what they were read from: `dump` or `listing`.
    """
    wanted = list(filter(asked.includes, found))
    missed = list(_absent_namespace(found, asked.namespace, there))
    if asked.endpoint is not None:
        led = list(_leading_to(found, asked.endpoint))
        missed += [] if led else [remark("endpoint-absent", typed=asked.endpoint, there=there)]
        wanted = [service_port for service_port in wanted if service_port in led]
    wanted.sort(key=SORTS[asked.sort])
    return wanted, missed


def _listed(node: Snapshot, listing: NftListing, asked: _Wanted, progress: Progress) -> ServicesResult:
    """Return what a listing of nft says."""
    from iptviz.questions.native_services import era_of_listing, forms_at, notes_of, ports_in, reached_at

    progress("reading services", 0.0)
    found = ports_in(listing)
    wanted, missed = _chosen(found, asked, "listing")
    evidence = evidence_of(node, listing.family, asked.beside)
    reached = reached_at(listing, stepwise(wanted, FOLLOWING, progress, _READ, 1.0), evidence)
    ports = tuple(wanted)
    result = ServicesResult(
        listing,
        ports,
        len(found),
        tuple(notes_of(listing, found)),
        era_of_listing(listing),
        reached=reached,
        snapshot=node,
        missed=tuple(missed),
        forms=forms_at(ports, reached),
    )
    return _failing(result) if asked.failing else result


def _virtual(
    node: Snapshot, listing: IpvsListing, asked: _Wanted, names: Sequence[Candidate]
) -> ServicesResult:
    """Return what ipvsadm says; of how clients fare it tells where there is no real server, and no more."""
    from iptviz.questions.virtual_services import ERA, forms_at, frontends_of, notes_of, ports_in

    frontends = frontends_of(node, listing, names, asked.beside)
    found = ports_in(frontends)
    wanted, missed = _chosen(found, asked, "listing")
    notes = notes_of(frontends, found)
    if asked.failing:
        failing = [port for port in wanted if any(answer.verdict for answer in port.answers)]
        open_ones = len(wanted) - len(failing)
        notes += [remark("failing-not-known", count=open_ones)] if open_ones else []
        wanted = failing
    return ServicesResult(
        listing,
        tuple(wanted),
        len(found),
        tuple(notes),
        ERA,
        snapshot=node,
        missed=tuple(missed),
        forms=forms_at(frontends, wanted),
    )


def _failing(result: ServicesResult) -> ServicesResult:
    """Return the same with those services alone that some clients do not reach, then those that may be such.

    Of others that conditions decide on, or that were not looked at, it is noted how many there are.
    """
    places = {place: port for place, port in enumerate(result.reached) if not surely_reached(port)}
    kept = [*(place for place, port in places.items() if fails(port)), *result.likely]
    open_ones = len(places) - len(kept)
    notes = (remark("failing-not-known", count=open_ones),) if open_ones else ()
    ports = tuple(result.services[place] for place in kept)
    reached = tuple(result.reached[place] for place in kept)
    return result._replace(
        services=ports,
        reached=reached,
        forms=tuple(result.forms[place] for place in kept),
        examined=result.examined and result.examined.only(ports, reached),
        notes=(*result.notes, *notes),
    )


def is_uneven(service_port: ServicePort) -> bool:
    """Whether the endpoints share less evenly than kube-proxy's rounding explains, or not all connections."""
    return shares_unevenly(service_port.usual)


def findings_of(dump: Dump, service_port: ServicePort) -> Iterator[Finding]:
    """Yield what is wrong with a service port of `dump`."""
    yield from port_findings(service_port, complete=dump.complete, era=era_of(dump))
    for answer in service_port.answers:
        yield from asked_before(answer)


def _leading_to(found: list[ServicePort], endpoint: str) -> Iterator[ServicePort]:
    address, port = split_endpoint(endpoint)
    network = parse_network(address)
    if network is None:
        raise TargetError(
            f"invalid endpoint {quoted(endpoint)}",
            hint="use its address, or address and port: 10.244.1.17:80",
        )
    for service_port in found:
        ends = service_port.all_endpoints
        if any(parse_network(end.address) == network and port in {None, end.port} for end in ends):
            yield service_port


def _absent_namespace(found: list[ServicePort], asked: str | None, there: str) -> Iterator[Item]:
    """Yield that no service has the namespace that is asked for, which may be one that looks like it."""
    known = {service_port.service.namespace for service_port in found}
    if asked is None or asked in known:
        return
    nameless = sum(not service_port.service.text for service_port in found)
    names = near_names(asked, sorted(known - {""}))
    yield remark("namespace-absent", typed=asked, names=names, count=nameless, there=there)


def _notes(node: Snapshot, rules: DispatchingRules, found: list[ServicePort]) -> Iterator[Item]:
    dump = rules.dump
    yield from unprinted_notes(dump, suspects(dump))
    yield from reading.gaps(dump)
    yield from (collision(first, other) for first, other in rules.contested())
    yield from leftovers.left(dump, node.tables_beyond(dump.family))
    for port in found:
        if port.usual.rounded:
            yield remark("shares-rounded-at", frontend=port.usual.frontend.text)
    if not found or mode_of(dump).name != "iptables":
        from iptviz.checks.sync import emptiness

        yield from emptiness(dump, node)
    if found and lost_hooks(dump):
        from iptviz.checks.sync import hooks_not_leading

        yield from hooks_not_leading(dump)
