"""`iptviz services`: every service port of a dump."""

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
    NamesOption,
    OutputOption,
    QuietOption,
    RedactOption,
    StrictOption,
    VerboseOption,
    format_option,
)
from iptviz.cli.pseudonyms import asked_dump
from iptviz.cli.run import ANSWERED, Reading, answer, chosen_format, chosen_style
from iptviz.output import write_answer


def services_command(
    dump: DumpArgument = None,
    namespace: Annotated[
        str | None, typer.Option("-n", "--namespace", metavar="NAME", help="Only those of a namespace.")
    ] = None,
    uneven: Annotated[
        bool, typer.Option("--uneven", help="Only those whose endpoints do not share evenly.")
    ] = False,
    no_endpoints: Annotated[
        bool, typer.Option("--no-endpoints", help="Only those that lead to no endpoint.")
    ] = False,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="IP[:PORT]", help="Only those that lead to this endpoint."),
    ] = None,
    published: Annotated[
        bool, typer.Option("--published", help="Also ports that others publish: host ports, Docker's.")
    ] = False,
    sort: Annotated[
        str, typer.Option("--sort", metavar="KEY", help="By name, address, endpoints, uneven or line.")
    ] = "name",
    format_name: Annotated[str | None, format_option("services")] = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    show_all: Annotated[bool, typer.Option("--all", help="List every frontend and endpoint.")] = False,
    names: NamesOption = None,
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
    """List every service port: its frontends, its endpoints and how evenly they share, its policies."""

    def ask() -> int:
        from iptviz.questions.services import services  # other commands shall not wait for it

        chosen = chosen_format("services", format_name, output, as_json=as_json)
        reading = Reading(number, max_size, strict, verbose, quiet)
        about = asked_dump(dump, reading, redact=redact, mapping=mapping, output=output, names=names)
        result = services(
            about.dump,
            namespace=about.namespace(namespace),
            uneven=uneven,
            no_endpoints=no_endpoints,
            endpoint=about.address(endpoint),
            published=published,
            sort=sort,
            names=about.names,
        )
        style = chosen_style(color, output, ascii_only=ascii_only)
        write_answer(chosen.writer("services")(result, style, fold=not show_all), output)
        return ANSWERED

    answer(ask)
