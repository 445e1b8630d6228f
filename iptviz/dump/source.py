"""Where a dump comes from: a path, standard input, bytes or an open binary file."""

from __future__ import annotations

import os
import sys
from typing import BinaryIO, NamedTuple

from iptviz.errors import DumpError

DumpLike = str | os.PathLike[str] | bytes | BinaryIO

_HOW_TO_SAVE = "make one with: iptables-save > FILE (as root, on the node)"

# What people hand over by mistake, by its first bytes (file(1)'s magic numbers).
_NOT_TEXT = {
    b"\x1f\x8b": "is compressed with gzip; unpack it first: gzip -dc FILE | iptviz ... -",
    b"BZh": "is compressed with bzip2; unpack it first: bzip2 -dc FILE | iptviz ... -",
    b"\xfd7zXZ": "is compressed with xz; unpack it first: xz -dc FILE | iptviz ... -",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it first: zstd -dc FILE | iptviz ... -",
    b"PK\x03\x04": "is a zip archive; unpack it first",
    b"\x7fELF": "is a program, not a dump",
    b"\xff\xfe": "is UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8 FILE",
    b"\xfe\xff": "is UTF-16 text; convert it first: iconv -f UTF-16 -t UTF-8 FILE",
}


class Source(NamedTuple):
    """The bytes of a dump and the name by which messages call them."""

    name: str
    data: bytes


def read_source(origin: DumpLike) -> Source:
    """Return the bytes of `origin`; "-" is standard input.

    Raises:
        DumpError: it cannot be opened or read, is empty, or is plainly not text.
    """
    if isinstance(origin, bytes):
        source = Source("<bytes>", origin)
    elif isinstance(origin, (str, os.PathLike)):
        source = _read_path(os.fspath(origin))
    else:
        source = Source(str(getattr(origin, "name", "<stream>")), origin.read())
    _refuse_what_is_no_text(source)
    return source


def _read_path(path: str) -> Source:
    """Read standard input for "-", else the file."""
    if path == "-":
        if sys.stdin is None:  # closed by whoever started the program
            raise DumpError("cannot be read: it is closed", where="<stdin>")
        # Bytes, because text mode would turn undecodable bytes into surrogates under some locales.
        return Source("<stdin>", sys.stdin.buffer.read())
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs 3 ms at start-up
            return Source(path, file.read())
    except IsADirectoryError:
        raise DumpError("is a directory; name a file in it", where=path) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DumpError(f"cannot be read: {reason}", where=path, hint=_hint(error)) from None
    except ValueError as error:
        raise DumpError(f"is no file name: {error}", where=repr(path)) from None


def _hint(error: OSError) -> str:
    """Return what to do about an error of opening."""
    if isinstance(error, FileNotFoundError):
        return _HOW_TO_SAVE
    if isinstance(error, PermissionError):
        return "iptables-save run by root leaves files of root; try with sudo, or chmod a copy"
    return ""


def _refuse_what_is_no_text(source: Source) -> None:
    """Raise DumpError for empty input and for known binary formats."""
    if not source.data or source.data.isspace():
        raise DumpError("is empty", where=source.name, hint=_HOW_TO_SAVE)
    for magic, what in _NOT_TEXT.items():
        if source.data.startswith(magic):
            raise DumpError(what, where=source.name)
