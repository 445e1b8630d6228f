"""The field `pod` of endpoints, in documents of nodes whose pods are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.documents.shapes import Shape
    from iptviz.node.snapshot import Snapshot


def with_pods(shape: Shape, node: Snapshot | None) -> Shape:
    """Add to all endpoints in a shape which pod has their address, null where none is known; return the shape.

    Where no list of pods is known it stays as it is.
    """
    if node is not None and node.pods is not None:
        for end in _endpoints(shape):
            end["pod"] = node.pod_at(end["address"], end["port"]) or None
    return shape


def _endpoints(shape: Shape) -> Iterator[Shape]:
    pending: list[object] = [shape]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            ends = value.get("endpoints")
            yield from (end for end in ends if isinstance(end, dict)) if isinstance(ends, list) else ()
            pending += value.values()
        elif isinstance(value, list):
            pending += value
