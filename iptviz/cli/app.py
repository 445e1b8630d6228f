"""The program and its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from iptviz.cli.options import Command
from iptviz.cli.packet import packet_command
from iptviz.cli.services import services_command
from iptviz.cli.sources import sources_command
from iptviz.cli.trace import trace_command
from iptviz.version import __version__

# Rich's help panels would cost 30 ms at every start and colour piped help on some CI systems.
app = typer.Typer(
    name="iptviz",
    help="Where does a Kubernetes service connection go? Exact answers from iptables-save.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
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


app.command("trace", cls=Command)(trace_command)
app.command("services", cls=Command)(services_command)
app.command("packet", cls=Command)(packet_command)
app.command("sources", cls=Command)(sources_command)
