"""The services of a listing of nft: kube-proxy's table in nftables mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.ports.of_rules import native_forms
from iptviz.kube.nftables.era import table_era
from iptviz.kube.nftables.ports import native_ports
from iptviz.kube.nftables.table import proxy_table
from iptviz.paths.many_fares import reached_by
from iptviz.paths.native_paths import NativePaths
from iptviz.paths.survey import Survey
from iptviz.questions.native_trace import listing_notes
from iptviz.questions.ways import surroundings

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.checks.finding import Item
    from iptviz.compare.ports.form import PortForm
    from iptviz.kube.era import Era
    from iptviz.kube.service_ports import ServicePort
    from iptviz.node.listing import NftListing
    from iptviz.paths.fares import Reached
    from iptviz.paths.survey import Evidence


def ports_in(listing: NftListing) -> list[ServicePort]:
    """Return every service port of a listing."""
    table = proxy_table(listing)
    return [] if table is None else native_ports(table)


def reached_at(
    listing: NftListing, ports: Iterable[ServicePort], evidence: Evidence, *, by_decider: bool = False
) -> tuple[tuple[Reached, ...], ...]:
    """Return for each service port how clients fare at its frontends: see `iptviz.paths.fares.reached_in`."""
    table = proxy_table(listing)
    if table is None:
        raise ValueError(listing.source)  # nobody asks a listing that keeps no services
    survey = Survey(surroundings(listing, evidence), evidence, by_decider=by_decider)
    return reached_by(NativePaths(survey, table), ports, evidence.host, by_decider=by_decider)


def forms_at(
    ports: tuple[ServicePort, ...], reached: tuple[tuple[Reached, ...], ...]
) -> tuple[PortForm, ...]:
    """Return the service ports in the normal form."""
    return native_forms(ports, reached)


def era_of_listing(listing: NftListing) -> Era:
    """Return when kube-proxy's table was written."""
    table = proxy_table(listing)
    if table is None:
        raise ValueError(listing.source)  # nobody asks a listing that keeps no services
    return table_era(table.nft)


def notes_of(listing: NftListing, ports: Iterable[ServicePort]) -> list[Item]:
    """Return what a listing lacks, and what its services hang on."""
    from iptviz.intake.remark import remark

    rounded = (port.usual.frontend.text for port in ports if port.usual.rounded)
    return [
        *listing_notes(listing),
        *(remark("shares-rounded-at", frontend=frontend) for frontend in rounded),
    ]
