"""The document `iptviz.sources.v1`: the dumps of a file or a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.reading import LINES, by_line, gaps
from iptviz.checks.wording import sentences, text
from iptviz.documents.shapes import Shape, dump_shape, findings_shape

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.node.evidence import Evidence
    from iptviz.questions.sources import SourcesResult


def document(result: SourcesResult) -> Shape:
    """Return the document as a dict."""
    return {
        "schema": "iptviz.sources.v1",
        "sources": [_source_shape(dump, result.nodes.get(dump.number) or dump.node) for dump in result.dumps],
        "evidence": list(map(_evidence_shape, result.evidence)),
        "notes": list(map(str, result.problems)),
    }


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
        "lines": [
            {"first": note.first, "last": note.last, "skipped": note.skipped, "reason": LINES[note.reason]}
            for note in dump.line_notes
        ],
    }
