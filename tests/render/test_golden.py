"""Golden files: what each format prints for each of a table of targets.

To write them anew, and then to read what changed: `pytest tests/render/test_golden.py --update-golden`.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import zipfile
from functools import cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

import iptviz
from iptviz.questions.explain_finding import explain
from iptviz.questions.report import report
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.version import __version__
from iptviz.view.trace_picture import trace_picture
from tests.conftest import GOLDEN
from tests.view.made_fleets import agreeing, sixty

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.questions.fleet import FleetResult

SVG = "{http://www.w3.org/2000/svg}"

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
    "nft-local-policy": ("nftables/every-1.36.nft", "shop/api"),
    "nft-affinity": ("nftables/every-1.30.nft", "shop/sticky"),
    "nft-pinned": ("nftables/pinned.nft", "10.96.20.9:80"),
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
    "services-nft": ("nftables/every-1.36.nft", {}),
    "services-endpoint": ("httpd-affinity/dump.rules", {"endpoint": "10.244.1.18"}),
}
# name -> fixture, options
GRAPHS: dict[str, tuple[str, dict[str, Any]]] = {
    "graph-today": ("policies-today/dump.rules", {}),
    "graph-old": ("policies-old/dump.rules", {"tables": ["filter"]}),
    "graph-around": ("policies-today/dump.rules", {"around": "KUBE-NODEPORTS", "depth": 1}),
    "graph-nft": ("nftables/every-1.30.nft", {}),
    "graph-focus": ("httpd-service/dump.rules", {"focus": "default/httpd-service"}),
}
# name -> fixture, targets
REPORTS = {
    "report-today": ("policies-today/dump.rules", ["203.0.113.10", "default/admin"]),
    "report-nft": ("nftables/every-1.36.nft", ["shop/away"]),
    "report-odd": ("httpd-no-endpoints/dump.rules", []),
}
# name -> fixtures, options; with few ids, what is documented of these alone is in SARIF
CHECKS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "check-today": (("policies-today/dump.rules",), {}),
    "check-families": (("httpd-dual-stack/dump.rules", "httpd-dual-stack/dump6.rules"), {}),
    "check-selected": (
        ("policies-today/dump.rules",),
        {"select": ("local-drop", "external-ip-public", "route-localnet", "nat-flushed")},
    ),
}
# name -> fixtures, options
DIFFS: dict[str, tuple[tuple[str, str], dict[str, Any]]] = {
    "diff-changed": (("changed/old.rules", "changed/new.rules"), {}),
    "diff-same": (("httpd-today/dump.rules", "httpd-nft/dump.rules"), {}),
    "diff-packet": (
        ("changed/old.rules", "changed/new.rules"),
        {"packet": "198.51.100.7 10.244.2.29 tcp 80"},
    ),
    "diff-equivalent": (("changed/old.rules", "changed/new.rules"), {"equivalent": True}),
}
# name -> what is explained
EXPLAINED = {"explain-finding": "nat-flushed", "explain-conditions": "conditions"}
# name -> what makes the answer
FLEETS: dict[str, Callable[[], FleetResult]] = {"fleet-odd": sixty, "fleet-agreeing": agreeing}
QUESTIONS: dict[str, dict[str, Any]] = {
    "trace": TRACES, "packet": PACKETS, "services": SERVICES, "graph": GRAPHS, "report": REPORTS, "check": CHECKS,
    "explain": EXPLAINED, "diff": DIFFS, "fleet": FLEETS,
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
    "table.txt": ("table", Style()),
}
SERVICES_OPTIONS = {
    "table.txt": ("table", Style()),
    "table-80.txt": ("table", Style(width=80)),
    "json": ("json", Style()),
    "csv": ("csv", Style()),
    "md": ("markdown", Style()),
}
# Of these the golden files hold an outline: coordinates are Graphviz's, style and script are files of their own.
OUTLINED_OPTIONS = {"svg.txt": ("svg", Style()), "html.txt": ("html", Style())}
OUTLINED = (
    "httpd-service", "no-endpoints", "counters", "local-policy", "packet-service", "packet-explained", "graph-today",
    "nft-local-policy",
)  # fmt: skip
REPORT_OPTIONS = {
    "html.txt": ("html", Style()), "md": ("markdown", Style()), "zip.txt": ("zip", Style()),
}  # fmt: skip
CHECK_OPTIONS = {
    "table.txt": ("table", Style()),
    "table-80.txt": ("table", Style(width=80)),
    "md": ("markdown", Style()),
    "github.txt": ("github", Style()),
}
SELECTED_OPTIONS = {"json": ("json", Style()), "sarif": ("sarif", Style()), "xml": ("junit", Style())}
DIFF_OPTIONS = {**SERVICES_OPTIONS, "table-color.txt": ("table", Style(color=True))}
EXPLAINED_OPTIONS = {
    "table.txt": ("table", Style()),
    "table-80.txt": ("table", Style(width=80)),
    "json": ("json", Style()),
}
FLEET_OPTIONS = {
    "table.txt": ("table", Style()),
    "table-80.txt": ("table", Style(width=80)),
    "md": ("markdown", Style()),
    "html.txt": ("html", Style()),
}
ALL_OPTIONS = OPTIONS | DIFF_OPTIONS | OUTLINED_OPTIONS | REPORT_OPTIONS | CHECK_OPTIONS | SELECTED_OPTIONS
CASES = [
    *((row, ending) for row in TRACES for ending in OPTIONS),
    *((row, ending) for row in PACKETS for ending in OPTIONS),
    *((row, ending) for row in GRAPHS for ending in OPTIONS),
    *((row, ending) for row in SERVICES for ending in SERVICES_OPTIONS),
    ("services-today", "html.txt"),
    *((row, ending) for row in OUTLINED for ending in OUTLINED_OPTIONS),
    *((row, ending) for row in REPORTS for ending in REPORT_OPTIONS),
    *((row, ending) for row in CHECKS for ending in CHECK_OPTIONS),
    *(("check-selected", ending) for ending in SELECTED_OPTIONS),
    *((row, ending) for row in DIFFS for ending in DIFF_OPTIONS),
    ("diff-changed", "html.txt"),
    *((row, ending) for row in EXPLAINED for ending in EXPLAINED_OPTIONS),
    *((row, ending) for row in FLEETS for ending in FLEET_OPTIONS),
]
FILES = {f"{row}.{ending}" for row, ending in CASES}


@cache  # several tests look at the same answer
def printed(row: str, ending: str) -> str:
    format_name, style = ALL_OPTIONS[ending]
    question = next(name for name, rows in QUESTIONS.items() if row in rows)
    written = FORMATS[format_name].writer(question)(answer(row), style, fold=True)
    return OUTLINES[format_name](written) if format_name in OUTLINES else str(written)


def loaded(fixture: str) -> Any:
    read = iptviz.load_node if fixture.endswith(".nft") else iptviz.load
    return read(f"fixtures/{fixture}")


def answer(row: str) -> Any:
    if row in TRACES:
        fixture, target = TRACES[row]
        return iptviz.trace(loaded(fixture), target)
    if row in SERVICES:
        fixture, options = SERVICES[row]
        return iptviz.services(loaded(fixture), **options)
    if row in GRAPHS:
        fixture, options = GRAPHS[row]
        return iptviz.graph(loaded(fixture), **options)
    if row in REPORTS:
        fixture, targets = REPORTS[row]
        return report(loaded(fixture), targets)
    if row in CHECKS:
        paths, options = CHECKS[row]
        return iptviz.check(iptviz.load_node(*(f"fixtures/{path}" for path in paths)), **options)
    if row in DIFFS:
        sides, options = DIFFS[row]
        return iptviz.diff(*(iptviz.load(f"fixtures/{path}") for path in sides), **options)
    if row in FLEETS:
        return FLEETS[row]()
    if row in EXPLAINED:
        return explain(EXPLAINED[row])
    fixture, about = PACKETS[row]
    return iptviz.packet(iptviz.load(f"fixtures/{fixture}"), **about)


def outline_of_svg(text: str) -> str:
    """Return the class, the title and the texts of each node and link, in an order of our own."""
    blocks = []
    root = ET.fromstring(text)
    for group in root.iter(f"{SVG}g"):
        lines = [group.get("class", "")]
        title = group.findtext(f"{SVG}title") or ""
        lines += [f"  title: {line}" for line in title.splitlines()]
        texts = [one.text or "" for one in group.findall(f"{SVG}text")]
        lines += [f"  {text}".replace("\xa0", " ").rstrip() for text in texts]
        blocks.append("\n".join(lines))
    return "\n".join([f"{root.get('role')}: {root.get('aria-label')}", *sorted(blocks), ""])


def outline_of_html(text: str) -> str:
    """Return a page without its style, its script and what that shows, and without pictures."""
    bare = re.sub(r"<(style|script|svg)\b([^>]*)>.*?</\1>", r"<\1/>", text, flags=re.DOTALL)
    return re.sub(r"'sha256-[^']*'", "'sha256-...'", bare).replace(
        f"iptviz {__version__}.", "iptviz VERSION."
    )


def outline_of_zip(archive: bytes) -> str:
    """Return what an archive holds: names, and how each file begins."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        held = {name: opened.read(name).decode().splitlines()[0] for name in opened.namelist()}
    return "".join(f"{name}: {first[:20].rstrip()}\n" for name, first in held.items())


OUTLINES: dict[str, Callable[[Any], str]] = {
    "svg": outline_of_svg,
    "html": outline_of_html,
    "zip": outline_of_zip,
    "sarif": lambda text: text.replace(f'"version": "{__version__}"', '"version": "VERSION"'),
}


def needs(row: str, ending: str) -> None:
    """Skip what a program draws, where there is none."""
    drawn = ending == "svg.txt" or row in REPORTS or ending == "html.txt"
    if drawn and shutil.which("dot") is None and not os.environ.get("IPTVIZ_REQUIRE_DOT"):
        pytest.skip("needs dot (apt-get install graphviz)")


@pytest.mark.parametrize(("row", "ending"), CASES)
def test_it_prints_what_it_printed(row: str, ending: str, golden: Callable[[str, str], None]) -> None:
    needs(row, ending)
    golden(f"{row}.{ending}", printed(row, ending))


@pytest.mark.parametrize(("row", "ending"), CASES)
def test_every_text_ends_with_one_newline_and_no_line_with_a_blank(row: str, ending: str) -> None:
    needs(row, ending)
    text = printed(row, ending)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert [line for line in text.splitlines() if line.endswith((" ", "\t"))] == []


@pytest.mark.parametrize("row", ROWS)
def test_ascii_is_the_same_tree_in_other_signs(row: str) -> None:
    plain, ascii_only = printed(row, "tree.txt"), printed(row, "tree-ascii.txt")
    assert ascii_only.isascii()
    signs = str.maketrans({"·": "-", "│": "|", "├": "|", "└": "`", "─": "-"})
    assert plain.translate(signs) == ascii_only


@pytest.mark.parametrize("fixture", ["policies-old", "policies-today"])
def test_a_picture_of_several_frontends_tells_the_share_at_each(fixture: str) -> None:
    result = iptviz.trace(iptviz.load(f"fixtures/{fixture}/dump.rules"), "shop")
    assert len(result.services) == 4
    boxes = {box.lines[0]: box.lines[1:] for box in trace_picture(result).boxes}
    told = [line for line in boxes["10.244.0.7:8080"] if line.endswith(" %")]
    assert any("33.33 %" in line for line in told)  # by the cluster IP
    assert any(": 100 %" in line for line in told)  # by the node port, from outside


@pytest.mark.parametrize("fixture", ["policies-old", "policies-today"])
def test_a_letter_in_a_picture_has_one_meaning_and_a_meaning_one_letter(fixture: str) -> None:
    result = iptviz.trace(iptviz.load(f"fixtures/{fixture}/dump.rules"), "shop")
    footer = "\n".join(trace_picture(result).footer).replace("\n   ", " ").split("\n")
    legend = [line.partition(": ")[::2] for line in footer if re.match("[A-Z]+: ", line)]
    assert len(legend) > 2
    assert len(dict(legend)) == len(legend)
    assert len({meaning for _, meaning in legend}) == len(legend)


def test_no_golden_file_is_left_over() -> None:
    ours = {
        path.name
        for path in GOLDEN.glob("*")
        if path.name.partition(".")[0] in {row for rows in QUESTIONS.values() for row in rows}
    }
    assert ours == FILES
