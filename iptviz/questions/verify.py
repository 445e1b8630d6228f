"""The question `verify` asks: does the dump say what the API says that it should?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks import reading
from iptviz.checks.against_api import Differing, difference
from iptviz.checks.era import mode_remark
from iptviz.checks.finding import findings_among
from iptviz.checks.wording import sentence
from iptviz.cluster.api import ApiCluster, read_cluster
from iptviz.cluster.expected import ExpectedPort, expected_ports
from iptviz.errors import DumpError, TargetError, near, near_names, quoted
from iptviz.intake.remark import remark
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.era import era_of
from iptviz.kube.mode import mode_of
from iptviz.kube.naming import Naming
from iptviz.kube.releases import releases
from iptviz.kube.service_ports import ServicePort, service_ports
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.questions.differences import OF_ENDPOINTS, Difference, differences_of, extra, missing
from iptviz.questions.document import document_of
from iptviz.questions.unprinted_notes import suspects, unprinted_notes
from iptviz.records import NamedTuple
from iptviz.supplied.files import Supplied, read_file
from iptviz.supplied.service_names import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.finding import Finding, Item
    from iptviz.dump.model import Dump
    from iptviz.supplied.files import FileArgument

_POLICY_UNSEEN = releases((21, 23))
_COMPARED = {"iptables", "flushed", "none"}
"""Modes in which services would be in the rules that are there."""


class VerifyResult(NamedTuple):
    """What the dump and the API disagree about; `compared` counts the service ports that both have.

    `ignored` are the services that kube-proxy rightly ignores, each with the reason. `node` is the name that was
    typed; `others` are the answers of the node's dumps of other families.
    """

    dump: Dump
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


def verify(dump: Dump | Snapshot, objects: Sequence[str], *, node: str | None = None) -> VerifyResult:
    """Compare `dump` with what `kubectl get services,endpointslices -A -o json` says, in one file or several.

    `node` is the name of the dump's node, for policies Local; where it is None they are compared as far as that
    goes.

    Raises:
        DumpError: a file cannot be read, or holds no services; the node keeps its services elsewhere.
    """
    return verify_cluster(dump, read_objects(objects), node=node)


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


def verify_cluster(dump: Dump | Snapshot, cluster: ApiCluster, *, node: str | None = None) -> VerifyResult:
    """Compare a node with a cluster, as `verify` does: of each family the dump that has services."""
    _check_node(cluster, node)
    snapshot = as_snapshot(dump)
    by_family: dict[str, Dump] = {}
    for each in snapshot.dumps:
        mode = mode_of(each)
        if mode.name == "iptables" and not mode.lacking:
            by_family.setdefault(each.family, each)
    answers = [_verify(each, cluster, node) for each in by_family.values() or [snapshot.dump]]
    return answers[0]._replace(snapshot=snapshot, others=tuple(answers[1:]))


def _check_node(cluster: ApiCluster, node: str | None) -> None:
    """Raise an error where there are Node objects, and neither they nor endpoints tell of such a node."""
    if node is not None and cluster.nodes and node not in cluster.node_names:
        raise TargetError(
            f"no Node object named {quoted(node)}",
            hint=f"{near(node, sorted(cluster.nodes))}list them: kubectl get nodes",
        )


def _verify(dump: Dump, cluster: ApiCluster, node: str | None) -> VerifyResult:
    mode = mode_of(dump)
    shown = mode.lacking or mode.name
    if shown not in _COMPARED:
        what = sentence(mode_remark(shown))
        raise DumpError(f"services cannot be compared: {what}", where=dump.source)
    version = {"ipv4": 4, "ipv6": 6}[dump.family]
    expected = {wanted.key: wanted for wanted in expected_ports(cluster, version, node)}
    candidates = [Candidate(wanted.namespace, wanted.name, wanted.port_name) for wanted in expected.values()]
    found = {_key(have): have for have in service_ports(DispatchingRules(dump), Naming(dump, candidates))}
    differences = tuple(_differences(expected, found, cluster, policy_unseen=_policy_unseen(dump)))
    compared = len(expected.keys() & found.keys())
    return VerifyResult(
        dump,
        node,
        compared,
        differences,
        tuple(_ignored(cluster)),
        tuple(_notes(dump, expected, node, cluster)),
    )


def _finding(mismatch: Difference, *, complete: bool) -> Finding:
    differing = Differing(
        mismatch.of, mismatch.service, mismatch.protocol, mismatch.at, mismatch.expected, mismatch.found
    )
    return difference(mismatch.kind, differing, mismatch.rule, complete=complete)


def _policy_unseen(dump: Dump) -> bool:
    """Up to 1.23 an internal policy Local left no trace but the endpoints that are not there."""
    return bool(era_of(dump).releases & _POLICY_UNSEEN)


def _key(have: ServicePort) -> tuple[str, str, str, str]:
    return have.service.namespace, have.service.name, have.service.port_name, have.protocol


def _differences(
    expected: dict[tuple[str, str, str, str], ExpectedPort],
    found: dict[tuple[str, str, str, str], ServicePort],
    cluster: ApiCluster,
    *,
    policy_unseen: bool,
) -> Iterator[Difference]:
    reasons = dict(_ignored(cluster))
    for key in sorted(expected.keys() | found.keys()):
        wanted, have = expected.get(key), found.get(key)
        if wanted is None and have is not None:
            yield extra(have, reasons.get(f"{key[0]}/{key[1]}", ""))
        elif have is None and wanted is not None:
            yield missing(wanted)
        elif have is not None and wanted is not None:
            differing = differences_of(wanted, have, policy_unseen=policy_unseen)
            yield from (one for one in differing if cluster.tells_endpoints or one.kind not in OF_ENDPOINTS)


def _ignored(cluster: ApiCluster) -> Iterator[tuple[str, str]]:
    for service in cluster.services:
        if service.ignored:
            yield f"{service.namespace}/{service.name}", service.ignored


def _notes(
    dump: Dump,
    expected: dict[tuple[str, str, str, str], ExpectedPort],
    node: str | None,
    cluster: ApiCluster,
) -> Iterator[Item]:
    yield from unprinted_notes(dump, suspects(dump))
    yield from reading.gaps(dump)
    if node is not None and node not in (known := cluster.node_names):
        yield remark("node-without-endpoints", node=node, names=near_names(node, sorted(known)))
    if mode_of(dump).name != "iptables":
        from iptviz.checks.sync import emptiness

        yield from emptiness(dump)
    if not cluster.tells_endpoints:
        yield remark("endpoints-not-given")
    elif node is None and any(
        "Local" in {wanted.internal_policy, wanted.external_policy} for wanted in expected.values()
    ):
        yield remark("policies-need-node")
    if any(wanted.hinted for wanted in expected.values()):
        yield remark("hints-need-zone", node=node)
