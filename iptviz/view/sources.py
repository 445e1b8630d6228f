"""The view of `iptviz sources`: a row for each dump, and one for each piece of other evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.era import era_remark
from iptviz.checks.reading import by_line, line_text
from iptviz.checks.wording import sentence, sentences
from iptviz.intake.remark import remark
from iptviz.questions.sources import SourcesResult, not_understood
from iptviz.view.blocks import Table, View
from iptviz.view.nodes import Below, Columns, TableRow, texts
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.model import Dump
    from iptviz.node.evidence import Evidence
    from iptviz.questions.sources import ListedFile
    from iptviz.source.origin import Source

DUMPS = Columns(
    "dumps",
    ("N", "INSIDE", "LINE", "FAMILY", "BACKEND", "WRITTEN BY", "NODE", "TIME", "TABLES AND RULES", "STATE"),
    spared=("TIME", "WRITTEN BY", "LINE", "NODE"),
)
EVIDENCE = Columns(
    "evidence",
    ("OTHER EVIDENCE", "IN", "LINE", "LINES", "NODE", "STATE"),
    spared=("LINES", "NODE", "LINE"),
    wrapped=True,
)
LISTINGS = Columns(
    "listings",
    ("NFT LISTING", "LINE", "NODE", "WRITTEN BY", "TABLES AND RULES", "KUBE-PROXY", "STATE"),
    spared=("WRITTEN BY", "LINE", "NODE"),
    wrapped=True,
)
_NO_TABLE = "NO TABLE: proves nothing"
_INDENT = 5
"""Remarks on a dump are set in so far."""


def sources_view(result: SourcesResult, *, fold: bool = True) -> View:
    """Return a row for each dump and each listing of nft; folded, without remarks about single lines."""
    shown: set[int] = set()
    rows = []
    bundles = {source.bundle for source in (*(dump.origin for dump in result.dumps), *_sources(result))}
    several = len(bundles) > 1
    listed = {id(listing.piece) for listing in result.listings}
    others = (piece for piece in result.evidence if id(piece) not in listed)
    evidence = tuple(TableRow(texts(_evidence_cells(piece, several=several))) for piece in others)
    listings = tuple(_listing_row(listing, several=several, fold=fold) for listing in result.listings)
    for dump in result.dumps:
        about_text = not fold and id(dump.line_notes) not in shown
        shown.add(id(dump.line_notes))
        remarks = _remarks(dump, about_text=about_text, fold=fold)
        inside = dump.source if several else dump.origin.inside
        cells = _cells(dump, inside, result.nodes.get(dump.number) or dump.node or "")
        rows.append(TableRow(texts(cells), tuple(map(Below, remarks))))
    tables = (
        Table(DUMPS, tuple(rows), _INDENT),
        Table(LISTINGS, listings, _INDENT),
        Table(EVIDENCE, evidence, _INDENT),
    )
    return View("Sources", "", tuple(table for table in tables if table.rows), document=result.to_dict)


def _sources(result: SourcesResult) -> Iterator[Source]:
    return (piece.source for piece in result.evidence)


# --- listings of nft -------------------------------------------------------------------------------------------


def _listing_row(listing: ListedFile, *, several: bool, fold: bool) -> TableRow:
    piece = listing.piece
    cells = (
        _place(piece, several=several),
        str(piece.section.line),
        piece.node or "",
        ", ".join((listing.tool, *_form(listing))),
        ", ".join(f"{one.family} {one.name} {one.rules:,}" for one in listing.tables),
        ", ".join(dict.fromkeys(_kube_proxy(listing))),
        _listing_state(listing),
    )
    below = tuple(Below(printable(text)) for text in _listing_remarks(listing, fold=fold))
    return TableRow(texts(tuple(map(printable, cells))), below)


def _form(listing: ListedFile) -> Iterator[str]:
    """Yield how a listing was made, where that is not the usual way."""
    if listing.form == "json":
        yield "JSON"
    elif listing.handles:
        yield "with handles"


def _kube_proxy(listing: ListedFile) -> Iterator[str]:
    """Yield the mode, and which releases wrote the tables."""
    if listing.mode is not None:
        yield f"{listing.mode} mode"
    for _, era in listing.eras:
        yield "mixed versions" if era.mixed else sentence(era_remark(era)).removeprefix("kube-proxy ")


def _listing_state(listing: ListedFile) -> str:
    if not listing.tables:
        return _NO_TABLE
    if not listing.whole:
        return "INCOMPLETE"
    return "complete" if listing.complete else f"partial: {listing.piece.command}"


def _listing_remarks(listing: ListedFile, *, fold: bool) -> list[str]:
    """Return what is missing or hidden; what happened to lines, where that is asked."""
    hidden = [remark("nft-hides-matches", count=listing.hidden)] if listing.hidden else []
    mixed = [era_remark(era) for _, era in listing.eras if era.mixed]
    lines = [] if fold else [f"{note.places()}: {line_text(note)}" for note in listing.notes]
    return [*sentences(by_line(listing.remarks)), *sentences((*hidden, *mixed)), *lines]


# --- other evidence --------------------------------------------------------------------------------------------


def _place(evidence: Evidence, *, several: bool) -> str:
    """Return the file, with that in which it is where there are several."""
    return evidence.source.name if several else evidence.source.inside or evidence.source.name


def _evidence_cells(evidence: Evidence, *, several: bool) -> tuple[str, ...]:
    """Return what a piece of evidence is, and where it stands."""
    from iptviz.node.kinds import KINDS  # what one dump does not need

    cells = (
        KINDS[evidence.kind].label,
        _place(evidence, several=several),
        str(evidence.section.line),
        f"{evidence.line_count:,}",
        evidence.node or "",
        _state(evidence),
    )
    return tuple(map(printable, cells))


def _state(evidence: Evidence) -> str:
    """Say what answers take from a piece of evidence, or why they do not use it."""
    from iptviz.node.kinds import KINDS

    if evidence.namespace is not None:
        return f"not used: of {evidence.namespace}"
    if evidence.says_nothing:
        return _NO_TABLE
    if evidence.partial:
        return f"partial: {evidence.command}"
    if evidence.lacks_loopback:
        return "used: the node's addresses, without lo (incomplete)"
    tells = KINDS[evidence.kind].tells
    return f"used: {tells}" if tells else "not used"


def _cells(dump: Dump, inside: str, node: str) -> tuple[str, ...]:
    return tuple(
        map(
            printable,
            (
                str(dump.number),
                inside,
                str(dump.first_line),
                dump.family,
                dump.backend or "",
                dump.tool or dump.form,
                node,
                dump.time or "",
                ", ".join(f"{name} {table.rule_count:,}" for name, table in dump.tables.items()),
                _completeness(dump),
            ),
        )
    )


def _completeness(dump: Dump) -> str:
    namespace = dump.namespace
    whole = "complete" if dump.complete else "INCOMPLETE"
    return whole if namespace is None else f"{whole}, of network namespace {namespace}"


def _remarks(dump: Dump, *, about_text: bool, fold: bool) -> list[str]:
    """Return why the dump is incomplete; what happened to lines of its text, once; what is not understood."""
    gaps = sentences(by_line(dump.gaps))
    repairs = sentences(dump.repairs if about_text else ())
    lines = [f"{note.places()}: {line_text(note)}" for note in (dump.line_notes if about_text else ())]
    unknown = [] if fold else sentences(not_understood(dump))
    return [printable(text) for text in (*gaps, *repairs, *lines, *unknown)]
