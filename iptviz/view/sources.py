"""The view of `iptviz sources`: a row for each dump."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.reading import by_line, line_text
from iptviz.checks.wording import sentences
from iptviz.questions.sources import SourcesResult, not_understood
from iptviz.view.blocks import Table, View
from iptviz.view.nodes import Below, Columns, TableRow, texts
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.dump.model import Dump

DUMPS = Columns(
    "dumps",
    ("N", "INSIDE", "LINE", "FAMILY", "BACKEND", "WRITTEN BY", "NODE", "TIME", "TABLES AND RULES", "STATE"),
)
_INDENT = 5
"""Remarks on a dump are set in so far."""


def sources_view(result: SourcesResult, *, fold: bool = True) -> View:
    """Return a row for each dump; folded, without remarks about single lines."""
    shown: set[int] = set()
    rows = []
    for dump in result.dumps:
        about_text = not fold and id(dump.line_notes) not in shown
        shown.add(id(dump.line_notes))
        remarks = _remarks(dump, about_text=about_text, fold=fold)
        rows.append(TableRow(texts(_cells(dump)), tuple(map(Below, remarks))))
    return View("Sources", "", (Table(DUMPS, tuple(rows), _INDENT),), document=result.to_dict)


def _cells(dump: Dump) -> tuple[str, ...]:
    return tuple(
        map(
            printable,
            (
                str(dump.number),
                dump.origin.inside,
                str(dump.first_line),
                dump.family,
                dump.header.backend or "",
                dump.tool or dump.form,
                dump.node or "",
                dump.time or "",
                ", ".join(f"{name} {table.rule_count:,}" for name, table in dump.tables.items()),
                "complete" if dump.complete else "INCOMPLETE",
            ),
        )
    )


def _remarks(dump: Dump, *, about_text: bool, fold: bool) -> list[str]:
    """Return why the dump is incomplete; what happened to lines of its text, once; what is not understood."""
    gaps = sentences(by_line(dump.gaps))
    repairs = sentences(dump.repairs if about_text else ())
    lines = [f"{note.places()}: {line_text(note)}" for note in (dump.line_notes if about_text else ())]
    unknown = [] if fold else sentences(not_understood(dump))
    return [printable(text) for text in (*gaps, *repairs, *lines, *unknown)]
