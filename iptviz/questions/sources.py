"""The question `sources` asks: what do files and bundles hold of nodes, and what could not be used of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from iptviz.checks import reading
from iptviz.intake.remark import Remark, remark
from iptviz.node.load import find_in, nothing_in
from iptviz.progress import nobody
from iptviz.questions.document import document_of
from iptviz.records import NamedTuple
from iptviz.source.origin import DEFAULT_LIMIT, DumpLike

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iptviz.dump.model import Dump
    from iptviz.errors import DumpError
    from iptviz.grammar.parts import RuleParts
    from iptviz.intake.remark import LineNote
    from iptviz.kube.era import Era
    from iptviz.nft.model import Rule
    from iptviz.node.evidence import Evidence
    from iptviz.node.listing import ReadListing
    from iptviz.node.load import FoundIn
    from iptviz.progress import Progress


class TableCount(NamedTuple):
    """A table of nft, and how many rules it has."""

    family: str
    name: str
    rules: int


class ListedFile(NamedTuple):
    """A listing of nft, as it is listed itself.

    Attributes:
        piece: where it stands.
        tables: those that it shows; none of a file that is only meant to be a listing.
        tool: what wrote it.
        form: `text` or `json`.
        handles: whether rules have their numbers (`nft -a`, JSON).
        hidden: how many rules have matches or targets of iptables that nft only names.
        mode: `nftables` where kube-proxy's table is among the tables.
        eras: when kube-proxy wrote its tables, each with its name.
        whole: whether it shows all of the tables that it lists.
        remarks: what is missing, or was repaired.
        notes: the lines that were left out or repaired.
    """

    piece: Evidence
    tables: tuple[TableCount, ...]
    tool: str
    form: str = "text"
    handles: bool = False
    hidden: int = 0
    mode: str | None = None
    eras: tuple[tuple[str, Era], ...] = ()
    whole: bool = True
    remarks: tuple[Remark, ...] = ()
    notes: tuple[LineNote, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether it shows all tables of the node."""
        return self.whole and bool(self.tables) and not self.piece.partial


class SourcesResult(NamedTuple):
    """The dumps, numbered from 1, and evidence of other kinds; `problems` kept others from being read.

    `nodes` has the name by which `--node` chooses the node of a dump, by the dump's number. `listings` are the
    pieces of evidence that are listings of nft, with what they show.
    """

    dumps: tuple[Dump, ...]
    evidence: tuple[Evidence, ...]
    problems: tuple[DumpError, ...]
    nodes: Mapping[int, str | None] = MappingProxyType({})
    listings: tuple[ListedFile, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the document `iptviz.sources.v1`."""
        return document_of("sources", self)


def sources(
    *origins: DumpLike,
    max_size: int = DEFAULT_LIMIT,
    side: str | None = None,
    progress: Progress = nobody,
) -> SourcesResult:
    """Find what is of a node in files, bundles (tar, zip, a folder), bytes, open files; "-" is standard input.

    Of a diff, `side` (`new` or `old`) is read, the new one unless told. `progress` is told how much is read.

    Raises:
        DumpError: one of them cannot be read, or there is nothing of a node.
    """
    found = find_in(*origins, max_size=max_size, side=side, progress=progress)
    if not found.dumps and not found.evidence:
        raise nothing_in(found)
    listings = listings_in(found.evidence)
    return SourcesResult(found.dumps, found.evidence, found.problems, _nodes(found), listings)


def listings_in(evidence: Sequence[Evidence]) -> tuple[ListedFile, ...]:
    """Return the listings of nft among evidence, each with what it shows."""
    if not any(piece.kind == "nft" for piece in evidence):
        return ()
    from iptviz.node.listing import read_listings  # what dumps alone do not need

    return tuple(map(_listed, read_listings(evidence)))


def _listed(listing: ReadListing) -> ListedFile:
    from iptviz.kube.mode import mode_of_ruleset
    from iptviz.kube.nftables.era import table_era
    from iptviz.kube.nftables.own import is_written, own_tables

    ruleset = listing.ruleset
    if ruleset is None:
        return ListedFile(listing.piece, (), listing.tool, whole=False)
    counts: list[TableCount] = []
    handles, hidden = False, 0
    for table in ruleset.tables.values():
        rules = [rule for chain in table.chains.values() for rule in chain.rules]
        counts.append(TableCount(table.family, table.name, len(rules)))
        handles = handles or any(rule.handle is not None for rule in rules)
        hidden += sum(map(_hides, rules))
    mode = mode_of_ruleset(ruleset)
    notes = tuple(ruleset.notes)
    bare = [one for one in listing.gaps if one.id in {"nft-no-elements", "nft-part-of-table"}]
    remarks = tuple(dict.fromkeys((*listing.open_at, *ruleset.remarks, *bare)))
    written = (own for own in own_tables([listing]) if is_written(own.table))
    eras = tuple((own.name, table_era(own.table)) for own in written)
    return ListedFile(listing.piece, tuple(counts), listing.tool, ruleset.form, handles, hidden,
        mode.name if mode else None, eras, not (listing.open_at or bare), remarks, notes,
    )  # fmt: skip


def _hides(rule: Rule) -> bool:
    """Whether nft only names something of a rule; a comment asks nothing."""
    from iptviz.nft.statements import Xt

    if '"xt"' not in rule.text and "xt " not in rule.text:
        return False  # most are not read for it
    return any(isinstance(one, Xt) and one.name != "comment" for one in rule.statements)


def _nodes(found: FoundIn) -> dict[int, str | None]:
    if len(found.dumps) == 1:
        return {}
    from iptviz.node.gather import by_node  # what one dump does not need

    groups = by_node(found.dumps, found.evidence)
    return {dump.number: group.name for group in groups for dump in group.dumps}


def not_understood(dump: Dump) -> list[Remark]:
    """Return for each rule that is not understood its line and why; every rule is taken apart for it."""
    return reading.by_line(
        complaint
        for table in dump.tables.values()
        for rule in table.rules()
        for complaint in _complaints(rule.line, rule.parts)
    )


def _complaints(line: int, parts: RuleParts) -> Iterator[Remark]:
    for unknown in parts.unknown:
        yield remark("option-unknown", line, option=unknown.option.text())
    if parts.problem:
        yield remark("rule-unread", line, problem=parts.problem)
