"""The view of what is wrong with a node: a row for each finding, with its evidence and advice below it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import IF_COMPLETE
from iptviz.checks.registry import diagnosis_of
from iptviz.checks.wording import text
from iptviz.view.blocks import Fact, Facts, Table, View, later
from iptviz.view.labels import dump_label
from iptviz.view.nodes import Below, Cell, Columns, TableRow
from iptviz.view.numbers import counted
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.finding import Finding
    from iptviz.questions.check import CheckResult

FINDINGS = Columns("findings", ("SEVERITY", "FINDING", "LINE", "ID"), spared=("ID", "LINE"))
_SHOWN = 3
"""How many pieces of evidence are quoted of a finding that has many."""
_BAD = {"critical", "high"}


def check_view(result: CheckResult, *, fold: bool = True) -> View:
    """Return the view of `result`; unfolded, with all evidence."""
    table = Table(FINDINGS, tuple(_row(finding, fold=fold) for finding in result.findings))
    return View(
        "Findings",
        dump_label(result.dump, complete=result.dump.complete),
        (*([table] if table.rows else []), Facts(later(lambda: tuple(_facts(result))))),
        document=result.to_dict,
    )


def _row(finding: Finding, *, fold: bool) -> TableRow:
    unsure = " (if the dump lacks nothing)" if finding.certainty == IF_COMPLETE else ""
    line = next((str(piece.line) for piece in finding.evidence if piece.line), "")
    return TableRow(
        (
            Cell("fate", finding.severity),
            Cell("text", printable(f"{text(finding)}{unsure}")),
            Cell("line", line),
            Cell("text", finding.id),
        ),
        tuple(_below(finding, fold=fold)),
        "bad" if finding.severity in _BAD else "",
    )


def _below(finding: Finding, *, fold: bool) -> Iterator[Below]:
    quoted = [piece for piece in finding.evidence if piece.text]
    shown = quoted[:_SHOWN] if fold and len(quoted) > _SHOWN + 1 else quoted
    for piece in shown:
        yield Below(printable(f"line {piece.line}: {piece.text}"))
    if len(quoted) > len(shown):
        yield Below(f"and {len(quoted) - len(shown):,} more lines")
    diagnosis = diagnosis_of(finding.id)
    yield Below(f"Why: {diagnosis.matters}")
    yield Below(f"Do: {diagnosis.advice}")


def _facts(result: CheckResult) -> Iterator[Fact]:
    count = len(result.findings)
    found = counted(count, "finding") if count else "nothing found"
    ports = counted(result.ports, "service port")
    more = f", {result.left_out:,} more not asked for" if result.left_out else ""
    yield Fact("Checked", f"{ports}: {found}{more}", "bad" if count else "good", "compared")
