"""JSON: the document, for scripts; or a line for each element of it, for streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.documents.shapes import Shape


def json_text(document: Shape) -> str:
    """Return a document as JSON; it is never folded."""
    import json

    return json.dumps(document, indent=2) + "\n"


class Lines:
    """A text that is written line by line, each made when it is its turn."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __str__(self) -> str:
        return "".join(self._lines)


def json_lines(elements: Iterable[Shape]) -> Lines:
    """Return the elements of a document as JSON, a line for each."""
    import json

    return Lines(json.dumps(element) + "\n" for element in elements)
