"""A file that is replaced at once: whoever reads it finds the old content or the new one, never a part."""

from __future__ import annotations

import os
import stat
from contextlib import suppress


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
