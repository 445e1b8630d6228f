"""How every command ends: with an answer, or saying what is wrong, and with the right exit status."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from iptviz.errors import AbsentError, IptvizError
from iptviz.output import drop_standard_output, write_answer
from iptviz.terminal import say
from iptviz.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERED, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: answered; findings or target not there; the question could not be asked; Ctrl-C."""


def answer(ask: Callable[[], int], *, absent: int = FOUND) -> NoReturn:
    """Run `ask` and exit with its status; a user never sees a traceback, unless IPTVIZ_DEBUG asks for it.

    `absent` is the status where the dump does not have what is asked for.
    """
    try:
        status = ask()
    except AbsentError as error:
        _fail(str(error))
        status = absent
    except IptvizError as error:
        status = _fail(str(error))
    except BrokenPipeError:
        # Whoever read has seen enough. Point stdout elsewhere, or the interpreter complains at its end.
        drop_standard_output()
        status = ANSWERED
    except KeyboardInterrupt:
        status = INTERRUPTED
    except MemoryError:
        status = _fail("not enough memory for this dump")
    except Exception as error:
        if os.environ.get("IPTVIZ_DEBUG"):
            raise
        status = _fail(
            f"internal error: {type(error).__name__}: {error}\n"
            "  This is a bug in iptviz. IPTVIZ_DEBUG=1 shows where; please report it with the dump's line."
        )
    raise SystemExit(status)


def tell(made: Callable[[], str]) -> NoReturn:
    """Write what is asked of the program itself, as soon as it is made, and exit."""

    def ask() -> int:
        write_answer(made(), None)
        return ANSWERED

    answer(ask)


def tell_version() -> NoReturn:
    """Write the version, and exit."""
    tell(lambda: f"iptviz {__version__}\n")


def fail_to_write(error: OSError) -> NoReturn:
    """Say why standard output cannot be written, and exit."""
    drop_standard_output()
    raise SystemExit(_fail(f"standard output: cannot be written: {(error.strerror or str(error)).lower()}"))


def _fail(message: str) -> int:
    from iptviz.view.text import printable

    say("iptviz: " + "\n".join(map(printable, message.split("\n"))))
    return FAILED
