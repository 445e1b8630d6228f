"""DOT: the picture for Graphviz, deterministic, with every label escaped by the graphviz library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.render.dot_labels import box_label, heading_label
from iptviz.render.dot_runs import strings_in_stretches

if TYPE_CHECKING:
    from iptviz.view.picture import Picture

_GRAPH = {
    "rankdir": "LR",
    "ordering": "out",
    "fontname": "Helvetica",
    "fontsize": "12",
    "labelloc": "t",
    "labeljust": "l",
    "nodesep": "0.25",
    "ranksep": "0.9",
    "bgcolor": "white",
}
_DOWNWARD = {"rankdir": "TB", "ranksep": "0.45", "ordering": ""}
_NODE = {
    "shape": "box",
    "style": "rounded,filled",
    "fontname": "Helvetica",
    "fontsize": "11",
    "margin": "0.15,0.08",
}
_EDGE = {
    "fontname": "Helvetica",
    "fontsize": "9",
    "color": "#475569",
    "fontcolor": "#334155",
    "arrowsize": "0.7",
}

# Colour is never the only sign: each kind has a shape or a line of its own too.
_BOXES = {
    "frontend": {
        "shape": "cds",
        "margin": "0.3,0.12",
        "style": "filled",
        "fillcolor": "#dbeafe",
        "color": "#1d4ed8",
    },
    "client": {"shape": "oval", "style": "filled", "fillcolor": "#ffffff", "color": "#0f172a"},
    "local": {"shape": "house", "style": "filled", "fillcolor": "#e0e7ff", "color": "#4338ca"},
    "unsure": {"shape": "hexagon", "style": "filled", "fillcolor": "#fef3c7", "color": "#b45309"},
    "chain": {"fillcolor": "#f1f5f9", "color": "#64748b"},
    "endpoint": {"shape": "box", "style": "filled", "fillcolor": "#dcfce7", "color": "#15803d"},
    "wanted": {
        "shape": "box",
        "style": "filled",
        "fillcolor": "#dcfce7",
        "color": "#15803d",
        "penwidth": "3",
    },
    "uneven": {
        "shape": "box",
        "style": "filled",
        "fillcolor": "#fee2e2",
        "color": "#b91c1c",
        "peripheries": "2",
    },
    "failing": {
        "shape": "box",
        "style": "filled",
        "fillcolor": "#fee2e2",
        "color": "#b91c1c",
        "penwidth": "3",
    },
    "fold": {"shape": "box", "style": "dashed", "color": "#15803d"},
    "mark": {"shape": "note", "style": "filled", "fillcolor": "#f5d0fe", "color": "#a21caf"},
    "affinity": {"shape": "tab", "style": "filled", "fillcolor": "#e0e7ff", "color": "#4338ca"},
    "missing": {"style": "rounded,dashed", "color": "#64748b"},
    "verdict": {"shape": "octagon", "style": "filled", "fillcolor": "#fee2e2", "color": "#b91c1c"},
    "leftover": {"shape": "octagon", "style": "dashed", "color": "#b91c1c"},
}
_DOWNWARD_BOXES = {"frontend": {"shape": "invhouse"}}
_LINKS = {
    "enter": {"tailport": "e"},
    "jump": {},
    "mark": {"style": "dashed", "color": "#a21caf", "fontcolor": "#a21caf", "constraint": "true"},
    "affinity": {"style": "dashed", "color": "#4338ca"},
    "goto": {"arrowhead": "empty"},
    "leftover": {"style": "dashed", "color": "#b91c1c", "fontcolor": "#b91c1c"},
    "fails": {"color": "#b91c1c", "fontcolor": "#b91c1c", "arrowhead": "tee"},
    "unsure": {"style": "dashed", "color": "#b45309", "fontcolor": "#b45309"},
    "reaches": {"color": "#15803d", "fontcolor": "#15803d"},
}
_THICKEST = 4.0
_HOVER = 1_000


def dot_text(picture: Picture, *, printed: bool = False, **attributes: str) -> str:
    """Return the DOT text of a picture; `attributes` are more of the graph's.

    `printed` adds the rules, since no mouse can show them there.
    """
    import graphviz

    heading = heading_label(picture, picture.rules if printed else ())
    graph = _GRAPH | (_DOWNWARD if picture.downward else {}) | {"label": heading} | attributes
    dot = graphviz.Digraph("iptviz", graph_attr=graph, node_attr=_NODE, edge_attr=_EDGE)
    _draw(dot, picture)
    return strings_in_stretches(str(dot.source))


def _draw(dot: Any, picture: Picture) -> None:
    """Put the boxes and links into a graph."""
    longest = max((box.bar.longer for box in picture.boxes if box.bar), default=1.0)
    shapes = _DOWNWARD_BOXES if picture.downward else {}
    for box in picture.boxes:
        look = {**_hover(box.hover), **_BOXES[box.kind], **shapes.get(box.kind, {}), "class": box.kind}
        dot.node(_safe(box.id), box_label(box, longest), **look)
    # To the right of a line that goes down, a text needs room; one that goes to the right has it below.
    room = " " if picture.downward else ""
    for link in picture.links:
        lines = tuple(f"{room}{line}{room}" for line in link.lines if line)
        width = f"{1 + (_THICKEST - 1) * min(link.weight, 1.0):.2f}"
        look = {"penwidth": width, "class": link.kind, **_hover(link.hover, "label"), **_LINKS[link.kind]}
        dot.edge(_safe(link.tail), _safe(link.head), _label(lines), **look)


def _hover(rules: tuple[str, ...], *parts: str) -> dict[str, str]:
    """Return what is shown under the mouse, of the thing itself and of its parts.

    Graphviz refuses links of more than some 10,000 signs; nobody reads a thousand under a mouse. It takes the
    escapes of a tooltip for escapes twice, once for line ends and then for the names of things.
    """
    clipped = tuple(rule if len(rule) <= _HOVER else rule[: _HOVER - 1] + "…" for rule in rules)
    literal = tuple(rule.replace("\\", "\\\\") for rule in clipped)
    return {f"{part}tooltip": _label(literal) for part in ("", *parts)} if rules else {}


def _safe(identifier: str) -> str:
    """Replace what DOT would read as a port or an escape: the library takes `a:b` for port b of a node a."""
    return identifier.replace(":", "_").replace("\\", "_")


def _label(lines: tuple[str, ...]) -> str:
    import graphviz

    label: str = graphviz.nohtml(r"\n".join(_escaped(line) for line in lines if line))
    return label


def _escaped(line: str) -> str:
    """Return `line` so that Graphviz shows it as it is, be it an escape or an entity such as &lt;.

    A backslash is written as an entity: for ten thousand in a row, the library takes many seconds.
    """
    return line.replace("&", "&amp;").replace("\\", "&#92;&#92;")
