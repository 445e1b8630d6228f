"""What changed since an older dump for the services of a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.ports.compared import compared
from iptviz.compare.ports.of_rules import forms_of
from iptviz.intake.remark import remark
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.find import find
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.node.snapshot import as_snapshot
from iptviz.paths.fares import reached_in
from iptviz.questions.pairing import hiding_of, with_shared_evidence
from iptviz.questions.ways import Beside, evidence_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.compare.ports.differences import PortChanges
    from iptviz.compare.ports.form import PortForm
    from iptviz.dump.model import Dump
    from iptviz.kube.service import ServiceTrace
    from iptviz.kube.service_ports import ServicePort
    from iptviz.kube.target import ParsedTarget
    from iptviz.node.snapshot import Snapshot


def changes_since(
    nodes: tuple[Snapshot, Snapshot], dumps: tuple[Dump, Dump], traced: Sequence[ServiceTrace]
) -> PortChanges:
    """Return what differs of the service ports that are traced, between an older dump of a node and one now."""
    names = {one.service.text for one in traced if one.service.text}
    chains = {chain for one in traced for chain in one.chains}
    before, after, _ = with_shared_evidence(*nodes)
    old, new = (_forms(node, dump, names, chains) for node, dump in zip((before, after), dumps, strict=True))
    return compared(old, new, hiding_of((before, after), dumps))


def _forms(
    node: Snapshot, dump: Dump, names: Collection[str], chains: Collection[str]
) -> tuple[PortForm, ...]:
    rules = DispatchingRules(dump)
    ports = [port for port in service_ports(rules, Naming(dump)) if _is_meant(port, names, chains)]
    reached = reached_in(rules, ports, evidence_of(node, dump.family, Beside()), by_decider=True)
    return forms_of(dump, ports, reached)


def _is_meant(port: ServicePort, names: Collection[str], chains: Collection[str]) -> bool:
    """Whether a service port is one of those named; by its chains where it has no name."""
    return port.service.text in names or any(answer.chain in chains for answer in port.answers)


def was_there(since: Dump, target: ParsedTarget) -> Iterator[Item]:
    """Yield that an older dump had a target that is not there now."""
    found = find(as_snapshot(since).dump, target).frontends
    if found:
        yield remark("there-before", source=since.source, frontend=found[0].text)
