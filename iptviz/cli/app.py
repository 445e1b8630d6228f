"""The program and its commands."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from iptviz.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

COMMANDS = {
    "trace": "iptviz.cli.trace:trace_command",
    "services": "iptviz.cli.services:services_command",
    "check": "iptviz.cli.check:check_command",
    "explain": "iptviz.cli.explain:explain_command",
    "packet": "iptviz.cli.packet:packet_command",
    "verify": "iptviz.cli.verify:verify_command",
    "graph": "iptviz.cli.graph:graph_command",
    "report": "iptviz.cli.report:report_command",
    "redact": "iptviz.cli.redact:redact_command",
    "sources": "iptviz.cli.sources:sources_command",
}
"""The function behind each command, as `module:name`, in the order of the help."""

# Rich's help panels would cost 30 ms at every start and colour piped help on some CI systems.
_PLAIN: dict[str, Any] = {
    "rich_markup_mode": None,
    "pretty_exceptions_enable": False,
    "add_completion": False,
}


class CommandHelp(TyperCommand):
    """A command whose usage reads `TARGET [DUMP]`; typer would write `{TARGET} [DUMP]`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the pieces of the usage line."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class Commands(TyperGroup):
    """A group that imports a command when it is asked for: none waits for the options of the others."""

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        return _command(cmd_name, getattr(import_module(module), name))


def _command(name: str, function: Callable[..., None]) -> Any:
    alone = typer.Typer(**_PLAIN)
    alone.command(name, cls=CommandHelp)(function)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="iptviz",
    cls=Commands,
    help="Where does a Kubernetes service connection go? Exact answers from iptables-save.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    **_PLAIN,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"iptviz {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    pass
