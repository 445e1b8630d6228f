"""`iptviz trace`: where connections to a target go."""

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
    ExitZeroOption,
    JsonOption,
    MapOption,
    MaxSizeOption,
    NamesOption,
    OutputOption,
    QuietOption,
    RedactOption,
    StrictOption,
    VerboseOption,
    format_option,
)
from iptviz.cli.pseudonyms import asked_dump
from iptviz.cli.run import ANSWERED, FOUND, Reading, answer, chosen_format, chosen_style, say_absence
from iptviz.kube.target import family_of
from iptviz.output import write_answer
from iptviz.questions.trace import trace


def trace_command(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="10.97.13.198, 10.97.13.198:79, [fd00::1]:443, default/web, default/web:http, "
            ":32123 (a node port), KUBE-SVC-... (a chain), or an endpoint 10.244.1.17:80.",
        ),
    ],
    dump: DumpArgument = None,
    format_name: Annotated[str | None, format_option("trace")] = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    show_all: Annotated[bool, typer.Option("--all", help="Do not fold long lists.")] = False,
    names: NamesOption = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since",
            metavar="OLD",
            help="An older dump of the node: compare what endpoints got between the two (both of "
            "`iptables-save -c`) with their shares.",
            show_default=False,
        ),
    ] = None,
    redact: RedactOption = False,
    mapping: MapOption = None,
    number: DumpNumberOption = None,
    strict: StrictOption = False,
    max_size: MaxSizeOption = DEFAULT_SIZE,
    color: ColorOption = Color.AUTO,
    ascii_only: AsciiOption = False,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    exit_zero: ExitZeroOption = False,
) -> None:
    """Show where connections to TARGET go, with the exact share of each endpoint, and why."""

    def ask() -> int:
        chosen = chosen_format("trace", format_name, output, as_json=as_json)
        reading = Reading(number, max_size, strict, verbose, quiet)
        about = asked_dump(
            dump,
            reading,
            family_of(target),
            redact=redact,
            mapping=mapping,
            output=output,
            since=since,
            names=names,
        )
        result = trace(about.dump, about.target(target), names=about.names, since=about.older)
        if result.services or chosen.name == "json":
            style = chosen_style(color, output, ascii_only=ascii_only)
            write_answer(chosen.writer("trace")(result, style, fold=not show_all), output)
        if not result.services and not quiet:
            say_absence(result)
        return ANSWERED if result.services or exit_zero else FOUND

    answer(ask)
