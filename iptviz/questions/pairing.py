"""Which dumps of two nodes, or of one at two moments, are compared with each other, and with what evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.era import mode_remark
from iptviz.checks.wording import sentence
from iptviz.compare.ports.hiding import Hiding
from iptviz.dump.model import Dump
from iptviz.errors import DumpError
from iptviz.intake.index import TABLE_NAMES
from iptviz.intake.remark import remark
from iptviz.kube.mode import PROXY_MODES, mode_of, mode_of_ruleset
from iptviz.questions.service_sources import table_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.checks.finding import Item
    from iptviz.compare.ports.hiding import Sides
    from iptviz.intake.remark import Remark
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot

    Source = Dump | NftListing

NFTABLES = "nftables"
_IN_RULES = frozenset({"iptables", NFTABLES})
_SHOWN = frozenset({*_IN_RULES, "flushed", "none"})
"""Modes in which services would be in the rules that are there."""
_KEPT_ELSEWHERE = frozenset({*PROXY_MODES, "elsewhere"} - {"iptables"})
_DECIDING = ("addresses", "routes", "rules", "ipsets", "recent", "sysctls", "nft", "table names")
"""Evidence that decides how new connections fare."""
_FAMILIES = ("ipv4", "ipv6")


class Pair(NamedTuple):
    """Two sources of rules that are compared; `keeps_services`: the service ports of both are in them.

    Where one side keeps its services in a listing of nft, its dumps have none that count.
    """

    old: Dump | NftListing
    new: Dump | NftListing
    keeps_services: bool = True

    @property
    def sources(self) -> tuple[Dump | NftListing, Dump | NftListing]:
        """Both sources."""
        return self.old, self.new

    @property
    def family(self) -> str:
        """The family of addresses of both."""
        return self.new.family

    @property
    def modes(self) -> tuple[str, str]:
        """How services are kept on either side, or why they are not shown."""
        return mode_in(self.old), mode_in(self.new)

    @property
    def across(self) -> bool:
        """Whether services are kept in rules on both sides, and in different modes."""
        return set(self.modes) == _IN_RULES


def mode_in(source: Source) -> str:
    """Return how services are kept in a source of rules, or why they are not shown."""
    if isinstance(source, Dump):
        mode = mode_of(source)
        return mode.lacking or mode.name
    found = mode_of_ruleset(source.ruleset, (source.family,))
    return "none" if found is None else found.name


def sources_of(node: Snapshot) -> tuple[Source, ...]:
    """Return all sources of rules of a node, its dumps first."""
    listings = (node.listing(family) for family in _FAMILIES)
    return (*node.dumps, *(found for found in listings if found is not None))


def paired(old: Snapshot, new: Snapshot) -> tuple[Pair, ...]:
    """Return which sources of two nodes belong together: of one family, of several dumps also of one backend.

    Raises:
        DumpError: no family of addresses is on both sides.
    """
    mine, theirs = (_sources_shown(node) for node in (old, new))
    families = dict.fromkeys(source.family for source in (*theirs, *mine))
    pairs = tuple(pair for family in families for pair in _of_family(old, new, family))
    if not pairs:
        raise DumpError(
            f"cannot compare {mine[0].family} rules with {theirs[0].family} rules",
            where=theirs[0].source,
            hint="name two dumps of one family, or bundles that hold both",
        )
    return pairs


def _sources_shown(node: Snapshot) -> tuple[Source, ...]:
    """Return the sources of rules of a node.

    Raises:
        DumpError: a listing of nft is all there is, and shows no chain that packets meet, be it that it is cut.
    """
    found = sources_of(node)
    if not found:
        raise DumpError(
            "nothing to compare: the listing of nft shows no chain that packets meet",
            where=node.listed_in,
            hint="list it anew, as root: nft list ruleset",
        )
    return found


def _of_family(old: Snapshot, new: Snapshot, family: str) -> Iterator[Pair]:
    dumps = list(_of_backends(_dumps(old, family), _dumps(new, family)))
    listings = old.listing(family), new.listing(family)
    if any(found is not None and _keeps_services(found) for found in listings):
        mine, theirs = _keeper(old, family), _keeper(new, family)
        if mine is not None and theirs is not None:
            yield Pair(mine, theirs)
        yield from (pair._replace(keeps_services=False) for pair in dumps)
        if (mine, theirs) == listings:
            return
    else:
        yield from dumps
    if listings[0] is not None and listings[1] is not None:
        yield Pair(listings[0], listings[1], keeps_services=not dumps)


def _keeper(node: Snapshot, family: str) -> Source | None:
    """Return where services of a family are kept, or would be; None where nothing of the family is there."""
    listing = node.listing(family)
    if listing is not None and _keeps_services(listing):
        return listing
    dumps = _dumps(node, family)
    return next((dump for dump in dumps if mode_of(dump).name == "iptables"), dumps[0] if dumps else listing)


def _keeps_services(listing: NftListing) -> bool:
    table = table_of(listing)
    return table is not None and table.keeps_services


def _dumps(node: Snapshot, family: str) -> list[Dump]:
    return [dump for dump in node.dumps if dump.family == family]


def _of_backends(old: list[Dump], new: list[Dump]) -> Iterator[Pair]:
    """Yield pairs: first of one backend, then of what is left in its order, the obvious dumps first."""
    if len(old) > 1 or len(new) > 1:
        for one in list(old):
            same = next((other for other in new if other.backend == one.backend), None)
            if same is not None:
                old.remove(one)
                new.remove(same)
                yield Pair(one, same)
    yield from (Pair(*both) for both in zip(old, new, strict=False))


def unpaired(old: Snapshot, new: Snapshot, pairs: Sequence[Pair]) -> Iterator[Item]:
    """Yield which sources have none to be compared with."""
    for place, (side, node) in enumerate((("old", old), ("new", new))):
        taken = {id(pair.sources[place]) for pair in pairs}
        for source in sources_of(node):
            if id(source) not in taken and (isinstance(source, Dump) or not node.dumps):
                yield remark(
                    "dump-on-one-side",
                    side=side,
                    family=source.family,
                    backend=source.backend,
                    source=source.source,
                )


def with_shared_evidence(old: Snapshot, new: Snapshot) -> tuple[Snapshot, Snapshot, tuple[Item, ...]]:
    """Return both nodes with the kinds of evidence alone that both have, and what that leaves out.

    What is known of one side alone would make connections fare otherwise there, though no rule differs. Of a
    listing of nft that keeps services only the tables of others are left out.
    """
    kinds = [{piece.kind for piece in node.evidence if piece.is_used} for node in (old, new)]
    lone = {
        side: tuple(kind for kind in _DECIDING if kind in own - other)
        for side, own, other in (("old", kinds[0], kinds[1]), ("new", kinds[1], kinds[0]))
    }
    said = tuple(
        remark("evidence-on-one-side", side=side, kinds=found)
        for side, node in (("old", old), ("new", new))
        if (found := tuple(kind for kind in lone[side] if kind != "nft" or _has_of_others(node)))
    )
    dropped = {kind for found in lone.values() for kind in found}
    return _without(old, dropped), _without(new, dropped), said


def _has_of_others(node: Snapshot) -> bool:
    """Whether leaving out tables of nft leaves out any."""
    return not _in_nftables_mode(node) or node.has_tables_of_others


def _in_nftables_mode(node: Snapshot) -> bool:
    listings = (node.listing(family) for family in _FAMILIES)
    return any(found is not None and _keeps_services(found) for found in listings)


def _without(node: Snapshot, kinds: set[str]) -> Snapshot:
    """Return a node without some kinds of evidence; of tables of nft, kube-proxy's own services stay."""
    if not kinds:
        return node
    if "nft" in kinds and (_in_nftables_mode(node) or not node.dumps):
        node, kinds = node.without_tables_of_others(), kinds - {"nft"}
    return node.without_evidence(kinds)


def hiding_of(nodes: tuple[Snapshot, Snapshot], sources: tuple[Source, Source]) -> Sides:
    """Return what each of two sources of rules of nodes may have and does not show."""
    old, new = map(_hiding, nodes, sources)
    return old, new


def _hiding(node: Snapshot, source: Source) -> Hiding:
    """Return what a source may hide: beside a listing without any dump, legacy tables may be there."""
    dumps = _dumps(node, source.family)
    hides = any(map(hides_parts, dumps))
    if isinstance(source, Dump):
        return Hiding(source, node.unseen_tables(source), hides)
    if dumps:
        return Hiding(None, tuple(name for dump in dumps for name in node.unseen_tables(dump)), hides)
    return Hiding(None, tuple(name for name in TABLE_NAMES if not source.has_of_iptables(name)))


def hides_parts(dump: Dump) -> bool:
    """Whether some rules name what they ask or do and do not show it, as in JSON of nft."""
    return any(gap.id == "nft-hides" for gap in dump.gaps)


def findings_hidden(nodes: tuple[Snapshot, Snapshot], old: Dump, new: Dump) -> tuple[bool, bool]:
    """Return of each of two dumps whether `check` may find less in it, or something else, than in all its rules.

    Of tables that it does not show those count in which the other has rules.
    """
    return _hides_from_checks(nodes[0], old, new), _hides_from_checks(nodes[1], new, old)


def _hides_from_checks(node: Snapshot, dump: Dump, other: Dump) -> bool:
    shown = {name for name, table in other.tables.items() if table.rule_count}
    return not dump.complete or _lacks_comments(dump) or not shown.isdisjoint(node.unseen_tables(dump))


def _lacks_comments(dump: Dump) -> bool:
    """Whether nft listed it without comments, as some releases do: by them checks tell frontends apart."""
    of_nft = (dump.tool or "").startswith("nft ")
    return of_nft and not any(next(table.rules_with(" --comment "), None) for table in dump.tables.values())


def services_in(pair: Pair) -> Iterator[Item]:
    """Yield why the service ports of two sources are not compared; nothing where they are, or are elsewhere.

    Raises:
        DumpError: one side keeps its services where no rules tell of them, and the other does not.
    """
    if not pair.keeps_services:
        return
    elsewhere = [mode in _KEPT_ELSEWHERE for mode in pair.modes]
    if any(elsewhere) and not _IN_RULES.isdisjoint(pair.modes):
        place = elsewhere.index(True)
        raise _of_another_mode(pair.sources[place], pair.modes[place], pair.modes[1 - place])
    for side, source, mode in zip(("old", "new"), pair.sources, pair.modes, strict=True):
        because = mode_remark(mode) if mode not in _SHOWN else _cut(source)
        if because is not None:
            yield remark("services-not-compared", side=side, source=source.source, because=because)


def _cut(source: Source) -> Remark | None:
    """Return what a listing of nft lacks, be it of any service; None where its services are shown."""
    gaps = () if isinstance(source, Dump) else source.gaps
    return next((gap for gap in gaps if gap.id != "nft-tables-unlisted"), None)


def _of_another_mode(source: Source, mode: str, other: str) -> DumpError:
    return DumpError(
        f"services cannot be compared: {sentence(mode_remark(mode))}",
        where=source.source,
        hint=f"the other side has its services in {_RULES_OF[other]}; compare nodes of one mode",
    )


_RULES_OF = {"iptables": "iptables rules", NFTABLES: "a table of nft"}
