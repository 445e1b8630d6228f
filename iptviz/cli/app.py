"""The program and its commands."""

from __future__ import annotations

from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from iptviz.cli.commands import COMMANDS
from iptviz.cli.ending import tell, tell_version
from iptviz.cli.overview import OPTIONS, PURPOSE, WIDEST, overview
from iptviz.errors import near

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

SHELL_OPTIONS = ("--install-completion", "--show-completion")
"""Options of the program that take the name of a shell, or do without."""

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

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what is typed apart; of an option that there is not, say which ones look like it."""
        with _suggesting(ctx, self.params):
            return super().parse_args(ctx, args)


class Commands(TyperGroup):
    """A group that imports a command when it is asked for: none waits for the options of the others."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what is typed apart; an option that takes a shell's name may do without."""
        typed = list(args)
        if typed and typed[0] in SHELL_OPTIONS and (len(typed) == 1 or typed[1].startswith("-")):
            typed.insert(1, "")
        with _suggesting(ctx, self.params):
            return super().parse_args(ctx, typed)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is typed; of one that there is not, say which ones look like it."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-"):
            meant = near(name, COMMANDS).strip() or f"commands: {', '.join(COMMANDS)}"
            ctx.fail(f"No such command {name!r}.\n  {meant}")
        return super().resolve_command(ctx, args)

    def list_commands(self, _ctx: Any) -> list[str]:
        """Return the names of all commands."""
        return list(COMMANDS)

    def format_help(self, _ctx: Any, formatter: Any) -> None:
        """Write the help of the program; to list the commands none of them is imported."""
        formatter.write(overview(formatter.width))

    def get_command(self, _ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        return _command(cmd_name, getattr(import_module(module), name))


@contextmanager
def _suggesting(ctx: Any, params: Iterable[Any]) -> Iterator[None]:
    """Say of an option that there is not which of those that there are look like it."""
    try:
        yield
    except Exception as error:
        if not hasattr(error, "possibilities"):
            raise
        known = ["--help", *(flag for param in params for flag in param.opts)]
        if not (meant := near(getattr(error, "option_name", ""), known)):
            raise
        ctx.fail(f"{getattr(error, 'message', '')}\n  {meant.strip()}")


def _command(name: str, function: Callable[..., None]) -> Any:
    alone = typer.Typer(**_PLAIN)
    alone.command(name, cls=CommandHelp)(function)
    return typer.main.get_command(alone)


app = typer.Typer(
    name="iptviz",
    cls=Commands,
    help=PURPOSE,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": WIDEST},
    **_PLAIN,
)


def app_command(name: str = "") -> Any:
    """Return what typer makes of a command, or of the program."""
    program = typer.main.get_command(app)
    return program.get_command(None, name) if name else program  # type: ignore[attr-defined]


def _show_version(wanted: bool) -> None:
    if wanted:
        tell_version()


def _show_completion(shell: str | None) -> None:
    if shell is not None:
        _answer_about_shells(shell, installed=False)


def _install_completion(shell: str | None) -> None:
    if shell is not None:
        _answer_about_shells(shell, installed=True)


def _answer_about_shells(shell: str, *, installed: bool) -> None:
    from iptviz.cli.shells import install, script_of  # no question waits for it

    tell(lambda: f"{(install if installed else script_of)(shell).rstrip()}\n")


def _option(flag: str, callback: Callable[..., None]) -> Any:
    told = OPTIONS[flag]
    return typer.Option(*told.flags, metavar=told.metavar, help=told.help, callback=callback, is_eager=True)


@app.callback()
def _program(
    version: Annotated[bool, _option("--version", _show_version)] = False,
    install_completion: Annotated[str | None, _option("--install-completion", _install_completion)] = None,
    show_completion: Annotated[str | None, _option("--show-completion", _show_completion)] = None,
) -> None:
    pass
