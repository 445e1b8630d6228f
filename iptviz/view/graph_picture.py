"""The jump graph as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.chain_graph import graph_view, hovered
from iptviz.view.picture import Box, Link, Picture, chain_id
from iptviz.view.rules import quoted

if TYPE_CHECKING:
    from iptviz.questions.graph import GraphResult, Place

_KINDS = {"hook": "frontend", "service": "endpoint"}
"""What a node is drawn as, where that has another name in pictures."""


def graph_picture(result: GraphResult, *, fold: bool = True) -> Picture:
    """Return the picture of `result`; `fold` keeps it readable."""
    view = graph_view(result, fold=fold)
    boxes = [Box(_id(one.id), _KINDS.get(one.kind, one.kind), one.lines) for one in view.nodes]
    links = [
        Link(
            _id(one.tail),
            _id(one.head),
            (one.text,),
            "goto" if all(rule.target and rule.target.goto for rule in one.rules) else "jump",
            0.0,
            tuple(hovered(one.rules)),
        )
        for one in view.links
    ]
    notes = [f"note: {note}" for note in view.notes]
    rules = quoted((rule for one in view.links for rule in one.rules), fold=fold)
    return Picture(view.asked, tuple(boxes), tuple(links), tuple(notes), view.source, rules)


def _id(place: Place) -> str:
    return chain_id(place[1], place[0])
