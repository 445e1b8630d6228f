"""A packet's fate in every format: literal where a dump is hostile, folded with right numbers, fitting a width."""

from __future__ import annotations

import json
import os
import re
import shutil
from fractions import Fraction
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.outcome import Outcome
from iptviz.engine.path import Step
from iptviz.intake.remark import remark
from iptviz.questions.packet import PacketResult
from iptviz.render.formats import FORMATS, choose_format, formats_of
from iptviz.terminal import Style
from iptviz.view.text import printable
from tests.dot import svg
from tests.render.test_hostile import HOSTILE, SGR, svg_of
from tests.view.test_packet import ASKED, httpd_result, many, one_case, path, refused

if TYPE_CHECKING:
    from collections.abc import Callable

RESULTS: dict[str, Callable[[], PacketResult]] = {
    "two cases": httpd_result,
    "one case": one_case,
    "two hundred": many,
    "refused": refused,
}
RULES = """\
*filter
:FORWARD ACCEPT [0:0]
:{name} - [0:0]
-A FORWARD -m comment --comment "{quoted}" -j {name}
-A {name} -m comment --comment "{quoted}" -j DROP
COMMIT
"""

every_result = pytest.mark.parametrize("name", RESULTS)
TEXTS = [name for name, one in formats_of("packet").items() if name not in {"png", "pdf", "zip"}]
every_format = pytest.mark.parametrize("format_name", TEXTS)
every_text = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
needs_dot = pytest.mark.skipif(
    shutil.which("dot") is None and not os.environ.get("IPTVIZ_REQUIRE_DOT"),
    reason="needs dot (apt-get install graphviz)",
)


def written(result: PacketResult, name: str, style: Style = Style(), *, fold: bool = True) -> str:  # noqa: B008
    return str(FORMATS[name].writer("packet")(result, style, fold=fold))


def hostile(text: str) -> PacketResult:
    """Return an answer in which a chain, comments, effects, a condition, a note and the file are called `text`."""
    quoted = re.sub(r"([\"'\\])", r"\\\1", text)
    name = re.sub(r"\s", "_", text).replace('"', "'")  # a chain's name holds no blanks
    dump = iptviz.Dump(RULES.format(name=name, quoted=quoted).encode("utf-8", "surrogateescape"), text)
    chains = dump.tables["filter"].chains
    steps = [
        Step("filter", "FORWARD", chains["FORWARD"].rules[0], f"jump {name}", ASKED),
        Step("filter", name, chains[name].rules[0], f"DROP {text}", ASKED),
    ]
    when = (Assumption(Condition("match", text), holds=True),)
    outcome = Outcome("DROP", Fraction(1), when, "", chains[name].rules[0], ASKED, path(steps), when)
    other = outcome._replace(
        when=(when[0].opposite(),), first=(), packet=ASKED._replace(dnat=text, snat=text)
    )
    return PacketResult(
        dump,
        ASKED._replace(in_interface=text),
        "prerouting",
        (outcome, other),
        (remark("damaged", reason=text),),
        complete=True,
    )


def test_suffixes_choose_formats() -> None:
    assert choose_format("packet", None, "incident.md").name == "markdown"
    assert choose_format("packet", None, None).name == "tree"


@every_result
@every_format
def test_every_text_ends_with_one_newline_and_no_line_with_a_blank(name: str, format_name: str) -> None:
    text = written(RESULTS[name](), format_name)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert [line for line in text.splitlines() if line.endswith((" ", "\t"))] == []


@every_result
def test_in_colour_and_in_ascii_it_is_the_same_tree(name: str) -> None:
    result = RESULTS[name]()
    tree = written(result, "tree")
    assert SGR.sub("", written(result, "tree", Style(color=True))) == tree
    assert written(result, "tree", Style(ascii_only=True)).isascii()


def test_the_tree_of_two_cases() -> None:
    lines = written(httpd_result(), "tree").splitlines()
    tree = lines[lines.index("├── A: when source not in 10.244.0.0/16") :]
    assert lines[0].startswith("tcp packet from 10.244.0.9 to 10.97.13.198:79   arrives at this node on eth0")
    assert tree[1].split("   ")[1:] == [
        "├── 25.00 %",
        "ACCEPT, forwarded",
        "to 10.244.1.17:80",
        "masqueraded",
        "mark 0x4000/0x4000",
        "by policy",
    ]
    assert lines[-1] == "note: A note."


@pytest.mark.parametrize("width", [100, 120, 150])
@every_result
def test_the_tree_fits_a_terminal(name: str, width: int) -> None:
    lines = written(RESULTS[name](), "tree", Style(width=width)).splitlines()
    tree = [line for line in lines if line.startswith(("├", "│", "└", " "))]
    assert tree
    assert [line for line in tree if len(line) > width] == []
    assert "to fit this terminal)" in "\n".join(lines)


def test_on_a_wide_terminal_nothing_is_left_out() -> None:
    assert "to fit" not in written(httpd_result(), "tree", Style(width=300))


@every_format
def test_two_hundred_outcomes_are_folded_but_in_documents(format_name: str) -> None:
    text = written(many(), format_name)
    whole = FORMATS[format_name].takes == "document"
    assert ("10.0.0.150:80" in text) == whole
    assert ("(--all)" in text) != whole
    assert "10.0.0.150:80" in written(many(), format_name, fold=False)


def test_the_json_is_the_document() -> None:
    assert json.loads(written(many(), "json")) == many().to_dict()


# --- hostile texts -------------------------------------------------------------------------------------------


@every_text
def test_the_tree_shows_it_literally_on_one_line(text: str) -> None:
    result = hostile(text)
    lines = written(result, "tree").split("\n")
    assert all(line == printable(line) for line in lines)
    assert any(f"DROP {printable(text)}" in line for line in lines)
    assert SGR.sub("", written(result, "tree", Style(color=True))) == written(result, "tree")


@every_text
def test_json_reads_back_to_the_same_text(text: str) -> None:
    found = json.loads(written(hostile(text), "json"))
    assert found["dump"]["source"] == text
    assert found["outcomes"][1]["dnat"] == text
    assert found["notes"] == [text]


@needs_dot
@every_text
def test_it_is_drawn_as_text(text: str) -> None:
    groups = svg_of(written(hostile(text), "dot"))
    chain = printable("filter " + text.replace('"', "'"))
    assert [chain] in groups.values()
    assert any(f"from {printable(text)}" in lines for lines in groups.values())


@needs_dot
def test_graphviz_draws_every_answer() -> None:
    for result in RESULTS.values():
        assert b"</svg>" in svg(written(result(), "dot"))
