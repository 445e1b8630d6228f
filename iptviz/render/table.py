"""Tables for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.terminal import paint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.questions.graph import GraphResult
    from iptviz.questions.packet import PacketResult
    from iptviz.questions.services import ServicesResult
    from iptviz.questions.sources import SourcesResult
    from iptviz.questions.trace import TraceResult
    from iptviz.questions.verify import VerifyResult
    from iptviz.terminal import Piece, Style
    from iptviz.view.facts import Fact
    from iptviz.view.services import ServicesView
    from iptviz.view.tables import TablesView

_GAP = "  "
_MOODS = {"good": "", "bad": "bold red"}
# What can be spared first where a terminal is too narrow.
_SPARED = ("REMARKS", "ALSO AT", "AFFINITY", "POLICY", "PROTO")


def sources_table(result: SourcesResult, style: Style, *, fold: bool) -> str:
    """Return the table of dumps; unfolded, with every line that was left out, repaired or not understood."""
    from iptviz.view.sources import HEADINGS, sources_rows

    rows = sources_rows(result, fold=fold)
    grid = _Grid(HEADINGS, [row.cells for row in rows])
    lines = [grid.line(HEADINGS, "bold")]
    for row in rows:
        lines.append(grid.line(row.cells, ""))
        lines += ([("     ", ""), (remark, "dim")] for remark in row.remarks)
    return paint(lines, style)


def services_table(result: ServicesResult, style: Style, *, fold: bool) -> str:
    """Return the table of services; unfolded, with every endpoint."""
    from iptviz.view.services import services_view

    return paint(_services_lines(services_view(result, fold=fold), style.width), style)


def _services_lines(view: ServicesView, width: int) -> Iterator[list[Piece]]:
    from iptviz.view.services import HEADINGS, PUBLISHED_HEADINGS

    yield [(view.source, "dim")]
    yield []
    if view.rows:
        grid = _Grid(HEADINGS, [row.cells for row in view.rows])
        spared = grid.spare(width, _SPARED)
        yield grid.line(HEADINGS, "bold")
        for row in view.rows:
            yield grid.line(row.cells, _MOODS[row.mood])
            yield from ([("    ", ""), (line, "dim")] for line in row.endpoints)
        if spared:
            yield _spared(spared)
        yield []
    if view.published:
        grid = _Grid(PUBLISHED_HEADINGS, list(view.published))
        yield grid.line(PUBLISHED_HEADINGS, "bold")
        yield from (grid.line(cells, "") for cells in view.published)
        yield []
    yield from _below(view.facts, view.notes)


def verify_table(result: VerifyResult, style: Style, *, fold: bool) -> str:
    """Return the table of differences."""
    from iptviz.view.verify import HEADINGS, verify_view

    view = verify_view(result, fold=fold)
    lines: list[list[Piece]] = [[(view.source, "dim")], []]
    if view.rows:
        grid = _Grid(HEADINGS, list(view.rows))
        spared = grid.spare(style.width, ("SHARE", "LINE", "AT", "PROTO"))
        lines += [grid.line(HEADINGS, "bold"), *(grid.line(cells, "") for cells in view.rows)]
        lines += [_spared(spared)] if spared else []
        lines.append([])
    return paint([*lines, *_below(view.facts, view.notes)], style)


def trace_table(result: TraceResult, style: Style, *, fold: bool) -> str:
    """Return tables of endpoints, one for each frontend."""
    from iptviz.view.tables import trace_tables

    return paint(_tables_lines(trace_tables(result, fold=fold), style.width), style)


def packet_table(result: PacketResult, style: Style, *, fold: bool) -> str:
    """Return the table of a packet's outcomes."""
    from iptviz.view.tables import packet_tables

    return paint(_tables_lines(packet_tables(result, fold=fold), style.width), style)


def graph_table(result: GraphResult, style: Style, *, fold: bool) -> str:
    """Return the table of jumps."""
    from iptviz.view.tables import graph_tables

    return paint(_tables_lines(graph_tables(result, fold=fold), style.width), style)


def _tables_lines(view: TablesView, width: int) -> Iterator[list[Piece]]:
    yield [(view.source, "dim")]
    for one in view.grids:
        yield []
        yield from ([(line, "bold")] for line in one.above)
        grid = _Grid(one.headings, list(one.rows))
        spared = grid.spare(width, one.spared)
        if one.rows:
            yield []
            yield grid.line(one.headings, "bold")
            yield from (grid.line(cells, "") for cells in one.rows)
        if spared:
            yield _spared(spared)
        if one.facts:
            yield []
            yield from _below(one.facts, ())
    yield from _below((), view.notes)


def _spared(names: list[str]) -> list[Piece]:
    return [(f"({', '.join(name.lower() for name in names)} left out to fit this terminal)", "dim")]


def _below(facts: Sequence[Fact], notes: Sequence[str]) -> Iterator[list[Piece]]:
    """Yield what is said below a table."""
    label_width = max((len(fact.label) for fact in facts), default=0)
    for fact in facts:
        yield [(fact.label.ljust(label_width) + _GAP, "bold"), (fact.text, _MOODS.get(fact.mood, ""))]
    if notes:
        yield []
    yield from ([(f"note: {note}", "dim")] for note in notes)


class _Grid:
    """Columns as wide as their widest cell; one that is empty everywhere is left out."""

    def __init__(self, headings: Sequence[str], rows: list[tuple[str, ...]]) -> None:
        self.headings = headings
        self.widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
        self.used = [any(column) for column in zip(*rows, strict=True)] if rows else [True] * len(headings)

    def spare(self, width: int, spared: Sequence[str]) -> list[str]:
        """Leave out columns, in the order of `spared`, until a line fits `width`; return which."""
        gone = []
        for name in spared:
            column = self.headings.index(name)
            if self._total() > width and self.used[column]:
                self.used[column] = False
                gone.append(name)
        return gone

    def _total(self) -> int:
        shown = [width for width, used in zip(self.widths, self.used, strict=True) if used]
        return sum(shown) + len(_GAP) * (len(shown) - 1)

    def line(self, cells: Sequence[str], style: str) -> list[Piece]:
        """Return one row."""
        padded = [
            cell.ljust(width) for cell, width, used in zip(cells, self.widths, self.used, strict=True) if used
        ]
        return [(_GAP.join(padded), style)]
