"""Mermaid itself draws what is written for it, and shows every text as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.render.formats import FORMATS
from iptviz.render.mermaid import MOST_LINKS
from iptviz.terminal import Style
from iptviz.view.graph_folding import shown_graph
from tests.kubeproxy import numbered, saved
from tests.render.test_hostile import every_target, every_text, expected, traced

if TYPE_CHECKING:
    from collections.abc import Callable


def flowchart(question: str, result: object) -> str:
    return str(FORMATS["mermaid"].writer(question)(result, Style(), fold=True))


@every_target
@every_text
def test_hostile_text_is_shown_as_it_is(
    draw: Callable[[str], dict[str, Any]], text: str, target: str
) -> None:
    found = draw(flowchart("trace", traced(text, target)))
    shown = expected(text, target)
    assert any(shown[:900] in one for one in found["texts"])
    assert not found["foreign"]


@pytest.mark.parametrize("fixture", ["policies-today", "policies-old"])
def test_a_service_with_many_cases_is_drawn(draw: Callable[[str], dict[str, Any]], fixture: str) -> None:
    found = draw(flowchart("trace", iptviz.trace(iptviz.load(f"fixtures/{fixture}/dump.rules"), "shop")))
    assert any("10.244.0.7:8080" in one and "33.33 %" in one for one in found["texts"])


def test_a_jump_graph_is_drawn_with_every_link(draw: Callable[[str], dict[str, Any]]) -> None:
    result = iptviz.graph(iptviz.load("fixtures/policies-today/dump.rules"))
    assert draw(flowchart("graph", result))["links"] == len(shown_graph(result).links)


def test_what_is_folded_to_githubs_limits_is_drawn(draw: Callable[[str], dict[str, Any]]) -> None:
    cluster = numbered(90, 12, name="shop", node_ports=False)
    found = draw(flowchart("trace", iptviz.trace(iptviz.load(saved(cluster).encode()), "shop")))
    assert 100 < found["links"] < MOST_LINKS
    assert any("not shown" in one for one in found["texts"])


def test_a_packets_fate_is_drawn(draw: Callable[[str], dict[str, Any]]) -> None:
    dump = iptviz.load("fixtures/policies-today/dump.rules")
    result = iptviz.packet(dump, src="10.9.9.9", dst="203.0.113.10", protocol="tcp", dport=80, mark=0)
    assert any("ACCEPT, forwarded" in one for one in draw(flowchart("packet", result))["texts"])
