"""The program's entry: `iptviz` and `python -m iptviz`."""

from __future__ import annotations

import atexit
import gc
import os
import sys

_COMPLETE = "_IPTVIZ_COMPLETE"
"""What a shell sets that asks what may stand at its cursor; see `iptviz.cli.completing`."""


def main() -> None:
    """Run the command line.

    The process is short-lived, and an index of 100,000 chains makes no cycles: looking for garbage would cost
    a tenth of its time and find nothing. At its end Python would look once more, but not at what is frozen.
    """
    gc.disable()
    atexit.register(gc.freeze)
    if asked := os.environ.get(_COMPLETE):
        from iptviz.cli.completing import complete

        complete(asked)
        return
    try:
        _answer(sys.argv[1:])
    except KeyboardInterrupt:  # before there was anything to answer
        from iptviz.cli.ending import INTERRUPTED

        sys.exit(INTERRUPTED)


def _answer(words: list[str]) -> None:
    from iptviz.cli.plain import answer_plainly

    if not answer_plainly(words):
        from iptviz.cli.app import app

        try:
            app(prog_name="iptviz")
        except OSError as error:  # the help of a command, which typer writes
            from iptviz.cli.ending import fail_to_write

            fail_to_write(error)


if __name__ == "__main__":
    main()
