"""The document `iptviz.verify.v1`: what `iptviz verify --json` prints. Fields may be added only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import sentences
from iptviz.documents.shapes import (
    Shape,
    findings_shape,
    number_shape,
    several_shape,
    share_shape,
    source_shape,
)

if TYPE_CHECKING:
    from iptviz.questions.api_differences import Difference
    from iptviz.questions.verify import VerifyResult


def document(result: VerifyResult) -> Shape:
    """Return the document as a dict."""
    return {
        "schema": "iptviz.verify.v1",
        "dump": source_shape(result.dump, complete=result.dump.complete),
        **several_shape(result.snapshot),
        "node": result.node,
        "agrees": not result.differs,
        "compared": sum(answer.compared for answer in result.answers),
        "differences": [
            _difference(difference) | number_shape(result.snapshot, answer.dump)
            for answer in result.answers
            for difference in answer.differences
        ],
        "ignored": [{"service": service, "reason": reason} for service, reason in result.ignored],
        "notes": sentences(result.all_notes),
        "findings": [
            finding | number_shape(result.snapshot, answer.dump)
            for answer in result.answers
            for finding in findings_shape(answer.findings, None)  # they name pods themselves
        ],
    }


def _difference(difference: Difference) -> Shape:
    return {
        "kind": difference.kind,
        "service": difference.service,
        "protocol": difference.protocol,
        "at": difference.at or None,
        "expected": difference.expected or None,
        "found": difference.found or None,
        "line": difference.line,
        "share": None if difference.share is None else share_shape(difference.share),
        "pod": difference.pod or None,
        "why": difference.why or None,
    }
