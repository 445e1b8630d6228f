"""The tables of nft that kube-proxy writes, one for each family of addresses: what of them is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.nft.model import Chain, Ruleset, Table
    from iptviz.node.listing import ReadListing

NAME = "kube-proxy"
"""What kube-proxy calls its tables."""

FAMILIES = {"ipv4": "ip", "ipv6": "ip6"}
"""The family of the table for each family of addresses."""

DISPATCHER = "services"
"""The chain that leads to services."""

HOOKS = ("nat-prerouting", "nat-output")
"""The base chains that lead to the dispatcher."""

_OWN = (DISPATCHER, *HOOKS, "nat-postrouting", "masquerading")
"""Chains that every release writes, whether there are services or not."""

MAPS = ("service-ips", "service-nodeports", "no-endpoint-services", "no-endpoint-nodeports")
"""The maps of which one has each address and port of a service."""

_OF_SERVICES = ("service-", "local-", "external-", "firewall-", "endpoint-")


class OwnTable(NamedTuple):
    """The table of a family of addresses, `ipv4` or `ipv6`, and the listing that shows it."""

    family: str
    table: Table
    listing: ReadListing

    @property
    def name(self) -> str:
        """What nft calls it: `ip kube-proxy`."""
        return f"{self.table.family} {self.table.name}"


def own_tables(listings: Iterable[ReadListing]) -> list[OwnTable]:
    """Return kube-proxy's tables of a node, one for each family; a listing of all tables goes before others."""
    found: dict[str, OwnTable] = {}
    for listing in sorted(listings, key=lambda one: one.piece.partial):
        for family in FAMILIES:
            table = None if listing.ruleset is None else own_table(listing.ruleset, family)
            if table is not None:
                found.setdefault(family, OwnTable(family, table, listing))
    return list(found.values())


def own_table(ruleset: Ruleset, family: str) -> Table | None:
    """Return kube-proxy's table for `ipv4` or `ipv6`; None where there is none."""
    return ruleset.table(FAMILIES[family], NAME)


def is_written(table: Table) -> bool:
    """Whether a table of that name has chains as kube-proxy writes them, be it one alone."""
    return any(name in table.chains for name in _OWN) or any(True for _ in chains_of_services(table))


def chains_of_services(table: Table) -> Iterator[Chain]:
    """Yield the chains of services and their endpoints; what a service had that is gone is there for a while."""
    yield from (
        chain for name, chain in table.chains.items() if "/" in name and name.startswith(_OF_SERVICES)
    )


def has_services(table: Table) -> bool:
    """Whether a map has an address or a port of a service, or a chain of one has rules."""
    maps = (table.sets[name] for name in MAPS if name in table.sets)
    return any(found.has_elements for found in maps) or any(
        chain.has_rules for chain in chains_of_services(table)
    )


def lacking_rules(table: Table) -> tuple[str, ...]:
    """Return the chains that lead to services, are there, and have no rule, which kube-proxy never leaves so."""
    chains = (table.chains.get(name) for name in (DISPATCHER, *HOOKS))
    return tuple(chain.name for chain in chains if chain is not None and not chain.has_rules)


def shows_maps(table: Table) -> bool:
    """Whether all maps that lead to services are shown, with their elements if there are any."""
    return not any(map(table.hides, MAPS))


def is_unled(table: Table) -> bool:
    """Whether chains of services have rules, and the maps that lead to them are there and have no element."""
    maps = [table.sets[name] for name in MAPS if name in table.sets]
    return (
        bool(maps)
        and not any(found.has_elements for found in maps)
        and any(chain.has_rules for chain in chains_of_services(table))
    )
