"""What every command does: read the node that is meant, choose a format, and write the answer."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from iptviz.errors import DumpError, OutputError
from iptviz.node.load import load_node as load
from iptviz.output import is_standard, write_answer
from iptviz.records import NamedTuple
from iptviz.render.formats import Format, choose_format
from iptviz.source.size import read_size
from iptviz.terminal import Style, in_ascii, say, style_for

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.cli.options import Color, Options
    from iptviz.cli.progress import Bar
    from iptviz.node.snapshot import Snapshot
    from iptviz.progress import Progress
    from iptviz.questions.trace import TraceResult


class Meant(NamedTuple):
    """What a question tells of the dump that is meant: its family, and the name that the API has for its node.

    `compared`: it is compared with another one, of which a file alone may tell no node.
    """

    family: str | None = None
    node: str | None = None
    compared: bool = False


def load_node(
    names: str | Sequence[str] | None, options: Options, progress: Progress, meant: Meant | None = None
) -> Snapshot:
    """Return the node that is meant, having said what the reading of its dumps left out or repaired.

    `progress` is told how much is read.

    Raises:
        DumpError: there is none, or --strict forbids what the reading took.
    """
    found = load(
        *named_or_piped(names),
        number=options.number,
        node=options.of_node,
        node_hint=meant.node if meant else None,
        may_be_nameless=meant is not None and meant.compared,
        family=meant.family if meant else None,
        max_size=read_size(options.max_size),
        side=options.side,
        progress=progress,
    )
    from iptviz.view.reading import details, objection, summary

    if options.strict and (what := objection(found)):
        raise DumpError(
            what, where=found.dump.source, hint="drop --strict to analyse the remaining lines anyway"
        )
    for message in [] if options.quiet else details(found) if options.verbose else summary(found):
        say(message)
    return found


def named_or_piped(names: str | Sequence[str] | None) -> list[str]:
    """Return the names of the input: standard input where something is piped in.

    Raises:
        DumpError: nothing is named or piped.
    """
    if not names and sys.stdin is not None and sys.stdin.isatty():
        raise DumpError("no DUMP given", hint="name a file, or pipe one in: iptables-save | iptviz ...")
    return [names or "-"] if isinstance(names, str) else list(names or ["-"])


def chosen_format(question: str, options: Options) -> Format:
    """Return the format that the options ask for.

    Raises:
        OutputError: they ask for none that there is, or for two.
    """
    name, output = options.format_name, options.output
    if output == "":
        raise OutputError("-o needs a file name", hint="drop -o to write to standard output")
    if options.as_json and name not in {None, "json"}:
        raise OutputError(f"--json and -f {name} are two formats", hint="pick one")
    if output is not None and os.path.isdir(output):  # noqa: PTH112 - pathlib costs 3 ms at start-up
        raise OutputError(
            "cannot be written: it is a folder",
            where=output,
            hint=f"name a file in it: -o {os.path.join(output, 'answer.txt')}",  # noqa: PTH118
        )
    chosen = choose_format(question, "json" if options.as_json else name, output)
    if chosen.filed and is_standard(output) and sys.stdout is not None and sys.stdout.isatty():
        name = "report" if question == "report" else "out"
        raise OutputError(
            f"refusing to write {chosen.name.upper()} to a terminal; use -o {name}{chosen.suffixes[0]}"
        )
    return chosen


def write(
    question: str, chosen: Format, result: Any, options: Options, bar: Bar, *, fold: bool, brief: bool = False
) -> None:
    """Write the answer to a question where and how the options say; see `iptviz.render.formats.AnswerWriter`.

    The bar says so, and is gone before anything is written.

    Raises:
        OutputError: it cannot be written.
    """
    style = _chosen_style(options.color, options.output, ascii_only=options.ascii_only)
    bar("preparing the answer")
    text = chosen.writer(question)(result, style, fold=fold, brief=brief)
    if style.ascii_only and chosen.for_people and isinstance(text, str):
        text = in_ascii(text)
    bar.end()
    write_answer(text, options.output)


def _chosen_style(color: Color, output: str | None, *, ascii_only: bool) -> Style:
    """Return how the answer is laid out: a file gets colour only where it is demanded."""
    if not is_standard(output):
        return Style(color.value == "always", ascii_only=ascii_only)
    return style_for(color.value, ascii_only=ascii_only)


def say_absence(result: TraceResult, *, quiet: bool) -> None:
    """Say that a target is not in the dump, and, unless quietly, what could have been meant."""
    from iptviz.checks.wording import sentences
    from iptviz.view.text import printable

    first, *more = map(printable, sentences(result.notes))
    say("\n  ".join([f"{printable(result.dump.source)}: {first}", *([] if quiet else more)]))
