"""What is compared of two nodes where kube-proxy's services are in tables of nft on one side, or on both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.compare.ports.compared import without_hidden
from iptviz.dump.model import Dump
from iptviz.intake.remark import remark
from iptviz.kube.era import era_of
from iptviz.questions.pairing import NFTABLES
from iptviz.questions.service_sources import table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.compare.chains.forms import ChainChanges, Explained
    from iptviz.compare.chains.native import Scope
    from iptviz.compare.ports.differences import PortChanges
    from iptviz.compare.ports.form import PortForm
    from iptviz.compare.ports.hiding import Sides
    from iptviz.kube.era import Era
    from iptviz.node.listing import NftListing
    from iptviz.questions.diff_pair import PairDiff
    from iptviz.questions.pairing import Pair


def across_modes(found: PairDiff, ports: PortChanges, hiding: Sides, forms: Sequence[PortForm]) -> PairDiff:
    """Return what really differs of two nodes in different modes, and apart from it what the modes mean.

    `hiding` is what either side may have beyond what it shows, `forms` all service ports of both.
    """
    from iptviz.compare.modes.expected import Modes, expected
    from iptviz.compare.modes.ports import across  # few switch modes

    side: Literal[0, 1] = 0 if isinstance(found.old, Dump) else 1
    dump, listing = (found.old, found.new) if side == 0 else (found.new, found.old)
    table = None if isinstance(listing, Dump) else table_of(listing)
    if not isinstance(dump, Dump) or table is None:
        raise TypeError(listing)  # modes differ where a dump is compared with a listing of nft
    split = across(ports, side)
    sticky = {port.key for port in forms if port.affinity is not None}
    told = expected(Modes(dump, table, split.meant, len(sticky)))
    return found._replace(ports=without_hidden(split.changes, hiding), expected=told)


def without_kube_proxys_chains(found: PairDiff, chains: ChainChanges, pairs: Sequence[Pair]) -> PairDiff:
    """Return what differs of two dumps, without the chains that kube-proxy has in iptables mode alone."""
    from iptviz.compare.modes.chains import without_kube_proxys

    across = next(pair for pair in pairs if pair.across and pair.family == found.new.family)
    side: Literal[0, 1] = 1 if across.modes[0] == NFTABLES else 0
    left, count = without_kube_proxys(chains, side)
    told = (remark("mode-own-chains", count=count),) if count else ()
    return found._replace(chains=left, expected=(*found.expected, *told))


def scope_of(pair: Pair, pairs: Sequence[Pair], explained: Explained) -> Scope:
    """Return what is compared of two listings of nft, of which there may be another pair."""
    from iptviz.compare.chains.native import Scope

    listed = [other for other in pairs if not isinstance(other.old, Dump) and not isinstance(other.new, Dump)]
    across = any(other.across for other in pairs if other.family == pair.family)
    eras = [era_in(source) for source in pair.sources]
    of_others = all(eras) and not frozenset.intersection(*(era.releases for era in eras if era is not None))
    return Scope(
        explained,
        shared=listed[0] is pair,
        proxy=not across and not of_others,
        why_not=None if across else "eras",
    )


def era_in(source: Dump | NftListing) -> Era | None:
    """Return when kube-proxy wrote a source of rules; None of a listing of nft without its table."""
    if isinstance(source, Dump):
        return era_of(source)
    from iptviz.kube.nftables.era import table_era

    table = table_of(source)
    return None if table is None else table_era(table.nft)
