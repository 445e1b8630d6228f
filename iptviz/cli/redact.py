"""`iptviz redact`: the same dump in pseudonyms."""

from __future__ import annotations

from typing import Annotated

import typer

from iptviz.cli.options import (
    DEFAULT_SIZE,
    DumpArgument,
    DumpNumberOption,
    MapOption,
    MaxSizeOption,
    OutputOption,
    QuietOption,
    StrictOption,
    VerboseOption,
)
from iptviz.cli.pseudonyms import redacted
from iptviz.cli.run import ANSWERED, Reading, answer, load_dump
from iptviz.output import write_answer


def redact_command(
    dump: DumpArgument = None,
    output: OutputOption = None,
    mapping: MapOption = None,
    ports: Annotated[bool, typer.Option("--ports", help="Give ports pseudonyms, too.")] = False,
    number: DumpNumberOption = None,
    strict: StrictOption = False,
    max_size: MaxSizeOption = DEFAULT_SIZE,
    quiet: QuietOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Print the same dump with pseudonyms for addresses, networks, names, interfaces and sets.

    What is alike stays alike: an address keeps its place in its networks, kube-proxy's hashes are computed anew,
    and the redacted dump leads to the same answers. Loopback, link-local and multicast addresses stay, and so
    do ports.
    """

    def ask() -> int:
        original = load_dump(dump, Reading(number, max_size, strict, verbose, quiet))
        text = redacted(original, mapping, ports=ports, output=output, quiet=quiet)[1]
        write_answer(text, output)
        return ANSWERED

    answer(ask)
