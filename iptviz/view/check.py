"""The view of what is wrong with a node: a row for each finding, with its evidence and advice below it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.checks.finding import IF_COMPLETE, SEVERITIES
from iptviz.checks.registry import diagnosis_of
from iptviz.checks.wording import placed, text
from iptviz.questions.check import INFO
from iptviz.view.blocks import Fact, Facts, Notes, Table, View, later
from iptviz.view.labels import dump_label, note_texts, short_dump_label
from iptviz.view.nodes import Below, Cell, Columns, TableRow
from iptviz.view.numbers import counted
from iptviz.view.text import printable
from iptviz.view.unseen import unseen_of_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.questions.check import CheckResult

FINDINGS = Columns(
    "findings",
    ("SEVERITY", "ID", "DUMP", "FINDING"),
    spared=("ID", "DUMP"),
    summary="FINDING",
    wrapped=True,
)
_SHOWN = 3
"""How many pieces of evidence are quoted of a finding that has many."""
_NAMED = 5
"""How many ids are named of what is folded."""
_BAD = {"critical", "high"}


def check_view(result: CheckResult, *, fold: bool = True) -> View:
    """Return the view of `result`; unfolded, with all evidence, and with what is no more than information."""
    folds_info = fold and not result.selected
    shown = [one for one in result.findings if not (folds_info and one.severity == INFO)]
    table = Table(FINDINGS, tuple(_row(result, finding, fold=fold) for finding in shown))
    folded = result.findings[len(shown) :]  # the least severe are the last
    return View(
        "Findings",
        dump_label(result.dump, complete=result.dump.complete),
        (
            *([table] if table.rows else []),
            Facts(later(lambda: tuple(_facts(result, folded)))),
            Notes(note_texts(result.notes)),
        ),
        document=result.to_dict,
    )


def findings_table(result: CheckResult) -> Table:
    """Return a row for each finding, also of what is no more than information, with the first of its evidence."""
    return Table(FINDINGS, tuple(_row(result, finding, fold=True, hint="") for finding in result.findings))


def severities_text(result: CheckResult) -> str:
    """Return how many findings there are of each severity."""
    counts = Counter(finding.severity for finding in result.findings)
    return ", ".join(f"{counts[severity]:,} {severity}" for severity in SEVERITIES if counts[severity])


def _row(result: CheckResult, finding: Finding, *, fold: bool, hint: str = " (--all shows them)") -> TableRow:
    unsure = " (if the dump lacks nothing)" if finding.certainty == IF_COMPLETE else ""
    return TableRow(
        (
            Cell("fate", finding.severity),
            Cell("text", finding.id),
            Cell("text", short_dump_label(result.dump_of(finding)) if finding.dump else ""),
            Cell("text", printable(f"{_sentence(finding)}{unsure}")),
        ),
        tuple(_below(finding, fold=fold, hint=hint)),
        "bad" if finding.severity in _BAD else "",
    )


def _sentence(finding: Finding) -> str:
    """Return the sentence, with its line where no evidence quotes that."""
    quoted = {piece.line for piece in finding.evidence if piece.text}
    return placed(0 if finding.line in quoted else finding.line, text(finding))


def _below(finding: Finding, *, fold: bool, hint: str) -> Iterator[Below]:
    quoted = [piece for piece in finding.evidence if piece.text]
    shown = quoted[:_SHOWN] if fold and len(quoted) > _SHOWN + 1 else quoted
    for piece in shown:
        yield Below(printable(f"line {piece.line}: {piece.text}"))
    if len(quoted) > len(shown):
        yield Below(f"and {len(quoted) - len(shown):,} more lines{hint}")
    diagnosis = diagnosis_of(finding.id)
    yield Below(f"Why: {diagnosis.matters}", sentence=True)
    yield Below(f"Do: {diagnosis.advice}", sentence=True)


# --- what is said of all ---------------------------------------------------------------------------------------


def _facts(result: CheckResult, folded: tuple[Finding, ...]) -> Iterator[Fact]:
    if folded:
        yield Fact("Info", _folded_text(folded, more=len(folded) < len(result.findings)))
    yield Fact(
        "Checked", f"{_looked_at(result)}: {found_text(result)}", "bad" if result.counts else "", "compared"
    )
    if result.known:
        yield Fact("Baseline", f"{counted(len(result.known), 'finding')} left out that it has")
    if unasked := result.left_out - result.below:
        yield Fact("Left out", f"{counted(unasked, 'finding')} not asked for")
    yield Fact("Not visible", unseen_of_node(result), kind="depends")


def found_text(result: CheckResult) -> str:
    """Return how many findings there are, or that there is none as severe or none that is new."""
    severe = severe_text(result.min_severity)
    if result.findings:
        found = counted(len(result.findings), "finding")
        return f"{found}; {result.below:,} less severe" if result.below else found
    if not result.below:
        return "nothing new" if result.known else f"nothing{severe and f' {severe}'} found"
    what = f"nothing new that is {severe}" if result.known else f"nothing {severe} found"
    return f"{what}; {counted(result.below, 'finding')} below"


def severe_text(least: str) -> str:
    """Return how severe a finding is that is asked for; empty where all are."""
    if least == INFO:
        return ""
    return least if least == SEVERITIES[0] else f"{least} or worse"


def _folded_text(folded: tuple[Finding, ...], *, more: bool) -> str:
    ids = list(dict.fromkeys(finding.id for finding in folded))
    named = ", ".join([*ids[:_NAMED], *(["..."] if len(ids) > _NAMED else [])])
    them = "them" if len(folded) > 1 else "it"
    return f"{len(folded):,}{' more' if more else ''}: {named}; --all shows {them}"


def _looked_at(result: CheckResult) -> str:
    """Return what was looked at: for what, how many service ports, which dumps and tables."""
    wanted = f"for {', '.join(result.looked_for)} alone, " if result.selected else ""
    ports = counted(result.ports, "service port")
    first, *others = result.dumps
    if not others:
        return f"{wanted}{ports}, {_rules(first)}"
    dumps = "; ".join(f"{short_dump_label(dump)}, {_rules(dump)}" for dump in result.dumps)
    return f"{wanted}{ports} in {len(result.dumps)} dumps ({dumps})"


def _rules(dump: Dump) -> str:
    """Return how many rules of which tables a dump has."""
    return printable(f"{counted(dump.rule_count, 'rule')} of {', '.join(dump.tables)}")
