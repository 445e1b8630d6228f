"""The view of a report: what the page shows, as text and lists, nothing of which is markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from iptviz.view.answers import Answered, answered
from iptviz.view.chains import browsed, chosen_chains
from iptviz.view.facts import Fact
from iptviz.view.numbers import counted
from iptviz.view.services import HEADINGS, services_view
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.questions.report import ReportResult


class ReportView(NamedTuple):
    """Head and facts, the answers, all services below their headings, and chains to browse.

    `chains` is `{table: {chain: {"policy": text, "rules": [[line, text, chain it leads to, share]]}}}`.
    """

    title: str
    head: tuple[Fact, ...]
    facts: tuple[Fact, ...]
    notes: tuple[str, ...]
    asked: str
    answers: tuple[Answered, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[tuple[str, ...], str, str], ...]
    chains: dict[str, dict[str, Any]]
    chains_note: str


def report_view(result: ReportResult, *, fold: bool = True) -> ReportView:
    """Return the view of `result`; `fold` shortens long lists."""
    dump, services = result.dump, services_view(result.services)
    answers = tuple(answered(one, fold=fold) for one in result.answers)
    chosen, note = chosen_chains(dump, {place for one in answers for place in one.chains})
    used = [place for place in range(len(HEADINGS)) if any(row.cells[place] for row in services.rows)]
    chains = (one.usual.chain or "" for one in result.services.services)
    rows = (
        (tuple(row.cells[place] for place in used), row.mood, printable(chain))
        for row, chain in zip(services.rows, chains, strict=True)
    )
    return ReportView(
        title=f"iptviz report: {printable(dump.source)}",
        head=tuple(_head(result)),
        facts=services.facts,
        notes=services.notes,
        asked=_asked(result),
        answers=answers,
        headings=tuple(HEADINGS[place].capitalize().replace(" ip", " IP") for place in used),
        rows=tuple(rows),
        chains={table.name: browsed(table, chosen.get(table.name)) for table in dump.tables.values()},
        chains_note=note,
    )


def _head(result: ReportResult) -> Iterator[Fact]:
    dump = result.dump
    tables = ", ".join(f"{name} ({table.rule_count:,})" for name, table in dump.tables.items())
    yield Fact("Source", printable(dump.source))
    yield Fact("SHA-256", result.sha256)
    yield Fact("Written by", printable(dump.tool or "not said: there is no header"))
    yield Fact("Saved", printable(dump.time or "not said"))
    yield Fact("Family", dump.family)
    yield Fact("Tables", printable(tables) + " rules")
    yield Fact("Complete", "yes") if dump.complete else Fact("Complete", "NO: see the notes", "bad")
    missing = "connections that exist, whether endpoints answer, routes, addresses, ipsets, recent lists"
    yield Fact("In no dump", missing)


def _asked(result: ReportResult) -> str:
    if not result.odd:
        return "What was asked for" if result.answers else "No service was asked for"
    if not result.services.services:
        return "No service is in this dump" + ("" if result.dump.complete else ", which lacks lines")
    if not result.answers:
        return "No service looks odd"
    more = f" (and {result.left_out:,} more, see the list)" if result.left_out else ""
    return f"Looking odd: {counted(len(result.answers), 'service port')}{more}"
