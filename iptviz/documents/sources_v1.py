"""The document `iptviz.sources.v1`: the dumps of a file or a bundle, and its listings of nft."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.reading import LINES, by_line, gaps
from iptviz.checks.wording import sentences, text
from iptviz.documents.shapes import Shape, dump_shape, findings_shape

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.intake.remark import LineNote
    from iptviz.node.evidence import Evidence
    from iptviz.questions.sources import ListedFile, SourcesResult


def document(result: SourcesResult) -> Shape:
    """Return the document as a dict."""
    return {
        "schema": "iptviz.sources.v1",
        "sources": [_source_shape(dump, result.nodes.get(dump.number) or dump.node) for dump in result.dumps],
        "listings": list(map(_listing_shape, result.listings)),
        "evidence": list(map(_evidence_shape, result.evidence)),
        "notes": list(map(str, result.problems)),
    }


def _listing_shape(listing: ListedFile) -> Shape:
    """Return a listing of nft; `hidden` counts rules of which nft only names what they ask or do."""
    from iptviz.checks.era import era_remark
    from iptviz.kube.nftables.era import NEWEST_KNOWN

    piece = listing.piece
    return {
        "inside": piece.source.inside or None,
        "line": piece.section.line,
        "source": piece.source.name,
        "tool": listing.tool,
        "form": listing.form,
        "handles": listing.handles,
        "node": piece.node,
        "tables": [table._asdict() for table in listing.tables],
        "mode": listing.mode,
        "eras": [
            {
                "table": name,
                "text": text(era_remark(era)),
                "releases": [f"1.{minor}" for minor in sorted(era.releases) if minor <= NEWEST_KNOWN],
            }
            for name, era in listing.eras
        ],
        "partial": piece.partial,
        "complete": listing.complete,
        "hidden": listing.hidden,
        "gaps": [{"line": gap.line or None, "text": text(gap)} for gap in by_line(listing.remarks)],
        "lines": list(map(_note_shape, listing.notes)),
    }


def _note_shape(note: LineNote) -> Shape:
    return {
        "first": note.first, "last": note.last, "skipped": note.skipped, "reason": LINES[note.reason],
    }  # fmt: skip


def _evidence_shape(evidence: Evidence) -> Shape:
    return {
        "kind": evidence.kind,
        "inside": evidence.source.inside or None,
        "line": evidence.section.line,
        "lines": evidence.line_count,
        "node": evidence.node,
        "namespace": evidence.namespace,
        "partial": evidence.partial,
        "used": evidence.is_used,
    }


def _source_shape(dump: Dump, node: str | None) -> Shape:
    return {
        "number": dump.number,
        "inside": dump.origin.inside or None,
        "line": dump.first_line,
        "dump": dump_shape(dump, complete=dump.complete),
        "form": dump.form,
        "backend": dump.backend,
        "node": node,
        "namespace": dump.namespace,
        "time": dump.time,
        "findings": findings_shape(gaps(dump), None),
        "gaps": [{"line": gap.line, "text": text(gap)} for gap in by_line(dump.gaps)],
        "repairs": sentences(dump.repairs),
        "lines": list(map(_note_shape, dump.line_notes)),
    }
