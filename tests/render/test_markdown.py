"""Markdown: what a dump says is text in it, never markup, a link, a mention, a table's bar or a tag."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from markdown_it import MarkdownIt

import iptviz
from iptviz.render.formats import FORMATS
from iptviz.render.markdown import _cell, _html, _plain
from iptviz.terminal import Style
from iptviz.view.text import printable
from tests.kubeproxy import numbered, saved
from tests.render.test_hostile import HOSTILE, traced
from tests.render.test_packet import hostile
from tests.view.test_packet import httpd_result, many, one_case

if TYPE_CHECKING:
    from markdown_it.token import Token

    from iptviz.questions.packet import PacketResult
    from iptviz.questions.trace import TraceResult

EVIL = {
    **HOSTILE,
    "end of details": "</details></table><h1>x",
    "fences": "```\\`` ` ```",
    "bar and backtick": "a`|`b\\|c",
    "link": "http://evil.example/?a=b",
    "link without scheme": "www.evil.example",
    "mention": "@everyone",
    "reference": "#1 and owner/repo#2",
    "image": "![x](http://evil.example/x.png)",
    "emphasis": "*a* _b_ ~~c~~ **d**",
    "heading": "# x",
    "rule": "---",
    "list": "1. x",
    "comment": "<!-- x",
    "all of a cell": "|",
}
every_evil = pytest.mark.parametrize("text", EVIL.values(), ids=EVIL)

# What the renderer itself writes, and nothing else may appear.
OURS = {
    "paragraph", "heading", "bullet_list", "list_item", "table", "thead", "tbody", "tr", "th", "td", "strong",
    "inline", "text", "code_inline", "fence", "html_block", "html_inline", "softbreak",
}  # fmt: skip
TAGS = {"<details>", "<summary>", "</summary>", "</details>", "<code>", "</code>"}


def trace_text(result: TraceResult) -> str:
    return str(FORMATS["markdown"].writer("trace")(result, Style(), fold=True))


def packet_text(result: PacketResult, *, fold: bool = True) -> str:
    return str(FORMATS["markdown"].writer("packet")(result, Style(), fold=fold))


def tokens(text: str) -> list[Token]:
    """Return all tokens of a Markdown text, those inside lines too."""
    found = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]).parse(text)
    return [one for token in found for one in (token, *(token.children or ()))]


def assert_harmless(text: str) -> None:
    """Assert that a text has no markup but the renderer's, and that rows of a table have as many cells."""
    for token in tokens(text):
        kind = token.type.removesuffix("_open").removesuffix("_close")
        assert kind in OURS, token
        if kind == "fence":
            assert token.info in {"mermaid", "text"}
        if kind.startswith("html"):
            assert set(re.findall("<[^>]*>?", token.content)) <= TAGS, token.content
    outside = re.sub(r"(?ms)^(`{3,})(?:text|mermaid)$.*?^\1$", "", text)
    for block in outside.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.split("\n")}) == 1
    lines = outside.split("\n")
    assert lines.count("<details>") == lines.count("</details>")


@every_evil
def test_in_a_packets_fate_it_is_text(text: str) -> None:
    assert_harmless(packet_text(hostile(text)))


@every_evil
def test_in_a_trace_it_is_text(text: str) -> None:
    if " " not in text:
        assert_harmless(trace_text(traced(text, "10.0.0.1")))
    assert_harmless(trace_text(traced(text, "10.0.0.2")))


@every_evil
def test_what_is_written_reads_back(text: str) -> None:
    shown = printable(text)
    for written in (f"x {_plain(shown)}", f"| x |\n| --- |\n| x {_cell(shown)} |", f"x {_html(shown)}"):
        read = [one.content for one in tokens(written) if one.type in {"text", "code_inline"}]
        assert "".join(read).endswith(f"x {shown}")


@pytest.mark.parametrize(
    "text",
    [
        "10.244.1.17:80",
        "25.00 %",
        "ACCEPT, forwarded",
        "jump KUBE-SERVICES",
        "KUBE-SVC-X rule 3",
        "cluster IP a:80/tcp",
    ],
)
def test_plain_texts_stay_plain(text: str) -> None:
    assert {_plain(text), _cell(text), _html(text)} == {text}


@pytest.mark.parametrize(
    "text",
    [
        "a://b",
        ":key:",
        ":100:",
        "www.x",
        "WWW.x",
        "a@b",
        "#1",
        "see GH-1",
        "a_b",
        "- x",
        "+ x",
        "1. x",
        "12) x",
        " x",
        "=x",
    ],
)
def test_what_might_mean_something_is_code(text: str) -> None:
    assert _plain(text).startswith("`")
    assert _html(text).startswith("<code>")


# --- what is there -------------------------------------------------------------------------------------------


def test_a_packets_fate_has_a_table_for_each_case_and_the_ways_to_unfold() -> None:
    text = packet_text(httpd_result())
    assert_harmless(text)
    assert text.startswith("### tcp packet from 10.244.0.9 to 10.97.13.198:79\n")
    assert "**A: when source not in 10.244.0.0/16**" in text
    assert (
        "| 25.00 % | ACCEPT, forwarded | to 10.244.1.17:80 | masqueraded | mark 0x4000/0x4000 | by policy |"
        in text
    )
    assert text.count("<details>") == 8
    assert "<summary>25.00 %, ACCEPT, forwarded, to 10.244.1.17:80</summary>" in text
    assert "- **Depends on:** whether source in 10.244.0.0/16" in text
    assert "\n- note: A note.\n\n```mermaid\n" in text


def test_columns_that_are_empty_everywhere_are_left_out() -> None:
    assert "| Share | Verdict | Destination | Decided |" in packet_text(one_case())


def test_many_outcomes_are_folded() -> None:
    text = packet_text(many())
    assert "and 190 more, 0.50 % each, 95.00 % together (--all)" in text
    assert text.count("<details>") == 4
    assert packet_text(many(), fold=False).count("<details>") == 200


def test_a_trace_has_its_chains_and_a_table_of_endpoints() -> None:
    text = trace_text(iptviz.trace(iptviz.load("fixtures/httpd-service/dump.rules"), "10.97.13.198"))
    assert_harmless(text)
    assert "| 25.00 % | 10.244.1.17:80 | p=0.25000 | KUBE-SEP-2ZFMABIBAPGHKA6E | lines 76, 37 |" in text
    assert "- KUBE-SERVICES (line 67)\n  - SNAT unless source in 10.244.0.0/16 (line 66)" in text


@pytest.mark.parametrize("target", ["203.0.113.10", "203.0.113.20", "203.0.113.30", ":30700"])
def test_a_trace_with_cases_and_refusals_is_harmless(target: str) -> None:
    for fixture in ("policies-today", "policies-old"):
        assert_harmless(trace_text(iptviz.trace(iptviz.load(f"fixtures/{fixture}/dump.rules"), target)))


def test_a_trace_has_a_picture_and_the_rules_to_unfold() -> None:
    text = trace_text(iptviz.trace(iptviz.load("fixtures/policies-today/dump.rules"), "203.0.113.20"))
    fences = [(token.info, token.content) for token in tokens(text) if token.type == "fence"]
    assert [info for info, _ in fences] == ["mermaid", "text"]
    assert "\nflowchart LR\n" in fences[0][1]
    assert re.search(
        r"^ 78  nat     -A KUBE-FW-4CU5DJFIWYNNV2YR -s 192\.0\.2\.0/25 ", fences[1][1], re.MULTILINE
    )
    assert "<summary>The rules</summary>" in text


def test_many_rules_are_folded_and_that_is_said() -> None:
    dump = iptviz.load(saved(numbered(1, 100)).encode())
    text = trace_text(iptviz.trace(dump, ":30000"))
    assert re.search(r"^and \d+ more rules \((--all)\)$", text, re.MULTILINE)
    whole = str(FORMATS["markdown"].writer("trace")(iptviz.trace(dump, ":30000"), Style(), fold=False))
    assert whole.count("-j DNAT --to-destination") == 100
    assert len(text) < 65_536, "GitHub takes no longer comment"


def test_a_graph_is_a_picture() -> None:
    text = str(
        FORMATS["markdown"].writer("graph")(
            iptviz.graph(iptviz.load("fixtures/policies-today/dump.rules")), Style(), fold=True
        )
    )
    assert_harmless(text)
    assert "\nflowchart LR\n" in text
