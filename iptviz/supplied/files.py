"""Reading a file that is supplied beside the dump."""

from __future__ import annotations

import codecs
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
_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}


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
            return Supplied(_decoded(data), "<stdin>")
        if ":" in path and not os.path.exists(path):  # noqa: PTH110 - BUNDLE:path/inside
            return _inside(path, path, limit)
        with open(path, "rb") as opened:  # noqa: PTH123
            if is_packed(opened.peek(BLOCK)[:BLOCK]):
                return _inside(opened, path, limit)
            data = read_plain(opened, path, limit)
    except OSError as error:
        raise DumpError(f"cannot be read: {(error.strerror or str(error)).lower()}", where=path) from None
    return Supplied(_decoded(data).replace("\r\n", "\n").replace("\r", "\n"), path)


def _decoded(data: bytes) -> str:
    """Return the text; PowerShell marks it where it is not plain UTF-8: its `kubectl ... > FILE` is UTF-16."""
    encoding = next((encoding for mark, encoding in _MARKS.items() if data.startswith(mark)), "utf-8")
    return data.decode(encoding, "replace")


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
    return Supplied(_decoded(sources[0].data), sources[0].name)
