"""What the readers share: the lines that say something, and the error for one that cannot be read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.errors import DumpError, quoted
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

TOO_LARGE = "a number too long, or nested too deep"
"""What makes JSON unreadable that is well formed."""


class SourceLine(NamedTuple):
    """Where a text stands, for messages: the name of its source and the line, counted from 1."""

    source: str
    line: int

    def error(self, what: str, hint: str) -> DumpError:
        """Return the error to raise about this place."""
        return DumpError(what, where=f"{self.source}:{self.line}", hint=hint)


def places(text: str, source: str) -> Iterator[tuple[SourceLine, str]]:
    """Yield the lines of `text`, stripped, without empty ones and without comments.

    Only line feeds end lines: `str.splitlines` would also split at characters that a comment may hold.
    """
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            yield SourceLine(source, number), stripped


def shown(value: object) -> str:
    """Return a value of JSON as text; of one that holds others only its type, as it may be nested deep."""
    return type(value).__name__ if isinstance(value, (list, dict)) else str(value)


def read_json(text: str, source: str, command: str) -> list[dict[str, object]]:
    """Read the list of objects that `command`, one of the `ip -j` ones, prints.

    Raises:
        DumpError: the text is no such list.
    """
    import json

    hint = f"pass the unchanged output of `{command}`"
    what = f'cannot parse "{command}" output: '
    try:
        document: object = json.loads(text, object_pairs_hook=_first_of_each)
    except json.JSONDecodeError as error:
        raise SourceLine(source, error.lineno).error(f"{what}{error.msg}", hint) from None
    except (ValueError, RecursionError):
        raise SourceLine(source, 1).error(f"{what}{TOO_LARGE}", hint) from None
    if not isinstance(document, list):
        raise SourceLine(source, 1).error(f"{what}JSON, but not a list", hint)
    for item in document:
        if not isinstance(item, dict):
            raise SourceLine(source, 1).error(f"{what}{quoted(shown(item))} is not an object", hint)
    return document


def _first_of_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Return an object, with the first of keys that come twice: `ip -j route` has the tunnel's `dst` last."""
    return dict(reversed(pairs)) if len(pairs) > len(dict(pairs)) else dict(pairs)


def is_json(text: str) -> bool:
    """Whether `text` is meant to be JSON: no other form that is read here begins like this."""
    return text.lstrip().startswith(("[", "{"))
