"""Writing the answer: to standard output, or to a file that appears whole or not at all."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from iptviz.errors import OutputError

_STANDARD = {"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"}
"""What -o may say for standard output. Opened by name, the file behind it would be emptied, and then replaced."""


def write_answer(answer: str | bytes, output: str | None) -> None:
    """Write `answer` to the file `output`, or to standard output for None and "-".

    Raises:
        OutputError: the file cannot be written.
        BrokenPipeError: nobody reads standard output any more.
    """
    data = answer if isinstance(answer, bytes) else answer.encode("utf-8", "backslashreplace")
    if output is None or output in _STANDARD:
        _write_standard(data)
    else:
        _write_whole(data, output)


def is_standard(output: str | None) -> bool:
    """Tell whether what -o says, or its absence, means standard output."""
    return output is None or output in _STANDARD


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


def _write_whole(data: bytes, path: str) -> None:
    """Write beside `path` and rename, so that a reader never sees half a file."""
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113 - a device or a pipe: no renaming
        _write_through(data, path)
        return
    import tempfile

    folder = os.path.dirname(path) or "."  # noqa: PTH120
    try:
        handle, beside = tempfile.mkstemp(prefix=".iptviz-", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(beside, 0o666 & ~_umask())  # noqa: PTH101 - mkstemp makes 0600
            os.replace(beside, path)  # noqa: PTH105
        except BaseException:
            with suppress(OSError):
                os.unlink(beside)  # noqa: PTH108
            raise
    except OSError as error:
        raise _failed(error, path) from None


def _write_through(data: bytes, path: str) -> None:
    try:
        with open(path, "wb") as file:  # noqa: PTH123
            file.write(data)
    except OSError as error:
        raise _failed(error, path) from None


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
