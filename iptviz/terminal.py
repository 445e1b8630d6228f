"""The only place that makes a rich Console: colour, width, ASCII, and how text reaches the reader."""

from __future__ import annotations

import io
import os
import shutil
import sys
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from rich.console import Console, RenderableType  # noqa: TID251 - see below

ColorChoice = Literal["auto", "always", "never"]

_PIPED_WIDTH = 10_000
"""rich wraps or cuts at a console's width; what goes into a pipe or a file must never be cut."""

_OFF = {"", "0", "false", "no"}
_NARROWEST = 40

# What --ascii writes for the few signs beyond ASCII that the views use.
_ASCII_SIGNS = str.maketrans({"·": "-", "→": "->", "…": "...", "│": "|", "├": "+", "└": "+", "─": "-"})


class Style(NamedTuple):
    """How text is laid out: colours or none, columns (at most), ASCII only or not."""

    color: bool = False
    width: int = _PIPED_WIDTH
    ascii_only: bool = False


def style_for(stream: IO[str], color: ColorChoice, *, ascii_only: bool) -> Style:
    """Return the style for `stream`: its width if it is a terminal, no limit otherwise."""
    interactive = stream.isatty()
    width = max(shutil.get_terminal_size().columns, _NARROWEST) if interactive else _PIPED_WIDTH
    return Style(_wants_color(color, interactive=interactive), width, ascii_only)


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


class _AsciiText(io.StringIO):
    """A text that says it is ASCII: rich then draws its guides with ASCII signs."""

    encoding = "ascii"


def render(renderable: RenderableType, style: Style) -> str:
    """Return what a Console of this style prints for `renderable`, without blanks at line ends."""
    text = _AsciiText() if style.ascii_only else io.StringIO()
    _console(text, style).print(renderable)
    lines = text.getvalue().splitlines()
    return to_style("\n".join(line.rstrip() for line in lines) + "\n", style)


def to_style(text: str, style: Style) -> str:
    """Return `text` in ASCII where the style asks for it."""
    if not style.ascii_only:
        return text
    return text.translate(_ASCII_SIGNS).encode("ascii", "backslashreplace").decode("ascii")


def _console(file: IO[str], style: Style) -> Console:
    from rich.console import Console  # noqa: TID251 - the one place

    return Console(
        file=file,
        width=style.width,
        force_terminal=style.color,
        color_system="256" if style.color else None,
        no_color=not style.color,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def say(message: str) -> None:
    """Write a message to standard error."""
    data = (message + "\n").encode("utf-8", "backslashreplace")
    if hasattr(sys.stderr, "buffer"):
        sys.stderr.flush()
        sys.stderr.buffer.write(data)
        sys.stderr.flush()
    else:  # a caller has put a plain text stream in its place
        sys.stderr.write(data.decode())
