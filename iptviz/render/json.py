"""JSON: the document, for scripts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iptviz.documents.shapes import Shape


def json_text(document: Shape) -> str:
    """Return a document as JSON; it is never folded."""
    import json

    return json.dumps(document, indent=2) + "\n"
