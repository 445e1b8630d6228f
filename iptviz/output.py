"""Writing the answer: to standard output, or to a file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from iptviz.errors import OutputError
from iptviz.files import replace_file

if TYPE_CHECKING:
    from collections.abc import Callable

_STREAMS = {"-": 1, "/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_OPEN = re.compile(r"/(?:dev|proc/self)/fd/(\d{1,9})")
"""What -o may say for something that is open. Opened once more, a file would begin anew, or be replaced."""

_NOT_BESIDE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY}
"""Why a file cannot be replaced that can be written: its folder may not be, or it is a mount of its own."""


def write_answer(answer: str | bytes, output: str | None) -> None:
    """Write `answer` to the file `output`, or to standard output for None and "-".

    Raises:
        OutputError: the file cannot be written.
        BrokenPipeError: nobody reads standard output any more.
    """
    data = answer if isinstance(answer, bytes) else answer.encode("utf-8", "backslashreplace")
    if output is None or _descriptor(output) == 1:
        _write_standard(data)
    else:
        _write_file(data, output)


def is_standard(output: str | None) -> bool:
    """Tell whether what -o says, or its absence, means standard output."""
    return output is None or _descriptor(output) == 1


def _descriptor(output: str) -> int | None:
    """Return which descriptor of this process a path stands for: None where it is a path of a file."""
    found = _OPEN.fullmatch(output)
    return int(found[1]) if found else _STREAMS.get(output)


def _write_standard(data: bytes) -> None:
    if sys.stdout is None:  # closed by whoever started the program
        raise OutputError("cannot be written: it is closed", where="standard output")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_standard_output()
        raise _failed(error, "standard output") from None


def drop_standard_output() -> None:
    """Send what is still to be written nowhere, or the interpreter complains at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failed(error: OSError, where: str) -> OutputError:
    return OutputError(f"cannot be written: {(error.strerror or str(error)).lower()}", where=where)


def _write_file(data: bytes, path: str) -> None:
    try:
        _way(path)(data, path)
    except BrokenPipeError:  # a pipe's reader has seen enough, as of standard output
        raise
    except OSError as error:
        raise _failed(error, path) from None


def _way(path: str) -> Callable[[bytes, str], None]:
    """Return how a file is written, by what it is.

    Raises:
        OSError: nothing can be there.
    """
    if (descriptor := _descriptor(path)) is not None:
        return lambda data, _: _write_all(descriptor, data)
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
            _write_all(file.fileno(), data[size:])
        except OSError:
            file.truncate(size)
            raise
        file.seek(0)
        _write_all(file.fileno(), data[:size])
        file.truncate(len(data))


def _open_full(path: str, flags: int) -> int:
    return os.open(path, flags & ~os.O_TRUNC)


def _write_through(data: bytes, path: str) -> None:
    """Write to a device or a pipe, which nothing takes the place of."""
    with open(path, "wb") as file:  # noqa: PTH123
        file.write(data)


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
