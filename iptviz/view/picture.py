"""A picture, whatever draws it: boxes and links in a fixed order, what they mean, and what was left out."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.view.nodes import Bar

_PLAIN_ID = re.compile(r"[A-Za-z0-9_.-]+")


class Box(NamedTuple):
    """A node of the picture; its id stays the same as long as the chain's name does.

    `kind` says what it stands for; `small` is what is told in small letters below the lines; `hover` are the
    rules behind it; `bar` is drawn below everything.
    """

    id: str
    kind: str
    lines: tuple[str, ...]
    hover: tuple[str, ...] = ()
    bar: Bar | None = None
    small: tuple[str, ...] = ()


class Link(NamedTuple):
    """An edge of the picture; `weight` is the share it carries, in [0, 1]; `hover` are the rules behind it."""

    tail: str
    head: str
    lines: tuple[str, ...]
    kind: str
    weight: float
    hover: tuple[str, ...] = ()


class Picture(NamedTuple):
    """Boxes and links in a fixed order, with a title and what has to be said below it.

    `about` says which dump it was made from; `rules` are those behind all of it, for print, where nothing shows
    under a mouse; `downward` says that the ways go down rather than to the right.
    """

    title: str
    boxes: tuple[Box, ...]
    links: tuple[Link, ...]
    footer: tuple[str, ...]
    about: str = ""
    rules: tuple[str, ...] = ()
    downward: bool = False

    @property
    def legend(self) -> tuple[str, ...]:
        """What the shapes in the picture mean, as far as that is not written in them."""
        kinds = {box.kind for box in self.boxes} | {link.kind for link in self.links}
        meanings = [meaning for kind, meaning in LEGEND.items() if kind in kinds]
        wide = any(0 < link.weight < 1 for link in self.links)
        return tuple(["line width: share of the connections"] * wide + meanings)


LEGEND = {
    "wanted": "thick border: the target",
    "fold": "dashed box: folded",
    "mark": "purple note: masqueraded under that condition",
    "affinity": "blue tab: clients stay with their endpoint",
    "verdict": "red octagon: refused",
    "leftover": "dashed red: not DNATed",
    "uneven": "double red border: not its fair share",
    "failing": "thick red border: not all clients get through",
    "unsure": "amber hexagon: under a condition, or up to a program",
    "missing": "dashed grey: not in what was read",
}
"""What a kind of box or link means; each has a shape or a line of its own, not a colour alone."""


def chain_id(chain: str, table: str = "nat") -> str:
    """Return the node id of a chain: its name, or where that could be misread a digest of it."""
    if _PLAIN_ID.fullmatch(chain):
        return f"{table}/{chain}"
    return f"{table}/{hashlib.sha256(chain.encode('utf-8', 'surrogateescape')).hexdigest()[:16]}"
