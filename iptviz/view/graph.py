"""The view of a jump graph: a tree, a table and a picture of the same chains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.view.blocks import Figure, Heading, Notes, Table, Tree, View, later
from iptviz.view.graph_folding import shown_graph
from iptviz.view.labels import dump_label, line_label
from iptviz.view.nodes import Columns, Fold, TableRow, TextNode, texts
from iptviz.view.picture import Box, Link, Picture, chain_id
from iptviz.view.rules import quoted_rules
from iptviz.view.text import note_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.questions.drawn import Place
    from iptviz.questions.graph import GraphResult
    from iptviz.rules.form import Place as Leading
    from iptviz.view.graph_folding import GraphLink, GraphNode, ShownGraph
    from iptviz.view.nodes import Node

JUMPS = Columns("jumps", ("From", "To", "Rules"))

_HOVERED = 12
_DEEPEST = 40

_BRANCHES: dict[str, Literal["hook", "missing"]] = {"hook": "hook", "missing": "missing"}
_BOXES = {"hook": "frontend", "service": "endpoint"}
"""What a node is in a tree and in a picture, where it is no chain there, or has another name."""


def graph_view(result: GraphResult, *, fold: bool = True) -> View:
    """Return the view of `result`; `fold` folds chains together and leaves out what nobody could read."""
    shown = shown_graph(result, fold=fold)
    asked = printable(result.asked or "jump graph")
    source = dump_label(result.dump, complete=result.dump.complete)
    return View(
        asked,
        source,
        (
            Heading(asked),
            Tree(later(lambda: _Branches(shown).nodes()), lambda: _jump_table(shown), pictured=True),
            Figure(later(lambda: _picture(shown, asked, source, fold=fold))),
            Notes(lambda: shown.notes),
        ),
        document=result.to_dict,
    )


class _Branches:
    """A branch for each node that nothing leads to, then for what only leads to itself."""

    def __init__(self, shown: ShownGraph) -> None:
        self._nodes = {node.id: node for node in shown.nodes}
        self._links: dict[Place, list[GraphLink]] = {}
        for link in shown.links:
            self._links.setdefault(link.tail, []).append(link)
        self._heads = {link.head for link in shown.links if link.head != link.tail}
        self._placed: set[Place] = set()

    def nodes(self) -> tuple[Node, ...]:
        roots = [node for node in self._nodes.values() if node.id not in self._heads]
        branches = [self._branch(node, "", 0) for node in roots]
        return (
            *branches,
            *(self._branch(node, "", 0) for node in self._nodes.values() if node.id not in self._placed),
        )

    def _branch(self, node: GraphNode, line: str, depth: int) -> Node:
        below = self._links.get(node.id, [])
        if node.id in self._placed and below:
            return Fold(f"{node.text} (see above)", line=line)
        if depth > _DEEPEST:
            return Fold(f"{node.text} (too deep to show)", line=line)
        self._placed.add(node.id)
        children = tuple(self._branch(self._nodes[link.head], link.text, depth + 1) for link in below)
        return TextNode(_BRANCHES.get(node.kind, "chain"), node.text, line, children)


def _jump_table(shown: ShownGraph) -> Table:
    """Return a row for each link, and for each node that none joins."""
    names = {node.id: node.text for node in shown.nodes}
    joined = {end for link in shown.links for end in (link.tail, link.head)}
    rows = [(names[link.tail], names[link.head], link.text) for link in shown.links]
    rows += [(name, "", "") for place, name in names.items() if place not in joined]
    return Table(JUMPS, tuple(TableRow(texts(row)) for row in rows))


def _picture(shown: ShownGraph, asked: str, source: str, *, fold: bool) -> Picture:
    boxes = [Box(_id(node.id), _BOXES.get(node.kind, node.kind), node.lines) for node in shown.nodes]
    links = [
        Link(_id(link.tail), _id(link.head), (link.text,), link.kind, 0.0, tuple(_hovered(link.rules)))
        for link in shown.links
    ]
    notes = [note_line(note) for note in shown.notes]
    rules = quoted_rules((rule for link in shown.links for rule in link.rules), fold=fold)
    return Picture(asked, tuple(boxes), tuple(links), tuple(notes), source, rules)


def _id(place: Place) -> str:
    return chain_id(place[1], place[0])


def _hovered(rules: tuple[Leading, ...]) -> Iterator[str]:
    """Yield the first rules of a link as they stand, and how many more there are."""
    yield from (f"{line_label(rule)}: {printable(rule.text)}" for rule in rules[:_HOVERED])
    if len(rules) > _HOVERED:
        yield f"and {len(rules) - _HOVERED} more"
