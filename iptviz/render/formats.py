"""The table of formats: name, suffixes, what writes it, of which answers. Choices, help and `-o` come from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from iptviz.errors import OutputError, near, quoted
from iptviz.questions.document import elements_of
from iptviz.records import NamedTuple
from iptviz.view.registry import QUESTIONS, function_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.terminal import Style
    from iptviz.view.blocks import View
    from iptviz.view.picture import Picture


class AnswerWriter(Protocol):
    """Writes the answer to a question; `fold` shortens long lists, `brief` leaves all but the first lines out."""

    def __call__(self, result: Any, style: Style, *, fold: bool, brief: bool = False) -> Any:
        """Return the text, or the bytes of a format that is no text."""


class Format(NamedTuple):
    """A format: its suffixes, what it is for, the function that writes it, as `module:name`, and what that takes.

    `needs` says which answers it can write: those that hold one of these, see iptviz.view.registry. `takes` is a
    key of `_MADE`; `styled` that it takes the style of a terminal, too; `filed` that it would flood one.
    """

    name: str
    suffixes: tuple[str, ...]
    purpose: str
    function: str
    takes: str
    needs: frozenset[str]
    styled: bool = False
    filed: bool = False

    @property
    def questions(self) -> tuple[str, ...]:
        """The questions whose answers it can write."""
        return tuple(name for name, question in QUESTIONS.items() if question.holds & self.needs)

    @property
    def for_people(self) -> bool:
        """Whether it is a text to be read as it is, in which signs only draw."""
        return self.takes == "view"

    def writer(self, question: str) -> AnswerWriter:
        """Return what writes the answer to a question, imported when needed: a tree waits for no graphviz.

        Raises:
            OutputError: the answer is to be brief, which this format cannot be; raised by what is returned.
        """
        write, made = function_at(self.function), _MADE[self.takes]

        def written(result: Any, style: Style, *, fold: bool, brief: bool = False) -> Any:
            if brief and not self.for_people:
                readable = ", ".join(row.name for row in formats_of(question).values() if row.for_people)
                raise OutputError(f"--brief does not go with -f {self.name}", hint=f"formats: {readable}")
            taken = made(question, result, fold=fold)
            taken = taken.brief if brief else taken
            return write(taken, style) if self.styled else write(taken)

        return written


def _view(question: str, result: Any, *, fold: bool) -> View:
    return QUESTIONS[question].view(result, fold=fold)


def _picture(question: str, result: Any, *, fold: bool) -> Picture:
    from iptviz.view.blocks import Figure

    (figure,) = _view(question, result, fold=fold).of(Figure)
    return figure.draw()


def _page(_question: str, result: Any, *, fold: bool) -> View:
    from iptviz.view.report import page_view

    return page_view(result, fold=fold)


def _document(_question: str, result: Any, *, fold: bool) -> Any:  # noqa: ARG001 - a document is whole
    return result.to_dict()


def _elements(question: str, result: Any, *, fold: bool) -> Iterator[Any]:  # noqa: ARG001 - all of them
    return elements_of(question, result)


_MADE: dict[str, Callable[..., Any]] = {
    "view": _view,
    "picture": _picture,
    "page": _page,
    "document": _document,
    "elements": _elements,
}
"""What functions of formats take, and how it is made of a result."""


def _format(
    name: str,
    suffixes: str,
    purpose: str,
    function: str,
    takes: str,
    needs: str,
    **how: bool,
) -> Format:
    place = f"iptviz.render.{function}"
    return Format(name, tuple(suffixes.split()), purpose, place, takes, frozenset(needs.split()), **how)


FORMATS = {
    row.name: row
    for row in (
        _format("tree", ".txt", "for a terminal", "tree:tree_text", "view", "tree", styled=True),
        _format(
            "table", ".txt", "for a terminal", "table:table_text", "view", "tree table changes", styled=True
        ),
        _format("csv", ".csv", "for spreadsheets", "csv:csv_text", "document", "records"),
        _format("dot", ".dot .gv", "for Graphviz", "dot:dot_text", "picture", "picture"),
        _format("svg", ".svg", "a picture for pages", "drawn:svg", "picture", "picture"),
        _format("png", ".png", "a picture for chats", "drawn:png", "picture", "picture", filed=True),
        _format("pdf", ".pdf", "a picture for print", "drawn:pdf", "picture", "picture", filed=True),
        _format("mermaid", ".mmd .mermaid", "a picture for GitHub", "mermaid:mermaid", "picture", "picture"),
        _format(
            "sarif", ".sarif .sarif.json", "for code scanning", "sarif:sarif_text", "document", "findings"
        ),
        _format("junit", ".xml", "for CI servers", "junit:junit_text", "document", "findings"),
        _format("github", "", "annotations for GitHub Actions", "github:github_text", "document", "findings"),
        _format("json", ".json", "for scripts", "json:json_text", "document", "document"),
        _format(
            "jsonl", ".jsonl .ndjson", "a JSON object per line", "json:json_lines", "elements", "elements"
        ),
        _format("html", ".html .htm", "a page for an incident", "html:html", "page", "dump page", filed=True),
        _format("markdown", ".md .markdown", "for tickets", "markdown:markdown", "view", "dump page"),
        _format("zip", ".zip", "an archive of everything", "zip:archive", "view", "answers", filed=True),
    )
}


def formats_of(question: str) -> dict[str, Format]:
    """Return the formats that can write the answer to `question`; the first is the default."""
    return {name: row for name, row in FORMATS.items() if question in row.questions}


def format_help(question: str) -> str:
    """Return the formats of a question, each with its purpose."""
    return ", ".join(f"{row.name} ({row.purpose})" for row in formats_of(question).values())


def choose_format(question: str, name: str | None, output: str | None) -> Format:
    """Return the format called `name`, else the one of the output file's suffix, else the default.

    Raises:
        OutputError: no format of this question has that name or suffix.
    """
    formats = formats_of(question)
    known = ", ".join(formats)
    if name is not None:
        if name not in formats:
            raise OutputError(f"unknown format {quoted(name)}", hint=f"{near(name, formats)}formats: {known}")
        return formats[name]
    if output is None or output == "-":
        return next(iter(formats.values()))
    for row in formats.values():
        if output.lower().endswith(row.suffixes):
            return row
    _, dot, extension = output.rpartition("/")[2].rpartition(".")
    what = f"unknown file extension {quoted(f'.{extension}')}" if dot else "no file extension"
    suffixes = [suffix for row in formats.values() for suffix in row.suffixes]
    raise OutputError(
        f"{what}; pass -f", where=output, hint=f"{near(f'.{extension}', suffixes)}formats: {known}"
    )
