"""JSON: the document, for scripts; or a line for each element of it, for streams."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.documents.shapes import Shape


class Lines:
    """A text that is written bit by bit, each made when it is its turn."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines = lines

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __str__(self) -> str:
        return "".join(self._lines)


_PIECES = 1 << 12
"""So many of the encoder's pieces, of a few characters each, are written at once."""


def json_text(document: Shape) -> Lines:
    """Return a document as JSON; it is never folded. In pieces: all of them take ten times what they say."""
    import json

    return Lines(_together(json.JSONEncoder(indent=2).iterencode(document)))


def _together(pieces: Iterator[str]) -> Iterator[str]:
    while some := "".join(islice(pieces, _PIECES)):
        yield some
    yield "\n"


def json_lines(elements: Iterable[Shape]) -> Lines:
    """Return the elements of a document as JSON, a line for each."""
    import json

    return Lines(json.dumps(element) + "\n" for element in elements)
