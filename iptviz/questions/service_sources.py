"""Where a node tells of services: its dumps, listings of nft with kube-proxy's own table, and IPVS."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.mode import mode_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.dump.model import Dump
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot
    from iptviz.node.virtual_servers import IpvsListing

    ServiceSource = Dump | NftListing | IpvsListing

_FAMILIES = ("ipv4", "ipv6")


def service_sources(node: Snapshot, family: str | None) -> tuple[ServiceSource, ...]:
    """Return the sources for services of a family, of both where it is None.

    Those come first that keep services: of a node in nftables mode its listing, in IPVS mode what ipvsadm prints.

    Raises:
        DumpError: there is no source, as no listing has kube-proxy's table.
    """
    dumps = node.of_family(family)
    kinds = {piece.kind for piece in node.evidence}
    listings = tuple(_listings(node, family)) if "nft" in kinds else ()
    kept = any(_keeps_services(one) for one in listings)
    virtual = tuple(_virtual(node, family, dumps)) if "ipvs" in kinds and not kept else ()
    found = (*virtual, *listings, *dumps) if kept or not dumps else (*virtual, *dumps, *listings)
    if not found:
        raise node.without_dumps()
    return found


def beyond(said: Sequence[Item], notes: Iterable[Item]) -> tuple[Item, ...]:
    """Return the notes of a further source that are not said of the first one."""
    return tuple(note for note in notes if note not in said)


def _virtual(node: Snapshot, family: str | None, dumps: Sequence[Dump]) -> Iterator[IpvsListing]:
    """Yield the virtual servers of a node, where its dumps do not tell that its services are elsewhere."""
    if not dumps or any(mode_of(dump).name == "ipvs" for dump in dumps):
        from iptviz.node.virtual_servers import listings_of  # most nodes have none

        listings = listings_of(node.virtual_servers)
        yield from [one for one in listings if family in {None, one.family}] or listings


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
