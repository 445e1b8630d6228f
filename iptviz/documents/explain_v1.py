"""The document `iptviz.explain.v1`: what can be found, and the kinds of conditions. Fields may be added only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import plain

if TYPE_CHECKING:
    from iptviz.checks.finding import Diagnosis
    from iptviz.documents.shapes import Shape
    from iptviz.engine.condition_kinds import ConditionKind
    from iptviz.questions.explain_finding import ExplainResult


def document(result: ExplainResult) -> Shape:
    """Return the document as a dict."""
    return {
        "schema": "iptviz.explain.v1",
        "findings": list(map(_diagnosis, result.diagnoses)),
        "conditions": [_kind(name, kind) for name, kind in result.conditions],
    }


def _diagnosis(made: Diagnosis) -> Shape:
    """Return the shape of a kind of finding; `severities` has the worst first."""
    return {
        "id": made.id,
        "severities": list(made.severities),
        "title": plain(made.title),
        "means": plain(made.means),
        "matters": plain(made.matters),
        "advice": plain(made.advice),
        "reference": made.reference or None,
    }


def _kind(name: str, kind: ConditionKind) -> Shape:
    """Return the shape of a kind of conditions; in `holds` and `fails`, {} stands for the value."""
    return {
        "kind": name,
        "holds": kind.holds,
        "fails": kind.fails,
        "value": kind.form or None,
        "settled_by": list(kind.settled_by),
    }
