"""The regular files of a tar archive, read in one pass and never written anywhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, cast

from iptviz.errors import DumpError
from iptviz.source.head import BLOCK, is_tar
from iptviz.source.stream import CHUNK, ArchivedFile, DamageError, Reader

if TYPE_CHECKING:
    import tarfile
    from collections.abc import Iterator
    from io import BufferedReader

CUT_MEMBER = "the archive ends too early: the end of this file is missing"
_CUT = "the archive ends too early: files may be missing"
_BROKEN = "the archive is damaged: files are missing after this place"

# Long names and extended attributes stand in one record, which tarfile reads at once; maps of the holes of
# a file are read block by block. Whatever claims more is made to fill the memory.
_RECORD, _HEADER = 1 << 17, 1 << 22

# Before 3.11.10 and 3.12.6, tarfile took time quadratic in such a run of digits; numbers in tar are shorter.
_MANY_DIGITS = re.compile(rb"\d{64}")

_LATEST = 1 << 40


class _Input:
    """The file that tarfile reads: it goes forward only, and refuses headers beyond reason."""

    def __init__(self, reader: Reader) -> None:
        self.last = b""
        self.short = False
        self._reader = reader
        self._position = 0
        self._header_left = 0  # 0 while no header is read

    def expect_header(self) -> None:
        self._header_left = _HEADER

    def expect_data(self) -> None:
        self._header_left = 0

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> None:
        if position < self._position:
            raise DamageError(_BROKEN)
        self._position += self._reader.skip(position - self._position)

    def read(self, size: int) -> bytes:
        if self._header_left:
            self._check_header(size)
        data = self.last = self._reader.read(size)
        self.short = len(data) < size
        self._position += len(data)
        if self._header_left and size > BLOCK and _MANY_DIGITS.search(data):
            raise DamageError(_BROKEN)
        return data

    def _check_header(self, size: int) -> None:
        self._header_left -= size
        if not 0 <= size <= _RECORD or self._header_left <= 0:
            raise DamageError(_BROKEN)


def tar_entries(reader: Reader) -> Iterator[ArchivedFile]:
    """Yield the regular files of a tar archive, and of those that follow it in the same file.

    Raises:
        DamageError: the archive is damaged or ends too early; what stands before is yielded.
    """
    more = True
    while more:
        yield from _entries_of_one(reader)
        _skip_empty_blocks(reader)
        more = is_tar(reader.peek(BLOCK))
    for _ in reader.chunks():  # so that the checksum at the end of a compressed archive is compared
        pass


def _skip_empty_blocks(reader: Reader) -> None:
    while (ahead := reader.peek(CHUNK)).startswith(b"\0"):
        empty = (len(ahead) - len(ahead.lstrip(b"\0"))) // BLOCK * BLOCK
        if not reader.skip(empty):
            return


def _entries_of_one(reader: Reader) -> Iterator[ArchivedFile]:
    source = _Input(reader)
    archive = _opened(source)
    while (info := _next(archive, source)) is not None:
        # These would grow with the archive, and so would copies of the second in each member.
        archive.members.clear()  # type: ignore[attr-defined]  # public, but not documented
        archive.pax_headers = {}
        source.expect_data()
        if info.isreg():
            holes = info.issparse()
            data = Reader(_sparse_content(archive, info) if holes else _content(source, info))
            yield ArchivedFile(info.name, _time(info.mtime), data, grows=holes)
    if source.short:
        raise DamageError(_CUT)
    if source.last.strip(b"\0"):  # tarfile ends without a word at a header it cannot read
        raise DamageError(_BROKEN)


def _opened(source: _Input) -> tarfile.TarFile:
    import tarfile

    source.expect_header()
    try:
        return tarfile.TarFile(fileobj=cast("BinaryIO", source), mode="r", encoding="utf-8")
    except Exception as error:
        raise _translated(error, _BROKEN) from None


def _next(archive: tarfile.TarFile, source: _Input) -> tarfile.TarInfo | None:
    source.expect_header()
    try:
        return archive.next()
    except Exception as error:
        raise _translated(error, _CUT if source.short else _BROKEN) from None


def _content(source: _Input, info: tarfile.TarInfo) -> Iterator[bytes]:
    """Yield the bytes of a file; what there is of them, where tarfile would lose the last piece."""
    source.seek(info.offset_data)
    left = info.size
    while left > 0:
        data = source.read(min(left, CHUNK))
        if not data:
            raise DamageError(CUT_MEMBER)
        yield data
        left -= len(data)


def _sparse_content(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
    """Yield the bytes of a file, with zeros for its holes."""
    try:
        file = cast("BufferedReader", archive.extractfile(info))
        while data := file.read1(CHUNK):
            yield data
    except Exception as error:
        raise _translated(error, CUT_MEMBER) from None


def _translated(error: Exception, what: str) -> Exception:
    """Return damage for all but known errors: of broken headers tarfile makes errors of any kind."""
    return error if isinstance(error, (DamageError, DumpError, OSError)) else DamageError(what)


def _time(modified: float) -> float | None:
    """Return None for no time and for what is none (a pax header may say nan)."""
    return float(modified) if 0 < modified < _LATEST else None
