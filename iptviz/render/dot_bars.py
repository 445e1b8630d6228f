"""Bars below the lines of a box: only Graphviz's HTML-like labels can draw them."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.view.bars import Bar

BARS = "bars: expected above, observed below"
"""What they mean, for the legend."""

_LONGEST, _HEIGHT = 120, 7
"""The longest bar of a picture, and each bar's height, in points."""

_EXPECTED, _OBSERVED, _ODD = "#94a3b8", "#15803d", "#b91c1c"


def barred_label(lines: tuple[str, ...], bar: Bar, longest: float) -> str:
    """Return lines of text with the bar of what is expected and that of what was observed below them.

    `longest` is the share, in (0, 1], that a bar of full length stands for.
    """
    rows = [f"<TR><TD>{_text(line)}</TD></TR>" for line in lines if line]
    shares = ((bar.expected, _EXPECTED), (bar.observed or 0.0, _ODD if bar.odd else _OBSERVED))
    rows += [f'<TR><TD ALIGN="LEFT">{_strip(share / longest, colour)}</TD></TR>' for share, colour in shares]
    return f'<<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="1" CELLPADDING="0">{"".join(rows)}</TABLE>>'


def _text(line: str) -> str:
    """Return a line so that it is shown as it is: as in other labels, a backslash is an escape."""
    return escape(line).replace("\\", "\\\\")


def _strip(part: float, colour: str) -> str:
    """Return a bar as a table of two cells, one filled; a share above zero can be seen, however small."""
    filled = max(round(part * _LONGEST), 1 if part else 0)
    # One point is never filled: two strips of two cells each begin at the same place.
    cells = ((filled, f' BGCOLOR="{colour}"'), (_LONGEST + 1 - filled, ""))
    drawn = [
        f'<TD FIXEDSIZE="TRUE" WIDTH="{width}" HEIGHT="{_HEIGHT}"{fill}></TD>'
        for width, fill in cells
        if width
    ]
    return (
        f'<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>{"".join(drawn)}</TR></TABLE>'
    )
