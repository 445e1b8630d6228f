"""Where the rules of a node tell of services: its dumps, and listings of nft with kube-proxy's own table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot

_FAMILIES = ("ipv4", "ipv6")


def service_sources(node: Snapshot, family: str | None) -> tuple[Dump | NftListing, ...]:
    """Return the sources of rules for services of a family, of both where it is None.

    Those come first that keep services: of a node in nftables mode its listing.
    """
    dumps = node.of_family(family)
    if not any(piece.kind == "nft" for piece in node.evidence):
        return dumps
    listings = tuple(_listings(node, family))
    if not dumps or any(_keeps_services(one) for one in listings):
        return (*listings, *dumps)
    return (*dumps, *listings)


def _listings(node: Snapshot, family: str | None) -> Iterator[NftListing]:
    for each in _FAMILIES if family is None else (family,):
        found = node.listing(each)
        if found is not None and table_of(found) is not None:
            yield found


def table_of(listing: NftListing) -> ProxyTable | None:
    """Return kube-proxy's table of a listing, made once; None where it has none."""
    from iptviz.kube.nftables.table import proxy_table  # dumps do without

    return proxy_table(listing)


def _keeps_services(listing: NftListing) -> bool:
    table = table_of(listing)
    return table is not None and table.keeps_services
