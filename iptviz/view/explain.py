"""The view of what can be found: a list of all, or one told at length; and of the kinds of conditions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import plain
from iptviz.questions.packet_notes import option_of
from iptviz.view.blocks import Heading, Table, View
from iptviz.view.nodes import Columns, TableRow, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.finding import Diagnosis
    from iptviz.engine.condition_kinds import ConditionKind
    from iptviz.questions.explain_finding import ExplainResult
    from iptviz.view.blocks import Block

LISTED = Columns("kinds of findings", ("SEVERITY", "ID", "MEANS"), spared=("SEVERITY",), wrapped=True)
ONE = Columns("what it is", ("ABOUT", "TEXT"), wrapped=True)
CONDITIONS = Columns(
    "kinds of conditions",
    ("KIND", "TEXT", "SETTLED BY", "VALUE"),
    spared=("SETTLED BY",),
    wrapped=True,
)


def explain_view(result: ExplainResult, *, fold: bool = True) -> View:  # noqa: ARG001 - there is nothing to fold
    """Return the view of `result`."""
    return View("Explained", "", tuple(_blocks(result)), document=result.to_dict)


def _blocks(result: ExplainResult) -> Iterator[Block]:
    if result.listed:
        rows = ((_severities(made), made.id, plain(made.title)) for made in result.diagnoses)
        yield Table(LISTED, tuple(TableRow(texts(row)) for row in rows))
    else:
        for made in result.diagnoses:
            yield Heading(made.id, at=_severities(made))
            yield Table(ONE, tuple(TableRow(texts(row)) for row in _told(made)))
    if result.conditions:
        yield Table(CONDITIONS, tuple(TableRow(texts(_condition(*row))) for row in result.conditions))


def _severities(made: Diagnosis) -> str:
    return " or ".join(made.severities)


def _told(made: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "Means", plain(made.means)
    yield "Why", plain(made.matters)
    yield "Do", plain(made.advice)
    if made.reference:
        yield "Reference", made.reference.replace("k/k#", "kubernetes/kubernetes#")


def _condition(name: str, kind: ConditionKind) -> tuple[str, str, str, str]:
    """Return a kind's name, how it is stated, which options settle it, and how its value is written."""
    return name, kind.holds, " ".join(map(option_of, kind.settled_by)), kind.form
