"""Summaries kept in a folder, by the content that they are made of: a second run reads only what has changed.

An entry has the name of a hash over the content, the name of the file or folder, which may tell the node, and
the version of this program. Others may write into the folder: an entry that is damaged, or says what no summary
says, is made anew. Entries, and the folder itself, may be deleted at any time.
"""

from __future__ import annotations

import os
import stat
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING

from iptviz.errors import DumpError
from iptviz.fleets.codec import FORMAT, UnfitError, decoded, encoded
from iptviz.fleets.inputs import relabelled
from iptviz.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from io import BufferedReader

    from iptviz.fleets.summary import Summary

_LARGEST = 1 << 28
"""So many bytes an entry may have unpacked: a bundle of hundreds of nodes has fewer."""

_PLACE = "\0"
"""What stands in an entry for the path: the same content may be elsewhere the next time."""


def checked_folder(folder: str) -> str:
    """Return the folder of a cache by a path that holds elsewhere, too; it is made where it is not there.

    Raises:
        DumpError: it cannot be made, or not be written to.
    """
    path = os.path.abspath(os.path.expanduser(folder))  # noqa: PTH100, PTH111
    try:
        os.makedirs(path, exist_ok=True)  # noqa: PTH103
        name = _beside(path)
        with open(name, "xb"):  # noqa: PTH123
            pass
        os.unlink(name)  # noqa: PTH108
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DumpError(
            f"cannot be used as a cache: {reason}", where=folder, hint="name another folder for --cache"
        ) from None
    return path


def kept_or_made(folder: str, path: str, make: Callable[[], Summary]) -> Summary:
    """Return the summary of what is at a path: that which is kept, else it is made and kept.

    What cannot be kept is made all the same.
    """
    name = _name_of(path)
    if not name:
        return make()
    entry = os.path.join(folder, name)  # noqa: PTH118
    kept = _kept(entry)
    if kept is not None:
        return relabelled(kept, _PLACE, path)
    made = make()
    if _name_of(path) == name:  # else it was changed while it was read
        _keep(entry, relabelled(made, path, _PLACE))
    return made


def _name_of(path: str) -> str:
    """Return the name of the entry for what is at a path; empty where that cannot be read, or but once."""
    try:
        return f"{_hash_of(path)}.z"
    except OSError:  # who reads it says why
        return ""


# --- entries -------------------------------------------------------------------------------------------------


def _kept(entry: str) -> Summary | None:
    """Return what an entry says; None where there is none, or a damaged one."""
    try:
        # A pipe would make whoever opens it wait, and a link may lead anywhere.
        with open(entry, "rb", opener=lambda name, flags: os.open(name, flags | _NO_LINK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            return decoded(_inflated(file.read(_LARGEST)))
    except (OSError, UnfitError, zlib.error, UnicodeDecodeError):
        return None


_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def _inflated(data: bytes) -> str:
    unpacking = zlib.decompressobj()
    text = unpacking.decompress(data, _LARGEST)
    if not unpacking.eof or unpacking.unused_data:
        raise UnfitError("not whole")
    return text.decode("ascii")


def _keep(entry: str, summary: Summary) -> None:
    """Write an entry at once, so that whoever reads it meanwhile finds a whole one: the old one, or this."""
    with suppress(UnfitError, OSError):  # it is made anew the next time
        data = zlib.compress(encoded(summary).encode("ascii"), 1)
        beside = _beside(os.path.dirname(entry))  # noqa: PTH120
        try:
            with open(beside, "xb") as file:  # noqa: PTH123
                file.write(data)
            os.replace(beside, entry)  # noqa: PTH105
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)  # noqa: PTH108
            raise


def _beside(folder: str) -> str:
    return os.path.join(folder, f".iptviz-{os.urandom(8).hex()}")  # noqa: PTH118


# --- what an entry is called ---------------------------------------------------------------------------------


def _hash_of(path: str) -> str:
    """Return the name of the entry for what is at a path.

    Raises:
        OSError: it cannot be read.
    """
    from hashlib import sha256

    found = sha256(repr((FORMAT, __version__, os.path.basename(path.rstrip("/")))).encode())  # noqa: PTH119
    if os.path.isdir(path):  # noqa: PTH112
        for name in _files_below(path):
            place = os.path.join(path, name)  # noqa: PTH118
            if os.path.isfile(place):  # noqa: PTH113
                found.update(b"\0" + os.fsencode(name) + b"\0")
                found.update(_digest(place))
    else:
        found.update(_digest(path))
    return found.hexdigest()


def _files_below(folder: str) -> Iterator[str]:
    """Yield the paths of all files below a folder, in one order wherever it is."""
    names = []
    for place, _, files in os.walk(folder, onerror=_raise):
        names += [os.path.relpath(os.path.join(place, file), folder) for file in files]  # noqa: PTH118
    yield from sorted(names)


def _raise(error: OSError) -> None:
    raise error


def _digest(path: str) -> bytes:
    from hashlib import file_digest

    with _regular(path) as file:
        return file_digest(file, "sha256").digest()


def _regular(path: str) -> BufferedReader:
    """Open a file; what is none can be read once, and so not before it is read.

    Raises:
        OSError: it is a pipe or a device, or cannot be opened.
    """
    if not os.path.isfile(path):  # noqa: PTH113
        raise OSError(f"not a file: {path}")
    return open(path, "rb")  # noqa: PTH123 - the caller closes it
