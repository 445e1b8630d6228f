"""The document `iptviz.verify.v1`: what `iptviz verify --json` prints. Fields may be added only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import sentences
from iptviz.documents.shapes import Shape, dump_shape, findings_shape, share_shape

if TYPE_CHECKING:
    from iptviz.questions.differences import Difference
    from iptviz.questions.verify import VerifyResult


def document(result: VerifyResult) -> Shape:
    """Return the document as a dict."""
    return {
        "schema": "iptviz.verify.v1",
        "dump": dump_shape(result.dump, complete=result.dump.complete),
        "node": result.node,
        "agrees": not result.differences,
        "compared": result.compared,
        "differences": [_difference(one) for one in result.differences],
        "ignored": [{"service": service, "reason": reason} for service, reason in result.ignored],
        "notes": sentences(result.notes),
        "findings": findings_shape(result.findings),
    }


def _difference(one: Difference) -> Shape:
    return {
        "kind": one.kind,
        "service": one.service,
        "protocol": one.protocol,
        "at": one.at or None,
        "expected": one.expected or None,
        "found": one.found or None,
        "line": one.line,
        "share": None if one.share is None else share_shape(one.share),
    }
