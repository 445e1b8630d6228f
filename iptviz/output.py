"""Writing the answer: to standard output, or to a file that appears whole or not at all."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

from iptviz.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterable

_REGULAR = 0o10
"""The kind of an ordinary file, in the upper bits of a mode (inode(7))."""

_STREAMS = {"-": 1, "/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2}
_OPEN = r"/(?:dev|proc/self)/fd/(\d{1,9})"
"""What -o may say for something that is open. Opened once more, a file would begin anew, or be replaced."""


def write_answer(answer: str | bytes | Iterable[str], output: str | None) -> None:
    """Write `answer` to the file `output`, or to standard output for None and "-"; parts one after the other.

    Raises:
        OutputError: the file cannot be written.
        BrokenPipeError: nobody reads standard output any more.
    """
    parts = map(_bytes, [answer] if isinstance(answer, str | bytes) else answer)
    if output is None or _descriptor(output) == 1:
        _write_standard(parts)
    else:
        _write_file(b"".join(parts), output)


def _bytes(part: str | bytes) -> bytes:
    return part if isinstance(part, bytes) else part.encode("utf-8", "backslashreplace")


def is_standard(output: str | None) -> bool:
    """Tell whether what -o says, or its absence, means standard output."""
    return output is None or _descriptor(output) == 1


def standard_output_is_file() -> bool:
    """Tell whether standard output was sent to a file."""
    try:
        return sys.stdout is not None and os.fstat(sys.stdout.fileno()).st_mode >> 12 == _REGULAR
    except (OSError, ValueError):  # it is none that the system knows
        return False


def _descriptor(output: str) -> int | None:
    """Return which descriptor of this process a path stands for: None where it is a path of a file."""
    found = re.fullmatch(_OPEN, output)
    return int(found[1]) if found else _STREAMS.get(output)


def _write_standard(parts: Iterable[bytes]) -> None:
    if sys.stdout is None:  # closed by whoever started the program
        raise OutputError("cannot be written: closed", where="standard output")
    try:
        sys.stdout.flush()
        for part in parts:
            sys.stdout.buffer.write(part)
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
    from iptviz.files import write_all, write_file  # most answers go to standard output

    try:
        if (descriptor := _descriptor(path)) is not None:
            write_all(descriptor, data)
        else:
            write_file(data, path)
    except BrokenPipeError:  # a pipe's reader has seen enough, as of standard output
        raise
    except OSError as error:
        raise _failed(error, path) from None
