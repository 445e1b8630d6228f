"""Compressed files and bundles (tar, zip), told by their content and read in memory, never to the disk."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from iptviz.errors import DumpError
from iptviz.records import NamedTuple
from iptviz.source.head import BLOCK, ZIP, is_tar
from iptviz.source.inflate import STREAMS, gzip_time, inflate
from iptviz.source.size import print_size
from iptviz.source.stream import CHUNK, ArchivedFile, DamageError, Reader
from iptviz.source.tarred import tar_entries
from iptviz.source.zipped import zip_entries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A .tar.gz counts as one. A log in a bundle in a bundle is the third.
_LAYERS = 4

_LONGEST_PATH = 4096
_DANGLING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
_SUDO = "collectors run by root leave files of root; run iptviz with sudo, or chmod a copy"


class Member(NamedTuple):
    """A file out of what was unpacked.

    `path` is relative, printable and unique; "" where there is no bundle; in a bundle within a bundle it
    begins with the path of that. `modified` is in seconds since the epoch, None where it is not known.
    `damage` says why `data` is not all of the file, or not what was packed; it is empty for a sound file.
    """

    path: str
    data: bytes
    modified: float | None
    damage: str = ""


def unpack(file: BinaryIO, name: str, limit: int, wanted: Callable[[str, bytes], bool]) -> Iterator[Member]:
    """Yield the plain file in a compressed one, or those files of a bundle for which `wanted` holds.

    Archives and compressed files in a bundle are unpacked as well. Links, devices and directories are passed
    over. A file that is not packed is yielded as it is. `file` is read from where it stands, by seeking if it
    can seek; messages call it `name`. At most `limit` bytes are unpacked, those of unwanted files included.

    Raises:
        DumpError: more than `limit` bytes; more than four layers; a damaged or incomplete bundle, after all
            files that can be read were yielded; nothing was found but files that cannot be unpacked.
    """
    reader = Reader(iter(partial(file.read, CHUNK), b""), file=file if file.seekable() else None)
    run = _Run(name, limit, wanted)
    try:
        yield from run.open(reader, _Place())
    except OSError as error:
        raise DumpError(f"cannot be read: {(error.strerror or str(error)).lower()}", where=name) from None
    run.finish()


def unpack_folder(folder: str, limit: int, wanted: Callable[[str, bytes], bool]) -> Iterator[Member]:
    """Yield what `unpack` yields of a bundle, of the files in a folder and those below it.

    Links to files that are elsewhere are read too; all others are passed over.

    Raises:
        DumpError: as `unpack` does; or there are files and folders that cannot be read, after all others.
    """
    run = _Run(folder, limit, wanted)
    for path in _paths_below(folder, run.refuse):
        yield from run.open_file(path)
    run.finish()


def _paths_below(folder: str, refuse: Callable[[OSError], None]) -> Iterator[str]:
    """Yield the paths of what is no folder, in the order of their names; `refuse` gets folders that are shut."""
    for place, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in sorted(names):
            yield os.path.join(place, name)  # noqa: PTH118 - pathlib costs 3 ms at start-up


def _regular(path: str, folder: str) -> os.stat_result | None:
    """Return what is at a path: None where that is no file, or a link to one that `folder` has as well."""
    found = os.lstat(path)
    if stat.S_ISLNK(found.st_mode):
        inside = os.path.join(os.path.realpath(folder), "")  # noqa: PTH118 - pathlib costs 3 ms at start-up
        if os.path.realpath(path).startswith(inside):
            return None
        try:
            found = os.stat(path)  # noqa: PTH116
        except OSError as error:
            if error.errno in _DANGLING:
                return None
            raise
    return found if stat.S_ISREG(found.st_mode) else None


class _Place(NamedTuple):
    """Where a file was found: its path, its time, and how many layers are around it."""

    path: str = ""
    modified: float | None = None
    layers: int = 0
    compressed: bool = False  # directly: an archive here is no further layer

    def unpacked(self, modified: float | None) -> _Place:
        return _Place(self.path, modified, self.layers + 1, compressed=True)

    def opened(self) -> _Place:
        return self._replace(layers=self.layers + (not self.compressed), compressed=False)

    def within(self, entry: ArchivedFile) -> _Place:
        path = "/".join(filter(None, (self.path, _printable(entry.name))))
        return self._replace(path=path, modified=entry.modified)


class _Run:
    """One call of `unpack`: what it has read, yielded, and met with."""

    def __init__(self, name: str, limit: int, wanted: Callable[[str, bytes], bool]) -> None:
        self._name = name
        self._limit = limit
        self._wanted = wanted
        self._used = 0
        self._paths: dict[str, int] = {}
        self._found = False
        self._damaged: list[DumpError] = []  # bundles: something in them is missing
        self._unreadable: list[DumpError] = []  # files in bundles: most likely of no concern
        self._refused: list[OSError] = []  # files and folders in a folder

    def open(self, reader: Reader, place: _Place) -> Iterator[Member]:
        """Yield what `reader` holds, whatever its format is."""
        opener = _opener(reader.peek(BLOCK))
        if opener is not None and place.layers + (not place.compressed) > _LAYERS:
            error = DamageError(f"more than {_LAYERS} nested archives", "unpack it and pass a file in it")
            self._note(self._damaged, error, place)
            return
        yield from opener(self, reader, place) if opener else self._file(reader, place)

    def open_file(self, path: str) -> Iterator[Member]:
        """Yield what a file of a folder holds."""
        try:
            found = _regular(path, self._name)
            if found is None:
                return
            place = _Place(_printable(os.path.relpath(path, self._name)), found.st_mtime)
            with open(path, "rb") as file:  # noqa: PTH123
                pieces = self._metered(iter(partial(file.read, CHUNK), b""), place.path)
                yield from self.open(Reader(pieces, file=file), place)
        except OSError as error:
            error.filename = path  # an error of reading names none
            self.refuse(error)

    def refuse(self, error: OSError) -> None:
        """Keep an error about a file or a folder in the folder, to be said when all others are read."""
        self._refused.append(error)

    def decompress(self, magic: bytes, reader: Reader, place: _Place) -> Iterator[Member]:
        """Yield what is in a compressed file."""
        below = place.unpacked(place.modified if place.path else gzip_time(reader.peek(BLOCK)))
        if not self._too_deep(below):
            inner = Reader(self._metered(inflate(magic, reader), place.path), under=reader)
            yield from self.open(inner, below)

    def open_tar(self, reader: Reader, place: _Place) -> Iterator[Member]:
        """Yield what is in a tar archive."""
        archive = self._from_disk(reader, place)
        yield from self._archive(tar_entries(archive), archive, place)

    def open_zip(self, reader: Reader, place: _Place) -> Iterator[Member]:
        """Yield what is in a zip archive, which is held in memory if it cannot be read by seeking."""
        from io import BytesIO

        file = reader.file or BytesIO(self._from_disk(reader, place).whole())
        yield from self._archive(zip_entries(file), reader, place)

    def finish(self) -> None:
        """Raise the first error that was put off until all was read."""
        if self._refused:
            raise _refusal(self._refused, self._name, self._damaged)
        if self._damaged:
            raise self._damaged[0]
        if self._unreadable and not self._found:
            first, *more = self._unreadable
            count = f" (and so for {len(more)} more in it)" if more else ""
            raise DumpError(first.what + count, where=first.where, hint=first.hint)

    def _archive(self, entries: Iterator[ArchivedFile], reader: Reader, place: _Place) -> Iterator[Member]:
        inside = place.opened()
        if self._too_deep(inside):
            return
        damage = None
        try:
            for entry in entries:
                yield from self._entry(entry, inside.within(entry))
        except DamageError as error:
            damage = error
        # Damage below the archive is the cause of any in it.
        if damage := reader.damage or damage:
            self._note(self._damaged, damage, place)

    def _entry(self, entry: ArchivedFile, place: _Place) -> Iterator[Member]:
        data = entry.reader
        if entry.grows:
            data = Reader(self._metered(data.chunks(), place.path), under=data)
        yield from self.open(data, place)

    def _too_deep(self, place: _Place) -> bool:
        if place.layers > _LAYERS:
            error = DamageError(f"more than {_LAYERS} nested archives", "unpack it and pass a file in it")
            self._note(self._damaged, error, place)
        return place.layers > _LAYERS

    def _file(self, reader: Reader, place: _Place) -> Iterator[Member]:
        """Yield a plain file, if it is wanted or no part of a bundle."""
        data = self._from_disk(reader, place).whole()
        damage = reader.damage
        if damage and not data:
            self._note(self._unreadable, damage, place)
        elif not place.path or self._wanted(place.path, data):
            self._found = True
            yield Member(self._unique(place.path), data, place.modified, damage.what if damage else "")

    def _from_disk(self, reader: Reader, place: _Place) -> Reader:
        """Return a reader that counts its bytes, for the file itself; all others are counted already."""
        raw = not (place.path or place.compressed)
        return Reader(self._metered(reader.chunks(), place.path), under=reader) if raw else reader

    def _metered(self, chunks: Iterator[bytes], path: str) -> Iterator[bytes]:
        """Pass `chunks` on until there are too many bytes in all."""
        for data in chunks:
            self._used += len(data)
            if self._used > self._limit:
                raise DumpError(
                    f"unpacks to more than {print_size(self._limit)}",
                    where=self._where(path),
                    hint="--max-size raises the limit, e.g. --max-size 8G",
                )
            yield data

    def _note(self, errors: list[DumpError], damage: DamageError, place: _Place) -> None:
        errors.append(DumpError(damage.what, where=self._where(place.path), hint=damage.hint))

    def _where(self, path: str) -> str:
        return f"{self._name}:{path}" if path else self._name

    def _unique(self, path: str) -> str:
        """Return `path` with the number of its occurrence, unless that is the first."""
        self._paths[path] = count = self._paths.get(path, 0) + 1
        return path if count == 1 else self._unique(f"{path}#{count}")


def _refusal(errors: list[OSError], folder: str, damaged: list[DumpError]) -> DumpError:
    """Return the error about what cannot be read in a folder, and about the first damage: only one is raised."""
    reason = (errors[0].strerror or str(errors[0])).lower()
    first = f"{_printable(os.path.relpath(errors[0].filename, folder))}: {reason}"
    what = f"{len(errors)} files cannot be read (first: {first})"
    if len(errors) == 1:
        what = (
            f"cannot be read: {reason}"
            if errors[0].filename == folder
            else f"1 file cannot be read ({first})"
        )
    return DumpError(
        "; ".join([what, *(f"{error.where}: {error.what}" for error in damaged[:1])]),
        where=folder,
        hint=_SUDO if any(isinstance(error, PermissionError) for error in errors) else "",
    )


def _decompressor(magic: bytes) -> Callable[[_Run, Reader, _Place], Iterator[Member]]:
    return lambda run, reader, place: run.decompress(magic, reader, place)


# The first bytes of a file -> what reads it. Tar archives have theirs not at the beginning.
_OPENERS = {magic: _decompressor(magic) for magic in STREAMS} | dict.fromkeys(ZIP, _Run.open_zip)


def _opener(head: bytes) -> Callable[[_Run, Reader, _Place], Iterator[Member]] | None:
    for magic, opener in _OPENERS.items():
        if head.startswith(magic):
            return opener
    return _Run.open_tar if is_tar(head) else None


def _printable(name: str) -> str:
    """Return the name of a member as a relative path of printable characters."""
    path = "/".join(part for part in name.split("/") if part not in ("", "."))
    shown = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in path)
    return shown[:_LONGEST_PATH] or "?"
