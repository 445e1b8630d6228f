"""The table of formats: name, suffixes, how each answer is written. Choices, help and `-o` come from it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, cast

from iptviz.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.terminal import Style


class Writer(Protocol):
    """Writes the answer to a question; `fold` shortens long lists."""

    def __call__(self, result: Any, style: Style, *, fold: bool) -> Any:
        """Return the text, or the bytes of a format that is no text."""


class Format(NamedTuple):
    """A format: its suffixes, what it is for, and the functions that write it, as `module:name` by question.

    A format of pictures has the functions that make the picture, and `drawn_by` to draw it.
    """

    name: str
    suffixes: tuple[str, ...]
    purpose: str
    writers: dict[str, str]
    drawn_by: str = ""

    def writer(self, question: str) -> Writer:
        """Return the function, imported when it is needed: a tree shall not wait for graphviz."""
        if not self.drawn_by:
            return cast("Writer", _function(self.writers[question]))
        picture, draw = _function(self.writers[question]), _function(self.drawn_by)
        return lambda result, _style, *, fold: draw(picture(result, fold=fold))

    @property
    def binary(self) -> bool:
        """Whether it is nothing for a terminal."""
        return self.name in {"png", "pdf", "zip"}


def _function(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    return cast("Callable[..., Any]", getattr(import_module(module), name))


PICTURES = {
    "trace": "iptviz.view.trace_picture:trace_picture",
    "packet": "iptviz.view.packet_picture:packet_picture",
    "graph": "iptviz.view.graph_picture:graph_picture",
}
"""What makes a picture of the answer to a question."""


FORMATS = {
    one.name: one
    for one in (
        Format(
            "tree",
            (".txt",),
            "for a terminal",
            {
                "trace": "iptviz.render.tree:trace_tree",
                "packet": "iptviz.render.tree:packet_tree",
                "graph": "iptviz.render.tree:graph_tree",
            },
        ),
        Format(
            "table",
            (".txt",),
            "for a terminal",
            {
                "sources": "iptviz.render.table:sources_table",
                "trace": "iptviz.render.table:trace_table",
                "packet": "iptviz.render.table:packet_table",
                "graph": "iptviz.render.table:graph_table",
                "services": "iptviz.render.table:services_table",
                "verify": "iptviz.render.table:verify_table",
            },
        ),
        Format(
            "csv",
            (".csv",),
            "for spreadsheets",
            {
                "trace": "iptviz.render.csv:trace_csv",
                "packet": "iptviz.render.csv:packet_csv",
                "services": "iptviz.render.csv:services_csv",
                "verify": "iptviz.render.csv:verify_csv",
                "graph": "iptviz.render.csv:graph_csv",
            },
        ),
        Format("dot", (".dot", ".gv"), "for Graphviz", PICTURES, "iptviz.render.dot:dot_text"),
        Format("svg", (".svg",), "a picture for pages", PICTURES, "iptviz.render.drawn:svg"),
        Format("png", (".png",), "a picture for chats", PICTURES, "iptviz.render.drawn:png"),
        Format("pdf", (".pdf",), "a picture for print", PICTURES, "iptviz.render.drawn:pdf"),
        Format(
            "mermaid", (".mmd", ".mermaid"), "a picture for GitHub", PICTURES, "iptviz.render.mermaid:mermaid"
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
                "graph": "iptviz.render.json:graph_json",
            },
        ),
        Format(
            "html",
            (".html", ".htm"),
            "a page for an incident",
            {
                "trace": "iptviz.render.report:answer_html",
                "packet": "iptviz.render.report:answer_html",
                "services": "iptviz.render.report:services_html",
                "verify": "iptviz.render.report:answer_html",
                "graph": "iptviz.render.report:answer_html",
                "report": "iptviz.render.report:report_html",
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
                "graph": "iptviz.render.markdown:graph_markdown",
                "report": "iptviz.render.report:report_markdown",
            },
        ),
        Format("zip", (".zip",), "an archive of everything", {"report": "iptviz.render.report:report_zip"}),
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
