"""What a shell is answered that asks what may stand at its cursor: candidates, a line each, or nothing at all."""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

from iptviz.output import write_answer
from iptviz.view.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.cli.candidates import Candidate
    from iptviz.cli.command_line import CommandLine

_PATIENCE = 5
"""After so many seconds there is no answer any more."""

_SPECIAL = re.compile(r"[^\w@%+=:,./-]")
"""What may not stand for itself in a shell."""


def complete(instruction: str) -> None:
    """Answer a shell: `complete_bash` asks what may stand at its cursor, `source_bash` for its script.

    Whatever goes wrong, nothing is said: it would be shown amid what somebody types.
    """
    what, _, shell = instruction.partition("_")
    try:
        write_answer(_script(shell) if what == "source" else _answer(shell), None)
    except Exception:
        if os.environ.get("IPTVIZ_DEBUG"):
            raise


def _script(shell: str) -> str:
    from iptviz.cli.shells import script_of

    return script_of(shell)


def _answer(shell: str) -> str:
    from iptviz.cli.candidates import candidates
    from iptviz.cli.command_line import read_line

    line = read_line(os.environ)
    with _in_time():
        found = [one for one in candidates(line) if one.value.isprintable()]
    return "".join(f"{text}\n" for text in _lines(shell, line, found))


def _lines(shell: str, line: CommandLine, found: list[Candidate]) -> Iterator[str]:
    if shell != "bash":
        yield from ("\t".join(filter(None, (one.value, printable(one.told)))) for one in found)
        return
    cut, quoted = _left_out(line), line.raw.startswith(("'", '"'))
    for one in found:
        text = one.value[cut:]
        yield text if quoted else _SPECIAL.sub(r"\\\g<0>", text)


def _left_out(line: CommandLine) -> int:
    """Return how many characters bash holds apart from the word that it completes: for it a colon ends a word."""
    from iptviz.cli.command_line import split_words

    if "COMP_CUR" not in os.environ:
        return 0
    word = "".join(split_words(os.environ["COMP_CUR"])[-1:])
    return len(line.begun) - len(word) if line.begun.endswith(word) else 0


@contextmanager
def _in_time() -> Iterator[None]:
    """End with an error what takes too long."""
    before = signal.signal(signal.SIGALRM, _late)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _late(*_: object) -> None:
    raise TimeoutError
