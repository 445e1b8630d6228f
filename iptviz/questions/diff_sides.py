"""One side of a comparison: what is kept of a source of rules, which is so much less than it takes to find it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.examined import Examined
from iptviz.checks.finding import findings_among
from iptviz.checks.registry import examine
from iptviz.compare.ports.of_rules import forms_of
from iptviz.dump.model import Dump
from iptviz.kube.dispatching import DispatchingRules
from iptviz.paths.many_fares import reached_in
from iptviz.progress import stepwise
from iptviz.questions.ways import FOLLOWING, Beside, evidence_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.checks.finding import Finding
    from iptviz.compare.ports.form import PortForm
    from iptviz.compare.ports.shared_chains import SharedChains
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot
    from iptviz.progress import Progress

READING, CHECKING = 0.2, 0.9
"""Which shares of the time are over when services are read, and when they have been followed."""


class Asked(NamedTuple):
    """What is asked of two nodes: see `iptviz.diff`."""

    services_only: bool
    ignore_local: bool
    namespace: str | None


class Reduced(NamedTuple):
    """What is kept of a source of rules to compare it."""

    forms: tuple[PortForm, ...]
    findings: tuple[Finding, ...]


def reduced(
    node: Snapshot,
    source: Dump | NftListing,
    asked: Asked,
    shared: SharedChains,
    progress: Progress,
    *,
    checked: bool,
) -> Reduced:
    """Return what is compared of a source of rules; `checked`: with what `check` finds."""
    if not isinstance(source, Dump):
        return Reduced(_listed(node, source, asked, progress), ())
    examined = examined_dump(node, source, asked, shared, progress)
    findings: tuple[Finding, ...] = ()
    if checked and not asked.services_only:
        progress("checking", CHECKING)
        findings = findings_among(examine(examined))
    forms = forms_of(source, examined.ports, examined.reached)
    for table in source.tables.values():
        table.forget()  # the other dump needs the memory
    return Reduced(forms, findings)


def examined_dump(
    node: Snapshot, dump: Dump, asked: Asked, shared: SharedChains, progress: Progress
) -> Examined:
    """Return a dump as checks see it, with the service ports that are asked for."""
    progress("reading services", 0.0)
    rules = DispatchingRules(dump)
    ports = tuple(
        port for port in shared.service_ports(rules) if asked.namespace in {None, port.service.namespace}
    )
    evidence = evidence_of(node, dump.family, Beside())
    followed = stepwise(ports, FOLLOWING, progress, READING, CHECKING)
    return Examined(
        node, dump, rules, ports, reached_in(rules, followed, evidence, by_decider=True), evidence
    )


def _listed(node: Snapshot, listing: NftListing, asked: Asked, progress: Progress) -> tuple[PortForm, ...]:
    """Return the service ports of a listing of nft."""
    from iptviz.questions.native_services import forms_at, ports_in, reached_at  # most sides are dumps

    progress("reading services", 0.0)
    ports = tuple(port for port in ports_in(listing) if asked.namespace in {None, port.service.namespace})
    if not ports:
        return ()
    evidence = evidence_of(node, listing.family, Beside())
    followed = stepwise(ports, FOLLOWING, progress, READING, CHECKING)
    return forms_at(ports, reached_at(listing, followed, evidence, by_decider=True))
