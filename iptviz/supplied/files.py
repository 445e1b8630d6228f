"""Reading a file that is supplied beside the dump."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

from iptviz.errors import DumpError, NothingError
from iptviz.records import NamedTuple
from iptviz.source.head import BLOCK, is_packed
from iptviz.source.origin import DEFAULT_LIMIT, read_plain, read_sources, standard_input

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.source.origin import DumpLike

Read = TypeVar("Read")


class Supplied(NamedTuple):
    """A file that was read already: its text, and what it is called."""

    text: str
    source: str


class Unread(NamedTuple):
    """A file to be read: its path, and how many bytes of it are read, or unpacked, at most."""

    path: str
    limit: int = DEFAULT_LIMIT


FileArgument = str | Unread | Supplied | None
"""A path, a file to be read or one that was read already, or nothing."""


def read_file(file: FileArgument, reader: Callable[[str, str], Read]) -> Read | None:
    """Return what `reader` makes of a file's text and name, None without a file; `-` is standard input.

    Raises:
        DumpError: the file cannot be read or is too large, or `reader` can make nothing of it.
    """
    if file is None:
        return None
    if isinstance(file, str):
        file = Unread(file)
    return reader(*(file if isinstance(file, Supplied) else _supplied(*file)))


def _supplied(path: str, limit: int) -> Supplied:
    try:
        if path == "-":
            data = read_plain(standard_input(), "<stdin>", limit)
            return Supplied(data.decode("utf-8", "replace"), "<stdin>")
        if ":" in path and not os.path.exists(path):  # noqa: PTH110 - BUNDLE:path/inside
            return _inside(path, path, limit)
        with open(path, "rb") as opened:  # noqa: PTH123
            if is_packed(opened.peek(BLOCK)[:BLOCK]):
                return _inside(opened, path, limit)
            data = read_plain(opened, path, limit)
    except OSError as error:
        raise DumpError(f"cannot be read: {(error.strerror or str(error)).lower()}", where=path) from None
    return Supplied(data.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n"), path)


def _inside(origin: DumpLike, path: str, limit: int) -> Supplied:
    """Return the one file that is packed, or in a bundle.

    Raises:
        DumpError: it cannot be read, or holds several.
    """
    try:
        sources = read_sources(origin, limit, lambda _path, _data: False).sources
    except NothingError:
        sources = []
    if len(sources) != 1:
        raise DumpError("is a bundle", where=path, hint=f"name a file in it, as {path}:path/inside")
    return Supplied(sources[0].data.decode("utf-8", "replace"), sources[0].name)
