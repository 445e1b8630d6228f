"""How far a command has come, for who waits at a terminal: on standard error, and only where it takes a while."""

from __future__ import annotations

import os
import sys
from typing import Any

_DUMB = {"dumb", "unknown"}
"""What a terminal calls itself on which nothing can be taken back."""

PATIENCE = 1.0
"""So many seconds nobody needs to be told why there is no answer yet."""


class Bar:
    """It is told how far a command has come, and shows that from when patience ends until there is an answer.

    It listens to nothing where it is not wanted, or nobody watches.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._doing = "reading"
        self._done: float | None = None
        self._shown: Any = None
        self._timer: Any = None
        if wanted and sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in _DUMB:
            self._begin()

    def _begin(self) -> None:
        from threading import Lock, Timer  # elsewhere nobody waits for it

        self._lock = Lock()
        self._timer = Timer(PATIENCE, self._appear)
        self._timer.daemon = True
        self._timer.start()

    def __call__(self, doing: str, done: float | None = None) -> None:
        """Take what is done next, and which share of all is done, from 0 to 1; None: not known."""
        if self._timer is not None:
            with self._lock:
                self._doing, self._done = doing, done
                self._show()

    def end(self) -> None:
        """Take the bar away for good: what follows is the answer."""
        if self._timer is not None:
            self._timer.cancel()
            with self._lock:
                self._timer = None
                if self._shown is not None:
                    self._shown.stop()

    def _appear(self) -> None:
        from iptviz.terminal import progress_bar  # patience is at its end already

        with self._lock:
            if self._timer is not None:
                self._shown = progress_bar()
                self._shown.add_task(self._doing)
                self._show()
                self._shown.start()

    def _show(self) -> None:
        if self._shown is not None:
            self._shown.tasks[0].total = None if self._done is None else 1.0  # update() would keep a total
            self._shown.update(0, description=self._doing, completed=self._done or 0.0)
