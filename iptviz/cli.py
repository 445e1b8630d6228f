"""The command line: options, one library call, a renderer, an exit status."""

from __future__ import annotations

import os
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from iptviz.dump.model import Dump, load
from iptviz.errors import DumpError, IptvizError, OutputError
from iptviz.output import drop_standard_output, write_answer
from iptviz.questions.trace import TraceResult, trace
from iptviz.render.formats import FORMAT_HELP, Format, choose_format
from iptviz.terminal import Style, say, style_for
from iptviz.version import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

ANSWERED, FOUND, FAILED, INTERRUPTED = 0, 1, 2, 130
"""Exit statuses: answered; findings or target not there; the question could not be asked; Ctrl-C."""

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


class _Command(TyperCommand):
    """A command whose usage reads `TARGET [DUMP]`; typer would write `{TARGET} [DUMP]`."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the pieces of the usage line."""
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]


class Color(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


FormatOption = Annotated[
    str | None,
    typer.Option("-f", "--format", metavar="FORMAT", help=f"How to answer: {FORMAT_HELP}."),
]
OutputOption = Annotated[
    str | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write to FILE; its suffix chooses the format."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="The same as -f json.")]
ColorOption = Annotated[Color, typer.Option("--color", help="Colour the tree.")]
AsciiOption = Annotated[bool, typer.Option("--ascii", help="Draw with ASCII only.")]
QuietOption = Annotated[bool, typer.Option("-q", "--quiet", help="No messages on standard error but errors.")]
ExitZeroOption = Annotated[bool, typer.Option("--exit-zero", help="Exit with 0 where it would be 1.")]
DumpArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="[DUMP]", help="A file, or - for standard input (the default when piped).", show_default=False
    ),
]


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


@app.command("trace", cls=_Command)
def _trace(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="10.97.13.198, 10.97.13.198:79, [fd00::1]:443, default/web, default/web:http, "
            ":32123 (a node port), KUBE-SVC-... (a chain), or an endpoint 10.244.1.17:80.",
        ),
    ],
    dump: DumpArgument = None,
    format_name: FormatOption = None,
    output: OutputOption = None,
    as_json: JsonOption = False,
    show_all: Annotated[bool, typer.Option("--all", help="Do not fold long lists.")] = False,
    color: ColorOption = Color.AUTO,
    ascii_only: AsciiOption = False,
    quiet: QuietOption = False,
    exit_zero: ExitZeroOption = False,
) -> None:
    """Show where connections to TARGET go, with the exact share of each endpoint, and why."""

    def ask() -> int:
        chosen = _chosen_format(format_name, output, as_json=as_json)
        result = trace(_load(dump), target)
        to_file = output is not None and output != "-"
        colored = color == Color.ALWAYS
        style = (
            Style(colored, ascii_only=ascii_only)
            if to_file
            else style_for(color.value, ascii_only=ascii_only)
        )
        if result.services or chosen.name == "json":
            write_answer(chosen.trace_writer(result, style, fold=not show_all), output)
        if not result.services and not quiet:
            _say_absence(result)
        return ANSWERED if result.services or exit_zero else FOUND

    _answer(ask)


def _chosen_format(name: str | None, output: str | None, *, as_json: bool) -> Format:
    if output == "":
        raise OutputError("-o needs the name of a file", hint="without -o the answer goes to standard output")
    if as_json and name not in {None, "json"}:
        raise OutputError(f"--json and -f {name} ask for two formats", hint="choose one of them")
    return choose_format("json" if as_json else name, output)


def _load(name: str | None) -> Dump:
    if name is None:
        if sys.stdin is not None and sys.stdin.isatty():
            raise DumpError(
                "no DUMP is given", hint="name a file, or pipe one in: iptables-save | iptviz ..."
            )
        name = "-"
    return load(name)


def _say_absence(result: TraceResult) -> None:
    from iptviz.view.text import printable

    first, *more = map(printable, result.notes)
    say("\n  ".join([f"{printable(result.dump.source)}: {first}", *more]))


def _answer(ask: Callable[[], int]) -> NoReturn:
    """Run `ask` and exit with its status; a user never sees a traceback, unless IPTVIZ_DEBUG asks for it."""
    try:
        status = ask()
    except IptvizError as error:
        status = _fail(str(error))
    except BrokenPipeError:
        # Whoever read has seen enough. Point stdout elsewhere, or the interpreter complains at its end.
        drop_standard_output()
        status = ANSWERED
    except KeyboardInterrupt:
        status = INTERRUPTED
    except MemoryError:
        status = _fail("not enough memory for this dump")
    except Exception as error:
        if os.environ.get("IPTVIZ_DEBUG"):
            raise
        status = _fail(
            f"internal error: {type(error).__name__}: {error}\n"
            "  This is a bug in iptviz. IPTVIZ_DEBUG=1 shows where; please report it with the dump's line."
        )
    raise typer.Exit(status)


def _fail(message: str) -> int:
    from iptviz.view.text import printable

    say("iptviz: " + "\n".join(map(printable, message.split("\n"))))
    return FAILED
