"""What becomes of clients in every format: their lines, boxes and links, with names of the dump as harmless text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from iptviz.paths.model import Decider
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.articles import articles_of
from iptviz.view.registry import view_of
from iptviz.view.text import printable
from iptviz.view.trace_picture import trace_picture
from tests.render.readers import READERS, squeezed
from tests.render.test_hostile import every_text, needs_dot
from tests.view import made_paths as made
from tests.view.made_paths import HALF, WHOLE, entry, paths, rest, row, when

if TYPE_CHECKING:
    from iptviz.paths.model import FrontendPaths
    from iptviz.view.picture import Picture

SERVICE = "default/httpd-service"


def written(format_name: str, *ways: FrontendPaths, color: bool = False) -> str:
    result, style = made.traced(*ways), Style(color=color)
    return str(FORMATS[format_name].writer("trace")(result, style, fold=True))


def drawn(*ways: FrontendPaths, target: str = "10.97.13.198") -> Picture:
    return trace_picture(made.traced(*ways, target=target))


def links(picture: Picture) -> set[tuple[str, tuple[str, ...], str]]:
    """Return what leads from clients: their text, the link's lines, and the text of what it leads to."""
    texts = {box.id: " ".join(box.lines) for box in picture.boxes}
    kinds = {"reaches", "fails", "unsure"}
    return {(texts[link.tail], link.lines, texts[link.head]) for link in picture.links if link.kind in kinds}


# --- text ----------------------------------------------------------------------------------------------------


def test_the_tree_begins_with_what_fails() -> None:
    _, _, heading, first, second, third, gap, chain, *_ = written("tree", made.POD_DROPPED).split("\n")
    assert heading == f"{SERVICE}   cluster IP 10.97.13.198:79/tcp"
    assert first == "NOT REACHED  pod: DROP by the policy of filter FORWARD (line 5)"
    assert second.startswith("reached      outside, node: ")
    assert third.startswith("SNAT         ")
    assert (gap, chain[:4]) == ("", "├── ")


def test_an_endpoint_at_which_some_fail_says_so_in_the_tree() -> None:
    lines = [line for line in written("tree", made.IN_PART).split("\n") if "KUBE-SEP-" in line]
    assert [line.endswith("<- not all clients get through") for line in lines] == [True, False, False, False]


def test_in_colour_what_fails_is_red_and_nothing_else() -> None:
    lines = written("tree", made.POD_DROPPED, color=True).split("\n")
    red = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines if "\x1b[1;31m" in line]
    assert red == [
        "NOT REACHED  pod: DROP by the policy of filter FORWARD (line 5)",
        "Findings  forward-drop (high) (details: iptviz explain ID)",
    ]


def test_a_summary_has_what_is_reached_and_no_verdict_on_chains() -> None:
    view = view_of(made.traced(made.POD_DROPPED, made.REACHED, target=SERVICE), fold=True)
    found = [(article.detail, fact.label) for article in articles_of(view) for fact in article.results]
    assert found == [
        ("cluster IP 10.97.13.198:79/tcp", "NOT REACHED"),
        ("cluster IP 10.97.13.198:79/tcp", "reached"),
        ("node port :32123/tcp", "reached"),
    ]


def test_a_page_names_the_word_of_a_single_result() -> None:
    page = written("html", made.REFUSED)
    assert re.search(r'class="result bad">NOT REACHED: <span>outside, pod, node: REJECT by filter', page)


# --- pictures -------------------------------------------------------------------------------------------------


def test_clients_with_one_answer_are_one_box_and_what_fails_is_another() -> None:
    assert links(drawn(made.POD_DROPPED)) == {
        ("outside, node", ("reached",), f"{SERVICE} cluster IP 10.97.13.198:79/tcp"),
        ("pod", ("NOT REACHED",), "DROP by the policy of filter FORWARD (line 5)"),
    }


def test_an_endpoint_at_which_some_fail_is_marked() -> None:
    kinds = {box.lines[0]: box.kind for box in drawn(made.IN_PART).boxes}
    assert (kinds["10.244.1.17:80"], kinds["10.244.1.18:80"]) == ("failing", "endpoint")


def test_endpoints_that_only_pods_do_not_reach_are_not() -> None:
    assert "failing" not in {box.kind for box in drawn(made.POD_DROPPED).boxes}


def test_what_depends_leads_to_both() -> None:
    words = {(clients, lines) for clients, lines, _ in links(drawn(made.LOCAL_ENDPOINT))}
    assert {("outside, pod", ("depends",)), ("outside, pod", ("otherwise",))} <= words


def test_of_several_answers_it_is_told_of_which_frontend_each_is() -> None:
    picture = drawn(made.REACHED, made.POD_DROPPED, target=SERVICE)
    assert ("pod", ("NOT REACHED", "node port :32123/tcp")) in {found[:2] for found in links(picture)}
    assert "node port :32123/tcp: reached: outside, node: 4 endpoints, 25.00 % each" in picture.footer


def test_frontends_with_one_answer_share_their_clients() -> None:
    picture = drawn(made.REACHED, made.REACHED, target=SERVICE)
    assert len([box for box in picture.boxes if box.kind == "client"]) == 1
    assert len(links(picture)) == 2


def test_without_ways_no_clients_are_drawn() -> None:
    picture = trace_picture(made.traced(made.REACHED)._replace(paths=()))
    assert "client" not in {box.kind for box in picture.boxes}


# --- hostile names --------------------------------------------------------------------------------------------


def hostile(text: str) -> FrontendPaths:
    by = Decider("filter", text, 1, 2, f"-A {text} -j DROP")
    conditions = when("in-interface", text)
    return paths(
        entry(("pod",), row("10.244.1.17", HALF, "DROP", by), row("10.244.1.18", HALF, snat=text)),
        entry(("outside",), rest("ACCEPT", by._replace(table="nat")), conditions=conditions),
        entry(("node",), row("10.244.1.17", WHOLE, "DROP", by, conditions), row("10.244.1.17", WHOLE)),
    )


@pytest.mark.parametrize("name", ["tree", "table", "csv", "mermaid", "html", "markdown"])
@every_text
def test_a_real_parser_reads_names_as_text(name: str, text: str) -> None:
    found = READERS[name](written(name, hostile(text)))
    assert any(squeezed(printable(text))[:50] in squeezed(one) for one in found)


@needs_dot
@every_text
def test_a_picture_shows_names_as_text(text: str) -> None:
    found = READERS["dot"](written("dot", hostile(text)))
    assert any(squeezed(printable(text))[:50] in squeezed(one) for one in found)
