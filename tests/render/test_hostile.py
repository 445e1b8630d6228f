"""Hostile names and comments: every format shows them literally, and none of them gets to steer anything."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest

import iptviz
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.text import printable
from tests.dot import svg

if TYPE_CHECKING:
    from iptviz.questions.trace import TraceResult

# No blanks: a chain's name cannot hold them.
HOSTILE = {
    "escape sequence": "\x1b[31mred\x1b[0m",
    "window title": "\x1b]0;pwned\x07",
    "C1 control": "\x9b2J",
    "markup": "[bold]x[/bold]",
    "unbalanced markup": "[/red][link=http://evil]",
    "emoji code": ":key:",
    "script": '"</script><script>alert(1)</script>',
    "quotes": '"it\'s"',
    "backslashes": "a\\\\b\\",
    "pipe": "a|b|{c}",
    "backticks": "`id`$(id)",
    "arrow": "a->b;c--d",
    "port": "a:b",
    "compass": "x:n",
    "bold": "<b>x</b>",
    "unclosed tag": "<b>x",
    "angle brackets": "<<TABLE>>",
    "entities": "&lt;x&gt;&#65;&amp;",
    "node name": "\\N\\G\\E\\T",
    "line ends": "a\\lb\\rc\\n",
    "right to left": "\u202egnirts\u202c\u200f",
    "letters": "zażółć\N{SNOWMAN}",
    "long": "x" * 10_000,
    "no UTF-8": b"\xff\xfe\xe9".decode("utf-8", "surrogateescape"),
    "keyword": "digraph",
    "ports": "KUBE-SVC-A:KUBE-SVC-B",
}
TEMPLATE = """\
*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-A - [0:0]
:{name} - [0:0]
:KUBE-SEP-A - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m comment --comment "a/b:c cluster IP" -m tcp --dport 80 -j KUBE-SVC-A
-A KUBE-SVC-A -m comment --comment "{quoted}" -j {name}
-A {name} -i {name} -j KUBE-SEP-A
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.244.0.5:80
COMMIT
*filter
:KUBE-SERVICES - [0:0]
-A KUBE-SERVICES -d 10.0.0.2/32 -p tcp -m comment --comment "{quoted}" -m tcp --dport 80 -j REJECT
COMMIT
"""
SGR = re.compile(r"\x1b\[[0-9;]*m")
BY_CHAIN, BY_COMMENT = "10.0.0.1", "10.0.0.2"

every_text = pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
every_target = pytest.mark.parametrize("target", [BY_CHAIN, BY_COMMENT])
needs_dot = pytest.mark.skipif(
    shutil.which("dot") is None and not os.environ.get("IPTVIZ_REQUIRE_DOT"),
    reason="needs dot (apt-get install graphviz)",
)


def traced(text: str, target: str) -> TraceResult:
    """Trace a dump in which a chain, comments and the file are called `text`."""
    quoted = re.sub(r"([\"'\\])", r"\\\1", text)
    name = text.replace('"', "'")  # a word of a rule: a bare quote would open a quoted stretch
    data = TEMPLATE.format(name=name, quoted=quoted).encode("utf-8", "surrogateescape")
    return iptviz.trace(iptviz.Dump(data, text), target)


def written(result: TraceResult, format_name: str, style: Style = Style()) -> str:  # noqa: B008 - a tuple
    return str(FORMATS[format_name].writer("trace")(result, style, fold=True))


def expected(text: str, target: str) -> str:
    """Return what must be legible: the chain's name, or the comment."""
    return printable(text.replace('"', "'") if target == BY_CHAIN else text)


@every_target
@every_text
def test_the_tree_shows_it_literally_on_one_line(text: str, target: str) -> None:
    lines = written(traced(text, target), "tree").split("\n")
    assert all(line == printable(line) for line in lines)
    assert any(line.startswith(f"{printable(text)} · ") for line in lines)
    assert any(expected(text, target) in line for line in lines)


@every_target
@every_text
def test_in_colour_nothing_but_colours_is_added(text: str, target: str) -> None:
    result = traced(text, target)
    assert SGR.sub("", written(result, "tree", Style(color=True))) == written(result, "tree")


@every_target
@every_text
def test_in_ascii_it_is_ascii(text: str, target: str) -> None:
    tree = written(traced(text, target), "tree", Style(ascii_only=True))
    assert tree.replace("\n", "").isprintable()
    assert tree.isascii()


@every_text
def test_json_reads_back_to_the_same_text(text: str) -> None:
    found = json.loads(written(traced(text, BY_COMMENT), "json"))
    assert found["dump"]["source"] == text
    assert found["services"][0]["verdict"]["text"] == text
    conditions = json.loads(written(traced(text, BY_CHAIN), "json"))["services"][0]["when"]
    assert [one["value"] for one in conditions] == [text.replace('"', "'")]


@every_text
def test_what_stands_in_the_place_of_a_policy_is_no_policy(text: str) -> None:
    policy = re.sub(r"\s", "_", text)
    data = f"*nat\n:OUTPUT {policy} [0:0]\n:X - [0:0]\n-A OUTPUT -j X\nCOMMIT\n".encode(
        "utf-8", "surrogateescape"
    )
    result = iptviz.graph(iptviz.Dump(data, "file"))
    tree = str(FORMATS["tree"].writer("graph")(result, Style(), fold=True))
    assert isinstance(result.dump, iptviz.Dump)
    assert result.dump.tables["nat"].chains["OUTPUT"].policy is None
    assert "the policy of nat OUTPUT is unreadable" in tree
    assert all(line == printable(line) for line in tree.split("\n"))


# --- pictures ----------------------------------------------------------------------------------------------


def svg_of(dot: str) -> dict[str, list[str]]:
    """Draw a picture with Graphviz; return the lines of text of each node, edge and the graph, by title."""
    groups: dict[str, list[str]] = {}
    for group in ET.fromstring(svg(dot)).iter("{http://www.w3.org/2000/svg}g"):
        # Rules under the mouse wrap the texts of nodes and edges once more.
        find = group.findall if group.get("class") == "graph" else group.iter
        texts = list(find("{http://www.w3.org/2000/svg}text"))
        title = group.findtext("{http://www.w3.org/2000/svg}title") or ""
        groups[title] = [(one.text or "").replace("\xa0", " ") for one in texts]
        assert all(len(one) == 0 for one in texts), "text with markup in it"
    return groups


@needs_dot
@every_text
def test_a_chain_is_drawn_with_its_name_as_text(text: str) -> None:
    groups = svg_of(written(traced(text, BY_CHAIN), "dot"))
    assert [expected(text, BY_CHAIN)] in groups.values()
    title, about, *_ = groups["iptviz"]
    assert title == BY_CHAIN
    assert about.startswith(f"{printable(text)} · ")


@needs_dot
@every_text
def test_a_comment_is_drawn_as_text(text: str) -> None:
    groups = svg_of(written(traced(text, BY_COMMENT), "dot"))
    assert any(printable(text) in lines for lines in groups.values())


def chains_of(*names: str) -> TraceResult:
    """Trace a service whose chains of these names lead to each other, and the last to an endpoint."""
    jumps = [
        f"-A {caller} -j {callee}" for caller, callee in zip(("KUBE-SVC-A", *names), names, strict=False)
    ]
    rules = (
        '-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m comment --comment "a/b:c cluster IP" -j KUBE-SVC-A',
        *jumps,
        f"-A {names[-1]} -j KUBE-SEP-A",
        "-A KUBE-SEP-A -p tcp -j DNAT --to-destination 10.244.0.5:80",
    )
    declared = [f":{name} - [0:0]" for name in ("KUBE-SERVICES", "KUBE-SVC-A", *names, "KUBE-SEP-A")]
    text = "\n".join(("*nat", *declared, *rules, "COMMIT", ""))
    return iptviz.trace(iptviz.load(text.encode()), BY_CHAIN)


@needs_dot
def test_chains_whose_names_look_alike_stay_apart() -> None:
    names = ["A-B", "A_B", "AB", "A:B", "A.B", "a-b", "A\\B", "A/B", '"A-B', "A-B<"]
    groups = svg_of(written(chains_of(*(name.replace('"', "'") for name in names)), "dot"))
    nodes = [lines for title, lines in groups.items() if title.startswith("nat/") and "->" not in title]
    boxes = [lines[0] for lines in nodes if len(lines) == 1]
    assert sorted(boxes) == sorted(
        ["KUBE-SERVICES", "KUBE-SVC-A", *(name.replace('"', "'") for name in names)]
    )
    edges = [title for title in groups if title.startswith("nat/") and "->" in title]
    assert len(edges) == len(names) + 2


def test_digits_that_are_no_digits_do_no_harm() -> None:
    odd = "\N{SUPERSCRIPT TWO}"
    data = TEMPLATE.format(name="X", quoted="x").replace("10.244.0.5:80", f"10.244.0.5:{odd}")
    result = iptviz.trace(iptviz.load(data.encode()), BY_CHAIN)
    assert odd in written(result, "tree")
