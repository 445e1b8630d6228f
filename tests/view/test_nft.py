"""What is shown of listings of nft: where rules stand that have no lines, and what a listing is called."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import iptviz
from iptviz.questions.report import report
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.blocks import ChainBrowser
from iptviz.view.report import report_view
from iptviz.view.trace_picture import trace_picture
from tests.render.test_hostile import needs_dot

LISTINGS = Path(__file__).parent.parent / "nft" / "listings"
JSON, TEXT = LISTINGS / "every-1.36.json", LISTINGS / "every-1.36.listing"
TARGETS = ("shop/api", "shop/admin", "shop/sticky", "shop/away", "shop/empty", "shop/gone", "shop/web")


def node(path: Path) -> Any:
    return iptviz.load_node(str(path))


@needs_dot
@pytest.mark.parametrize(
    "name", ["tree", "table", "json", "csv", "dot", "svg", "mermaid", "html", "markdown"]
)
def test_no_format_tells_a_line_of_json(name: str) -> None:
    read = node(JSON)
    answers: list[tuple[str, Any]] = [("trace", iptviz.trace(read, target)) for target in TARGETS]
    answers += [("graph", iptviz.graph(read)), ("services", iptviz.services(read))]
    for question, answer in answers:
        if question in FORMATS[name].questions:
            text = str(FORMATS[name].writer(question)(answer, Style(), fold=True))
            assert not re.search(r"\blines? (?:0|None)\b|\"line\": 0|this dump|iptables dump", text), question


def test_a_rule_without_a_line_stands_by_chain_and_number() -> None:
    tree = str(FORMATS["tree"].writer("trace")(iptviz.trace(node(JSON), "shop/sticky"), Style(), fold=True))
    assert "from services rule 2" in tree or "from rule 2 of services" in tree
    assert "1/3 (numgen)" in tree
    assert "of remaining" not in tree


def shares(path: Path, target: str) -> dict[str, tuple[str, ...]]:
    boxes = trace_picture(iptviz.trace(node(path), target)).boxes
    return {box.lines[0]: box.lines[1:] for box in boxes if box.kind == "endpoint"}


@pytest.mark.parametrize(
    "path", [TEXT, JSON, LISTINGS / "every-1.30.listing", LISTINGS / "every-1.37.listing"]
)
def test_a_picture_has_a_box_for_each_endpoint_be_there_a_chain_of_it_or_not(path: Path) -> None:
    assert shares(path, "10.96.20.1") == {f"10.244.{one}.5:8080": ("33.33 %",) for one in range(3)}
    assert shares(path, "203.0.113.20") == {
        "10.244.0.7:8443": ("A: 100 %", "B, C: 33.33 %"),
        "10.244.1.7:8443": ("A: 0 %", "B, C: 33.33 %"),
        "10.244.2.7:8443": ("A: 0 %", "B, C: 33.33 %"),
    }


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("path", [TEXT, JSON, LISTINGS / "every-1.29.listing"])
def test_every_arrow_of_a_picture_joins_two_boxes(path: Path, target: str) -> None:
    picture = trace_picture(iptviz.trace(node(path), target))
    ids = {box.id for box in picture.boxes}
    assert {end for link in picture.links for end in (link.tail, link.head)} <= ids
    assert len(ids) == len(picture.boxes)


def test_a_report_has_what_was_listed_and_its_chains() -> None:
    result = report(node(TEXT))
    (read,) = result.read
    assert read.text == TEXT.read_bytes()
    assert [source.family for source in read.sources] == ["ipv4"]
    (browser,) = report_view(result).of(ChainBrowser)
    chains, lacking = browser.open()
    assert lacking == ""
    own = chains["ip kube-proxy"]
    assert own["nat-prerouting"] == {
        "policy": "accept, nat hook prerouting priority -100", "rules": [[141, "jump services", ["services"], ""]],
    }  # fmt: skip
    assert own["services"]["rules"][1] == [
        183, "ip daddr . meta l4proto . th dport vmap @service-ips", ["@service-ips"], "",
    ]  # fmt: skip
    assert own["@no-endpoint-services"]["rules"][1] == [
        61, '203.0.113.30 . udp . 80 comment "shop/away:http" : drop', [], "",
    ]  # fmt: skip
    ways = own["service-HJZZPLOW-shop/sticky/udp/http"]["rules"][-1][2]
    assert [way.partition("__")[2] for way in ways] == [f"10.244.{one}.11/8080" for one in range(3)]


def test_many_clients_that_stay_are_folded(tmp_path: Path) -> None:
    elements = ", ".join(f"10.1.0.{one} expires 1h" for one in range(40))
    head = "set affinity-WIP6ZN7R-shop/sticky/udp/http__10.244.1.11/8080 {\n\t\ttype ipv4_addr\n"
    path = tmp_path / "ruleset.nft"
    path.write_text(TEXT.read_text().replace(head, f"{head}\t\telements = {{ {elements} }}\n"))
    write = FORMATS["tree"].writer("trace")
    folded, whole = (
        str(write(iptviz.trace(node(path), "10.96.20.9"), Style(), fold=fold)) for fold in (True, False)
    )
    assert "40 clients pinned when listed: 10.1.0.0 -> 10.244.1.11:8080 (expires in 1h), " in folded
    assert "36 more (--all)" in folded
    assert "10.1.0.39 -> 10.244.1.11:8080 (expires in 1h)" in whole
    assert "reached  outside, pod, node: 3 endpoints, 33.33 % each" in folded


def test_a_cut_listing_is_no_certain_answer(tmp_path: Path) -> None:
    path = tmp_path / "ruleset.nft"
    path.write_text(TEXT.read_text()[:7000])
    text = str(FORMATS["tree"].writer("trace")(iptviz.trace(node(path), "10.96.20.2"), Style(), fold=True))
    assert "NOT KNOWN" in text
    assert "this listing lacks" in text
    assert "NOT REACHED" not in text
