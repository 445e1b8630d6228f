"""Where a node tells of services: dumps, listings of nft with kube-proxy's own table, virtual servers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.dump.model import Dump
from iptviz.kube.mode import mode_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot
    from iptviz.node.virtual_servers import IpvsListing

    ServiceSource = Dump | NftListing | IpvsListing

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


def all_sources(node: Snapshot, family: str | None) -> tuple[ServiceSource, ...]:
    """Return the same, and before them the virtual servers of a node in IPVS mode, which no rules keep.

    Where dumps or listings tell that services are kept elsewhere, nobody asks for those.

    Raises:
        DumpError: there are no sources.
    """
    found = service_sources(node, family)
    virtual: tuple[IpvsListing, ...] = ()
    if node.has_ipvs and all(isinstance(one, Dump) or not _keeps_services(one) for one in found):
        dumps = node.of_family(family)
        if not dumps or any(mode_of(dump).name == "ipvs" for dump in dumps):
            virtual = _virtual(node, family)
    if not (virtual or found):
        raise node.without_dumps()
    return (*virtual, *found)


def beyond(said: Sequence[Item], notes: Iterable[Item]) -> tuple[Item, ...]:
    """Return the notes of a further source that are not said of the first one."""
    return tuple(note for note in notes if note not in said)


def _virtual(node: Snapshot, family: str | None) -> tuple[IpvsListing, ...]:
    from iptviz.node.virtual_servers import listings_of  # most nodes have none

    listings = tuple(listings_of(node.virtual_servers))
    return tuple(one for one in listings if family in {None, one.family}) or listings


def table_of(listing: NftListing) -> ProxyTable | None:
    """Return kube-proxy's table of a listing, made once; None where it has none."""
    from iptviz.kube.nftables.table import proxy_table  # dumps do without

    return proxy_table(listing)


def _keeps_services(listing: NftListing) -> bool:
    table = table_of(listing)
    return table is not None and table.keeps_services
