"""The view of what is wrong with a node: a row for each finding, with its evidence and advice below it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.checks.finding import IF_COMPLETE, SEVERITIES, pieces, plain
from iptviz.checks.named_pods import with_pods
from iptviz.checks.wording import placed, text
from iptviz.documents.check_v1 import notes_of
from iptviz.engine.condition import clauses
from iptviz.questions.wanted import INFO
from iptviz.view.blocks import Fact, Facts, Notes, Table, View, later
from iptviz.view.labels import dump_label, short_dump_label
from iptviz.view.nodes import Below, Cell, Columns, TableRow
from iptviz.view.numbers import counted
from iptviz.view.text import printable
from iptviz.view.unseen import unseen_of_node

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.finding import Evidence, Finding
    from iptviz.node.listing import RuleSource
    from iptviz.questions.check import CheckResult

FINDINGS = Columns(
    "findings",
    ("SEVERITY", "ID", "DUMP", "FINDING"),
    spared=("DUMP",),
    summary="FINDING",
    wrapped=True,
)
_SHOWN = 3
"""How many pieces of evidence are quoted of a finding that has many."""
_NAMED = 5
"""How many ids are named of what is folded."""
_BAD = {"critical", "high"}


def check_view(result: CheckResult, *, fold: bool = True) -> View:
    """Return the view of `result`; unfolded, with all evidence, and with what is no more than information.

    Why there are no services to look at is said before anything else.
    """
    folds_info = fold and not result.selected
    shown = [one for one in result.findings if not (folds_info and one.severity == INFO)]
    table = Table(FINDINGS, tuple(_row(result, finding, fold=fold) for finding in shown))
    folded = result.findings[len(shown) :]  # the least severe are the last
    return View(
        "Findings",
        _label(result),
        (
            Notes(later(lambda: check_notes(result))),
            *([table] if table.rows else []),
            Facts(later(lambda: tuple(_facts(result, folded)))),
        ),
        document=result.to_dict,
    )


def _label(result: CheckResult) -> str:
    """Return what was read: the dump that is obviously meant, or all listings of nft."""
    if result.dumps:
        return dump_label(result.dump, complete=result.dump.complete, noted=False)
    return " + ".join(dump_label(one, complete=one.complete, noted=False) for one in result.sources)


def check_notes(result: CheckResult) -> tuple[str, ...]:
    """Return why there are no services to look at, or not all of them."""
    return tuple(map(printable, notes_of(result)))


def findings_table(result: CheckResult) -> Table:
    """Return a row for each finding, also of what is no more than information, with the first of its evidence."""
    return Table(FINDINGS, tuple(_row(result, finding, fold=True, hint="") for finding in result.findings))


def severities_text(result: CheckResult) -> str:
    """Return how many findings there are of each severity."""
    counts = Counter(finding.severity for finding in result.findings)
    return ", ".join(f"{counts[severity]:,} {severity}" for severity in SEVERITIES if counts[severity])


def _row(result: CheckResult, finding: Finding, *, fold: bool, hint: str = " (--all)") -> TableRow:
    unsure = " (if the dump is complete)" if finding.certainty == IF_COMPLETE else ""
    return TableRow(
        (
            Cell("fate", finding.severity),
            Cell("text", finding.id),
            Cell("text", _dump_cell(result, finding)),
            Cell("text", printable(f"{_sentence(with_pods(finding, result.snapshot))}{unsure}")),
        ),
        tuple(_below(finding, fold=fold, hint=hint, own=result.dump.source)),
        "bad" if finding.severity in _BAD else "",
    )


def _dump_cell(result: CheckResult, finding: Finding) -> str:
    """Return which of several dumps a finding is about; empty where it is about another file, or the only one."""
    return next((short_dump_label(dump) for dump in result.dumps if dump.number == finding.dump), "")


def _sentence(finding: Finding) -> str:
    """Return the sentence, with its line where no evidence quotes that."""
    quoted = {piece.line for piece in finding.evidence if piece.text}
    return placed(0 if finding.line in quoted else finding.line, text(finding))


def _below(finding: Finding, *, fold: bool, hint: str, own: str) -> Iterator[Below]:
    """Yield the evidence and the advice; `own` is the file that need not be named."""
    quoted = [text for piece in finding.evidence if (text := _quoted(piece, own))]
    shown = quoted[:_SHOWN] if fold and len(quoted) > _SHOWN + 1 else quoted
    yield from map(Below, map(printable, shown))
    if len(quoted) > len(shown):
        yield Below(f"and {counted(len(quoted) - len(shown), 'more line')}{hint}")
    for label, said in (("Why", finding.why), ("Do", finding.todo)):
        yield Below(plain(said), label=label, pieces=pieces(said))


def _quoted(piece: Evidence, own: str) -> str:
    """Return a piece of evidence: what stands there, after the line and another file."""
    if not (piece.text or piece.source):
        return ""
    line = f"line {piece.line}" if piece.line else ""
    place = ", ".join(filter(None, (piece.source if piece.source != own else "", line)))
    return ": ".join(filter(None, (place, piece.text)))


# --- what is said of all ---------------------------------------------------------------------------------------


def _facts(result: CheckResult, folded: tuple[Finding, ...]) -> Iterator[Fact]:
    if folded:
        yield Fact("Info", _folded_text(folded, more=len(folded) < len(result.findings)))
    yield from check_facts(result)
    if unseen := unseen_of_node(result):
        yield Fact("Not visible", unseen, kind="depends")


def check_facts(result: CheckResult) -> Iterator[Fact]:
    """Yield what was looked at, what was left out, and what is taken for granted."""
    without = "" if result.ports else _IN_NFT if result.nftables else NO_SERVICE if result.dumps else ""
    found = f"{_looked_at(result)}: {found_text(result)}{without}"
    yield Fact("Checked", found, "bad" if result.counts else "", "compared")
    if result.known:
        yield Fact("Baseline", f"{counted(len(result.known), 'known finding')} left out")
    if unasked := result.left_out - result.below:
        yield Fact("Left out", f"{counted(unasked, 'finding')} not selected")
    if result.assumed:
        yield Fact("Assumed", printable(clauses(result.assumed)), kind="assumed")
    elif unchecked := "; ".join(_unchecked(result)):
        yield Fact("Not checked", printable(unchecked), kind="depends")


def _unchecked(result: CheckResult) -> Iterator[str]:
    if not (result.dumps or result.tables):
        yield _NOT_CHECKED
    if result.unseen:
        yield f"tables that are not in the dump: {', '.join(result.unseen)}"


NO_SERVICE = "; they have no service, so none was checked"
"""What is said of rules in which there is no service."""

_IN_NFT = "; services in tables of nft were not checked"


_NOT_CHECKED = "what rules of nft do to connections (see iptviz services, trace and packet)"


def found_text(result: CheckResult) -> str:
    """Return how many findings there are, or that there is none as severe or none that is new."""
    if result.findings:
        found = counted(len(result.findings), "finding")
        return f"{found}; {result.below:,} less severe" if result.below else found
    return nothing_text(result.min_severity, result.below, known=len(result.known))


def nothing_text(min_severity: str, below: int, *, known: int) -> str:
    """Return that nothing was found, as severe as was asked for; `below` less severe, `known` from a baseline."""
    worse = "" if min_severity in {INFO, SEVERITIES[0]} else " or worse"
    severe = "" if min_severity == INFO else f" of severity {min_severity}{worse}"
    nothing = f"no {'new ' * bool(known)}findings{severe}"
    return f"{nothing}; {counted(below, 'finding')} below" if below else nothing


def _folded_text(folded: tuple[Finding, ...], *, more: bool) -> str:
    ids = list(dict.fromkeys(finding.id for finding in folded))
    named = ", ".join([*ids[:_NAMED], *(["..."] if len(ids) > _NAMED else [])])
    return f"{len(folded):,}{' more' if more else ''}: {named} (--all)"


def _looked_at(result: CheckResult) -> str:
    """Return what was looked at: for what, how many service ports, which dumps and tables."""
    wanted = f"only for {', '.join(result.looked_for)}, " if result.selected else ""
    ports = f"{counted(result.ports, 'service port')}, " if result.ports else "only "
    if len(result.dumps) < 2:
        rules = ", ".join(map(_rules, result.sources))
        return f"{wanted}{ports}{rules}"
    dumps = "; ".join(f"{short_dump_label(dump)}, {_rules(dump)}" for dump in result.sources)
    what = ports.removesuffix(", ") if result.ports else "only rules"
    beside = "dumps and a listing of nft" if result.tables else "dumps"
    return f"{wanted}{what} in {len(result.dumps)} {beside} ({dumps})"


def _rules(source: RuleSource) -> str:
    """Return how many rules of which tables a dump or a listing has."""
    return printable(f"{counted(source.rule_count, 'rule')} of {', '.join(source.tables) or 'no table'}")
