"""A map for one run at a time: what others add to it would be lost, and a new one would get several keys."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from iptviz.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def locked(path: str | None) -> Iterator[None]:
    """Have a map for oneself, from before it is read until it is written; None is no map, which nobody shares.

    The whole work on pseudonyms is done in that time: two names that would get the same pseudonym are told apart
    by which of them came first, so that runs that only merged what they found could differ.

    Raises:
        OutputError: there can be no lock, where there can be no map either; or the file system has none.
    """
    lock = _take(path) if path else None
    try:
        yield
    finally:
        if lock:
            _release(*lock)


def _take(path: str) -> tuple[str, int] | None:
    """Wait for the lock of a map, and return its name and its descriptor; None where the system has none.

    There the map is kept without: it is written whole, and of two runs at the same time the last one counts. A
    lock that is a file's mere existence would outlive a crash, and stop every run after it.
    """
    try:
        import fcntl
    except ImportError:  # not POSIX
        return None
    name = _name(path)
    while True:
        descriptor = _open(name, path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except BaseException as error:
            os.close(descriptor)  # the file stays: another run may have locked it
            if not isinstance(error, OSError):
                raise
            what = f"cannot be locked: {(error.strerror or str(error)).lower()}"
            raise OutputError(what, where=path, hint="put the map on another file system") from None
        if _is_at(name, descriptor):
            return name, descriptor
        os.close(descriptor)  # who had it took it away: it keeps out nobody any more


def _name(path: str) -> str:
    """Return the name of a map's lock: not the map, which is replaced, nor its folder, which others share."""
    folder, name = os.path.split(os.path.realpath(path))
    return os.path.join(folder, f".iptviz-{name}.lock")  # noqa: PTH118


def _open(name: str, path: str) -> int:
    try:
        return os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        what = f"cannot be written: {(error.strerror or str(error)).lower()}"
        raise OutputError(what, where=path) from None


def _is_at(name: str, descriptor: int) -> bool:
    """Tell whether a name is still that of an open file."""
    with suppress(FileNotFoundError):
        return os.path.samestat(os.stat(name, follow_symlinks=False), os.fstat(descriptor))  # noqa: PTH116
    return False


def _release(name: str, descriptor: int) -> None:
    """Take the lock away, then open it: who waits for it finds that it has no name, and makes another.

    A run that is killed leaves the file, which the system has unlocked; the next run takes it away.
    """
    try:
        if _is_at(name, descriptor):
            os.unlink(name)  # noqa: PTH108
    finally:
        os.close(descriptor)
