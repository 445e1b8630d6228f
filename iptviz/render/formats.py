"""The table of formats: name, suffixes, how each answer is written. Choices, help and `-o` come from it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from iptviz.errors import OutputError

if TYPE_CHECKING:
    from iptviz.terminal import Style


class Writer(Protocol):
    """Writes the answer to a question; `fold` shortens long lists."""

    def __call__(self, result: Any, style: Style, *, fold: bool) -> str:
        """Return the text."""


class Format(NamedTuple):
    """A format: its suffixes, what it is for, and the functions that write it, as `module:name` by question."""

    name: str
    suffixes: tuple[str, ...]
    purpose: str
    writers: dict[str, str]

    def writer(self, question: str) -> Writer:
        """Return the function, imported when it is needed: a tree shall not wait for graphviz."""
        module, _, name = self.writers[question].partition(":")
        return cast("Writer", getattr(import_module(module), name))


FORMATS = {
    one.name: one
    for one in (
        Format(
            "tree",
            (".txt",),
            "for a terminal",
            {"trace": "iptviz.render.tree:trace_tree", "packet": "iptviz.render.tree:packet_tree"},
        ),
        Format(
            "table",
            (".txt",),
            "for a terminal",
            {
                "sources": "iptviz.render.table:sources_table",
                "services": "iptviz.render.table:services_table",
                "verify": "iptviz.render.table:verify_table",
            },
        ),
        Format("csv", (".csv",), "for spreadsheets", {"services": "iptviz.render.csv:services_csv"}),
        Format(
            "dot",
            (".dot", ".gv"),
            "for Graphviz",
            {"trace": "iptviz.render.dot:trace_dot", "packet": "iptviz.render.dot:packet_dot"},
        ),
        Format(
            "json",
            (".json",),
            "for scripts",
            {
                "trace": "iptviz.render.json:trace_json",
                "packet": "iptviz.render.json:packet_json",
                "services": "iptviz.render.json:services_json",
                "verify": "iptviz.render.json:verify_json",
                "sources": "iptviz.render.json:sources_json",
            },
        ),
        Format(
            "markdown",
            (".md", ".markdown"),
            "for tickets",
            {
                "trace": "iptviz.render.markdown:trace_markdown",
                "packet": "iptviz.render.markdown:packet_markdown",
                "services": "iptviz.render.markdown:services_markdown",
                "verify": "iptviz.render.markdown:verify_markdown",
            },
        ),
    )
}


def formats_of(question: str) -> dict[str, Format]:
    """Return the formats that can write the answer to `question`; the first is the default."""
    return {name: one for name, one in FORMATS.items() if question in one.writers}


def format_help(question: str) -> str:
    """Return the formats of a question, each with its purpose."""
    return ", ".join(f"{one.name} ({one.purpose})" for one in formats_of(question).values())


def choose_format(question: str, name: str | None, output: str | None) -> Format:
    """Return the format called `name`, else the one of the output file's suffix, else the default.

    Raises:
        OutputError: no format of this question has that name or suffix.
    """
    formats = formats_of(question)
    known = ", ".join(formats)
    if name is not None:
        if name not in formats:
            raise OutputError(f"there is no format {name!r}", hint=f"formats: {known}")
        return formats[name]
    if output is None or output == "-":
        return next(iter(formats.values()))
    for one in formats.values():
        if output.lower().endswith(one.suffixes):
            return one
    raise OutputError("no format has this suffix", where=output, hint=f"choose one with -f: {known}")
