"""On a narrow terminal sentences are broken at words, what decides stays to the last, and wide signs line up."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
from rich.cells import cell_len

import iptviz
from iptviz.questions.explain_finding import explain
from iptviz.render.formats import FORMATS
from iptviz.render.room import broken, columns_of, cut, hung
from iptviz.render.table import table_lines
from iptviz.terminal import Style, in_ascii
from iptviz.view.blocks import Table
from iptviz.view.nodes import Columns, TableRow, texts
from tests.conftest import ROOT
from tests.program import run

if TYPE_CHECKING:
    from collections.abc import Callable

TODAY = "fixtures/policies-today/dump.rules"
PLAIN = Style(width=40)
ASCII = Style(width=40, ascii_only=True)
SIGNS = "a é ñ ü ß Ω Ж א 日 本 語 한 글 ｱ \uff21 \uff08 🚀 👍 · → … ├ │ ─ ' ー 々 𠀋 नमस्ते ไทย"

ASKED: dict[str, tuple[str, str, Callable[[iptviz.Dump], object]]] = {
    "services": ("services", "table", iptviz.services),
    "check": ("check", "table", iptviz.check),
    "trace": ("trace", "tree", lambda dump: iptviz.trace(dump, ":30700")),
    "trace as a table": ("trace", "table", lambda dump: iptviz.trace(dump, ":30700")),
    "packet": (
        "packet", "tree", lambda dump: iptviz.packet(dump, dst="203.0.113.20", protocol="tcp", dport=80),
    ),
    "graph": ("graph", "tree", iptviz.graph),
    "explain": ("explain", "table", lambda _: explain("conditions")),
}  # fmt: skip


@cache
def answered(name: str) -> object:
    return ASKED[name][2](iptviz.load(TODAY))


def shown(name: str, style: Style) -> list[str]:
    question, format_name, _ = ASKED[name]
    return str(FORMATS[format_name].writer(question)(answered(name), style, fold=True)).splitlines()


def squeezed(lines: list[str]) -> str:
    """What is said, whatever stands before each line of it."""
    return " ".join(" ".join(line.strip("│├└─ ") for line in lines).split())


# --- how much room text takes --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [*SIGNS.split(), SIGNS, "e\u0301", "o\u0308o", "日本e\u0301 x"])
def test_a_text_takes_as_many_columns_as_a_terminal_gives_it(text: str) -> None:
    assert columns_of(text, PLAIN) == cell_len(text)
    assert columns_of(text, ASCII) == len(in_ascii(text))


@pytest.mark.parametrize("style", [PLAIN, ASCII])
def test_what_is_cut_fits(style: Style) -> None:
    for room in range(3, 40):
        text = cut("源 10.0.0.1 日本語" * 3, room, style)
        assert room - 5 <= columns_of(text, style) <= room
    assert cut("日本", 4, PLAIN) == "日本"


@pytest.mark.parametrize("room", range(12, 60))
def test_a_sentence_is_broken_between_words_alone(room: int) -> None:
    text = "33.33 % not reached: DROP by filter FORWARD rule 1, line 30 (line 4: -A F -d ::1 --dport 80) 日本 語語語"
    lines = broken(text, room, PLAIN)
    assert " ".join(lines) == text
    assert [line for line in lines if columns_of(line, PLAIN) > max(room, len("rule 1, line 30"))] == []
    assert [line for line in lines[1:] if re.match(r"%|\d|line \d|F |::1", line)] == []
    assert [line for line in lines if re.search(r"\b(?:lines?|rule|-\S+)$", line)] == []


@pytest.mark.parametrize("room", [20, 33, 60])
def test_a_list_that_is_longer_than_a_line_is_broken_behind_commas(room: int) -> None:
    networks = ",".join(f"203.0.113.{number}/32" for number in range(30))
    lines = broken(f"source in {networks}: DROP", room, PLAIN)
    assert "".join(lines).replace(" ", "") == f"source in {networks}: DROP".replace(" ", "")
    assert [line for line in lines if len(line) > room] == []
    assert [line for line in lines[:-1] if not line.endswith((",", "in", ":"))] == []
    assert broken(f"a {networks[:16]} b", 18, PLAIN)[-1] == "b"


def test_pieces_keep_their_style_where_a_line_is_broken() -> None:
    lines = list(hung([("a  ", "bold")], [("one two ", "red"), ("three" * 6, "dim")], PLAIN))
    assert lines == [
        [("a  ", "bold"), ("one two", "red")],
        [("   ", ""), ("three" * 6, "dim")],
    ]


# --- answers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120])
@pytest.mark.parametrize("name", ASKED)
def test_an_answer_fits_its_terminal(name: str, width: int) -> None:
    for line in shown(name, Style(width=width)):
        quoted = re.match(r" +line \d+: -A ", line)  # a rule stays whole, to be copied
        words = line.strip("│├└─ ").split("   ")
        assert len(line) <= width or quoted or max(map(len, words[0].split(" "))) > 16, line


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 160])
def test_who_is_not_reached_and_why_stay_to_the_last(width: int) -> None:
    lines = shown("services", Style(width=width))
    table = lines[: lines.index("", lines.index("") + 1)]
    said = squeezed(table)
    for wanted in (
        "outside at load-balancer IP: no local endpoints: DROP by filter KUBE-EXTERNAL-SERVICES rule 1, line 22",
        "pod: not in loadBalancerSourceRanges: DROP by filter KUBE-PROXY-FIREWALL rule 1, line 27",
        "default/away:http",
    ):
        assert wanted in said
    heading = next(line for line in lines if line.startswith("SERVICE"))
    assert "REACHED" in heading or "default/away:http reached: load-balancer IP, node port not" in said
    left_out = re.findall(r"\(columns left out to fit this terminal: ([^()]*)\)", said)
    assert all("REMARKS" not in one and "REACHED" not in one for one in left_out)
    assert bool(left_out) == any(name not in heading for name in ("PROTO", "ALSO AT", "POLICY"))


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_finding_keeps_its_id_for_explain(width: int) -> None:
    lines = shown("check", Style(width=width))
    assert any(line.startswith("high      local-drop") for line in lines)
    assert "default/away:http has externalTrafficPolicy=Local and no endpoint on this node" in squeezed(lines)


def test_what_is_too_wide_at_its_words_stands_below_its_row() -> None:
    lines = shown("explain", Style(width=40))
    assert "TEXT" in lines[0]
    assert "VALUE" not in lines[0]
    assert "addresses or networks, as -s takes them: 10.244.0.0/16" in squeezed(lines)


@pytest.mark.parametrize("name", ASKED)
def test_ascii_takes_the_same_lines(name: str) -> None:
    drawn = shown(name, Style(width=60, ascii_only=True))
    assert [line for line in drawn if not line.isascii()] == []
    guides = {"├── ": "|-- ", "└── ": "`-- ", "│": "|"}
    for wide, plain in guides.items():
        assert sum(plain in line for line in drawn) >= sum(
            wide in line for line in shown(name, Style(width=60))
        )


# --- wide texts ----------------------------------------------------------------------------------------------

CHAINS = """*filter
:FORWARD ACCEPT [0:0]
:日本語 - [0:0]
:LATIN - [0:0]
-A FORWARD -p tcp -j 日本語
-A 日本語 -p tcp -j LATIN
-A LATIN -p tcp -j DROP
COMMIT
"""


@pytest.mark.parametrize("style", [Style(), Style(ascii_only=True), Style(width=100)])
def test_columns_line_up_beside_wide_names(style: Style) -> None:
    dump = iptviz.load(CHAINS.encode())
    packet = iptviz.packet(dump, src="192.0.2.1", dst="198.51.100.1", protocol="tcp", dport=80)
    tree = str(FORMATS["tree"].writer("packet")(packet, style, fold=False)).splitlines()
    steps = [line for line in tree if re.search("rule 1 ", line)]
    assert [
        name in "".join(steps) for name in ("LATIN", in_ascii("日本語") if style.ascii_only else "日本語")
    ]
    assert len(steps) >= 3
    assert len({columns_of(line[: line.index("rule 1 ")], style) for line in steps}) == 1


def test_a_table_lines_up_beside_wide_cells() -> None:
    rows = tuple(TableRow(texts(row)) for row in (("日本語", "x"), ("e\u0301", "x"), ("LATIN", "x")))
    lines = list(table_lines(Table(Columns("names", ("NAME", "X")), rows), Style()))
    assert {columns_of(line[0][0], PLAIN) for line in lines} == {len("日本語 ") + 3 + 2}


def test_very_long_cells_are_broken_at_once() -> None:
    rows = (TableRow(texts(("word " * 20_000, "x" * 1_000_000, "z"))),)
    first, *_ = table_lines(Table(Columns("words", ("A", "B", "C")), rows), Style(width=80))
    assert "".join(text for text, _ in first).startswith("A ")


def test_what_is_piped_is_never_broken() -> None:
    text = (
        (ROOT / TODAY)
        .read_text(encoding="utf-8")
        .replace("default/away:http", f"default/{'a' * 20_000}:http")
    )
    lines = run("services", "-", stdin=text.encode()).stdout.splitlines()
    (row,) = (line for line in lines if line.startswith(f"default/{'a' * 20_000}:http"))
    assert "load-balancer IP, node port not by outside" in row
    assert row.endswith("DROP by filter KUBE-EXTERNAL-SERVICES rule 1, line 22")
