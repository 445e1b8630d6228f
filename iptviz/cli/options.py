"""The options that commands share, and what they say of themselves."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from iptviz.render.formats import format_help


class Command(TyperCommand):
    """A command whose usage reads `TARGET [DUMP]`; typer would write `{TARGET} [DUMP]`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the pieces of the usage line."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class Color(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def format_option(question: str) -> Any:
    """Return the option -f of a command, with the formats that answer its question."""
    return typer.Option("-f", "--format", metavar="FORMAT", help=f"How to answer: {format_help(question)}.")


OutputOption = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write to FILE; its suffix chooses the format."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="The same as -f json.")]
ColorOption = Annotated[Color, typer.Option("--color", help="Colour the tree.")]
AsciiOption = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII only.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="No messages on standard error but errors.")]
VerboseOption = Annotated[
    bool, typer.Option("-v", "--verbose", help="Say of every line why it was left out or repaired.")
]
ExitZeroOption = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 where it would be 1.")]
StrictOption = Annotated[
    bool, typer.Option("--strict", help="Fail where a line had to be left out or repaired.")
]
DumpNumberOption = Annotated[
    int | None,
    typer.Option(
        "--dump",
        metavar="N",
        help="Which dump, where a file or bundle holds several; `iptviz sources` numbers them.",
        show_default=False,
    ),
]
MaxSizeOption = Annotated[
    str, typer.Option("--max-size", metavar="SIZE", help="Read or unpack at most so much, e.g. 500M or 8G.")
]
NamesOption = Annotated[
    str | None,
    typer.Option(
        "--services",
        metavar="FILE",
        help="A list that names services without comments: `kubectl get services -A`, also as json or "
        "yaml, or a namespace/name:port per line.",
        show_default=False,
    ),
]
RedactOption = Annotated[
    bool,
    typer.Option("--redact", help="Answer in pseudonyms, as of `iptviz redact`: for outsiders to read."),
]
MapOption = Annotated[
    str | None,
    typer.Option(
        "--map",
        metavar="FILE",
        help="Keep the key and what became what in FILE (secret, mode 0600): the same names then become the "
        "same pseudonyms in the next dump.",
        show_default=False,
    ),
]
DEFAULT_SIZE = "2G"
DumpArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[DUMP]",
        help="A file, or - for standard input (the default when piped); compressed or not, in a bundle "
        "as BUNDLE:path/inside.",
        show_default=False,
    ),
]
