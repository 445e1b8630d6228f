"""`iptviz explain`: what a finding means, why it matters, what to do; and what conditions there are."""

from typing import Annotated

from iptviz.cli.command import command
from iptviz.cli.ending import ANSWERED
from iptviz.cli.options import Options
from iptviz.cli.progress import Bar
from iptviz.cli.run import chosen_format, write
from iptviz.cli.told import positional
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
        positional(
            metavar="[ID]...",
            text=(
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
