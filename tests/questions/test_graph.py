"""The jump graph as an answer: what is in it, what is folded, and what is said to be left out."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

import iptviz
from iptviz.checks.wording import sentences
from iptviz.questions.graph import graph
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.graph_folding import MOST_NODES, shown_graph
from iptviz.view.text import printable
from tests.kubeproxy import numbered, saved
from tests.render.test_hostile import every_text

TODAY = "fixtures/policies-today/dump.rules"
LOOP = "*filter\n:INPUT ACCEPT [0:0]\n:A - [0:0]\n:B - [0:0]\n-A INPUT -j A\n-A A -j B\n-A B -g A\n-A B -j C-GONE\nCOMMIT\n"


def asked(text: str = "", **options: Any) -> iptviz.GraphResult:
    return graph(iptviz.load(text.encode() if text else TODAY), **options)


def tree(result: iptviz.GraphResult, *, fold: bool = True) -> str:
    return str(FORMATS["tree"].writer("graph")(result, Style(), fold=fold))


def test_it_has_every_chain_and_every_jump_of_the_dump() -> None:
    result = asked()
    dump = result.dump
    assert isinstance(dump, iptviz.Dump)
    assert {one.place for one in result.chains} == {
        (name, chain) for name, table in dump.tables.items() for chain in table.chains
    }
    lines = {rule.line for one in result.jumps for rule in one.rules}
    assert lines == {
        rule.line
        for table in dump.tables.values()
        for chain in table.chains.values()
        for rule in chain.rules
        if rule.jump
    }


def test_json_has_it_all_and_folds_nothing() -> None:
    text = saved(numbered(30, 3))
    found = json.loads(str(FORMATS["json"].writer("graph")(asked(text), Style(), fold=True)))
    assert found["schema"] == "iptviz.graph.v1"
    assert len([one for one in found["chains"] if one["chain"].startswith("KUBE-SEP-")]) == 90
    (hook,) = (one for one in found["jumps"] if one["from"] == "PREROUTING")
    assert (hook["to"], hook["goto"], len(hook["lines"])) == ("KUBE-SERVICES", False, 1)


def test_around_a_chain_is_what_is_near_it() -> None:
    near = asked(around="KUBE-NODEPORTS", depth=1, tables=["nat"])
    assert {one.chain for one in near.chains} == {
        "KUBE-NODEPORTS", "KUBE-SERVICES", "KUBE-EXT-BILYYKAKWI7RYELB", "KUBE-EXT-RH4K6M2XYKGLJHAF",
    } or len(near.chains) == 4  # fmt: skip
    assert {one.tail[1] for one in near.jumps} == {"KUBE-SERVICES", "KUBE-NODEPORTS"}
    wide = asked(around="KUBE-NODEPORTS", depth=2, tables=["nat"])
    assert {one.place for one in near.chains} < {one.place for one in wide.chains}


def test_focus_is_the_way_of_a_target_and_of_no_other() -> None:
    result = asked(focus="default/shop", tables=["nat"])
    names = {one.chain for one in result.chains}
    assert {"PREROUTING", "OUTPUT", "KUBE-SERVICES", "KUBE-SVL-BILYYKAKWI7RYELB", "KUBE-MARK-MASQ"} <= names
    assert not any(name.startswith("KUBE-FW-") for name in names)
    assert len([name for name in names if name.startswith("KUBE-SEP-")]) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tables": ["raw"]}, 'no table "raw" in this dump'),
        ({"around": "NOBODY"}, 'no chain "NOBODY" in this dump'),
        ({"focus": "10.9.9.9"}, 'no service matches "10.9.9.9"'),
        ({"focus": "not a target!"}, "invalid TARGET"),
    ],
)
def test_what_is_not_there_is_said(options: dict[str, Any], message: str) -> None:
    with pytest.raises(iptviz.TargetError, match=re.escape(message)):
        asked(**options)


def test_loops_and_missing_chains_are_told() -> None:
    result = asked(LOOP)
    assert "A -> B is a loop, which the kernel refuses: edited by hand?" in sentences(result.notes)
    assert any(
        "jumps to C-GONE, but table filter has no such chain" in note for note in sentences(result.notes)
    )
    text = tree(result)
    assert "filter C-GONE · not in this dump" in text
    assert "(see above)" in text


def test_services_are_one_node_each_or_one_for_all() -> None:
    few = tree(asked(saved(numbered(5, 3))))
    assert "team-0/service-0:http · 5 chains" in few
    assert "KUBE-SEP-" not in few
    many = tree(asked(saved(numbered(50, 3))))
    assert "50 service ports · 250 chains" in many
    assert len(many.splitlines()) < 40
    assert "KUBE-SEP-" in tree(asked(saved(numbered(5, 3))), fold=False)


def test_a_family_of_chains_is_one_node_and_too_many_nodes_are_left_out_aloud() -> None:
    family = [f"cali-tw-cali{number:08X}" for number in range(20)]
    own = [f"{'abcdefghijklmnop'[number % 16] * (2 + number // 16)}" for number in range(160)]
    names = [*family, *own]
    text = "\n".join(
        ["*filter", ":FORWARD ACCEPT [0:0]", *(f":{name} - [0:0]" for name in names),
         *(f"-A FORWARD -j {name}" for name in names), "COMMIT", ""]
    )  # fmt: skip
    view = shown_graph(asked(text))
    assert ("filter cali-tw-...", "20 chains") in {one.lines for one in view.nodes}
    assert len(view.nodes) == MOST_NODES
    assert any(note.startswith("42 nodes not shown (--around CHAIN") for note in view.notes)
    assert len(shown_graph(asked(text), fold=False).nodes) == 181


def test_chains_that_nothing_leads_to_are_said_in_one_line_without_canaries() -> None:
    assert "unreferenced" not in tree(asked())
    chains = ":INPUT ACCEPT [0:0]\n:EMPTY - [0:0]\n:IDLE - [0:0]\n:KUBE-PROXY-CANARY - [0:0]\n"
    text = tree(asked(f"*filter\n{chains}-A IDLE -j DROP\nCOMMIT\n"))
    assert "note: unreferenced empty chain: filter EMPTY\n" in text
    assert "note: unreferenced chain: filter IDLE\n" in text
    assert "CANARY" not in text


def test_pictures_and_mermaid_show_the_same_nodes() -> None:
    result = asked()
    view = shown_graph(result)
    flowchart = str(FORMATS["mermaid"].writer("graph")(result, Style(), fold=True))
    dot = str(FORMATS["dot"].writer("graph")(result, Style(), fold=True))
    for node in view.nodes:
        assert node.lines[0] in dot
        assert node.lines[0] in flowchart
    assert dot.count(" -> ") == len(view.links)


@every_text
def test_hostile_names_are_text_everywhere(text: str) -> None:
    name = re.sub(r"\s", "_", text).replace('"', "'")
    rules = f"*filter\n:INPUT ACCEPT [0:0]\n:{name} - [0:0]\n-A INPUT -j {name}\nCOMMIT\n"
    result = graph(iptviz.Dump(rules.encode("utf-8", "surrogateescape"), text))
    for line in tree(result).split("\n"):
        assert line == printable(line)
    assert f"filter {printable(name)} " in tree(result)
    assert (
        json.loads(str(FORMATS["json"].writer("graph")(result, Style(), fold=True)))["jumps"][0]["to"] == name
    )
    flowchart = str(FORMATS["mermaid"].writer("graph")(result, Style(), fold=True))
    for label in re.findall(r'"([^"]*)"', flowchart.partition("flowchart LR")[2]):
        assert re.fullmatch(r"(?:[A-Za-z0-9 .,_/:()+=-]|#\d+;|<br>)*", label), label


def test_in_a_cut_dump_nothing_is_said_of_lines_that_are_not_there() -> None:
    with open(TODAY, encoding="utf-8") as file:  # noqa: PTH123
        text = file.read()
    text = text[: text.index("-A KUBE-EXTERNAL-SERVICES")].replace(":KUBE-PROXY-CANARY", ":IDLE")
    assert "note: unreferenced empty chain in this incomplete dump: filter IDLE\n" in tree(asked(text))
