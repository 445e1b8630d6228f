"""The help of the program itself: what it is for, its options and its commands, laid out as typer does it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from iptviz.cli.commands import COMMANDS, docstring_of
from iptviz.cli.told import option

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from iptviz.cli.told import Told

PURPOSE = "Where does a Kubernetes service connection go? Exact answers from iptables-save."

OPTIONS: Mapping[str, Told] = {
    told.flags[-1]: told
    for told in (
        option("--version", text="Print the version."),
        option(
            "--install-completion",
            metavar="[SHELL]",
            text="Install completion for bash, zsh or fish. Default: the current shell.",
        ),
        option("--show-completion", metavar="[SHELL]", text="Print what --install-completion would install."),
        option("-h", "--help", text="Show this message and exit."),
    )
}
"""The options of the program, by their long flags."""

WIDEST = 100
"""So many columns at most a help has."""

_NARROWEST = 50
_MARGIN = 2


def overview_here() -> str:
    """Return the help as wide as the terminal has room for."""
    from shutil import get_terminal_size  # with all that it unpacks

    return overview(max(min(get_terminal_size().columns, WIDEST) - _MARGIN, _NARROWEST))


def overview(width: int) -> str:
    """Return the help in lines of at most so many characters."""
    indent = " " * _MARGIN
    purpose = textwrap.fill(PURPOSE, width, initial_indent=indent, subsequent_indent=indent)
    options = [
        (" ".join(filter(None, (", ".join(told.flags), told.metavar))), told.help)
        for told in OPTIONS.values()
    ]
    room = width - max(map(len, COMMANDS)) - 3 * _MARGIN
    commands = [(name, _in_short(docstring_of(place), room)) for name, place in COMMANDS.items()]
    return "\n".join(
        (
            "Usage: iptviz [OPTIONS] COMMAND [ARGS]...", "", purpose, "",
            "Options:", *_rows(options, width), "",
            "Commands:", *_rows(commands, width), "",
        )
    )  # fmt: skip


def _rows(rows: list[tuple[str, str]], width: int) -> Iterator[str]:
    """Yield the lines of a list: what is told stands behind what it is told of."""
    column = max(len(name) for name, _ in rows) + _MARGIN
    for name, told in rows:
        first, *more = textwrap.wrap(told, width - column - _MARGIN)
        yield f"{' ' * _MARGIN}{name:{column}}{first}"
        yield from (f"{' ' * (_MARGIN + column)}{line}" for line in more)


def _in_short(text: str, room: int) -> str:
    """Return the first sentence of a text, or as many of its words as there is room for."""
    words = text.partition("\n\n")[0].split()
    ends = (place for place, word in enumerate(words, 1) if word.endswith("."))
    sentence = words[: next(ends, len(words))]
    if len(" ".join(sentence)) <= room:
        return " ".join(sentence)
    while len(" ".join(sentence)) + len("...") > room:
        sentence.pop()
    return " ".join(sentence) + "..."
