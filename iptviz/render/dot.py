"""DOT: the picture for Graphviz, deterministic, with every label escaped by the graphviz library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.view.picture import trace_picture

if TYPE_CHECKING:
    from iptviz.questions.packet import PacketResult
    from iptviz.questions.trace import TraceResult
    from iptviz.terminal import Style
    from iptviz.view.picture import Picture

_GRAPH = {
    "rankdir": "LR",
    "fontname": "Helvetica",
    "fontsize": "12",
    "labelloc": "t",
    "labeljust": "l",
    "nodesep": "0.25",
    "ranksep": "0.9",
    "bgcolor": "white",
}
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
    "chain": {"fillcolor": "#f1f5f9", "color": "#64748b"},
    "endpoint": {"shape": "box", "style": "filled", "fillcolor": "#dcfce7", "color": "#15803d"},
    "wanted": {
        "shape": "box",
        "style": "filled",
        "fillcolor": "#dcfce7",
        "color": "#15803d",
        "penwidth": "3",
    },
    "fold": {"shape": "box", "style": "dashed", "color": "#15803d"},
    "mark": {"shape": "note", "style": "filled", "fillcolor": "#f5d0fe", "color": "#a21caf"},
    "verdict": {"shape": "octagon", "style": "filled", "fillcolor": "#fee2e2", "color": "#b91c1c"},
    "leftover": {"shape": "octagon", "style": "dashed", "color": "#b91c1c"},
}
_LINKS = {
    "enter": {},
    "jump": {},
    "mark": {"style": "dashed", "color": "#a21caf", "fontcolor": "#a21caf", "constraint": "true"},
    "leftover": {"style": "dashed", "color": "#b91c1c", "fontcolor": "#b91c1c"},
}
_THICKEST = 4.0


def trace_dot(result: TraceResult, _style: Style, *, fold: bool) -> str:
    """Return the DOT text of a trace."""
    return _dot(trace_picture(result, fold=fold))


def packet_dot(result: PacketResult, _style: Style, *, fold: bool) -> str:
    """Return the DOT text of a packet's outcomes."""
    from iptviz.view.packet_picture import packet_picture  # a trace shall not wait for it

    return _dot(packet_picture(result, fold=fold))


def _dot(picture: Picture) -> str:
    import graphviz

    title = (picture.title, *picture.footer)
    label = graphviz.nohtml("".join(_escaped(line) + r"\l" for line in title))
    dot = graphviz.Digraph("iptviz", graph_attr=_GRAPH | {"label": label}, node_attr=_NODE, edge_attr=_EDGE)
    for box in picture.boxes:
        dot.node(_safe(box.id), _label(box.lines), **_BOXES[box.kind])
    for link in picture.links:
        width = f"{1 + (_THICKEST - 1) * min(link.weight, 1.0):.2f}"
        dot.edge(_safe(link.tail), _safe(link.head), _label(link.lines), penwidth=width, **_LINKS[link.kind])
    return str(dot.source)


def _safe(identifier: str) -> str:
    """Replace what DOT would read as a port or an escape: the library takes `a:b` for port b of a node a."""
    return identifier.replace(":", "_").replace("\\", "_")


def _label(lines: tuple[str, ...]) -> str:
    import graphviz

    label: str = graphviz.nohtml(r"\n".join(_escaped(line) for line in lines if line))
    return label


def _escaped(line: str) -> str:
    """Return `line` so that Graphviz shows it as it is, be it an escape or an entity such as &lt;."""
    import graphviz

    return str(graphviz.escape(line.replace("&", "&amp;")))
