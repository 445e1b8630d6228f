"""Labels in Graphviz's HTML-like language: names in bold, small print and bars below, all as text."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from iptviz.render.dot_runs import html_in_stretches

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.view.nodes import Bar
    from iptviz.view.picture import Box, Picture

BARS = "bars: expected above, observed below"
"""What they mean, for the legend."""

_SOFT = "#475569"

_LEGEND, _SMALL, _PRINT = 10, 8, 7
"""The sizes of what is smaller than the rest, in points."""

_LONGEST, _HEIGHT = 120, 7
"""The longest bar of a picture, and each bar's height, in points."""

_EXPECTED, _OBSERVED, _ODD = "#94a3b8", "#15803d", "#b91c1c"
_TABLE = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="{spacing}" CELLPADDING="0">{rows}</TABLE>'


def box_label(box: Box, longest: float) -> str:
    """Return the label of a box: the first of several lines is what it is called.

    `longest` is the share, in (0, 1], that a bar of full length stands for.
    """
    name, *others = [_text(line) for line in box.lines if line] or [""]
    lines = [f"<B>{name}</B>" if others else name, *others]
    lines += [_sized(_text(line), _SMALL) for line in box.small]
    if box.bar is None:
        return f"<{'<BR/>'.join(lines)}>"
    rows = [f"<TR><TD>{line}</TD></TR>" for line in lines]
    rows += [f'<TR><TD ALIGN="LEFT">{strip}</TD></TR>' for strip in _strips(box.bar, longest)]
    return f"<{_TABLE.format(spacing=1, rows=''.join(rows))}>"


def heading_label(picture: Picture, rules: Iterable[str] = ()) -> str:
    """Return the text about a picture, from the left: title, dump, what has to be said, legend, and `rules`."""
    legend = " · ".join((*picture.legend, *([BARS] if any(box.bar for box in picture.boxes) else [])))
    lines = [
        f"<B>{_text(picture.title)}</B>",
        *(_sized(_text(line), _LEGEND) for line in [picture.about] if line),
        *map(_text, picture.footer),
        *(_sized(_text(line), _LEGEND) for line in [legend] if line),
        *(_sized(_text(rule), _PRINT) for rule in rules),
    ]
    ended = [f'{line}<BR ALIGN="LEFT"/>' for line in lines]
    return f"<{''.join(ended)}>"


def _sized(text: str, size: int) -> str:
    return f'<FONT POINT-SIZE="{size}" COLOR="{_SOFT}">{text}</FONT>'


def _text(line: str) -> str:
    """Return a line so that it is shown as it is: as in other labels, a backslash is an escape."""
    return html_in_stretches(escape(line).replace("\\", "&#92;&#92;")) or " "


def _strips(bar: Bar, longest: float) -> list[str]:
    shares = ((bar.expected, _EXPECTED), (bar.observed or 0.0, _ODD if bar.odd else _OBSERVED))
    return [_strip(share / longest, colour) for share, colour in shares]


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
    return _TABLE.format(spacing=0, rows=f"<TR>{''.join(drawn)}</TR>")
