"""Readers that stand in for the one that makes summaries: they die, wait, or say little, and so are quick."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

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


def mortal(path: str, source: str, *, max_size: int) -> Summary:
    """The same, but what has `poison` in its name kills the first process that reads it, and no other one."""
    killed = Path(path + ".killed")
    if "poison" in Path(path).name and not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return named(path, source, max_size=max_size)


def leaving(path: str, source: str, *, max_size: int) -> Summary:
    """The same, but with some inputs a library ends the program."""
    if "bug" in path:
        sys.exit(3)
    return named(path, source, max_size=max_size)


class _NotToBeHad:
    """What can be sent, but not be made anew of what is sent."""

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return _refuse, ()


def _refuse() -> NoReturn:
    raise ValueError("not to be had")


class TwoWordsError(Exception):
    """What can be sent, but not be made anew: its text is not what it is made of."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} {other}")


def unsendable(path: str, source: str, *, max_size: int) -> Summary:
    """The same, but of some inputs there is something in a summary that cannot leave a process."""
    return _with(threading.Lock(), path, named(path, source, max_size=max_size))


def unreceivable(path: str, source: str, *, max_size: int) -> Summary:
    """The same, but of some inputs there is something in a summary that arrives nowhere."""
    return _with(_NotToBeHad(), path, named(path, source, max_size=max_size))


def strange(path: str, source: str, *, max_size: int) -> Summary:
    """The same, but with some inputs an error that arrives nowhere."""
    if "bug" in path:
        os.environ["IPTVIZ_DEBUG"] = "1" if "debug" in path else ""
        raise TwoWordsError("not", "expected")
    return named(path, source, max_size=max_size)


def cut_short(path: str, source: str, *, max_size: int) -> Summary:
    """The same, but what has `poison` in its name kills the process while that sends its result."""
    summary = named(path, source, max_size=max_size)
    if "poison" not in Path(path).name:
        return summary
    threading.Thread(target=_kill_who_sends, args=(threading.get_ident(),), daemon=True).start()
    return _with("x" * (64 << 20), "bug", summary)


def _kill_who_sends(thread: int) -> None:
    while True:
        frame = sys._current_frames().get(thread)
        while frame is not None:
            if frame.f_code.co_name == "_send":
                os.kill(os.getpid(), signal.SIGKILL)
            frame = frame.f_back


def _with(what: Any, path: str, summary: Summary) -> Summary:
    (node,) = summary.nodes
    return summary._replace(nodes=(node._replace(pods=(what,)),)) if "bug" in path else summary


def forever(_path: str, _source: str, *, max_size: int) -> Summary:
    """Nothing, for long."""
    time.sleep(600 + 0 * max_size)
    return Summary((), {}, {})
