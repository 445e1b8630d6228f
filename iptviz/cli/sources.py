"""`iptviz sources`: which dumps a file or a bundle holds."""

from typing import Annotated

from iptviz.cli.command import command
from iptviz.cli.ending import ANSWERED
from iptviz.cli.options import After, Options
from iptviz.cli.progress import Bar
from iptviz.cli.run import chosen_format, named_or_piped, write
from iptviz.cli.told import option, positional
from iptviz.questions.sources import sources
from iptviz.redact.named import Named
from iptviz.source.size import read_size
from iptviz.terminal import say


@command(asks="sources", without=("show_all", "number", "of_node", "strict", "verbose", "exit_zero"))
def sources_command(
    options: Options,
    bundles: Annotated[
        list[str] | None,
        positional(
            default=None,
            metavar="[BUNDLE]...",
            text="File, bundle (tar, zip, folder), or - for standard input; may be compressed.",
            show_default=False,
        ),
        Named.DUMPS,
    ],
    lines: Annotated[
        bool,
        option("--lines", text="List the lines that were skipped, repaired or not understood, and why."),
        Named.NOTHING,
        After("quiet"),
    ] = False,
    *,
    bar: Bar,
) -> int:
    """List what files and bundles contain: dumps, addresses, routes, ipsets ..., and what is not used."""
    chosen = chosen_format("sources", options)
    result = sources(
        *named_or_piped(bundles), max_size=read_size(options.max_size), side=options.side, progress=bar
    )
    if options.in_pseudonyms:
        from iptviz.cli.redacting import redacted_sources

        result = redacted_sources(result, options)
    write("sources", chosen, result, options, bar, fold=not lines)
    for problem in () if options.quiet else result.problems:
        from iptviz.view.text import printable

        say("\n".join(map(printable, str(problem).split("\n"))))
    return ANSWERED
