"""Which addresses and ports the tables of a listing of nft tell apart, as their texts name them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.kube.nftables.forms import forms_of
from iptviz.kube.nftables.table import proxy_table
from iptviz.rules.native.named import addresses_in, ports_in

if TYPE_CHECKING:
    from iptviz.nft.model import Table
    from iptviz.node.listing import NftListing

Cuts = tuple[frozenset[int], frozenset[int]]
"""Where addresses begin that are named, and where they have ended; and the same of ports."""


class NamedInListing:
    """What a listing names; empty without one."""

    def __init__(self, listing: NftListing | None) -> None:
        self._listing = listing
        self._own = proxy_table(listing) if listing is not None else None

    @property
    def is_known(self) -> bool:
        """Whether nothing but what is named tells addresses apart."""
        tables = self._listing.tables.values() if self._listing is not None else ()
        return all(table.line > 0 for table in tables) and (
            self._own is None or forms_of(self._own).is_led_by_maps
        )

    @cached_property
    def everywhere(self) -> Cuts:
        """What all rules and sets name."""
        return self._cuts(_texts(self._own.nft) if self._own else [])

    @cached_property
    def beside_services(self) -> Cuts:
        """What those name that are no single service's of kube-proxy in nftables mode."""
        return self._cuts([text for _, text in self._own.texts_beside_services] if self._own else [])

    @cached_property
    def after_nat(self) -> frozenset[int]:
        """The addresses by what may be asked of an endpoint's, but for hairpins."""
        return self._others[0] | (self._own.named_after_nat if self._own else frozenset())

    @property
    def hairpins(self) -> frozenset[int]:
        """The addresses of endpoints that have a hairpin of their own."""
        keys = self._own.hairpin_keys if self._own else ()
        return frozenset(bound for key in keys for bound in (key[0], key[0] + 1))

    def _cuts(self, texts: list[str]) -> Cuts:
        addresses, ports = self._others
        return addresses | addresses_in(texts), ports | ports_in(texts)

    @cached_property
    def _others(self) -> Cuts:
        """What other tables than kube-proxy's name."""
        tables = self._listing.tables.values() if self._listing is not None else ()
        texts = [text for table in tables if self._own is None or table is not self._own.nft
                 for text in _texts(table)]  # fmt: skip
        return addresses_in(texts), ports_in(texts)


def _texts(table: Table) -> list[str]:
    return [one.source_text for those in (table.chains, table.sets) for one in those.values()]
