"""Files that are written: replaced at once where that can be, so that nobody ever finds a part of one."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NOT_BESIDE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY}
"""Why a file cannot be replaced that can be written: its folder may not be, or it is a mount of its own."""


def replace_file(path: str, data: bytes, *, mode: int | None = None, sync: bool = False) -> None:
    """Put `data` in the place of a file, or into a new one; of a link it is the target that is written.

    A file keeps its mode and, where that is allowed, its owner; a new one has what the umask leaves. With `mode`
    either has that one, from the beginning. With `sync` the old content outlives a crash of the machine, too.

    Raises:
        OSError: it cannot be written; what was there still is.
    """
    target = os.path.realpath(path)
    old = os.stat(target) if os.path.exists(target) else None  # noqa: PTH110, PTH116 - pathlib costs 3 ms
    # Beside the target, since a file is renamed within its file system alone.
    beside = os.path.join(os.path.dirname(target), f".iptviz-{os.urandom(8).hex()}")  # noqa: PTH118, PTH120
    kept = mode if mode is not None or old is None else stat.S_IMODE(old.st_mode)
    first = 0o666 if kept is None else 0o600  # nobody reads it before it has its mode
    with open(beside, "xb", opener=lambda name, flags: os.open(name, flags, first)) as file:
        try:
            file.write(data)
            file.flush()
            if old is not None:
                _keep_owner(beside, old)
            if kept is not None:
                os.chmod(beside, kept)  # noqa: PTH101
            if sync:
                os.fsync(file.fileno())
            os.replace(beside, target)  # noqa: PTH105
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)  # noqa: PTH108 - it may hold secrets
            raise


def _keep_owner(path: str, old: os.stat_result) -> None:
    """Give a file the owner and the group of an older one, or at least the group; else it stays whose it is."""
    for owner in (old.st_uid, -1):
        with suppress(OSError, AttributeError):  # not ours to give; or a system without owners
            os.chown(path, owner, old.st_gid)
            return


# --- the answer -----------------------------------------------------------------------------------------------


def write_file(data: bytes, path: str) -> None:
    """Write a file in the way that what is there allows.

    Raises:
        OSError: it cannot be written.
    """
    _way(path)(data, path)


def _way(path: str) -> Callable[[bytes, str], None]:
    """Return how a file is written, by what it is."""
    try:
        old = os.stat(path)  # noqa: PTH116
    except FileNotFoundError:  # or a link that leads nowhere yet
        return _write_through if path.endswith(os.sep) else _write_new
    if not stat.S_ISREG(old.st_mode):
        return _write_through
    return _write_over if old.st_nlink == 1 else _write_in_place  # a file of several names stays one


def _write_new(data: bytes, path: str) -> None:
    replace_file(path, data)


def _write_over(data: bytes, path: str) -> None:
    """Replace a file that may be written: to be replaced it need not be, but its owner has protected it."""
    with open(path, "ab"):  # noqa: PTH123
        pass
    try:
        replace_file(path, data)
    except OSError as error:
        # Somebody has put the file there for an answer, in a folder of others or as a container's mount. That is
        # as good as what > FILE does: the answer is made, and _write_in_place does not lose the old one halfway.
        if error.errno not in _NOT_BESIDE:
            raise
        _write_in_place(data, path)


def _write_in_place(data: bytes, path: str) -> None:
    """Write over what is in a file: first what needs more room, so that a full disk leaves all that was there.

    Who reads it in that moment, and a crash in it, may find a part of both.
    """
    with open(path, "wb", buffering=0, opener=_open_full) as file:
        size = file.seek(0, os.SEEK_END)
        try:
            write_all(file.fileno(), data[size:])
        except OSError:
            file.truncate(size)
            raise
        file.seek(0)
        write_all(file.fileno(), data[:size])
        file.truncate(len(data))


def _open_full(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_TRUNC)


def _write_through(data: bytes, path: str) -> None:
    """Write to a device or a pipe, which nothing takes the place of."""
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(data)


def write_all(descriptor: int, data: bytes) -> None:
    """Write to what is open already."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
