"""How far something has come, for who waits at a terminal: on standard error, and only where it takes a while."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from threading import Lock, Timer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Tell = Callable[[str, float], object]

PATIENCE = 1.0
"""So many seconds nobody needs to be told why there is no answer yet."""


class _Bar:
    """A bar that appears when patience ends; until then, and after it is gone, it only listens."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._doing, self._done = "", 0.0
        self._shown: Any = None
        self._over = False

    def tell(self, doing: str, done: float) -> None:
        """Take what is done next, and which share of all is done, from 0 to 1."""
        with self._lock:
            self._doing, self._done = doing, done
            if self._shown is not None:
                self._shown.update(0, description=doing, completed=done)

    def appear(self) -> None:
        """Show the bar, unless all is done by now."""
        from iptviz.terminal import progress_bar  # half a second passed already, or more

        with self._lock:
            if not self._over:
                self._shown = progress_bar()
                self._shown.add_task(self._doing, total=1.0, completed=self._done)
                self._shown.start()

    def disappear(self) -> None:
        """Take the bar away for good."""
        with self._lock:
            self._over = True
            if self._shown is not None:
                self._shown.stop()
                self._shown = None


@contextmanager
def progress(*, wanted: bool) -> Iterator[Tell]:
    """Give what takes how far something has come; a bar shows that where it is wanted and somebody watches."""
    if not wanted or sys.stderr is None or not sys.stderr.isatty():
        yield lambda _doing, _done: None
        return
    bar = _Bar()
    timer = Timer(PATIENCE, bar.appear)
    timer.daemon = True
    timer.start()
    try:
        yield bar.tell
    finally:
        timer.cancel()
        bar.disappear()
