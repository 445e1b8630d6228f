"""HTML: a page that needs nothing else, with the answers, all services to search and all chains to browse."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.errors import OutputError
from iptviz.records import NamedTuple
from iptviz.render.drawn import bare_svg, picture_style
from iptviz.render.fleet_page import fleet_page
from iptviz.render.page_parts import part, template, trusted
from iptviz.version import __version__
from iptviz.view.articles import Article, articles_of
from iptviz.view.blocks import (
    Answers,
    ChainBrowser,
    Facts,
    Figure,
    Findings,
    Heading,
    HeatMap,
    Listing,
    Notes,
    Rules,
)
from iptviz.view.nodes import in_tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.view.blocks import Table, View
    from iptviz.view.nodes import CellKind, Columns, TreeRow

_CLASSES = {"hook": "case", "missing": "verdict"}
"""What a node of a tree looks like, where not like its kind."""


_SIGNS = {"+": "added", "-": "removed", "~": "changed", "": "more"}
"""What a line of what changed looks like, by its sign."""


class _Answer(NamedTuple):
    """An answer as it stands on the page; `picture` is SVG, and empty without the program dot."""

    name: str
    articles: list[Article]
    picture: Any
    notes: tuple[str, ...]
    rules: tuple[str, ...]
    absent: str


def html(view: View) -> str:
    """Return the page of a report or of a fleet: no request leaves it, and nothing of a dump is markup in it."""
    if maps := view.of(HeatMap):
        return fleet_page(view, maps[0])
    head, *dumps = view.of(Facts)
    (listing,), (browser,) = view.of(Listing), view.of(ChainBrowser)
    answers = next(iter(view.of(Answers)), Answers("", ()))
    chains, chains_note = browser.open()
    places = _listed_places(listing.table)
    style, script = part("page.css") + picture_style(), part("page.js")
    return template("page.html.jinja").render(
        title=view.title,
        head=head.facts,
        dumps=[
            (heading.text, about.facts) for heading, about in zip(view.of(Heading)[1:], dumps, strict=True)
        ],
        findings=next(iter(view.of(Findings)), None),
        asked=answers.heading,
        answers=list(map(_answer, answers.views)),
        facts=[fact for block in listing.view.of(Facts) for fact in block.facts],
        notes=_notes(view),
        headings=[_titled(listing.table.columns, place) for place in places],
        chains_note=chains_note,
        version=__version__,
        in_tables=in_tables,
        titled=_titled,
        said=_said,
        classes=_CLASSES,
        signs=_SIGNS,
        **trusted(style, script, {"rows": _listed_rows(listing.table, places), "chains": chains}),
    )


# --- answers -------------------------------------------------------------------------------------------------


def _answer(view: View) -> _Answer:
    from markupsafe import Markup

    picture = Markup(figure_svg(view))  # noqa: S704 - parsed and written again by ElementTree
    rules = tuple(rule for block in view.of(Rules) for rule in block.quote())
    return _Answer(view.title, articles_of(view), picture, _notes(view), rules, view.absent)


def figure_svg(view: View) -> str:
    """Return the picture of an answer for a page; empty without one, and without the program dot."""
    figures = [] if view.absent else view.of(Figure)
    try:
        return "".join(bare_svg(figure.draw()) for figure in figures)
    except OutputError:
        return ""


def _notes(view: View) -> tuple[str, ...]:
    return tuple(note for block in view.of(Notes) for note in block.texts)


def _said(row: TreeRow, *kinds: CellKind) -> str:
    """Return what the cells of these kinds say, side by side."""
    return " ".join(cell.text for cell in row.cells if cell.kind in kinds and cell.text)


# --- the list of services ------------------------------------------------------------------------------------


def _listed_places(table: Table) -> list[int]:
    """Return the places of the columns, those first that a narrow table keeps to the last."""
    headings, used = table.columns.headings, table.used
    spared = [headings.index(heading) for heading in reversed(table.columns.spared)]
    return [*(place for place in used if place not in spared), *(place for place in spared if place in used)]


def _titled(columns: Columns, place: int) -> str:
    """Return a heading as pages have it."""
    words = columns.spoken(place)
    return words[0].upper() + words[1:]


def _listed_rows(table: Table, places: Sequence[int]) -> list[Any]:
    """Return for the page's script some cells of each row, whether all is well with it, its table and chain."""
    return [
        [[row.cells[place].text for place in places], row.mood, row.cells[0].table, row.cells[0].chain]
        for row in table.rows
    ]
