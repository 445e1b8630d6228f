"""The catalogues of findings; a new one is a module here and a word in this list."""

from __future__ import annotations

import sys
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from iptviz.checks.finding import IF_COMPLETE, Diagnosis
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from iptviz.checks.examined import Examined, ExaminedTable
    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.node.snapshot import Snapshot

CATALOGUES = (
    "ports",
    "reading",
    "unprinted",
    "sync",
    "nft_tables",
    "nft_services",
    "contradictions",
    "backends",
    "refused",
    "misplaced",
    "preemption",
    "host_ports",
    "traffic",
    "lost_sources",
    "policies",
    "untracked",
    "settings",
    "early_endings",
    "sources",
    "ways",
    "services",
    "unreached",
    "source_ranges",
    "frontends",
    "affinity",
    "masquerading",
    "marks",
    "leftovers",
    "rules",
    "never_matching",
    "against_api",
    "between_nodes",
    "absence",
    "strangers",
    "era",
    "counters",
    "counting",
    "comparing",
    "modes",
    "packet",
    "graph",
    "pseudonyms",
)
"""The modules that hold findings or remarks; of findings as severe, those of the first ones are told first.

What makes a lie of the rest comes first, then what befalls the whole node, then what befalls single services.
"""

OF_SERVICES = (
    "services",
    "ways",
    "preemption",
    "traffic",
    "lost_sources",
    "policies",
    "host_ports",
    "untracked",
    "settings",
    "source_ranges",
    "frontends",
    "affinity",
    "early_endings",
    "sources",
    "unreached",
)
"""Those whose checks are about the service ports that are examined, be they few of many."""


EXPLAINING = ("unprinted", "sync")
"""Those whose findings befall all service ports, and explain what is found of a few."""


OF_LISTINGS = (
    "nft-listing-empty", "nft-table-flushed", "nft-skeleton-only", "both-modes", "nft-element-missing",
    "nft-ends-connections", "forwarding-off", "no-endpoints", "local-drop", "connections-lost", "uneven-shares",
    "nft-hash-mismatch", "nft-elements-hidden",
)  # fmt: skip
"""Ids of what is looked for in listings of nft; all else takes a dump."""


class Catalogue(NamedTuple):
    """What a module holds: its diagnoses by id, the sentences of its remarks, and its check of a node.

    Remarks are `REMARKS` and the check `check` in the module; any may be missing. `check_rest` is asked when all
    checks have found what they find, and is given that: it finds what none of them tells. `check_listings` sees
    what nft lists of a node, whether there are dumps beside that or not, `check_table` kube-proxy's own table.
    """

    diagnoses: Mapping[str, Diagnosis]
    remarks: Mapping[str, str | Callable[..., str]]
    check: Callable[[Examined], Iterator[Finding]] | None
    check_rest: Callable[[Examined, Sequence[Finding]], Iterator[Finding]] | None = None
    check_listings: Callable[[Snapshot], Iterator[Finding]] | None = None
    check_table: Callable[[ExaminedTable], Iterator[Finding]] | None = None

    @property
    def looks(self) -> bool:
        """Whether it looks for something in a node."""
        return any((self.check, self.check_rest, self.check_listings, self.check_table))


@cache
def catalogue(name: str) -> Catalogue:
    """Return a catalogue, imported when somebody asks for it: an answer with nothing to say waits for none."""
    held = vars(import_module(f"iptviz.checks.{name}"))
    diagnoses = {value.id: value for value in held.values() if isinstance(value, Diagnosis)}
    looking = (held.get(name) for name in ("check", "check_rest", "check_listings", "check_table"))
    return Catalogue(diagnoses, held.get("REMARKS", {}), *looking)


def _likeliest_first() -> list[str]:
    """Return the catalogues, first those that are imported: who found something has imported where it stands."""
    return sorted(CATALOGUES, key=lambda name: f"{__package__}.{name}" not in sys.modules)


@cache
def diagnosis_of(what: str) -> Diagnosis:
    """Return the diagnosis whose id is `what`; KeyError where there is none."""
    for name in _likeliest_first():
        if what in (diagnoses := catalogue(name).diagnoses):
            return diagnoses[what]
    raise KeyError(what)


@cache
def sentence_of(what: str) -> str | Callable[..., str]:
    """Return what the sentence of a finding or a remark is made with; KeyError where there is none."""
    for name in _likeliest_first():
        held = catalogue(name)
        if what in held.diagnoses:
            return held.diagnoses[what].words
        if what in held.remarks:
            return held.remarks[what]
    raise KeyError(what)


def all_diagnoses() -> dict[str, Diagnosis]:
    """Return every diagnosis by its id, in the order of the catalogues."""
    return {what: made for name in CATALOGUES for what, made in catalogue(name).diagnoses.items()}


def beside(noted: tuple[Finding, ...], found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return what the notes of an answer find, and what checks find besides: of no id that the notes have.

    What the notes explain is left out, too.
    """
    if not noted:
        return tuple(found)
    explained = {what for finding in noted for what in diagnosis_of(finding.id).explains}
    ids = explained | {finding.id for finding in noted}
    own = (finding for finding in noted if finding.id not in explained)
    return (*own, *(finding for finding in found if finding.id not in ids))


def as_checked(noted: Iterable[Finding], found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings of notes but for those about service ports that checks, asked about the same, do not find.

    A note tells what one way meets; whether that is a fault, and which one, checks see who look at all ways.
    """
    own = {what for name in (*EXPLAINING, *OF_SERVICES) for what in catalogue(name).diagnoses}
    ids = {finding.id for finding in found}
    return tuple(finding for finding in noted if finding.id not in own or finding.id in ids)


def examine(node: Examined, catalogues: Sequence[str] = CATALOGUES) -> Iterator[Finding]:
    """Yield what checks find in a dump of a node, each cause once; all catalogues unless some are named."""
    asked = [one for one in map(catalogue, catalogues) if one.looks]
    known = {what: made for one in asked for what, made in one.diagnoses.items()}
    found = [finding for one in asked if one.check for finding in node.found_by(one.check)]
    found += [finding for one in asked if one.check_rest for finding in one.check_rest(node, tuple(found))]
    found = [_unproven(one, node.dump) for one in found] if node.dump.is_excerpt else found
    return told_once((finding, known[finding.id]) for finding in found)


def examine_listings(node: Snapshot, tables: Iterable[ExaminedTable] = ()) -> Iterator[Finding]:
    """Yield what checks find in what nft lists of a node, and in kube-proxy's `tables` there, each cause once."""
    if not node.listings:
        return
    held = list(map(catalogue, CATALOGUES))
    known = {what: made for one in held for what, made in one.diagnoses.items()}
    found = [finding for one in held if one.check_listings for finding in one.check_listings(node)]
    for table in tables:
        for one in held:
            found += [_within(each, table) for each in one.check_table(table)] if one.check_table else []
    yield from told_once((finding, known[finding.id]) for finding in found)


def _within(finding: Finding, table: ExaminedTable) -> Finding:
    """Return a finding whose evidence says that it stands in a listing."""
    source = table.listing.source
    return finding._replace(evidence=tuple(piece._replace(source=source) for piece in finding.evidence))


_WITHIN_CHAINS = {"uneven-shares"}
"""Ids of what a chain shows by itself, if all of its rules are here."""


def _unproven(finding: Finding, dump: Dump) -> Finding:
    """Return a finding that something is missing as an excerpt proves it: not at all.

    Chains that somebody listed one by one are whole.
    """
    by_chain = not any(table.undeclared() for table in dump.tables.values())
    if finding.certainty != IF_COMPLETE or (by_chain and finding.id in _WITHIN_CHAINS):
        return finding
    return finding._replace(severity="info")


def told_once(findings: Iterable[tuple[Finding, Diagnosis]]) -> Iterator[Finding]:
    """Yield findings without those that others explain, and those about rules which others are about as well."""
    made = list(findings)
    explained = {what for _, diagnosis in made for what in diagnosis.explains}
    lines = {
        piece.line
        for finding, diagnosis in made
        if not diagnosis.general and finding.severity != "info"
        for piece in finding.evidence
    }
    for finding, diagnosis in made:
        about = finding.evidence[0].line if diagnosis.general and finding.evidence else None
        if finding.id not in explained and about not in lines:
            yield finding
