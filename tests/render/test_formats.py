"""The table of formats: which answers each can write follows from what these hold; a new question needs no more."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

import iptviz
from iptviz.errors import OutputError
from iptviz.render.formats import FORMATS, choose_format, formats_of
from iptviz.terminal import Style
from iptviz.view import registry
from iptviz.view.blocks import Fact, Facts, Heading, Notes, Table, Tree, View, flattened
from iptviz.view.nodes import Cell, Columns, TableRow, TextNode, TreeRow, texts
from iptviz.view.registry import QUESTIONS, Question

DEFAULTS = {
    "trace": "tree", "packet": "tree", "graph": "tree", "services": "table", "verify": "table", "diff": "table", "check": "table",
    "explain": "table", "sources": "table", "report": "html", "fleet": "table",
}  # fmt: skip
ANSWERS = Columns("answers", ("Share", "Where"), "Answers", spared=("Where",))


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_first_format_of_a_question_is_the_default(question: str) -> None:
    assert choose_format(question, None, None).name == DEFAULTS[question]


def test_a_format_writes_what_holds_what_it_needs() -> None:
    for row in FORMATS.values():
        able = [name for name, question in QUESTIONS.items() if question.holds & row.needs]
        assert list(row.questions) == able != []
    for question in QUESTIONS:
        assert set(formats_of(question)) == {
            row.name for row in FORMATS.values() if question in row.questions
        }


def test_every_function_of_a_format_is_there() -> None:
    assert all(callable(registry.function_at(row.function)) for row in FORMATS.values())


# --- a question that no format has heard of ------------------------------------------------------------------


class LoopResult(NamedTuple):
    """A result of a new question."""

    name: str
    dump: iptviz.Dump | None = None
    snapshot: None = None

    def to_dict(self) -> dict[str, Any]:
        return {"schema": "test.loop.v1", "name": self.name}


def loop_view(result: LoopResult, *, fold: bool) -> View:
    row = TreeRow("endpoint", ANSWERS, (Cell("share", "25.00 %"), Cell("address", "10.0.0.1:80")))
    nodes = (TextNode("chain", f"chain {result.name}", "line 7", (row,)),)
    others = Columns("others", ("Service", "Line"))
    return View(
        result.name,
        "a.txt · complete",
        (
            Heading("web", at="cluster IP 10.0.0.9"),
            Tree(lambda: nodes, lambda: flattened(nodes, ANSWERS)),
            Heading("others"),
            Table(others, (TableRow(texts(("db", "8" if fold else "9"))),)),
            Facts(lambda: (Fact("Verdict", "a loop", "bad", "verdict"),)),
            Notes(lambda: ("look here",)),
        ),
        document=result.to_dict,
    )


@pytest.fixture
def _asked_newly(monkeypatch: pytest.MonkeyPatch) -> None:
    holds = frozenset({"tree", "table", "dump", "document"})
    new = Question("tests.render.test_formats:loop_view", "LoopResult", holds)
    monkeypatch.setitem(QUESTIONS, "loop", new)


@pytest.mark.usefixtures("_asked_newly")
@pytest.mark.parametrize(
    ("format_name", "lines"),
    [
        (
            "tree",
            [
                "a.txt · complete", "", "web   cluster IP 10.0.0.9", "└── chain L   line 7",
                "    └── 25.00 %   10.0.0.1:80", "", "others", "", "SERVICE  LINE", "db       8", "",
                "Verdict  a loop", "", "note: look here",
            ],
        ),
        (
            "table",
            [
                "a.txt · complete", "", "web   cluster IP 10.0.0.9", "", "SHARE    WHERE",
                "25.00 %  10.0.0.1:80", "", "others", "", "SERVICE  LINE", "db       8", "",
                "Verdict  a loop", "", "note: look here",
            ],
        ),
        (
            "markdown",
            [
                "a.txt · complete", "", "### web cluster IP 10.0.0.9", "", "- chain L (line 7)", "",
                "| Share | Where |", "| ---: | --- |", "| 25.00 % | 10.0.0.1:80 |", "", "### others", "",
                "| Service | Line |", "| --- | --- |", "| db | 8 |", "", "- **Verdict:** a loop", "",
                "- note: look here",
            ],
        ),
        ("json", ["{", '  "schema": "test.loop.v1",', '  "name": "L"', "}"]),
    ],
)  # fmt: skip
def test_a_new_question_is_written_as_it_is(format_name: str, lines: list[str]) -> None:
    assert list(formats_of("loop")) == ["tree", "table", "json", "html", "markdown"]
    text = str(FORMATS[format_name].writer("loop")(LoopResult("L"), Style(), fold=True))
    assert [line.rstrip() for line in text.splitlines()] == lines


@pytest.mark.usefixtures("_asked_newly")
def test_a_new_question_has_a_page() -> None:
    result = LoopResult("L", iptviz.load("fixtures/httpd-service/dump.rules"))
    page = FORMATS["html"].writer("loop")(result, Style(), fold=True)
    for part in (
        "<h3>web <small>cluster IP 10.0.0.9</small></h3>",
        '<table class="answers">',
        '<td data-label="Where"><b>10.0.0.1:80</b></td>',
        '<td data-label="Service">db</td>',
        "<span>a loop</span>",
        "<dd>a loop</dd>",
        "<li>look here</li>",
    ):
        assert part in page


def test_a_format_that_does_not_write_a_question_is_none_of_it() -> None:
    with pytest.raises(OutputError, match='unknown format "png"'):
        choose_format("services", "png", None)
    with pytest.raises(OutputError, match="unknown file extension"):
        choose_format("sources", None, "out.html")
