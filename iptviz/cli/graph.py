"""`iptviz graph`: which chain leads to which."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from iptviz.cli.command import CommandResult, question
from iptviz.cli.options import NodeArgument
from iptviz.errors import TargetError
from iptviz.redact.named import Named


def _one_graph(typed: Mapping[str, Any]) -> None:
    if typed["around"] is not None and typed["focus"] is not None:
        raise TargetError("--around and --focus ask for two graphs", hint="choose one of them")


@question("graph", all_help="Fold nothing, leave nothing out.", check=_one_graph)
def graph_command(
    dump: NodeArgument,
    tables: Annotated[
        list[str] | None,
        typer.Option("--table", metavar="TABLE", help="Of this table alone; may be repeated."),
        Named.WORD,
    ] = None,
    around: Annotated[
        str | None,
        typer.Option(
            "--around", metavar="CHAIN", help="What leads to CHAIN, what CHAIN leads to.", show_default=False
        ),
        Named.CHAIN,
    ] = None,
    depth: Annotated[
        int, typer.Option("--depth", metavar="N", min=1, help="So many jumps around CHAIN."), Named.NOTHING
    ] = 2,
    focus: Annotated[
        str | None,
        typer.Option(
            "--focus", metavar="TARGET", help="The chains on the way of TARGET.", show_default=False
        ),
        Named.TARGET,
    ] = None,
) -> CommandResult:
    """Show which chain leads to which: all of them, those around one chain, or those on a target's way."""
    from iptviz.questions.graph import graph

    return CommandResult(graph(dump, tables=tables or (), around=around, depth=depth, focus=focus))
