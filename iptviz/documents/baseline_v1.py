"""The document `iptviz.baseline.v1`: findings to leave out next time.

Only `fingerprint` is read; the rest is for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.wording import text
from iptviz.questions.baseline import BASELINE

if TYPE_CHECKING:
    from iptviz.documents.shapes import Shape
    from iptviz.questions.check import CheckResult


def document(result: CheckResult) -> Shape:
    """Return the document as a dict."""
    return {
        "schema": BASELINE,
        "findings": [
            {
                "fingerprint": result.fingerprint(finding),
                "id": finding.id,
                "severity": finding.severity,
                "message": text(finding),
            }
            for finding in (*result.findings, *result.known)
        ],
    }
