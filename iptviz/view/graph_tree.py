"""The jump graph as a tree: from each hook down; what was told already is not told again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.trace import Node

if TYPE_CHECKING:
    from iptviz.questions.graph import Place
    from iptviz.view.chain_graph import GraphLink, GraphNode, GraphView

_DEEPEST = 40


def graph_nodes(view: GraphView) -> tuple[Node, ...]:
    """Return a branch for each node that nothing leads to, then for what only leads to itself."""
    return tuple(_Teller(view).branches())


class _Teller:
    def __init__(self, view: GraphView) -> None:
        self._nodes = {one.id: one for one in view.nodes}
        self._links: dict[Place, list[GraphLink]] = {}
        for link in view.links:
            self._links.setdefault(link.tail, []).append(link)
        self._heads = {link.head for link in view.links if link.head != link.tail}
        self._told: set[Place] = set()

    def branches(self) -> list[Node]:
        roots = [one for one in self._nodes.values() if one.id not in self._heads]
        told = [self._branch(one, "", 0) for one in roots]
        return told + [self._branch(one, "", 0) for one in self._nodes.values() if one.id not in self._told]

    def _branch(self, node: GraphNode, line: str, depth: int) -> Node:
        text = " · ".join(node.lines)
        below = self._links.get(node.id, [])
        if node.id in self._told and below:
            return Node("fold", (f"{text}, told above", line))
        if depth > _DEEPEST:
            return Node("fold", (f"{text}, too deep to be told here", line))
        self._told.add(node.id)
        children = tuple(self._branch(self._nodes[one.head], one.text, depth + 1) for one in below)
        kind = {"hook": "case", "missing": "verdict"}.get(node.kind, "chain")
        return Node(kind, (text, line), children)
