"""The program as its users run it: in this process by default, in one of its own where that matters.

Starting Python takes longer than most answers. So `run` and `at_terminal` call the program's entry here, with
arguments, streams and environment of its own, and put everything back. What Python itself does when a program
starts and ends, and what a shell does, only `start` shows: encodings, locales, closed streams and pipes, signals.
"""

from __future__ import annotations

import fcntl
import gc
import io
import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, TextIO

import pytest

from iptviz.__main__ import main

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = (sys.executable, "-m", "iptviz")


class Ended(NamedTuple):
    """How the program ended: its status, and what it wrote, which must be UTF-8."""

    returncode: int
    stdout: str
    stderr: str


class Piped(io.BytesIO):
    """What comes through a pipe: nobody can go back in it."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError(29, "Illegal seek")

    def tell(self) -> int:
        raise OSError(29, "Illegal seek")


def run(*arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None) -> Ended:
    """Run the program in this process, as if its input and both outputs were pipes."""
    output, messages = io.BytesIO(), io.BytesIO()
    with (
        io.TextIOWrapper(Piped(stdin), "utf-8") as inward,
        io.TextIOWrapper(output, "utf-8") as outward,
        io.TextIOWrapper(messages, "utf-8", "backslashreplace") as aside,
    ):
        with _streams(inward, outward, aside):
            status = _call(arguments, env or {})
        outward.flush()
        aside.flush()
        return Ended(status, output.getvalue().decode(), messages.getvalue().decode())


def at_terminal(columns: int, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str]:
    """Run the program in this process with all streams at a terminal; its status and what the terminal got."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    shown: list[bytes] = []
    reader = threading.Thread(target=_read_all, args=(ours, shown))
    reader.start()  # beside the program, which would wait for room in the terminal
    try:
        with (
            os.fdopen(os.dup(its), encoding="utf-8") as inward,
            os.fdopen(os.dup(its), "w", encoding="utf-8") as outward,
            os.fdopen(its, "w", encoding="utf-8", errors="backslashreplace") as aside,
            _streams(inward, outward, aside),
        ):
            status = _call(arguments, env or {})
    finally:
        reader.join()
        os.close(ours)
    return status, b"".join(shown).decode().replace("\r\n", "\n")


def start(*arguments: str, stdin: bytes = b"", env: dict[str, str] | None = None, shell: str = "") -> Ended:
    """Start the program in a process of its own, or a shell's line in which `$@` is the program."""
    command = ["bash", "-c", shell, "bash", *PROGRAM] if shell else [*PROGRAM, *arguments]
    environment = {**os.environ, **(env or {})}
    done = subprocess.run(command, input=stdin, capture_output=True, check=False, env=environment, timeout=60)
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def unmeasured() -> dict[str, str]:
    """Return the environment for a process in which coverage would be in the way: it loads modules, and takes memory."""
    return {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}


@contextmanager
def _streams(inward: TextIO, outward: TextIO, aside: TextIO) -> Iterator[None]:
    """Put streams in the places of the standard ones; how wide a terminal is, Python asks of the first output."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", inward)
        for name in ("stdout", "__stdout__"):
            patch.setattr(sys, name, outward)
        patch.setattr(sys, "stderr", aside)
        yield


def _call(arguments: tuple[str, ...], env: dict[str, str]) -> int:
    """Call the entry; its status. An error that the program lets through fails the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["iptviz", *arguments])
        for name, value in env.items():
            patch.setenv(name, value)
        try:
            main()
        except SystemExit as end:
            assert end.code is None or isinstance(end.code, int), end.code
            return end.code or 0
        finally:
            gc.enable()  # the entry looks for no garbage: its process would end here
    return 0


def _read_all(terminal: int, shown: list[bytes]) -> None:
    try:
        while chunk := os.read(terminal, 65536):
            shown.append(chunk)
    except OSError:  # Linux says EIO once the other side is closed
        return
