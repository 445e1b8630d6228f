"""Views as blocks: what each question holds, cells that say what they are, and what is made only when asked for."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.view.articles import articles_of
from iptviz.view.blocks import (
    Answers,
    Facts,
    Figure,
    Heading,
    Notes,
    Table,
    Tree,
    View,
    flattened,
    later,
    verdict_fact,
)
from iptviz.view.changes import Changes
from iptviz.view.nodes import (
    CaseBranch,
    Cell,
    Columns,
    Fold,
    LetteredCase,
    Remainder,
    TextNode,
    TreeRow,
    in_tables,
    texts,
)
from iptviz.view.registry import QUESTIONS, view_of
from tests.render.questions import MARKS
from tests.render.questions import QUESTIONS as ASKED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.view.nodes import Node

KINDS: dict[str, type] = {
    "tree": Tree,
    "table": Table,
    "changes": Changes,
    "picture": Figure,
    "answers": Answers,
}
SHARES = Columns("shares", ("Share", "Endpoint"), spared=("Endpoint",))
TODAY = "fixtures/policies-today/dump.rules"


def all_nodes(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        yield from all_nodes(node.children)


def rows_of(view: View) -> list[TreeRow]:
    return [node for tree in view.of(Tree) for node in all_nodes(tree.nodes) if isinstance(node, TreeRow)]


def row(share: str, address: str) -> TreeRow:
    return TreeRow("endpoint", SHARES, (Cell("share", share), Cell("address", address)))


# --- the table of questions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_holds_what_the_table_says(question: str) -> None:
    for result in ASKED[question](MARKS):
        view = QUESTIONS[question].view(result, fold=True)
        held = {name for name, kind in KINDS.items() if view.of(kind)}
        assert held == QUESTIONS[question].holds & set(KINDS)
        assert (view.document is not None) == ("document" in QUESTIONS[question].holds)
        assert ("dump" in QUESTIONS[question].holds) == hasattr(result, "dump")


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_result_tells_by_its_class_which_question_it_answers(question: str) -> None:
    for result in ASKED[question](MARKS):
        assert QUESTIONS[question].result == type(result).__name__
        assert view_of(result, fold=True).title == QUESTIONS[question].view(result, fold=True).title


def test_the_notes_of_an_answer_are_one_block_at_most() -> None:
    for question, answers in ASKED.items():
        counts = [len(QUESTIONS[question].view(result, fold=True).of(Notes)) for result in answers(MARKS)]
        assert set(counts) == {0 if question in {"sources", "explain"} else 1}


# --- what is made when it is asked for -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("result", "drawing", "growing"),
    [
        (
            iptviz.trace(iptviz.load(TODAY), "203.0.113.10"),
            "iptviz.view.trace_picture.trace_picture",
            "iptviz.view.trace_tree.FrontendTree._nodes",
        ),
        (
            iptviz.packet(iptviz.load(TODAY), dst="203.0.113.10", protocol="tcp", dport=80, mark=0),
            "iptviz.view.packet_picture.packet_picture",
            "iptviz.view.packet._WaysTree.nodes",
        ),
        (
            iptviz.graph(iptviz.load(TODAY)),
            "iptviz.view.graph._picture",
            "iptviz.view.graph._Branches.nodes",
        ),
    ],
    ids=["trace", "packet", "graph"],
)
def test_a_tree_waits_for_no_picture_and_a_picture_for_no_tree(
    result: Any, drawing: str, growing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError

    with monkeypatch.context() as patch:
        patch.setattr(drawing, refuse)
        assert [tree.nodes for tree in view_of(result, fold=True).of(Tree)]
    with monkeypatch.context() as patch:
        patch.setattr(growing, refuse)
        assert [figure.draw().boxes for figure in view_of(result, fold=True).of(Figure)]
        with pytest.raises(AssertionError):
            assert [tree.nodes for tree in view_of(result, fold=True).of(Tree)]


def test_what_is_made_later_is_made_once() -> None:
    made: list[int] = []

    def grow() -> tuple[Node, ...]:
        made.append(1)
        return (row("100 %", "10.0.0.1:80"),)

    tree = Tree(later(grow), lambda: Table(SHARES, ()))
    assert not made
    assert tree.nodes is tree.nodes
    assert made == [1]


# --- cells, cases and folds ----------------------------------------------------------------------------------


def test_cells_of_a_trace_say_what_they_are() -> None:
    view = view_of(iptviz.trace(iptviz.load(TODAY), "203.0.113.10"), fold=True)
    for endpoint in rows_of(view):
        assert [cell.kind for cell in endpoint.cells] == ["share", "address", "text", "chain", "line"]
        share, _, _, chain, _ = endpoint.cells
        assert share.text.endswith(" %")
        assert (chain.table, chain.text[:9]) == ("nat", "KUBE-SEP-")
        assert len(endpoint.cells) == len(endpoint.columns.headings)


def test_cells_of_a_packets_way_say_where_a_rule_stands() -> None:
    result = iptviz.packet(iptviz.load(TODAY), dst="203.0.113.10", protocol="tcp", dport=80, mark=0)
    steps = [row for row in rows_of(view_of(result, fold=True)) if row.kind == "step"]
    assert len(steps) > 10
    for step in steps:
        assert [cell.kind for cell in step.cells] == ["table", "place", "number", "line", "text", "rule"]
        assert step.cells[1].table == step.cells[0].text


def test_a_case_is_its_letter_and_when_it_comes_about() -> None:
    case = LetteredCase("B", ("mark is 1", "source in 10.0.0.0/8: so"))
    assert case.lines == ("B: when mark is 1", "   or when source in 10.0.0.0/8: so")
    assert case.condition == "when mark is 1 or when source in 10.0.0.0/8: so"
    assert LetteredCase("", ("always",)).lines == ("when always",)


def test_a_verdict_knows_its_case_and_a_summary_names_it_by_that() -> None:
    case = LetteredCase("A", ("source: in",))
    fact = verdict_fact(case, "no endpoint: REJECT", good=False)
    assert (fact.label, fact.mood, fact.kind, fact.case) == ("Case A", "bad", "verdict", case)
    assert verdict_fact(LetteredCase("", ()), "fine", good=True).label == "Verdict"
    view = View("title", "", (Heading("web"), Facts(lambda: (fact,))))
    (article,) = articles_of(view)
    assert [found.label for found in article.results] == ["when source: in"]


def test_a_fold_says_what_it_hides() -> None:
    rules = "\n".join(f"-A KUBE-SVC-A -m statistic --mode random --probability {1 / (20 - n):.11f} -j KUBE-SEP-{n}"
                      for n in range(19))  # fmt: skip
    ends = "\n".join(f"-A KUBE-SEP-{n} -p tcp -j DNAT --to-destination 10.0.1.{n}:80" for n in range(20))
    text = (
        "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-A - [0:0]\n"
        + "".join(f":KUBE-SEP-{n} - [0:0]\n" for n in range(20))
        + "-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m tcp --dport 80 -j KUBE-SVC-A\n"
        + f"{rules}\n-A KUBE-SVC-A -j KUBE-SEP-19\n{ends}\nCOMMIT\n"
    )
    view = view_of(iptviz.trace(iptviz.load(text.encode()), "10.0.0.1"), fold=True)
    (tree,) = view.of(Tree)
    (fold,) = [node for node in all_nodes(tree.nodes) if isinstance(node, Fold)]
    assert (fold.text.partition(" more")[0], fold.kind) == ("and 10", "fold")
    assert fold.columns is rows_of(view)[0].columns


# --- a tree as a table ---------------------------------------------------------------------------------------


def test_a_tree_becomes_a_table_by_case_without_reading_its_texts() -> None:
    nodes = (
        CaseBranch(LetteredCase("A", ("x: when y",)), (TextNode("chain", "KUBE-SVC-A: when", "line 1", (row("50.00 %", "a"),)),)),
        CaseBranch(
            LetteredCase("B", ("z",)),
            (
                Remainder(Fraction(1), "REJECT: by filter", "line 2"),
                Fold("2 chains more: not shown", kind="elided"),
                Fold("and 3 more: of them", SHARES),
            ),
        ),
    )  # fmt: skip
    columns = SHARES._replace(headings=("Share", "Endpoint", "Line"))
    table = flattened(nodes, columns)
    assert table.columns.headings == ("Case", "Share", "Endpoint", "Line")
    assert [[cell.text for cell in found.cells] for found in table.rows] == [
        ["A", "50.00 %", "a"],
        ["B", "100 %", "REJECT: by filter", "line 2"],
        ["B", "", "and 3 more: of them", ""],
    ]


def test_rows_stand_in_a_table_unless_there_is_more_below_them() -> None:
    chain, fold = TextNode("chain", "KUBE-SVC-A", "line 1"), Fold("and 1 more", SHARES)
    listed, tabled = in_tables((chain, row("1 %", "a"), fold))
    assert (listed, tabled) == ([chain], [row("1 %", "a"), fold])
    nested = row("1 %", "a")._replace(columns=SHARES._replace(nested=True))
    assert in_tables((nested, fold)) == ([nested, fold], [])


def test_a_column_that_is_empty_everywhere_is_not_used() -> None:
    table = flattened((row("1 %", ""), row("2 %", "")), SHARES)
    assert table.used == [1]
    assert texts(["a", ""]) == (Cell("text", "a"), Cell("text", ""))
