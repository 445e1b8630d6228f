"""What changed since an older dump for the services of a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.ports.compared import compared, without_hidden
from iptviz.compare.ports.of_rules import forms_of
from iptviz.dump.model import Dump
from iptviz.intake.remark import remark
from iptviz.kube.dispatching import DispatchingRules
from iptviz.kube.find import find
from iptviz.kube.naming import Naming
from iptviz.kube.service_ports import service_ports
from iptviz.paths.many_fares import reached_in
from iptviz.questions.pairing import Pair, hiding_of, with_shared_evidence
from iptviz.questions.ways import Beside, evidence_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.compare.ports.differences import PortChanges
    from iptviz.compare.ports.form import PortForm
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.service import ServiceTrace
    from iptviz.kube.service_ports import ServicePort
    from iptviz.kube.target import ParsedTarget
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot

    Source = Dump | NftListing


def changes_since(
    nodes: tuple[Snapshot, Snapshot], sources: tuple[Source, Source], traced: Sequence[ServiceTrace]
) -> PortChanges:
    """Return what differs of the service ports that are traced, between older rules of a node and those now.

    What kube-proxy's modes mean to do otherwise is left out where they differ.
    """
    names = {one.service.text for one in traced if one.service.text}
    chains = {chain for one in traced for chain in one.chains}
    before, after, _ = with_shared_evidence(*nodes)
    old, new = (
        _forms(node, source, names, chains) for node, source in zip((before, after), sources, strict=True)
    )
    hiding = hiding_of((before, after), sources)
    pair = Pair(*sources)
    if not pair.across:
        return compared(old, new, hiding)
    from iptviz.compare.modes.ports import across  # few switch modes

    split = across(compared(old, new), 0 if isinstance(sources[0], Dump) else 1)
    return without_hidden(split.changes, hiding)


def _forms(
    node: Snapshot, source: Source, names: Collection[str], chains: Collection[str]
) -> tuple[PortForm, ...]:
    if not isinstance(source, Dump):
        return _listed(node, source, names, chains)
    dump, rules = source, DispatchingRules(source)
    ports = [port for port in service_ports(rules, Naming(dump)) if _is_meant(port, names, chains)]
    reached = reached_in(rules, ports, evidence_of(node, dump.family, Beside()), by_decider=True)
    return forms_of(dump, ports, reached)


def _listed(
    node: Snapshot, listing: NftListing, names: Collection[str], chains: Collection[str]
) -> tuple[PortForm, ...]:
    from iptviz.questions.native_services import forms_at, ports_in, reached_at  # most sources are dumps

    ports = tuple(port for port in ports_in(listing) if _is_meant(port, names, chains))
    if not ports:
        return ()
    evidence = evidence_of(node, listing.family, Beside())
    return forms_at(ports, reached_at(listing, ports, evidence, by_decider=True))


def _is_meant(port: ServicePort, names: Collection[str], chains: Collection[str]) -> bool:
    """Whether a service port is one of those named; by its chains where it has no name."""
    return port.service.text in names or any(answer.chain in chains for answer in port.answers)


def was_there(since: Source, target: ParsedTarget) -> Iterator[Item]:
    """Yield that older rules had a target that is not there now."""
    found = _found(since, target)
    if found:
        yield remark("there-before", source=since.source, frontend=found[0].text)


def _found(source: Source, target: ParsedTarget) -> Sequence[Frontend]:
    if isinstance(source, Dump):
        return find(source, target).frontends
    from iptviz.kube.nftables.finding import find as find_in  # most sources are dumps
    from iptviz.questions.service_sources import table_of

    table = table_of(source)
    return () if table is None else find_in(table, target).frontends
