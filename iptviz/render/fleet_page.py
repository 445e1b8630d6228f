"""The page of a fleet: the verdict, groups of nodes, the map of nodes and service ports, and what was found.

A map of thousands of nodes is long: what the page itself holds is the most harmful part of it, and its script
adds the rest from data when it is asked to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from iptviz.records import NamedTuple
from iptviz.render.page_parts import part, template, trusted
from iptviz.version import __version__
from iptviz.view.blocks import Facts, Heading, HeatMap, Notes, Table
from iptviz.view.heat import SAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.view.blocks import Block, Fact, HeatColumn, HeatRow, View
    from iptviz.view.nodes import Columns, TableRow

ROWS, COLUMNS = 50, 40
"""So much of a map is in the page itself."""
MOST_ROWS = 1_000
"""So many rows its script can add at most: a page is to be sent by mail."""

_CLASSES = {
    ".": "same", "-": "missing", "+": "extra", "*": "both", "X": "gone", "S": "surplus", "~": "other",
    "!": "node", "?": "untold",
}  # fmt: skip
"""What a cell of the map looks like, by its sign."""


class _Section(NamedTuple):
    """A heading, what stands below it, and the name by which the page leads there."""

    id: str
    heading: str
    blocks: tuple[Block, ...]


def fleet_page(view: View, heat: HeatMap) -> str:
    """Return the page of a fleet: no request leaves it, and nothing that a dump says is markup in it."""
    style = part("page.css") + part("fleet.css")
    return template("fleet.html.jinja").render(
        title=view.title,
        lead=[fact for block in view.lead if isinstance(block, Facts) for fact in block.facts],
        sections=_sections(view, heat),
        notes=[note for block in view.of(Notes) for note in block.texts],
        heat=heat,
        rows=heat.rows[:ROWS],
        columns=heat.columns[:COLUMNS],
        classes=_CLASSES,
        meanings=dict(heat.signs),
        same=SAME,
        left_out=max(len(heat.rows) - MOST_ROWS, 0),
        version=__version__,
        titled=_titled,
        said=_said,
        column_title=_column_title,
        facts_of=_facts_of,
        kind=lambda block: type(block).__name__,
        **trusted(style, part("fleet.js"), _data(heat)),
    )


def _sections(view: View, heat: HeatMap) -> list[_Section]:
    found: list[_Section] = []
    for block in view.blocks:
        if isinstance(block, Heading):
            found.append(_Section(f"part-{len(found) + 1}", block.text, ()))
        elif found and isinstance(block, Table | Facts | HeatMap):
            found[-1] = found[-1]._replace(blocks=(*found[-1].blocks, block))
    return [one for one in found if heat.columns or heat not in one.blocks]


def _facts_of(block: Facts) -> tuple[Fact, ...]:
    return block.facts


def _titled(columns: Columns, place: int) -> str:
    """Return a heading as pages have it."""
    words = columns.spoken(place)
    return words[0].upper() + words[1:]


def _said(table: Table, row: TableRow, heading: str) -> str:
    """Return what a row says below a heading."""
    return row.cells[table.columns.headings.index(heading)].text


# --- what the script adds ------------------------------------------------------------------------------------


def _data(heat: HeatMap) -> dict[str, Any]:
    """Return the rest of the map: the states of all rows, and names of what the page itself does not hold."""
    rows = heat.rows[:MOST_ROWS]
    return {
        "states": [_short(row.states) for row in rows],
        "rows": [[_row_title(row), _names(row)] for row in rows[ROWS:]],
        "columns": [_column_title(column) for column in heat.columns[COLUMNS:]],
        "signs": {sign: [_CLASSES[sign], meaning] for sign, meaning in heat.signs},
        "held": [min(ROWS, len(rows)), min(COLUMNS, len(heat.columns))],
    }


def _row_title(row: HeatRow) -> str:
    return row.title if len(row.names) == 1 else f"{len(row.names):,} nodes: {row.title}"


def _column_title(column: HeatColumn) -> str:
    """Return what stands above a column, whose end is cut: how many service ports it is for comes first."""
    count = len(column.names)
    return column.names[0] if count == 1 else f"{count:,} ports: {column.names[0]} ..."


def _names(row: HeatRow) -> Sequence[str]:
    """Return the names to unfold; none for a row whose title has them."""
    return row.names if len(row.names) > 1 else ()


_RUN = re.compile(r"(.)\1*", re.DOTALL)


def _short(states: str) -> str:
    """Return signs with how often each occurs in a row before it: most of a map is one sign."""
    return _RUN.sub(lambda run: f"{len(run[0])}{run[1]}", states)
