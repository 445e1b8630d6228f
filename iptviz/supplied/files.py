"""Reading a file that is supplied beside the dump."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TypeVar

from iptviz.errors import DumpError, NothingError
from iptviz.records import NamedTuple
from iptviz.source.head import BLOCK, is_packed
from iptviz.source.origin import DEFAULT_LIMIT, read_sources

if TYPE_CHECKING:
    from collections.abc import Callable

Read = TypeVar("Read")


class Supplied(NamedTuple):
    """A file that was read already: its text, and what it is called."""

    text: str
    source: str


FileArgument = str | Supplied | None
"""A path, a file that was read already, or nothing."""


def read_file(path: FileArgument, reader: Callable[[str, str], Read]) -> Read | None:
    """Return what `reader` makes of a file's text and name, None without a file; `-` is standard input.

    Raises:
        DumpError: the file cannot be read, or `reader` can make nothing of it.
    """
    if path is None:
        return None
    if isinstance(path, Supplied):
        return reader(*path)
    try:
        if path == "-":
            return reader(sys.stdin.buffer.read().decode("utf-8", "replace"), "<stdin>")
        if ":" in path and not os.path.exists(path):  # noqa: PTH110 - BUNDLE:path/inside
            return reader(*_inside(path))
        with open(path, "rb") as file:  # noqa: PTH123
            data = file.read()
        if is_packed(data[:BLOCK]):
            return reader(*_inside(path))
        text = data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    except OSError as error:
        raise DumpError(f"cannot be read: {(error.strerror or str(error)).lower()}", where=path) from None
    return reader(text, path)


def _inside(path: str) -> tuple[str, str]:
    """Return the text of the one file that is packed, or in a bundle, and its name.

    Raises:
        DumpError: it cannot be read, or holds several.
    """
    try:
        sources = read_sources(path, DEFAULT_LIMIT, lambda _path, _data: False).sources
    except NothingError:
        sources = []
    if len(sources) != 1:
        raise DumpError("is a bundle", where=path, hint=f"name a file in it, as {path}:path/inside")
    return sources[0].data.decode("utf-8", "replace"), sources[0].name
