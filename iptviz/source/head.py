"""A file whose first bytes were looked at, and are still there to be read: standard input cannot go back."""

from __future__ import annotations

from typing import BinaryIO


class Headed:
    """Reads `file` from where it stands; `head` is its first bytes. It can seek if the file can."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file = file
        self._seekable = file.seekable()
        start = file.tell() if self._seekable else 0
        self.head = _read_fully(file, size)
        self._rest = b"" if self._seekable else self.head
        if self._seekable:
            file.seek(start)

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes, or all."""
        if not self._rest:
            return self._file.read(size)
        if size < 0 or size > len(self._rest):
            more = self._file.read(-1 if size < 0 else size - len(self._rest))
            data, self._rest = self._rest + more, b""
            return data
        data, self._rest = self._rest[:size], self._rest[size:]
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
