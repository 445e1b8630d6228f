"""`iptviz explain`: what a finding means, why it matters, what to do; and what conditions there are."""

from typing import Annotated

import typer

from iptviz.cli.command import command
from iptviz.cli.options import Options
from iptviz.cli.progress import Bar
from iptviz.cli.run import ANSWERED, chosen_format, write
from iptviz.redact.named import Named


@command(
    asks="explain",
    without=(
        "show_all", "redact", "mapping", "number", "of_node", "side", "strict", "max_size", "verbose",
        "exit_zero",
    ),
)  # fmt: skip
def explain_command(
    options: Options,
    what: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID]...",
            help=(
                "Finding ids, or `conditions` for the kinds of conditions that --assume takes. Default: list "
                "all findings."
            ),
            show_default=False,
        ),
        Named.WORD,
    ] = None,
    *,
    bar: Bar,
) -> int:
    """Explain findings: what they mean, why they matter, what to do."""
    from iptviz.questions.explain_finding import explain

    write("explain", chosen_format("explain", options), explain(what or ()), options, bar, fold=True)
    return ANSWERED
