"""The only place that makes a rich Console: colour, width, ASCII, and how text reaches the reader."""

from __future__ import annotations

import io
import os
import sys
from typing import TYPE_CHECKING, Any, Literal

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

Span = tuple[str, str]
"""A stretch of text and its style, in rich's words: `bold red`, `dim`, or empty."""

ColorChoice = Literal["auto", "always", "never"]

_PIPED_WIDTH = sys.maxsize
"""What goes into a pipe or a file is laid out as if there were room for everything."""

_OFF = {"", "0", "false", "no"}
_NARROWEST = 40

# What is written in ASCII for the few signs beyond it that the views use: trees as tree(1) draws them.
_ASCII_SIGNS = str.maketrans(
    {"·": "-", "→": "->", "…": "...", "—": "-", "│": "|", "├": "|", "└": "`", "─": "-"}
)

_PLAIN_LOCALES = {"C", "POSIX"}
_COERCED = {"C.UTF-8", "C.utf8", "UTF-8"}
"""What Python sets LC_CTYPE to where it finds a plain locale (PEP 538)."""


class Style(NamedTuple):
    """How text is laid out: colours or none, columns (at most), ASCII only or not."""

    color: bool = False
    width: int = _PIPED_WIDTH
    ascii_only: bool = False


def style_for(color: ColorChoice, *, ascii_only: bool) -> Style:
    """Return the style for standard output: its width if it is a terminal, no limit otherwise."""
    interactive = sys.stdout is not None and sys.stdout.isatty()
    width = _terminal_width() if interactive else _PIPED_WIDTH
    return Style(
        _wants_color(color, interactive=interactive), width, ascii_only or takes_ascii_alone(sys.stdout)
    )


def _terminal_width() -> int:
    from shutil import get_terminal_size  # with all that it unpacks, and elsewhere nobody asks

    return max(get_terminal_size().columns, _NARROWEST)


def takes_ascii_alone(stream: Any) -> bool:
    """Whether who reads a stream may see signs beyond ASCII as others: by its encoding, and by the locale."""
    encoding = (getattr(stream, "encoding", None) or "utf-8").lower()
    locale = _locale()
    _, dot, characters = locale.partition(".")
    told = characters.lower() if dot else encoding
    return locale in _PLAIN_LOCALES or not (encoding.startswith("utf") and told.startswith("utf"))


def _locale() -> str:
    """Return the locale that somebody asked for; empty where nobody did, which tells nothing."""
    everything, kind, language = (os.environ.get(name, "") for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    if not everything and kind in _COERCED and language in _PLAIN_LOCALES:
        return language
    return everything or kind or language


def _wants_color(choice: ColorChoice, *, interactive: bool) -> bool:
    """Decide by the option, then NO_COLOR, then FORCE_COLOR, then whether somebody is watching.

    rich turns colour on for FORCE_COLOR=0 and keeps bold under NO_COLOR, so this is decided here.
    """
    if choice != "auto":
        return choice == "always"
    if os.environ.get("NO_COLOR"):
        return False
    forced = os.environ.get("FORCE_COLOR")
    if forced is not None:
        return forced.lower() not in _OFF
    return interactive and os.environ.get("TERM") != "dumb"


def paint(lines: Iterable[Iterable[Span]], style: Style) -> str:
    """Return `lines` as text, each piece in its style where colour is wanted, without blanks at line ends.

    rich is imported for colour alone: what goes into a pipe or a file does not wait for it.
    """
    if style.color:
        return _colored(lines, style)
    plain = ("".join(text for text, _ in line).rstrip() + "\n" for line in lines)
    return in_ascii("".join(plain)) if style.ascii_only else "".join(plain)


def in_ascii(text: str) -> str:
    """Return a text with its signs drawn in ASCII, and other characters beyond that as escapes."""
    return text.translate(_ASCII_SIGNS).encode("ascii", "backslashreplace").decode("ascii")


def _colored(lines: Iterable[Iterable[Span]], style: Style) -> str:
    from rich.console import Console  # noqa: TID251 - the one place
    from rich.text import Text

    # No width and no wrapping: a terminal wraps better than we can, and what is copied stays whole.
    console = Console(
        file=io.StringIO(), force_terminal=True, color_system="256", no_color=False, legacy_windows=False
    )
    with console.capture() as capture:
        for line in lines:
            pieces = [(in_ascii(words), how) if style.ascii_only else (words, how) for words, how in line]
            text = Text.assemble(*pieces)
            text.rstrip()
            console.print(text, soft_wrap=True, highlight=False)
    return capture.get()


def say(message: str) -> None:
    """Write a message to standard error."""
    if takes_ascii_alone(sys.stderr):
        message = in_ascii(message)
    data = (message + "\n").encode("utf-8", "backslashreplace")
    # Where a bar stands, rich writes above it what is written to its own stream.
    if hasattr(sys.stderr, "buffer") and not hasattr(sys.stderr, "rich_proxied_file"):
        sys.stderr.flush()
        sys.stderr.buffer.write(data)
        sys.stderr.flush()
    else:  # a caller has put a plain text stream in its place
        sys.stderr.write(data.decode())


def progress_bar() -> Any:
    """Return a bar of rich that stands on standard error, and is gone when it is stopped."""
    from rich.console import Console  # noqa: TID251 - the one place
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        *([] if takes_ascii_alone(sys.stderr) else [BarColumn()]),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    # Each time it is drawn costs a millisecond.
    return Progress(*columns, console=Console(file=sys.stderr), transient=True, refresh_per_second=4)
