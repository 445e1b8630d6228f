"""kube-proxy's tables of nft as checks see them: its service ports, and how clients fare at them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.examined import ExaminedTable
from iptviz.dump.model import Dump
from iptviz.kube.nftables.table import proxy_table
from iptviz.questions.native_services import ports_in, reached_at
from iptviz.questions.service_sources import service_sources
from iptviz.questions.ways import evidence_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.node.snapshot import Snapshot
    from iptviz.questions.ways import Beside


def examined_tables(node: Snapshot, beside: Beside) -> Iterator[ExaminedTable]:
    """Yield kube-proxy's tables of a node's listings, one for each family of addresses."""
    for listing in service_sources(node, None):
        table = None if isinstance(listing, Dump) else proxy_table(listing)
        if isinstance(listing, Dump) or table is None:
            continue
        ports = tuple(ports_in(listing))
        evidence = evidence_of(node, listing.family, beside)
        reached = reached_at(listing, ports, evidence, by_decider=True)
        yield ExaminedTable(node, listing, table, ports, reached, evidence)
