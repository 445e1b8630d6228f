"""Mermaid: the picture as text that GitHub and GitLab draw themselves, within the limits that they set.

A label is written in double quotes with every sign that might mean something to Mermaid, Markdown or HTML as a
numbered entity (`#34;`), so that a label is text whatever it holds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.view.numbers import counted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.view.picture import Box, Link, Picture

MOST_CHARACTERS, MOST_LINKS = 50_000, 500
"""What GitHub draws: Mermaid's settings `maxTextSize` and `maxEdges`."""

_LITERAL = re.compile(r"[^A-Za-z0-9 .,_/:()+=-]")
_LONGEST = (10_000, 1_000, 200, 60)
_CLIPPED = "…"
_JOINED = re.compile(r"\\(?=n)|:(?=fa-)|\$(?=\$)")
"""Mermaid breaks a line at a backslash and an n, makes icons of `fa:fa-x` and formulas of `$$x$$`, even where
they are entities: something without width keeps them apart."""

_STATEMENT = re.compile("s(?=tyle)|c(?=lassDef)")
"""Wherever they stand, Mermaid takes an entity's last sign from what looks like a statement of style."""

_MOST_LINES = 40
_SETTINGS = '%%{init: {"flowchart": {"wrappingWidth": 560}}}%%'
"""Names of chains stay on one line, and the text about the picture does not become a column."""


_SHAPES = {
    "frontend": '>"{}"]', "chain": '("{}")', "mark": '[["{}"]]', "affinity": '[["{}"]]',
    "client": '(["{}"])', "local": '[/"{}"\\]', "unsure": '{{{{"{}"}}}}',
    "verdict": '{{{{"{}"}}}}', "leftover": '{{{{"{}"}}}}',
}  # fmt: skip
_BOX = '["{}"]'
_STYLES = {
    "frontend": "fill:#dbeafe,stroke:#1d4ed8", "chain": "fill:#f1f5f9,stroke:#64748b",
    "endpoint": "fill:#dcfce7,stroke:#15803d", "wanted": "fill:#dcfce7,stroke:#15803d,stroke-width:3px",
    "fold": "fill:#ffffff,stroke:#15803d,stroke-dasharray:4",
    "mark": "fill:#f5d0fe,stroke:#a21caf", "affinity": "fill:#e0e7ff,stroke:#4338ca",
    "uneven": "fill:#fee2e2,stroke:#b91c1c,stroke-width:3px",
    "verdict": "fill:#fee2e2,stroke:#b91c1c", "leftover": "fill:#ffffff,stroke:#b91c1c,stroke-dasharray:4",
    "client": "fill:#ffffff,stroke:#0f172a", "local": "fill:#e0e7ff,stroke:#4338ca",
    "unsure": "fill:#fef3c7,stroke:#b45309", "failing": "fill:#fee2e2,stroke:#b91c1c,stroke-width:4px",
    "missing": "fill:#ffffff,stroke:#64748b,stroke-dasharray:4",
    "about": "fill:#f8fafc,stroke:#cbd5e1,text-align:left",
}  # fmt: skip
_DASHED = {"mark", "affinity", "leftover", "unsure"}
_CROSSED = {"fails"}
_COLOURS = {"fails": "#b91c1c", "unsure": "#b45309", "reaches": "#15803d"}
"""Of links of some kinds, whose words and ends say the same."""
_THICKEST = 6


def mermaid(picture: Picture) -> str:
    """Return a picture as a Mermaid flowchart; what would not be drawn is left out, and that is said."""
    most = min(len(picture.links), MOST_LINKS - 1)
    boxes, links = picture.boxes, picture.links[:most]
    while True:
        if len(links) < len(picture.links):
            ends = {end for link in links for end in (link.tail, link.head)}
            boxes = tuple(box for box in boxes if box.id in ends)
        for longest in _LONGEST:
            text = _flowchart(picture, boxes, links, longest)
            if len(text) < MOST_CHARACTERS:
                return text
        boxes, links = (boxes, links[: len(links) * 3 // 4]) if links else (boxes[: len(boxes) // 2], links)


def _flowchart(picture: Picture, boxes: tuple[Box, ...], links: tuple[Link, ...], longest: int) -> str:
    names = {box.id: f"n{number}" for number, box in enumerate(boxes)}
    about = [picture.title, picture.about, *picture.footer[:_MOST_LINES], *picture.legend]
    if len(picture.footer) > _MOST_LINES:
        about.append(f"{counted(len(picture.footer) - _MOST_LINES, 'line')} of this text not shown")
    if len(boxes) < len(picture.boxes) or len(links) < len(picture.links):
        left_out = counted(len(picture.boxes) - len(boxes), "node")
        about.append(f"not shown: {left_out} and {counted(len(picture.links) - len(links), 'link')}")
    direction = "TB" if picture.downward else "LR"
    lines = [_SETTINGS, f"flowchart {direction}", f'  about["{_label(about, longest)}"]:::about']
    for box in boxes:
        shape = _SHAPES.get(box.kind, _BOX).format(_label((*box.lines, *box.small), longest))
        lines.append(f"  {names[box.id]}{shape}:::{box.kind}")
    lines += [f"  {_link(link, names, longest)}" for link in links]
    lines += [
        f"  linkStyle {number} {style}" for number, link in enumerate(links) if (style := _link_style(link))
    ]
    kinds = dict.fromkeys(["about", *(box.kind for box in boxes)])
    lines += [f"  classDef {kind} {_STYLES[kind]},color:#0f172a" for kind in kinds]
    return "\n".join(lines) + "\n"


def _link(link: Link, names: dict[str, str], longest: int) -> str:
    plain, before, after = ("-.-", "-.", ".-") if link.kind in _DASHED else ("--", "--", "--")
    label = f'{before} "{_label(link.lines, longest)}" {after}' if any(link.lines) else plain
    return f"{names[link.tail]} {label}{'x' if link.kind in _CROSSED else '>'} {names[link.head]}"


def _link_style(link: Link) -> str:
    width = f"stroke-width:{1 + (_THICKEST - 1) * min(link.weight, 1.0):.1f}px" if link.weight else ""
    colour = f"stroke:{_COLOURS[link.kind]}" if link.kind in _COLOURS else ""
    return ",".join(filter(None, (width, colour)))


def _label(lines: Iterable[str], longest: int) -> str:
    return "<br>".join(_text(line, longest) for line in lines if line)


def _text(line: str, longest: int) -> str:
    clipped = line if len(line) <= longest else line[: longest - 1] + _CLIPPED
    return _STATEMENT.sub(_entity, _LITERAL.sub(_entity, _JOINED.sub("\\g<0>\u200b", clipped)))


def _entity(found: re.Match[str]) -> str:
    return f"#{ord(found[0])};"
