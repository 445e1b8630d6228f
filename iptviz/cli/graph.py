"""`iptviz graph`: which chain leads to which."""

from collections.abc import Mapping
from typing import Annotated, Any

from iptviz.cli.command import CommandResult, question
from iptviz.cli.options import NodeArgument
from iptviz.cli.told import option
from iptviz.errors import TargetError
from iptviz.redact.named import Named


def _one_graph(typed: Mapping[str, Any]) -> None:
    if typed["around"] is not None and typed["focus"] is not None:
        raise TargetError("--around and --focus exclude each other", hint="pick one")


@question("graph", all_help="Show everything.", check=_one_graph)
def graph_command(
    dump: NodeArgument,
    tables: Annotated[
        list[str] | None,
        option("--table", metavar="TABLE", text="Only this table; may be repeated."),
        Named.WORD,
    ] = None,
    around: Annotated[
        str | None,
        option(
            "--around",
            metavar="CHAIN",
            text="Only chains that jump to CHAIN, or that it jumps to.",
            show_default=False,
        ),
        Named.CHAIN,
    ] = None,
    depth: Annotated[
        int,
        option("--depth", metavar="N", minimum=1, text="Number of jumps to follow from CHAIN."),
        Named.NOTHING,
    ] = 2,
    focus: Annotated[
        str | None,
        option("--focus", metavar="TARGET", text="Only chains on the path of TARGET.", show_default=False),
        Named.TARGET,
    ] = None,
) -> CommandResult:
    """Show which chain jumps to which: all chains, those near one chain, or those on the path of a target."""
    from iptviz.questions.graph import graph

    return CommandResult(graph(dump, tables=tables or (), around=around, depth=depth, focus=focus))
