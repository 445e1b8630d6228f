"""The question `graph` asks: which chain leads to which, everywhere, around a chain, or on a target's way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.checks.finding import findings_among
from iptviz.dump.model import Dump
from iptviz.errors import AbsentError, TargetError, near, quoted
from iptviz.intake.remark import remark
from iptviz.kube.target import family_of_target
from iptviz.node.snapshot import Snapshot, as_snapshot
from iptviz.questions.document import document_of
from iptviz.questions.drawn import ChainNode
from iptviz.questions.drawn_dump import DumpChains
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.checks.finding import Finding, Item
    from iptviz.node.listing import NftListing, RuleSource
    from iptviz.questions.drawn import Drawn, Jump, Place


class GraphResult(NamedTuple):
    """Chains and jumps of a dump or a listing of nft, table by table; `asked` says which part, empty for all.

    `focus` is the TARGET on whose way they are, or empty.
    """

    dump: RuleSource
    asked: str
    chains: tuple[ChainNode, ...]
    jumps: tuple[Jump, ...]
    notes: tuple[Item, ...]
    focus: str = ""
    snapshot: Snapshot | None = None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with these chains."""
        return findings_among(self.notes)

    def to_dict(self) -> dict[str, Any]:
        """Return the result as the document `iptviz.graph.v1`."""
        return document_of("graph", self)


def graph(
    dump: Dump | Snapshot,
    *,
    tables: Iterable[str] = (),
    around: str | None = None,
    depth: int = 2,
    focus: str | None = None,
) -> GraphResult:
    """Return which chain leads to which: in `tables`, or in all, of the dump that is obviously meant.

    A node of nftables mode has a listing of nft for that; there `tables` are named with or without their family.

    `around` is a chain, of which those are returned that lead to it, or that it leads to, within `depth`
    jumps; `focus` is a TARGET, of which the chains on its way are returned.

    Raises:
        TargetError: there is no such table, or TARGET has no form that names anything.
        AbsentError: the dump does not have the chain, or TARGET.
    """
    node = as_snapshot(dump, listed=True)
    family = family_of_target(focus) if focus is not None else None
    wanted = tuple(tables)
    return _graph(node, _chosen(node, family, wanted), wanted, around, depth, focus)


def _chosen(node: Snapshot, family: str | None, tables: Sequence[str]) -> Drawn:
    """Return what is drawn: the first source of services, or the first that has the tables that are asked for."""
    found = [_drawn(source) for source in _sources(node, family)]
    return next((one for one in found if tables and all(map(one.named, tables))), found[0])


def _sources(node: Snapshot, family: str | None) -> Sequence[Dump | NftListing]:
    """Return the sources of rules of a node, those that keep services first.

    Raises:
        DumpError: there is no dump, and no listing shows a table.
    """
    if node.dumps and not node.evidence:
        return node.of_family(family)
    from iptviz.questions.service_sources import service_sources  # most nodes are one dump

    found = service_sources(node, family)
    families = ("ipv4", "ipv6") if family is None else (family,)
    listings = [one for one in map(node.listing, families) if one is not None and one not in found]
    if not (found or listings):
        raise node.without_dumps()
    return (*found, *listings)


def _drawn(source: Dump | NftListing) -> Drawn:
    if isinstance(source, Dump):
        return DumpChains(source)
    from iptviz.questions.drawn_listing import ListingChains  # dumps do without

    return ListingChains(source)


def _graph(
    node: Snapshot,
    drawn: Drawn,
    tables: Sequence[str],
    around: str | None,
    depth: int,
    focus: str | None,
) -> GraphResult:
    """Return the graph of one source of a node's rules."""
    source = drawn.source
    for name in tables:
        if not drawn.named(name):
            raise TargetError(
                f"no table {quoted(name)} in {_called(source)}",
                where=source.source,
                hint=f"{near(name, drawn.tables)}tables: {', '.join(drawn.tables)}",
            )
    wanted = tuple(dict.fromkeys(one for name in tables for one in drawn.named(name))) or tuple(drawn.tables)
    found = [jump for name in wanted for jump in drawn.jumps(name)]
    places, asked = None, ""
    if around is not None:
        places, asked = (
            _around(drawn, wanted, found, around, depth),
            f"within {depth:,} jump{'' if depth == 1 else 's'} of {around}",
        )
    elif focus is not None:
        places, asked = _focus(drawn, found, focus), f"on the path of {focus}"
    kept = [jump for jump in found if places is None or {jump.tail, jump.head} <= places]
    chains = [chain for chain in _nodes(drawn, wanted, found) if places is None or chain.place in places]
    notes = (*drawn.notes(kept, chains), *_others(node, source))
    return GraphResult(source, asked, tuple(chains), tuple(kept), notes, focus or "", node)


def _called(source: RuleSource) -> str:
    return "this dump" if isinstance(source, Dump) else "this listing"


def _others(node: Snapshot, drawn: RuleSource) -> Iterator[Item]:
    """Say of which dumps of the node nothing is drawn, and of which tables of a listing."""
    for dump in node.dumps:
        if dump is not drawn:
            yield remark(
                "dump-not-drawn", number=dump.number, source=dump.source, what=dump.tool or dump.family
            )
    if any(piece.kind == "nft" for piece in node.evidence):
        listings = filter(None, map(node.listing, ("ipv4", "ipv6")))
        tables = [name for listing in listings for name, table in listing.tables.items() if table.acts]
        left = dict.fromkeys(name for name in tables if isinstance(drawn, Dump) or name not in drawn.tables)
        if left:
            yield remark("tables-not-drawn", tables=tuple(left))


def _nodes(drawn: Drawn, tables: Iterable[str], found: list[Jump]) -> Iterator[ChainNode]:
    missing = {jump.head for jump in found}
    for name in tables:
        for node in drawn.nodes(name):
            missing.discard(node.place)
            yield node
    yield from (ChainNode(*place, None, 0, present=False) for place in sorted(missing))


def _around(drawn: Drawn, tables: Iterable[str], found: list[Jump], chain: str, depth: int) -> set[Place]:
    """Return what is at most so many jumps up or down from a chain, in every table that has it."""
    start = {(name, chain) for name in tables if chain in drawn.chain_names(name)}
    start |= {jump.head for jump in found if jump.head[1] == chain}
    if not start:
        raise AbsentError(
            f"no chain {quoted(chain)} in {_called(drawn.source)}",
            where=drawn.source.source,
            hint=f"{near(chain, [name for table in tables for name in drawn.spelled(table)])}"
            "list them: iptviz graph DUMP",
        )
    up, down = _ways(found)
    return _reached(start, up, depth) | _reached(start, down, depth)


def _ways(found: list[Jump]) -> tuple[dict[Place, set[Place]], dict[Place, set[Place]]]:
    """Return what leads to each chain, and what each leads to."""
    up: dict[Place, set[Place]] = {}
    down: dict[Place, set[Place]] = {}
    for jump in found:
        down.setdefault(jump.tail, set()).add(jump.head)
        up.setdefault(jump.head, set()).add(jump.tail)
    return up, down


def _reached(start: set[Place], ways: dict[Place, set[Place]], depth: int | None = None) -> set[Place]:
    """Return what can be reached from `start`, in at most `depth` steps."""
    seen, edge = set(start), set(start)
    while edge and depth != 0:
        edge = {further for place in edge for further in ways.get(place, ())} - seen
        seen |= edge
        depth = None if depth is None else depth - 1
    return seen


def _focus(drawn: Drawn, found: list[Jump], target: str) -> set[Place]:
    """Return the chains on the ways of a target's frontends: those before them, and all behind."""
    entries, behind = drawn.on_path(target)
    up, down = _ways(found)
    return _reached(entries, up) | _reached(behind, down)
