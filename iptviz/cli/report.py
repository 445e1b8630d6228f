"""`iptviz report`: one file for an incident."""

from __future__ import annotations

from typing import Annotated

import typer

from iptviz.cli.options import (
    DEFAULT_SIZE,
    DumpNumberOption,
    ExitZeroOption,
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
from iptviz.cli.run import ANSWERED, FOUND, Reading, answer, chosen_format, say_absence
from iptviz.output import write_answer
from iptviz.terminal import Style


def report_command(
    dump: Annotated[
        str, typer.Argument(metavar="DUMP", help="A file, or - for standard input; compressed or not.")
    ],
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TARGET]...", help="What to look into; without any, the services that look odd."
        ),
    ] = None,
    format_name: Annotated[str | None, format_option("report")] = None,
    output: OutputOption = None,
    show_all: Annotated[bool, typer.Option("--all", help="Do not fold long lists.")] = False,
    redact: RedactOption = False,
    mapping: MapOption = None,
    number: DumpNumberOption = None,
    strict: StrictOption = False,
    max_size: MaxSizeOption = DEFAULT_SIZE,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
    exit_zero: ExitZeroOption = False,
) -> None:
    """Write one file for an incident: a summary, services with pictures and rules, all services, all chains."""

    def ask() -> int:
        from iptviz.questions.report import report
        from iptviz.questions.trace import TraceResult

        chosen = chosen_format("report", format_name, output, as_json=False)
        reading = Reading(number, max_size, strict, verbose, quiet)
        about = asked_dump(dump, reading, redact=redact, mapping=mapping, output=output)
        result = report(about.dump, [about.target(one) for one in targets or ()])
        write_answer(chosen.writer("report")(result, Style(), fold=not show_all), output)
        absent = [one for one in result.answers if isinstance(one, TraceResult) and not one.services]
        for one in [] if quiet else absent:
            say_absence(one)
        return FOUND if absent and not exit_zero else ANSWERED

    answer(ask)
