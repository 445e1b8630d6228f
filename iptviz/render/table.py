"""Tables for a terminal: the dumps of a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.terminal import paint
from iptviz.view.sources import HEADINGS, sources_rows

if TYPE_CHECKING:
    from iptviz.questions.sources import SourcesResult
    from iptviz.terminal import Piece, Style


def sources_table(result: SourcesResult, style: Style, *, fold: bool) -> str:
    """Return the table of dumps; unfolded, with every line that was left out, repaired or not understood."""
    rows = sources_rows(result, fold=fold)
    cells = [HEADINGS, *(row.cells for row in rows)]
    used = [any(row[column] for row in cells[1:]) for column in range(len(HEADINGS))]
    widths = [max(len(row[column]) for row in cells) for column in range(len(HEADINGS))]
    lines = [_line(HEADINGS, widths, used, "bold")]
    for row in rows:
        lines.append(_line(row.cells, widths, used, ""))
        lines += ([("     ", ""), (remark, "dim")] for remark in row.remarks)
    return paint(lines, style)


def _line(cells: tuple[str, ...], widths: list[int], used: list[bool], style: str) -> list[Piece]:
    """Return one row; a column that is empty everywhere is left out."""
    padded = [cell.ljust(width) for cell, width, shown in zip(cells, widths, used, strict=True) if shown]
    return [("  ".join(padded), style)]
