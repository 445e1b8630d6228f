"""What `trace` answers of a listing, without where in its text things stand, which each form tells otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import iptviz
from iptviz.node.load import load_node

if TYPE_CHECKING:
    from collections.abc import Iterable

PLACES = {"line", "lines", "hairpin_line", "text", "dump", "dumps"}
"""Where things stand, how a form words them, and what is told of the form itself."""


def answers(listing: bytes, targets: Iterable[str]) -> dict[str, Any]:
    """Return what is answered of each target."""
    node = load_node(listing)
    return {target: _placeless(iptviz.trace(node, target).to_dict()) for target in targets}


def _placeless(part: Any) -> Any:
    """A part of an answer without places; of several rules that decide alike, the first one is named."""
    if isinstance(part, dict):
        if part.get("others"):
            return part["others"]
        return {name: _told(name, one) for name, one in part.items() if name not in PLACES}
    return list(map(_placeless, part)) if isinstance(part, list) else part


def _told(name: str, part: Any) -> Any:
    """A part of an answer; other frontends stand in the order of elements, which means nothing."""
    found = _placeless(part)
    return sorted(found, key=str) if name == "also" else found
