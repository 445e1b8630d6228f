"""A listing of nft as a source of rules: what is told of it beside its rules."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from iptviz.errors import NothingError
from iptviz.intake.index import TABLE_NAMES
from iptviz.intake.remark import remark
from iptviz.nft.model import Ruleset
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.intake.remark import Remark
    from iptviz.nft.model import Base, Chain, Table
    from iptviz.node.evidence import Evidence

FAMILIES = {"ipv4": ("ip", "inet"), "ipv6": ("ip6", "inet")}
"""The families of tables of nft whose rules the packets of a family meet."""


class RuleSource(Protocol):
    """Where rules that a packet passes come from: a dump, or a listing of nft."""

    @property
    def source(self) -> str:
        """The file, as messages call it."""

    @property
    def family(self) -> str:
        """Either `ipv4` or `ipv6`."""

    @property
    def number(self) -> int | None:
        """The number of a dump among those of its node; None of what is no dump."""

    @property
    def tool(self) -> str | None:
        """What wrote it, with its version where that is told."""

    @property
    def backend(self) -> str | None:
        """Either `nf_tables` or `legacy`, or None where that is not known."""

    @property
    def complete(self) -> bool:
        """Whether nothing of it is missing."""

    @property
    def is_excerpt(self) -> bool:
        """Whether lines may be missing anywhere, as where grep chose those that are shown."""

    @property
    def rule_count(self) -> int:
        """How many rules there are."""

    @property
    def tables(self) -> Collection[str]:
        """The names of the tables."""


def rule_counts(source: RuleSource) -> dict[str, int]:
    """Return how many rules each table of a dump or of a listing has, by its name."""
    from iptviz.dump.model import Dump

    if isinstance(source, Dump):
        return {name: table.rule_count for name, table in source.tables.items()}
    tables = source.tables if isinstance(source, NftListing) else {}
    return {name: sum(len(chain.rules) for chain in table.chains.values()) for name, table in tables.items()}


def tool_of(ruleset: Ruleset | None) -> str:
    """Return what wrote a listing, with its version where that is told."""
    return f"nft v{ruleset.version}" if ruleset and ruleset.version else "nft list ruleset"


class NftListing:
    """The tables of a listing that packets of one family meet, but for those whose rules a dump has.

    `ruleset` holds the tables, `chains_elsewhere` chains, by family, table and name, that are a dump's.
    `gaps` are what the files lack that show them.
    """

    backend = "nf_tables"
    number: int | None = None
    is_excerpt = False
    is_one_text = True
    """Whether all tables stand in one text, so that lines tell the order of all."""
    passed_over: tuple[str, ...] = ()
    """Other files that list all tables, too, and are not asked."""

    def __init__(
        self,
        ruleset: Ruleset,
        source: str,
        family: str,
        chains_elsewhere: Collection[tuple[str, str, str]] = (),
        gaps: Collection[Remark] = (),
    ) -> None:
        self.gaps = tuple(gaps)
        self.ruleset = ruleset
        self.source = source
        self.family = family
        self.chains_elsewhere = frozenset(chains_elsewhere)

    @property
    def tool(self) -> str:
        """What wrote it, with its version where that is told."""
        return tool_of(self.ruleset)

    @cached_property
    def _asked(self) -> tuple[Table, ...]:
        return tuple(
            table
            for table in self.ruleset.tables.values()
            if table.family in FAMILIES[self.family] and self._has_own(table)
        )

    def _has_own(self, table: Table) -> bool:
        """Whether a table has a chain that a hook leads to and no dump has."""
        return any(
            (table.family, table.name, chain.name) not in self.chains_elsewhere for chain, _ in table.bases
        )

    @property
    def tables(self) -> dict[str, Table]:
        """The tables by family and name, as in `ip kube-proxy`, as far as something of them is asked."""
        return {f"{table.family} {table.name}": table for table in self._asked}

    @property
    def names(self) -> frozenset[str]:
        """What a snapshot calls these tables."""
        return frozenset(
            name
            for table in self._asked
            for name in (f"nft {table.family} {table.name}", f"nf_tables {table.name}")
        )

    def has_of_iptables(self, name: str) -> bool:
        """Whether the listing shows the table of iptables-nft that has a name."""
        return (FAMILIES[self.family][0], name) in self.ruleset.tables

    @property
    def has_tables_of_others(self) -> bool:
        """Whether there is a table that neither kube-proxy nor iptables has made."""
        return any(not _is_own(table) for table in self._asked)

    def own(self) -> NftListing:
        """Return the same listing, of the tables that kube-proxy or iptables has made."""
        found = Ruleset(self.ruleset.form, self.ruleset.version)
        found.tables = {key: table for key, table in self.ruleset.tables.items() if _is_own(table)}
        found.remarks, found.notes = self.ruleset.remarks, self.ruleset.notes
        kept = NftListing(found, self.source, self.family, self.chains_elsewhere, self.gaps)
        kept.is_one_text, kept.passed_over = self.is_one_text, self.passed_over
        return kept

    @property
    def unasked(self) -> tuple[str, ...]:
        """Tables with rules that packets meet at devices, and that there may be others which are not listed."""
        at_devices = tuple(
            f"nft {table.family} {table.name}"
            for table in self.ruleset.tables.values()
            if table.family in {"netdev", "inet"} and any(_is_at_device(*found) for found in table.bases)
        )
        return (*at_devices, UNLISTED) if any(gap.id in _CUTTING for gap in self.gaps) else at_devices

    @cached_property
    def rule_count(self) -> int:
        """How many rules these tables have."""
        return sum(chain.rule_count for table in self._asked for chain in table.chains.values())

    @property
    def complete(self) -> bool:
        """Whether all tables are shown, with all that is in them."""
        return not self.gaps


def _is_own(table: Table) -> bool:
    """Whether a table is one of kube-proxy's or of iptables', by its name."""
    return table.family in {"ip", "ip6"} and table.name in {_KUBE_PROXY, *TABLE_NAMES}


_KUBE_PROXY = "kube-proxy"


def _is_at_device(chain: Chain, base: Base) -> bool:
    """Whether a chain that drops or has rules is asked at a device."""
    return base.hook in {"ingress", "egress"} and (chain.has_rules or base.policy == "drop")


_OPEN = {"nft-block-open", "nft-json-open"}
_PART = {False: "nft-tables-unlisted", True: "nft-lines-chosen"}
_CUTTING = {*_OPEN, *_PART.values(), "nft-part-of-table", "damaged"}
"""What is said of listings that may lack whole tables."""
UNLISTED = "nft tables not listed"
"""How answers call tables that nobody has listed."""


class ReadListing(NamedTuple):
    """A file of a listing, and what is in it: None where that is no table. It is a source of rules, too."""

    piece: Evidence
    ruleset: Ruleset | None

    @property
    def number(self) -> int | None:
        """No number: it is no dump."""
        return None

    @property
    def is_excerpt(self) -> bool:
        """Whether lines may be missing anywhere: of nft, they are at the end alone."""
        return False

    @property
    def source(self) -> str:
        """The file, as messages call it."""
        return self.piece.source.name

    @property
    def family(self) -> str:
        """Either `ipv4`, or `ipv6` where packets of that family alone meet what is in it."""
        met = {table.family for table in self._tables}
        return "ipv6" if "ip6" in met and "ip" not in met else "ipv4"

    @property
    def tool(self) -> str:
        """What wrote it, with its version where that is told."""
        return tool_of(self.ruleset)

    @property
    def backend(self) -> str:
        """Always `nf_tables`."""
        return "nf_tables"

    @property
    def complete(self) -> bool:
        """Whether it shows all tables, with all that is in them."""
        return self.ruleset is not None and not self.gaps

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables by family and name, as in `ip kube-proxy`."""
        return tuple(f"{table.family} {table.name}" for table in self._tables)

    @property
    def rule_count(self) -> int:
        """How many rules there are."""
        return sum(len(chain.rules) for table in self._tables for chain in table.chains.values())

    @property
    def _tables(self) -> tuple[Table, ...]:
        return () if self.ruleset is None else tuple(self.ruleset.tables.values())

    @property
    def open_at(self) -> tuple[Remark, ...]:
        """What is said of blocks whose end is missing, and of a file of which a part is."""
        damage = self.piece.source.damage
        said = [] if self.ruleset is None else [one for one in self.ruleset.remarks if one.id in _OPEN]
        return (*said, *([remark("damaged", reason=damage)] if damage else []))

    @property
    def hides_elements(self) -> bool:
        """Whether sets may have elements that it does not show."""
        return self.ruleset is not None and self.ruleset.hides_elements

    @property
    def parts(self) -> tuple[Table, ...]:
        """The tables of which it shows single chains or maps, or chains without their rules, and is not cut."""
        if self.open_at:
            return ()
        from iptviz.nft.fragments import is_part, shows_chains_alone  # dumps do without

        return tuple(table for table in self._tables if is_part(table) or shows_chains_alone(table))

    @property
    def gaps(self) -> tuple[Remark, ...]:
        """What it lacks: the end of a block, elements, tables that nobody asked for."""
        return (
            *self.open_at,
            *(remark("nft-part-of-table", table.line, table=table.name) for table in self.parts),
            *([remark("nft-no-elements")] if self.hides_elements else []),
            *(
                [remark(_PART[self.piece.is_filtered], command=self.piece.command)]
                if self.piece.partial
                else []
            ),
        )


def read_listings(pieces: Iterable[Evidence]) -> tuple[ReadListing, ...]:
    """Return what is in the listings of a node's own namespace."""
    from iptviz.nft.read import read_ruleset

    found = []
    for piece in pieces:
        if piece.kind == "nft" and piece.namespace is None:
            try:
                ruleset = read_ruleset(piece.data, piece.source.name)
            except NothingError:
                found.append(ReadListing(piece, None))
            else:
                piece.source.keep_as(ruleset.source_text)
                found.append(ReadListing(piece, ruleset))
    return tuple(found)


def chosen(listings: Iterable[ReadListing]) -> list[tuple[ReadListing, Ruleset]]:
    """Return the listing that tells of all tables, or else those that tell of some, each with what is in it.

    Text goes before JSON, which hides more; both after what shows elements and has an end.
    """
    own = [(one, one.ruleset) for one in listings if one.ruleset is not None]
    own.sort(key=lambda one: (len(one[0].gaps), one[1].form == "json"))
    whole = [one for one in own if not one[0].piece.partial]
    return whole[:1] or own


def listing_of(listings: Sequence[ReadListing], family: str, dumps: Iterable[Dump]) -> NftListing | None:
    """Return the tables that listings of a node show, as far as packets of a family meet them; None for none.

    One that shows all tables goes before those that show some. What a dump of iptables-nft has is
    not asked again.
    """
    found: Ruleset | None = None
    name = ""
    gaps: dict[Remark, None] = {}
    taken = chosen(listings)
    for listing, ruleset in taken:
        gaps |= dict.fromkeys(listing.gaps)
        if found is None:
            found, name = ruleset, listing.source
        else:
            found = _joined(found, ruleset)
            name = f"{name}, {listing.source}"
    if found is None:
        return None
    of_nft = "ip" if family == "ipv4" else "ip6"
    elsewhere = [
        (of_nft, table.name, chain)
        for dump in dumps
        if dump.family == family and dump.backend != "legacy"
        for table in dump.tables.values()
        for chain in table.chains
    ]
    shown = NftListing(found, name, family, elsewhere, gaps)
    shown.is_one_text = len(taken) == 1
    shown.passed_over = tuple(_passed_over(listings, taken))
    return shown if shown.tables else None


def _passed_over(
    listings: Iterable[ReadListing], taken: Sequence[tuple[ReadListing, Ruleset]]
) -> Iterator[str]:
    """Yield other files that list all tables, in the same form, and say something else: of another moment."""
    first = taken[0][0]
    if not first.piece.partial:
        for other in (one for one in listings if one is not first):
            alike = other.ruleset is not None and other.ruleset.form == taken[0][1].form
            if alike and not other.gaps and other.piece.data.strip() != first.piece.data.strip():
                yield other.source


def _joined(one: Ruleset, other: Ruleset) -> Ruleset:
    """Return the tables of two rule sets; of a table in both, that of the first."""
    joined = Ruleset(one.form, one.version)
    joined.tables = other.tables | one.tables
    joined.remarks = [*one.remarks, *other.remarks]
    joined.notes = [*one.notes, *other.notes]
    return joined


_JSON = b"{"


def _telling(pieces: Iterable[Evidence]) -> list[Evidence]:
    """Return the listings of a node that tell most: one that shows all tables, be it text, which hides less."""
    own = [piece for piece in pieces if piece.kind == "nft" and piece.namespace is None]
    whole = sorted((piece for piece in own if not piece.partial), key=_is_json)
    return whole[:1] or sorted(own, key=_is_json)


def _is_json(piece: Evidence) -> bool:
    section = piece.section
    return piece.source.data[section.start : section.end].lstrip().startswith(_JSON)


# --- the tables of iptables-nft ------------------------------------------------------------------------------

# Each begins with a word of its own: such are searched for fast.
_OF_IPTABLES = (
    re.compile(rb"table ip6? (?:filter|nat|mangle|raw|security)\b"),
    re.compile(rb"\"name\":\s*\"(?:filter|nat|mangle|raw|security)\""),
)


def dumps_of_listings(dumps: Sequence[Dump], evidence: Sequence[Evidence]) -> list[Dump]:
    """Return dumps of the tables of iptables-nft that listings show.

    Where a node has a dump of these tables of a family, nothing is made of a listing; one that does not tell its
    backend may be one.
    """
    groups: dict[object, list[Evidence]] = {}
    for piece in evidence:
        if piece.kind == "nft":
            folder = piece.source.inside.rpartition("/")[0]
            groups.setdefault(piece.node or (piece.source.bundle, folder), []).append(piece)
    found: list[Dump] = []
    for pieces in groups.values():
        for piece in _telling(pieces):
            families = [
                family for family in FAMILIES if not any(_shows(dump, piece, family) for dump in dumps)
            ]
            found += _dumps_in(piece, families) if families else ()
    return found


def _shows(dump: Dump, piece: Evidence, family: str) -> bool:
    """Whether a dump may be of the node of a listing, and of the tables that iptables-nft made there."""
    return (
        dump.family == family
        and dump.backend != "legacy"
        and dump.namespace is None
        and (None in {dump.node, piece.node} or dump.node == piece.node)
    )


def _dumps_in(piece: Evidence, families: Sequence[str]) -> Iterator[Dump]:
    from iptviz.errors import NothingError
    from iptviz.iptables_nft.dumps import Placed, dumps_in
    from iptviz.nft.read import read_ruleset

    data = piece.data
    if not any(pattern.search(data) for pattern in _OF_IPTABLES):
        return
    try:
        ruleset = read_ruleset(data, piece.source.name)
    except NothingError:
        return
    of_chain = " chain " in f" {piece.command} "
    yield from dumps_in(ruleset, Placed(piece.source, piece.node, of_chain), families)
