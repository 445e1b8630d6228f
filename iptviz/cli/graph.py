"""`iptviz graph`: which chain leads to which."""

from __future__ import annotations

from typing import Annotated

import typer

from iptviz.cli.options import (
    DEFAULT_SIZE,
    AsciiOption,
    Color,
    ColorOption,
    DumpArgument,
    DumpNumberOption,
    JsonOption,
    MapOption,
    MaxSizeOption,
    OutputOption,
    QuietOption,
    RedactOption,
    StrictOption,
    VerboseOption,
    format_option,
)
from iptviz.cli.pseudonyms import asked_dump
from iptviz.cli.run import ANSWERED, Reading, answer, chosen_format, chosen_style
from iptviz.errors import TargetError
from iptviz.output import write_answer


def graph_command(
    dump: DumpArgument = None,
    tables: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="TABLE", help="Of this table alone; may be repeated."),
    ] = None,
    around: Annotated[
        str | None,
        typer.Option(
            "--around", metavar="CHAIN", help="What leads to CHAIN, what CHAIN leads to.", show_default=False
        ),
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", min=1, help="So many jumps around CHAIN.")
    ] = 2,
    focus: Annotated[
        str | None,
        typer.Option(
            "--focus", metavar="TARGET", help="The chains on the way of TARGET.", show_default=False
        ),
    ] = None,
    format_name: Annotated[str | None, format_option("graph")] = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    show_all: Annotated[bool, typer.Option("--all", help="Fold nothing, leave nothing out.")] = False,
    redact: RedactOption = False,
    mapping: MapOption = None,
    number: DumpNumberOption = None,
    strict: StrictOption = False,
    max_size: MaxSizeOption = DEFAULT_SIZE,
    color: ColorOption = Color.AUTO,
    ascii_only: AsciiOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Show which chain leads to which: all of them, those around one chain, or those on a target's way."""

    def ask() -> int:
        from iptviz.questions.graph import graph

        if around is not None and focus is not None:
            raise TargetError("--around and --focus ask for two graphs", hint="choose one of them")
        chosen = chosen_format("graph", format_name, output, as_json=as_json)
        reading = Reading(number, max_size, strict, verbose, quiet)
        about = asked_dump(dump, reading, redact=redact, mapping=mapping, output=output)
        result = graph(
            about.dump,
            tables=tables or (),
            around=about.chain(around),
            depth=depth,
            focus=about.target(focus) if focus is not None else None,
        )
        style = chosen_style(color, output, ascii_only=ascii_only)
        write_answer(chosen.writer("graph")(result, style, fold=not show_all), output)
        return ANSWERED

    answer(ask)
