"""`iptviz sources`: which dumps a file or a bundle holds."""

from __future__ import annotations

from typing import Annotated

import typer

from iptviz.cli.options import (
    DEFAULT_SIZE,
    AsciiOption,
    Color,
    ColorOption,
    JsonOption,
    MapOption,
    MaxSizeOption,
    OutputOption,
    QuietOption,
    RedactOption,
    format_option,
)
from iptviz.cli.run import ANSWERED, answer, chosen_format, chosen_style, named_or_piped
from iptviz.output import write_answer
from iptviz.questions.sources import sources
from iptviz.source.size import read_size
from iptviz.terminal import say


def sources_command(
    bundle: Annotated[
        str | None,
        typer.Argument(
            metavar="[BUNDLE]",
            help="A file, compressed or not, or a bundle (tar, zip), or - for standard input.",
            show_default=False,
        ),
    ] = None,
    format_name: Annotated[str | None, format_option("sources")] = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    redact: RedactOption = False,
    mapping: MapOption = None,
    max_size: MaxSizeOption = DEFAULT_SIZE,
    color: ColorOption = Color.AUTO,
    ascii_only: AsciiOption = False,
    quiet: QuietOption = False,
    lines: Annotated[
        bool, typer.Option("--lines", help="List the lines left out, repaired, or not understood, and why.")
    ] = False,
) -> None:
    """List the dumps in a file or a bundle: node, family, backend, time, and what could not be used."""

    def ask() -> int:
        chosen = chosen_format("sources", format_name, output, as_json=as_json)
        result = sources(named_or_piped(bundle), max_size=read_size(max_size))
        if redact or mapping is not None:
            from iptviz.cli.pseudonyms import redacted_sources

            result = redacted_sources(result, mapping, output)
        style = chosen_style(color, output, ascii_only=ascii_only)
        write_answer(chosen.writer("sources")(result, style, fold=not lines), output)
        if result.problem and not quiet:
            from iptviz.view.text import printable

            say("\n".join(map(printable, str(result.problem).split("\n"))))
        return ANSWERED

    answer(ask)
