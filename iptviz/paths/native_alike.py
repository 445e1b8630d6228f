"""Which addresses and ports the tables of a listing of nft tell apart, as their texts name them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.nftables.forms import forms_of
from iptviz.kube.nftables.table import proxy_table
from iptviz.records import NamedTuple
from iptviz.rules.native.named import addresses_in, ports_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.nft.model import Table
    from iptviz.node.listing import NftListing


class NamedInListing(NamedTuple):
    """Where addresses and ports that a listing names begin, and where they have ended.

    `everywhere` is by all rules and sets, `beside_services` by those that are no single service's of kube-proxy,
    each addresses and ports. `after_nat` are addresses by what may be asked of an endpoint's, but for hairpins, those
    of `hairpins`. `is_known`: nothing else tells addresses apart.
    """

    is_known: bool
    everywhere: tuple[frozenset[int], frozenset[int]]
    beside_services: tuple[frozenset[int], frozenset[int]]
    after_nat: frozenset[int]
    hairpins: frozenset[int]


def named_in_listing(listing: NftListing) -> NamedInListing:
    """Return what a listing names."""
    own = proxy_table(listing)
    tables = listing.tables.values()
    others = [text for table in tables if own is None or table is not own.nft for text in _texts(table)]
    addresses, ports = addresses_in(others), ports_in(others)
    is_known = all(table.line > 0 for table in tables)
    if own is None:
        return NamedInListing(is_known, (addresses, ports), (addresses, ports), addresses, frozenset())
    beside = [text for _, text in own.texts_beside_services]
    all_of_own = list(_texts(own.nft))
    return NamedInListing(
        is_known and forms_of(own).is_known,
        (addresses | addresses_in(all_of_own), ports | ports_in(all_of_own)),
        (addresses | addresses_in(beside), ports | ports_in(beside)),
        addresses | own.named_after_nat,
        frozenset(bound for key in own.hairpin_keys for bound in (key[0], key[0] + 1)),
    )


def _texts(table: Table) -> Iterator[str]:
    yield from (chain.source_text for chain in table.chains.values())
    yield from (found.source_text for found in table.sets.values())
