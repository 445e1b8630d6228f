"""The question `trace` of a listing of nft: kube-proxy's table in nftables mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.names import NAMELESS
from iptviz.kube.nftables.finding import find
from iptviz.kube.nftables.frontends import Frontends
from iptviz.kube.nftables.own import lacking_rules, shows_maps
from iptviz.kube.nftables.pinned import Pinned, pinned_clients
from iptviz.kube.nftables.table import proxy_table
from iptviz.kube.nftables.tracing import trace_frontend
from iptviz.kube.target import parse_target
from iptviz.questions.trace_notes import address_notes, walk_notes
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.finding import Item
    from iptviz.kube.find import Found
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.kube.service import ServiceTrace
    from iptviz.node.listing import NftListing


class TracedIn(NamedTuple):
    """What a listing says of TARGET: what it names, each traced, their other frontends and clients, and notes."""

    found: Found
    services: tuple[ServiceTrace, ...]
    siblings: tuple[tuple[Frontend, ...], ...]
    pinned: tuple[tuple[Pinned, ...], ...]
    notes: list[Item]


def traced_in(listing: NftListing, target: str) -> TracedIn:
    """Return what a listing says of TARGET."""
    table = proxy_table(listing)
    parsed = parse_target(target)
    if table is None:
        raise ValueError(target)  # nobody asks a listing that keeps no services
    found = find(table, parsed)
    services = tuple(trace_frontend(table, frontend) for frontend in found.frontends)
    notes: list[Item] = list(listing_notes(listing))
    for traced in services:
        notes += walk_notes(traced, complete=listing.complete)
        notes += _remarks(table, traced)
    notes += address_notes(parsed, found, target)
    if not services:
        notes = [*_absence(table, listing, target), *notes]
    pinned = tuple(pinned_clients(table, traced) for traced in services)
    return TracedIn(found, services, _siblings(table, services), pinned, notes)


def listing_notes(listing: NftListing) -> Iterator[Item]:
    """Yield what a listing lacks, and that what led to services is gone."""
    if not listing.complete:
        yield from dict.fromkeys((*listing.gaps, *listing.ruleset.remarks))
    if listing.passed_over:
        yield remark("listings-passed-over", asked=listing.source, sources=listing.passed_over)
    table = proxy_table(listing)
    if listing.complete and table is not None and (lacking := lacking_rules(table.nft)):
        yield remark("rules-flushed", table=table.compiled.name, chains=lacking)


def _absence(table: ProxyTable, listing: NftListing, target: str) -> Iterator[Item]:
    """Yield that nothing has TARGET, or that this is not known."""
    if _shows_services(table, listing):
        yield remark("target-absent", typed=target, there="listing")
    else:
        yield remark("target-not-shown", typed=target)
    if cut := sum(one.service is NAMELESS and bool(one.suffix) for one in Frontends(table).all()):
        yield remark("names-cut", count=cut)
    if listing.complete and not table.keeps_services:
        yield remark("no-services-in-table", table=table.compiled.name)


def _shows_services(table: ProxyTable, listing: NftListing) -> bool:
    """Whether all that leads to services is shown: of a table that is listed alone it is."""
    return shows_maps(table.nft) and all(gap.id == "nft-tables-unlisted" for gap in listing.gaps)


def _remarks(table: ProxyTable, traced: ServiceTrace) -> Iterator[Item]:
    """Yield what is no fault and yet surprises."""
    frontend = traced.frontend
    if frontend.kind in {"node-port", "external-ip"}:
        of_service = Frontends(table).leading_to([frontend.leads_to]) if frontend.leads_to else ()
        if any(Frontends(table).admitted(one) for one in of_service if one.kind == "load-balancer-ip"):
            yield remark("beyond-source-ranges", frontend=frontend.text)
    if frontend.protocol == "udp" and traced.usual.endpoints:
        yield remark("udp-flows")


def _siblings(table: ProxyTable, services: tuple[ServiceTrace, ...]) -> tuple[tuple[Frontend, ...], ...]:
    """Return for each frontend the others of its service port."""
    leading: dict[str, list[Frontend]] = {}
    for traced in services:
        chain = traced.frontend.leads_to
        if chain not in leading:
            leading[chain] = Frontends(table).leading_to([chain]) if chain else []
    return tuple(
        tuple(one for one in leading[traced.frontend.leads_to] if one.text != traced.frontend.text)
        for traced in services
    )
