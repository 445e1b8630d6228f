"""The document `iptviz.check.v1`: what `iptviz check --json` prints. Fields may be added only."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.checks.finding import SEVERITIES
from iptviz.checks.wording import sentences
from iptviz.documents.shapes import Shape, dump_shape, findings_shape, several_shape

if TYPE_CHECKING:
    from iptviz.questions.check import CheckResult


def document(result: CheckResult) -> Shape:
    """Return the document as a dict.

    `fingerprint` is by what a finding is known again, `left_out` counts findings that were not asked for,
    `in_baseline` those that a baseline has; `looked_for` are the ids of all that was looked for, `notes` say why
    there are no services to look at.
    """
    counts = Counter(finding.severity for finding in result.findings)
    return {
        "schema": "iptviz.check.v1",
        "dump": dump_shape(result.dump, complete=result.dump.complete),
        **several_shape(result.snapshot),
        "findings": [
            shape
            | ({"dump": finding.dump} if finding.dump else {})
            | {"fingerprint": result.fingerprint(finding)}
            for shape, finding in zip(findings_shape(result.findings), result.findings, strict=True)
        ],
        "counts": {severity: counts[severity] for severity in SEVERITIES},
        "left_out": result.left_out,
        "in_baseline": len(result.known),
        "service_ports": result.ports,
        "looked_for": list(result.looked_for),
        "notes": sentences(result.notes),
    }
