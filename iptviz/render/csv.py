"""CSV for spreadsheets and scripts: a line for each record of a document."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from iptviz.documents.records import records_of
from iptviz.view.text import printable

if TYPE_CHECKING:
    from iptviz.documents.shapes import Shape

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""How a formula begins; the last four are wide, for keyboards of East Asia."""


def csv_text(document: Shape) -> str:
    """Return the records of a document as CSV, with a line of headings; it is never folded."""
    names, records = records_of(document)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(map(_cell, record) for record in records)
    return text.getvalue()


def _cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula: what a dump says is not trusted."""
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
