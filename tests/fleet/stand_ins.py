"""Readers that stand in for the one that makes summaries: they die, wait, or say little, and so are quick."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from iptviz.fleets.summary import NodeFacts, Summary, Unreadable

HERE = "tests.fleet.stand_ins"


def named(path: str, source: str, *, max_size: int) -> Summary:
    """A summary that has the file's name, or why it cannot be read."""
    assert max_size > 0
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        return Summary((), {}, {}, (Unreadable(source, f"cannot be read: {(error.strerror or '').lower()}"),))
    if not text.strip():
        return Summary((), {}, {}, (Unreadable(source, "file is empty"),))
    facts = NodeFacts(text.strip(), path, "iptables", "", (), "", (), None, complete=True, services=len(text))
    return Summary((facts,), {}, {})


def deadly(path: str, source: str, *, max_size: int) -> Summary:
    """The same, but what has `poison` in its name kills the process that reads it."""
    if "poison" in Path(path).name:
        os.kill(os.getpid(), signal.SIGKILL)
    return named(path, source, max_size=max_size)


def slow(path: str, source: str, *, max_size: int) -> Summary:
    """The same, after a while."""
    time.sleep(0.1)
    return named(path, source, max_size=max_size)


def wrong(path: str, source: str, *, max_size: int) -> Summary:
    """A mistake of the program with some inputs."""
    if "bug" in path:
        raise AssertionError("unexpected")
    return named(path, source, max_size=max_size)


def forever(_path: str, _source: str, *, max_size: int) -> Summary:
    """Nothing, for long."""
    time.sleep(600 + 0 * max_size)
    return Summary((), {}, {})
