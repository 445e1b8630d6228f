"""The regular files of a zip archive, also of one whose directory is lost."""

from __future__ import annotations

import stat
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from iptviz.records import NamedTuple
from iptviz.source.head import ZIP
from iptviz.source.inflate import CUT, WRONG_SUM, ZIP_METHODS
from iptviz.source.stream import CHUNK, ArchivedFile, DamageError, Reader

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Iterator

_NO_DIRECTORY = "the zip archive is damaged or ends too early: its directory is missing"
_BROKEN = "the zip archive is damaged: this file cannot be found in it"
_ENCRYPTED = "file is encrypted"

# zipfile reads the directory at once, and makes about ten times its size of it: 32 MiB hold 300,000 files.
_DIRECTORY = 1 << 25

_IS_ENCRYPTED, _SIZES_FOLLOW = 1, 8  # flags
_UNKNOWN = 0xFFFFFFFF
_TIMES = 0x5455
_HEADER = 30


class _Packed(NamedTuple):
    """A file in the archive: where its header is, how long its data, and how to unpack and check it."""

    name: str
    start: int
    size: int
    method: int
    flags: int
    checksum: int | None = None
    modified: float | None = None


class _File:
    """An open file, for zipfile and for us: refuses what only a made-up directory would ask."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._file.tell()

    def seek(self, position: int, whence: int = 0) -> int:
        try:
            return self._file.seek(position, whence)
        except (OSError, ValueError, OverflowError):
            raise DamageError(_BROKEN) from None

    def read(self, size: int = -1) -> bytes:
        if size > _DIRECTORY:
            raise DamageError(_NO_DIRECTORY)
        return self._file.read(size)

    def at(self, position: int, size: int) -> bytes:
        """Read `size` bytes at `position`, fewer at the end."""
        self.seek(position)
        return self.read(size)


def zip_entries(file: BinaryIO) -> Iterator[ArchivedFile]:
    """Yield the regular files of a zip archive, in the order of its directory.

    What cannot be unpacked, such as an encrypted file, is an entry that is damaged from its beginning.

    Raises:
        DamageError: there is no directory; what could be found without it is yielded.
    """
    source = _File(file)
    directory = _directory(source)
    for packed in _without_directory(source) if directory is None else map(_packed, directory):
        yield ArchivedFile(packed.name, packed.modified, Reader(_content(source, packed)), grows=True)
    if directory is None:
        raise DamageError(_NO_DIRECTORY)


def _directory(source: _File) -> list[zipfile.ZipInfo] | None:
    """Return what the directory says of the regular files; None where it cannot be read."""
    import zipfile

    try:
        with zipfile.ZipFile(cast("IO[bytes]", source)) as archive:
            return list(filter(_is_regular, archive.infolist()))
    except OSError:
        raise
    except Exception:  # of damaged archives zipfile makes errors of any kind
        return None


def _is_regular(info: zipfile.ZipInfo) -> bool:
    """Tell a file from a directory and, by the mode that Unix writes, from a link or a device.

    What zip read from standard input has the mode of a pipe, and its content.
    """
    kind = stat.S_IFMT(info.external_attr >> 16)
    return not info.is_dir() and kind in (0, stat.S_IFREG, stat.S_IFIFO)


def _packed(info: zipfile.ZipInfo) -> _Packed:
    return _Packed(
        info.filename,
        info.header_offset,
        info.compress_size,
        info.compress_type,
        info.flag_bits,
        info.CRC,
        _time(info),
    )


def _time(info: zipfile.ZipInfo) -> float | None:
    """Return the time in UTC of the extra field, else the one of unknown zone as if it were UTC."""
    import calendar

    extra = info.extra
    while len(extra) >= 4:
        kind, size = int.from_bytes(extra[:2], "little"), int.from_bytes(extra[2:4], "little")
        if kind == _TIMES and size >= 5 and extra[4:5] != b"\0":
            return float(int.from_bytes(extra[5:9], "little", signed=True))
        extra = extra[4 + size :]
    year, month, day = info.date_time[:3]
    said = (year, month, day) > (1980, 1, 1) and 1 <= month <= 12 and 1 <= day <= 31
    return float(calendar.timegm(info.date_time)) if said else None


def _content(source: _File, packed: _Packed) -> Iterator[bytes]:
    """Unpack a file and compare its checksum, if that is known."""
    from zlib import crc32

    if packed.flags & _IS_ENCRYPTED:
        raise DamageError(_ENCRYPTED, "decrypt it first: unzip -P PASSWORD FILE")
    if packed.method not in ZIP_METHODS:
        raise DamageError(f"zip compression method {packed.method} is not supported")
    raw = Reader(_raw(source, packed))
    checksum = 0
    for data in ZIP_METHODS[packed.method](raw):
        checksum = crc32(data, checksum)
        yield data
    if raw.damage:
        raise raw.damage
    if packed.checksum not in (None, checksum):
        raise DamageError(WRONG_SUM)


def _raw(source: _File, packed: _Packed) -> Iterator[bytes]:
    """Yield the bytes of a file as they are in the archive."""
    header = source.at(packed.start, _HEADER)
    if len(header) < _HEADER or not header.startswith(ZIP[0]):
        raise DamageError(_BROKEN)
    start = packed.start + _length(header)
    end = start + packed.size
    while start < end:
        data = source.at(start, min(CHUNK, end - start))
        if not data:
            raise DamageError(CUT)
        yield data
        start += len(data)


def _length(header: bytes) -> int:
    """Return the length of a file's header, with its name and its extra fields."""
    return _HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")


def _without_directory(source: _File) -> Iterator[_Packed]:
    """Find files by their headers, each after the end of the one before."""
    start = _find(source, 0, ZIP[:1])
    while start is not None:
        packed = _from_header(source, start)
        if packed is None:
            return
        yield packed
        start = _find(source, packed.start + _HEADER + packed.size, ZIP[:1])


def _from_header(source: _File, start: int) -> _Packed | None:
    """Read a file's own header, which is less certain than the directory: the sizes may follow the data."""
    header = source.at(start, _HEADER)
    if len(header) < _HEADER:
        return None
    number = [int.from_bytes(header[at : at + 2], "little") for at in range(0, _HEADER, 2)]
    name = source.at(start + _HEADER, number[13]).decode("utf-8", "replace")
    size, checksum = number[9] | number[10] << 16, number[7] | number[8] << 16
    if number[3] & _SIZES_FOLLOW or size == _UNKNOWN:
        data = start + _length(header)
        end = _find(source, data, (*ZIP, b"PK\x01\x02"))
        size = max(0, (end or source.seek(0, 2)) - data)  # the header may claim more than there is
        return _Packed(name, start, size, number[4], number[3])
    return _Packed(name, start, size, number[4], number[3], checksum)


def _find(source: _File, start: int, signs: tuple[bytes, ...]) -> int | None:
    """Return where the first of `signs` is at `start` or after it."""
    while len(data := source.at(start, CHUNK)) >= len(signs[0]):
        found = [at for sign in signs if (at := data.find(sign)) >= 0]
        if found:
            return start + min(found)
        start += len(data) - len(signs[0]) + 1
    return None
