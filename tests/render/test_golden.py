"""Golden files: what each format prints for each of a table of targets.

To write them anew, and then to read what changed: `pytest tests/render/test_golden.py --update-golden`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

import iptviz
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from tests.conftest import GOLDEN

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz import GraphResult, PacketResult, ServicesResult, TraceResult

# name -> fixture, TARGET
TRACES = {
    "httpd-service": ("httpd-service/dump.rules", "10.97.13.198"),
    "httpd-today": ("httpd-today/dump.rules", "default/httpd-service"),
    "endpoint": ("httpd-affinity/dump.rules", "10.244.1.18:80"),
    "no-endpoints": ("httpd-no-endpoints/dump.rules", "10.97.13.198"),
    "ipv6": ("httpd-dual-stack/dump6.rules", "[fd00:10:96::79]:79"),
    "counters": ("httpd-nft/dump.rules", ":32123"),
    "external-ip-old": ("policies-old/dump.rules", "192.0.2.80"),
    "local-policy": ("policies-today/dump.rules", "203.0.113.10"),
    "local-policy-old": ("policies-old/dump.rules", ":30700"),
    "source-ranges": ("policies-today/dump.rules", "203.0.113.20"),
    "none-local": ("policies-today/dump.rules", "203.0.113.30"),
}

CLIENT = {"src": "203.0.113.77", "protocol": "tcp", "sport": 40000, "mark": 0, "in_iface": "eth0"}
# name -> fixture, the packet
PACKETS: dict[str, tuple[str, dict[str, Any]]] = {
    "packet-service": ("httpd-service/dump.rules", {**CLIENT, "dst": "10.97.13.198", "dport": 79}),
    "packet-unknown": ("httpd-service/dump.rules", {"dst": "10.97.13.198", "protocol": "tcp", "dport": 79}),
    "packet-explained": (
        "httpd-no-endpoints/dump.rules",
        {**CLIENT, "dst": "10.97.13.198", "dport": 79, "explain": True},
    ),
    "packet-local-policy": ("policies-today/dump.rules", {**CLIENT, "dst": "203.0.113.10", "dport": 80}),
    "packet-from-the-node": (
        "policies-today/dump.rules",
        {"src": "192.168.1.10", "dst": "203.0.113.10", "protocol": "tcp", "dport": 80, "hook": "output",
         "mark": 0, "local_ips": ("192.168.1.10",)},
    ),
    "packet-ipv6": (
        "httpd-dual-stack/dump6.rules",
        {"src": "2001:db8::77", "dst": "fd00:10:96::79", "protocol": "tcp", "dport": 79, "mark": 0},
    ),
}  # fmt: skip
# name -> fixture, options
SERVICES: dict[str, tuple[str, dict[str, Any]]] = {
    "services-today": ("policies-today/dump.rules", {}),
    "services-old": ("policies-old/dump.rules", {"sort": "line"}),
    "services-ipv6": ("httpd-dual-stack/dump6.rules", {"namespace": "default"}),
    "services-refused": ("httpd-no-endpoints/dump.rules", {"no_endpoints": True}),
    "services-endpoint": ("httpd-affinity/dump.rules", {"endpoint": "10.244.1.18"}),
}
# name -> fixture, options
GRAPHS: dict[str, tuple[str, dict[str, Any]]] = {
    "graph-today": ("policies-today/dump.rules", {}),
    "graph-old": ("policies-old/dump.rules", {"tables": ["filter"]}),
    "graph-around": ("policies-today/dump.rules", {"around": "KUBE-NODEPORTS", "depth": 1}),
    "graph-focus": ("httpd-service/dump.rules", {"focus": "default/httpd-service"}),
}
QUESTIONS: dict[str, dict[str, Any]] = {
    "trace": TRACES, "packet": PACKETS, "services": SERVICES, "graph": GRAPHS,
}  # fmt: skip
ROWS = [*TRACES, *PACKETS, *GRAPHS]

# ending -> format, style
OPTIONS = {
    "tree.txt": ("tree", Style()),
    "tree-ascii.txt": ("tree", Style(ascii_only=True)),
    "tree-80.txt": ("tree", Style(width=80)),
    "tree-color.txt": ("tree", Style(color=True)),
    "json": ("json", Style()),
    "dot": ("dot", Style()),
    "mmd": ("mermaid", Style()),
    "csv": ("csv", Style()),
    "md": ("markdown", Style()),
}
GRAPH_OPTIONS = {ending: option for ending, option in OPTIONS.items() if ending != "csv"}
SERVICES_OPTIONS = {
    "table.txt": ("table", Style()),
    "table-80.txt": ("table", Style(width=80)),
    "json": ("json", Style()),
    "csv": ("csv", Style()),
    "md": ("markdown", Style()),
}
ALL_OPTIONS = OPTIONS | SERVICES_OPTIONS
CASES = [
    *((row, ending) for row in TRACES for ending in OPTIONS),
    *((row, ending) for row in PACKETS for ending in OPTIONS),
    *((row, ending) for row in GRAPHS for ending in GRAPH_OPTIONS),
    *((row, ending) for row in SERVICES for ending in SERVICES_OPTIONS),
]
FILES = {f"{row}.{ending}" for row, ending in CASES}


def printed(row: str, ending: str) -> str:
    format_name, style = ALL_OPTIONS[ending]
    question = next(name for name, rows in QUESTIONS.items() if row in rows)
    return str(FORMATS[format_name].writer(question)(answer(row), style, fold=True))


def answer(row: str) -> TraceResult | PacketResult | ServicesResult | GraphResult:
    if row in TRACES:
        fixture, target = TRACES[row]
        return iptviz.trace(iptviz.load(f"fixtures/{fixture}"), target)
    if row in SERVICES:
        fixture, options = SERVICES[row]
        return iptviz.services(iptviz.load(f"fixtures/{fixture}"), **options)
    if row in GRAPHS:
        fixture, options = GRAPHS[row]
        return iptviz.graph(iptviz.load(f"fixtures/{fixture}"), **options)
    fixture, about = PACKETS[row]
    return iptviz.packet(iptviz.load(f"fixtures/{fixture}"), **about)


@pytest.mark.parametrize(("row", "ending"), CASES)
def test_it_prints_what_it_printed(row: str, ending: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{row}.{ending}", printed(row, ending))


@pytest.mark.parametrize(("row", "ending"), CASES)
def test_every_text_ends_with_one_newline_and_no_line_with_a_blank(row: str, ending: str) -> None:
    text = printed(row, ending)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert [line for line in text.splitlines() if line.endswith((" ", "\t"))] == []


@pytest.mark.parametrize("row", ROWS)
def test_ascii_is_the_same_tree_in_other_signs(row: str) -> None:
    plain, ascii_only = printed(row, "tree.txt"), printed(row, "tree-ascii.txt")
    assert ascii_only.isascii()
    signs = str.maketrans({"·": "-", "│": "|", "├": "+", "└": "+", "─": "-"})
    assert plain.translate(signs) == ascii_only


@pytest.mark.parametrize("fixture", ["policies-old", "policies-today"])
def test_a_picture_of_several_frontends_tells_the_share_at_each(fixture: str) -> None:
    result = iptviz.trace(iptviz.load(f"fixtures/{fixture}/dump.rules"), "shop")
    assert len(result.services) == 4
    text = FORMATS["dot"].writer("trace")(result, Style(), fold=True)
    assert re.search(r'"10\.244\.0\.7:8080\\n[^"]*33\.33 %', text)  # by the cluster IP
    assert re.search(r'"10\.244\.0\.7:8080\\n[^"]* 100 %', text)  # by the node port, from outside


@pytest.mark.parametrize("fixture", ["policies-old", "policies-today"])
def test_a_letter_in_a_picture_has_one_meaning(fixture: str) -> None:
    result = iptviz.trace(iptviz.load(f"fixtures/{fixture}/dump.rules"), "shop")
    (label,) = re.findall(
        r'graph \[.*?label="(.*?)" ', FORMATS["dot"].writer("trace")(result, Style(), fold=True)
    )
    legend = [tuple(line.split(": ", 1)) for line in label.split(r"\l") if ": " in line]
    assert len(legend) > 4
    assert len(dict(legend)) == len(set(legend))


def test_no_golden_file_is_left_over() -> None:
    ours = {path.name for path in GOLDEN.glob("*") if path.name.partition(".")[0] in {*ROWS, *SERVICES}}
    assert ours == FILES
