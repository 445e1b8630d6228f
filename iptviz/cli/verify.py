"""`iptviz verify`: a dump against what the API says."""

from __future__ import annotations

from typing import Annotated

import typer

from iptviz.cli.options import (
    DEFAULT_SIZE,
    AsciiOption,
    Color,
    ColorOption,
    DumpNumberOption,
    ExitZeroOption,
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
from iptviz.cli.run import ANSWERED, FOUND, Reading, answer, chosen_format, chosen_style
from iptviz.output import write_answer


def verify_command(
    dump: Annotated[str, typer.Argument(metavar="DUMP", help="The node's iptables-save.")],
    objects: Annotated[
        list[str],
        typer.Argument(
            metavar="KUBECTL...",
            help="What `kubectl get services,endpointslices -A -o json` prints, in one file or several; "
            "Endpoints and YAML will do, too; - for standard input.",
        ),
    ],
    node: Annotated[
        str | None,
        typer.Option(
            "--node", metavar="NAME", help="The node's name, for policies Local.", show_default=False
        ),
    ] = None,
    format_name: Annotated[str | None, format_option("verify")] = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    show_all: Annotated[bool, typer.Option("--all", help="Do not fold long lists.")] = False,
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
    """Say in what the dump differs from what the API says that this node should have."""

    def ask() -> int:
        from iptviz.questions.verify import candidates_of, read_objects, verify_cluster

        chosen = chosen_format("verify", format_name, output, as_json=as_json)
        reading = Reading(number, max_size, strict, verbose, quiet)
        cluster = read_objects(objects)
        about = asked_dump(
            dump, reading, redact=redact, mapping=mapping, output=output, candidates=candidates_of(cluster)
        )
        result = verify_cluster(about.dump, about.cluster(cluster), node=about.node(node))
        style = chosen_style(color, output, ascii_only=ascii_only)
        write_answer(chosen.writer("verify")(result, style, fold=not show_all), output)
        return FOUND if result.differences and not exit_zero else ANSWERED

    answer(ask)
