"""The question `verify` asks: does the dump say what the API says that it should?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks import reading
from iptviz.checks.against_api import Differing, difference
from iptviz.checks.era import mode_remark
from iptviz.checks.finding import distinct, findings_among
from iptviz.checks.wording import sentence
from iptviz.cluster.api import ApiCluster, read_cluster
from iptviz.dump.model import Dump
from iptviz.errors import DumpError, TargetError, near, near_names, quoted
from iptviz.intake.remark import remark
from iptviz.kube.mode import mode_of
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.questions.api_differences import Comparison, Difference
from iptviz.questions.document import document_of
from iptviz.questions.service_sources import table_of
from iptviz.questions.unprinted_notes import suspects, unprinted_notes
from iptviz.questions.verified import Sides, hides_zone, sides_of, sources_by_family
from iptviz.records import NamedTuple
from iptviz.supplied.files import Supplied, read_file
from iptviz.supplied.service_names import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.finding import Finding, Item
    from iptviz.compare.ports.form import PortForm
    from iptviz.node.listing import NftListing
    from iptviz.supplied.files import FileArgument

_COMPARED = {"iptables", "flushed", "none"}
"""Modes in which services would be in the rules that are there."""


class VerifyResult(NamedTuple):
    """What the dump and the API disagree about; `compared` counts the service ports that both have.

    `ignored` are the services that kube-proxy rightly ignores, each with the reason. `node` is the name that was
    typed; `others` are the answers of the node's dumps of other families.
    """

    dump: Dump | NftListing
    node: str | None
    compared: int
    differences: tuple[Difference, ...]
    ignored: tuple[tuple[str, str], ...]
    notes: tuple[Item, ...]
    snapshot: Snapshot | None = None
    others: tuple[VerifyResult, ...] = ()

    @property
    def answers(self) -> tuple[VerifyResult, ...]:
        """This answer and those of other dumps of the node."""
        return (self, *self.others)

    @property
    def all_notes(self) -> tuple[Item, ...]:
        """The notes of all answers; what several say is told once."""
        return distinct(note for answer in self.answers for note in answer.notes)

    @property
    def differs(self) -> bool:
        """Whether any of them found a difference."""
        return any(answer.differences for answer in self.answers)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The differences as findings, after those on the dump."""
        complete = self.dump.complete
        return findings_among(
            (*self.notes, *(_finding(mismatch, complete=complete) for mismatch in self.differences))
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.verify.v1`."""
        return document_of("verify", self)


def verify(
    dump: Dump | Snapshot, objects: Sequence[str], *, node: str | None = None, pods: FileArgument = None
) -> VerifyResult:
    """Compare `dump` with what `kubectl get services,endpointslices -A -o json` says, in one file or several.

    `node` is the name of the dump's node, for policies Local and topology hints; where it is None they are
    compared as far as that goes. Pods, which name endpoints, and nodes, which have zones, may be among the
    objects; `pods` may also be the path of what `kubectl get pods -A -o wide` prints.

    Raises:
        DumpError: a file cannot be read, or holds no services; the node keeps its services elsewhere.
    """
    return verify_cluster(dump, read_objects(objects), node=node, pods=pods)


def read_objects(objects: Sequence[FileArgument]) -> ApiCluster:
    """Return the services and endpoints in files of Kubernetes objects.

    Raises:
        DumpError: a file cannot be read, or holds no services.
    """
    if not objects:
        raise DumpError(
            "no file of Kubernetes objects given",
            hint="create one with: kubectl get services,endpointslices -A -o json",
        )
    return read_cluster(text for path in objects if (text := read_file(path, Supplied)) is not None)


def candidates_of(cluster: ApiCluster) -> list[Candidate]:
    """Return the service ports of a cluster, which may be in a dump without their names."""
    return [
        Candidate(service.namespace, service.name, port.name)
        for service in cluster.services
        for port in service.ports
    ]


def verify_cluster(
    dump: Dump | Snapshot, cluster: ApiCluster, *, node: str | None = None, pods: FileArgument = None
) -> VerifyResult:
    """Compare a node with a cluster, as `verify` does: of each family the dump that has services."""
    _check_node(cluster, node)
    snapshot = as_snapshot(dump, listed=True).with_pods(pods)
    comparison = Comparison(cluster, node, snapshot.pods or ())
    sources = sources_by_family(snapshot) or snapshot.dumps[:1]
    if not sources:
        raise DumpError(
            "services cannot be compared: the listing of nft has no table kube-proxy",
            where=snapshot.listed_in,
        )
    answers = [_verify(each, comparison) for each in sources]
    return answers[0]._replace(snapshot=snapshot, others=tuple(answers[1:]))


def _check_node(cluster: ApiCluster, node: str | None) -> None:
    """Raise an error where there are Node objects, and neither they nor endpoints tell of such a node."""
    if node is not None and cluster.nodes and node not in cluster.node_names:
        raise TargetError(
            f"no Node object named {quoted(node)}",
            hint=f"{near(node, sorted(cluster.nodes))}list them: kubectl get nodes",
        )


def _verify(source: Dump | NftListing, comparison: Comparison) -> VerifyResult:
    if isinstance(source, Dump):
        _check_mode(source)
    else:
        _check_shown(source)
    sides = sides_of(source, comparison.cluster, comparison.node)
    return VerifyResult(
        source,
        comparison.node,
        len(sides.both),
        tuple(_differences(sides, comparison)),
        tuple(_ignored(comparison.cluster)),
        tuple(_notes(source, sides, comparison)),
    )


def _check_shown(listing: NftListing) -> None:
    gap = next((one for one in listing.gaps if one.id == "nft-no-elements"), None)
    if gap is not None:
        raise DumpError(
            f"services cannot be compared: {sentence(gap)}", where=listing.source, hint="nft list ruleset"
        )


def _check_mode(dump: Dump) -> None:
    mode = mode_of(dump)
    shown = mode.lacking or mode.name
    if shown not in _COMPARED:
        what = sentence(mode_remark(shown))
        raise DumpError(f"services cannot be compared: {what}", where=dump.source)


def _finding(mismatch: Difference, *, complete: bool) -> Finding:
    differing = Differing(
        mismatch.of, mismatch.service, mismatch.protocol, mismatch.at, mismatch.expected, mismatch.found,
        mismatch.pod, mismatch.why,
    )  # fmt: skip
    return difference(mismatch.kind, differing, mismatch.rule, complete=complete)


def _differences(sides: Sides, comparison: Comparison) -> Iterator[Difference]:
    """Yield all differences, in the order of the services' names."""
    reasons = dict(_ignored(comparison.cluster))
    rows = [comparison.missing_service(wanted) for wanted in sides.missing]
    for have in sides.extra:
        reason = reasons.get("/".join(have.service[:2]), "")
        rows.append(comparison.extra_service(have, reason))
    for wanted, have in sides.both:
        rows += comparison.rows(wanted, have, sides.skipped)
    yield from sorted(rows, key=lambda row: (*row.of[:3], row.protocol))


def _ignored(cluster: ApiCluster) -> Iterator[tuple[str, str]]:
    for service in cluster.services:
        if service.ignored:
            yield f"{service.namespace}/{service.name}", service.ignored


def _notes(source: Dump | NftListing, sides: Sides, comparison: Comparison) -> Iterator[Item]:
    cluster, node = comparison.cluster, comparison.node
    yield from _of_dump(source) if isinstance(source, Dump) else _of_listing(source)
    known = cluster.node_names
    if node is not None and node not in known and cluster.tells_endpoints:
        yield remark("node-without-endpoints", node=node, names=near_names(node, sorted(known)))
    if not cluster.tells_endpoints:
        yield remark("endpoints-not-given")
    elif node is None and any(
        "Local" in {port.internal_policy, port.external_policy} for port in sides.wanted
    ):
        yield remark("policies-need-node")
    if hides_zone(source, cluster, node):
        yield remark("hints-need-zone", node=node)
    yield from _left_open(cluster, sides)
    skipped = sum(frontend.kind in sides.skipped for port in sides.wanted for frontend in port.frontends)
    if skipped:
        yield remark("external-ips-not-written", count=skipped)


def _of_dump(dump: Dump) -> Iterator[Item]:
    """Yield what a dump lacks, and why it has no services."""
    yield from unprinted_notes(dump, suspects(dump))
    yield from reading.gaps(dump)
    if mode_of(dump).name != "iptables":
        from iptviz.checks.sync import emptiness

        yield from emptiness(dump)


def _of_listing(listing: NftListing) -> Iterator[Item]:
    """Yield what a listing of nft lacks, and that kube-proxy's table has no services."""
    from iptviz.questions.native_trace import listing_notes

    yield from listing_notes(listing)
    table = table_of(listing)
    if table is not None and not table.keeps_services:
        yield remark("no-services-in-table", table=table.compiled.name)


def _left_open(cluster: ApiCluster, sides: Sides) -> Iterator[Item]:
    """Yield what the objects leave open, though they seem to tell it."""
    names = {service: f"{service.namespace}/{service.name}" for service in cluster.services}
    if cut := tuple(names[service] for service in names if service.endpoints_cut):
        yield remark("endpoints-cut", services=cut)
    less = {names[service] for service in names if service.by_endpoints and not service.endpoints_cut}
    found = dict.fromkeys("/".join(port.service[:2]) for port in sides.wanted if _is_open(port))
    if open_ones := tuple(name for name in found if name in less):
        yield remark("endpoints-tell-less", services=open_ones)
    for kind, count in cluster.full_chunks:
        yield remark("list-may-be-cut", objects=kind, count=count)


def _is_open(port: PortForm) -> bool:
    return any(frontend.untold or frontend.may_be_fewer for frontend in port.frontends)
