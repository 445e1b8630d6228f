"""The first bytes of a file: whether they say that it is packed, which needs nothing of what unpacks it.

They are still there to be read when they were looked at: standard input cannot go back.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, BinaryIO

from iptviz.progress import nobody

if TYPE_CHECKING:
    from iptviz.progress import Progress

# How files begin that hold a compressed stream.
GZIP, BZIP2, XZ, ZSTD = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
# The first four bytes: of a file in a zip archive, of an archive without files, of one in several parts.
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
# The unit of a tar archive.
BLOCK = 512
BLANK = 1 << 20
"""So many zeros are kept of a file that has nothing else: they tell as much as all of them."""

_TOLD = 1_000_000
"""After so many more bytes it is told how many are read."""


def head_of(path: str, size: int) -> bytes | None:
    """Return the first bytes of a file; None for what is no file, such as a pipe, or cannot be read."""
    if not os.path.isfile(path):  # noqa: PTH113 - pathlib costs 3 ms at start-up
        return None
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read(size)
    except OSError:
        return None


def is_packed(head: bytes) -> bool:
    """Tell whether a file that begins with `head`, 512 bytes or more, is compressed or an archive."""
    return head.startswith((GZIP, BZIP2, XZ, ZSTD, *ZIP)) or is_tar(head)


def is_blank(data: bytes) -> bool:
    """Whether bytes are nothing but zeros."""
    return data.startswith(b"\0") and data == bytes(len(data))


def is_tar(head: bytes) -> bool:
    """Tell whether `head`, 512 bytes or more, begins a tar archive: by its magic, or its checksum."""
    return head[257:262] == b"ustar" or (len(head) >= BLOCK and _has_checksum(head[:BLOCK]))


def _has_checksum(header: bytes) -> bool:
    """Compare the sum of the bytes, that of the sum's own place counted as blanks."""
    field = header[148:156].strip(b" \0")
    total = sum(header[:148]) + sum(b" " * 8) + sum(header[156:])
    return re.fullmatch(rb"[0-7]+", field) is not None and int(field, 8) == total


class Headed:
    """Reads `file` from where it stands; `head` is its first bytes. It can seek if the file can.

    It tells how much it has read whenever that is some more.
    """

    def __init__(self, file: BinaryIO, size: int, progress: Progress = nobody) -> None:
        self._file = file
        self._progress = progress
        self._count = self._told = 0
        self._seekable = file.seekable()
        start = file.tell() if self._seekable else 0
        self.head = _read_fully(file, size)
        self._rest = b"" if self._seekable else self.head
        if self._seekable:
            file.seek(start)

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, or all."""
        if not self._rest:
            return self._next(size)
        if size < 0 or size > len(self._rest):
            more = self._next(-1 if size < 0 else size - len(self._rest))
            data, self._rest = self._rest + more, b""
            return data
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _next(self, size: int) -> bytes:
        data = self._file.read(size)
        self._count += len(data)
        if self._count - self._told >= _TOLD:
            self._told = self._count
            self._progress(f"reading {self._count / 1e6:,.0f} MB", None)
        return data

    def seekable(self) -> bool:
        """Whether `seek` works."""
        return self._seekable

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to another place of a file that can."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Return the place in a file that can seek."""
        return self._file.tell()


def _read_fully(file: BinaryIO, size: int) -> bytes:
    """Read `size` bytes even where a pipe gives fewer at a time."""
    data = b""
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data
