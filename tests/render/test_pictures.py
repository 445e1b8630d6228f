"""Pictures as files: SVG that stands alone, PNG and PDF, Mermaid inside GitHub's limits; none without a clear word."""

from __future__ import annotations

import io
import re
import shutil
import struct
import subprocess
import sys
import unicodedata
import zlib
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pypdf
import pytest

import iptviz
from iptviz.render.dot import dot_text
from iptviz.render.formats import FORMATS
from iptviz.render.mermaid import MOST_CHARACTERS, MOST_LINKS, mermaid
from iptviz.terminal import Style
from iptviz.view.nodes import Bar
from iptviz.view.picture import Box, Link, Picture
from iptviz.view.text import printable
from iptviz.view.trace_picture import trace_picture
from tests.conftest import ROOT
from tests.kubeproxy import numbered, saved
from tests.program import run
from tests.render.test_hostile import (
    HOSTILE,
    every_target,
    every_text,
    expected,
    needs_dot,
    svg_of,
    traced,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

SVG = "{http://www.w3.org/2000/svg}"
DUMP = "fixtures/policies-today/dump.rules"
ENTITY = re.compile(r"#(\d+);")


def drawn(name: str, target: str = "203.0.113.10", dump: str = DUMP) -> str | bytes:
    result = iptviz.trace(iptviz.load(dump), target)
    text: str | bytes = FORMATS[name].writer("trace")(result, Style(), fold=True)
    return text


def svg_texts(text: str) -> list[str]:
    root = ET.fromstring(text)
    return [(one.text or "").replace("\xa0", " ") for one in root.iter(f"{SVG}text")]


@needs_dot
def test_an_svg_shows_the_numbers_and_the_rules_under_the_mouse() -> None:
    text = str(drawn("svg"))
    root = ET.fromstring(text)
    assert {"10.244.0.7:8080", "A: 100 %", "B, C: 33.33 %"} <= set(svg_texts(text))
    titles = [one.text or "" for one in root.iter(f"{SVG}title")]
    assert any(title.startswith("line 125: -A KUBE-SVC-BILYYKAKWI7RYELB -m comment") for title in titles)
    assert any("-j DNAT --to-destination 10.244.0.7:8080" in title for title in titles)
    assert root.get("role") == "img"
    assert root.get("aria-label", "").startswith(f"203.0.113.10 · {DUMP} · ")
    assert "prefers-color-scheme: dark" in text
    assert not list(root.iter(f"{SVG}a")), "a link that leads nowhere"
    assert not re.search(r"(?:href|src|url)\s*[=(]\s*[\"']?(?!#)\w", text.replace("xmlns", "")), (
        "asks for something"
    )


@needs_dot
def test_every_kind_of_box_has_its_class_for_dark_pages() -> None:
    classes = {group.get("class") for group in ET.fromstring(drawn("svg")).iter(f"{SVG}g")}
    assert {
        "graph",
        "node frontend",
        "node chain",
        "node endpoint",
        "node mark",
        "edge jump",
        "edge mark",
    } <= classes


@needs_dot
@every_target
@every_text
def test_hostile_text_is_text_in_svg(text: str, target: str) -> None:
    svg = str(FORMATS["svg"].writer("trace")(traced(text, target), Style(), fold=True))
    assert any(expected(text, target) in line for line in svg_texts(svg))
    allowed = {"svg", "style", "g", "title", "polygon", "polyline", "path", "text", "ellipse"}
    assert {one.tag.removeprefix(SVG) for one in ET.fromstring(svg).iter()} <= allowed


def chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and the content of each chunk of a PNG, whose checksums are right."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    place = 8
    while place < len(data):
        (length,) = struct.unpack_from(">I", data, place)
        name, content = data[place + 4 : place + 8], data[place + 8 : place + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, place + 8 + length)
        assert checksum == zlib.crc32(name + content)
        yield name, content
        place += length + 12


@needs_dot
def test_a_png_is_whole_sharp_and_as_large_as_it_says() -> None:
    found: dict[bytes, bytes] = {}
    for name, content in chunks(bytes(drawn("png"))):  # type: ignore[arg-type]
        found[name] = found.get(name, b"") + content
    width, height, bits, colours = struct.unpack(">IIBB", found[b"IHDR"][:10])
    samples = {2: 3, 6: 4}[colours]
    assert len(zlib.decompress(found[b"IDAT"])) == height * (1 + width * samples * bits // 8)
    points = float(ET.fromstring(drawn("svg")).get("width", "").removesuffix("pt"))
    assert width == pytest.approx(2 * points, rel=0.1)
    assert list(found)[-1] == b"IEND"


@needs_dot
@pytest.mark.parametrize("target", ["203.0.113.10", "default/shop"])
def test_a_pdf_is_one_page_with_the_same_numbers(target: str) -> None:
    read = pypdf.PdfReader(io.BytesIO(bytes(drawn("pdf", target))))  # type: ignore[arg-type]
    (page,) = read.pages
    # What is read back has blanks where letters are set closer or wider, and ligatures.
    held = "".join(unicodedata.normalize("NFKC", page.extract_text()).split())
    texts = ["".join(text.split()) for text in svg_texts(str(drawn("svg", target)))]
    assert any("33.33%" in text for text in texts)
    assert [text for text in texts if text not in held] == []


@needs_dot
@pytest.mark.parametrize("target", ["203.0.113.10", "default/shop"])
def test_a_pdf_quotes_the_rules_that_other_pictures_show_under_the_mouse(target: str) -> None:
    (page,) = pypdf.PdfReader(io.BytesIO(bytes(drawn("pdf", target)))).pages  # type: ignore[arg-type]
    held = "".join(unicodedata.normalize("NFKC", page.extract_text()).split())
    titles = "\n".join(one.text or "" for one in ET.fromstring(drawn("svg", target)).iter(f"{SVG}title"))
    rules = re.findall(r"^line \d+: (.*)$", titles, re.MULTILINE)
    assert len(rules) > 8
    assert [rule for rule in rules if "".join(rule.split()) not in held] == []
    assert not any(rule in text for rule in rules for text in svg_texts(str(drawn("svg", target))))


@needs_dot
def test_a_picture_says_from_which_dump_it_is_and_whether_that_is_whole() -> None:
    data = Path(DUMP).read_text(encoding="utf-8")
    for text, said in ((data, "complete"), (data[: len(data) * 9 // 10], "INCOMPLETE, see the notes")):
        result = iptviz.trace(iptviz.load(text.encode()), "10.97.20.1")
        texts = svg_texts(str(FORMATS["svg"].writer("trace")(result, Style(), fold=True)))
        assert texts[1].endswith(f" · {said}")


@needs_dot
def test_who_does_not_get_a_fair_share_is_told_apart_by_shape_and_colour() -> None:
    data = Path("fixtures/httpd-service/dump.rules").read_text(encoding="utf-8")
    uneven = data.replace("--probability 0.33332999982", "--probability 0.50000000000")
    texts, classes = [], []
    for text in (data, uneven):
        result = iptviz.trace(iptviz.load(text.encode()), "10.97.13.198")
        svg = str(FORMATS["svg"].writer("trace")(result, Style(), fold=True))
        texts.append(" ".join(svg_texts(svg)))
        groups = ET.fromstring(svg).iter(f"{SVG}g")
        classes.append([name for one in groups if (name := one.get("class", "")).startswith("node ")])
    assert "node uneven" not in classes[0]
    # A quarter, three eighths, and what is left for two: the first has its fair share.
    assert classes[1].count("node uneven") == 3
    assert classes[1].count("node endpoint") == 1
    assert "double red border" in texts[1]
    assert "UNEVEN: 18.75 % to 37.50 %" in texts[1]


@needs_dot
@pytest.mark.parametrize("target", ["10.96.0.20", "10.96.0.0:80"])
@pytest.mark.parametrize(
    "more", ["", "-A KUBE-SERVICES -d 10.96.0.0/24 -p tcp -j DNAT --to-destination 10.20.0.8:80\n"]
)
def test_what_dispatching_rules_send_away_themselves_has_a_box_of_its_own(target: str, more: str) -> None:
    dump = iptviz.load(
        f"""*nat
:PREROUTING ACCEPT [0:0]
:KUBE-SERVICES - [0:0]
:KUBE-SVC-67NZLRHBNDSAWJRO - [0:0]
-A PREROUTING -j KUBE-SERVICES
-A KUBE-SERVICES -d 10.96.0.0/24 -p tcp -m tcp --dport 80 -j DNAT --to-destination 10.20.0.9:80
{more}-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m comment --comment "shop/web cluster IP" -m tcp --dport 80 -j KUBE-SVC-67NZLRHBNDSAWJRO
COMMIT
""".encode()
    )
    picture = trace_picture(iptviz.trace(dump, target))
    ids = [box.id for box in picture.boxes]
    assert len(ids) == len(set(ids))
    assert {end for link in picture.links for end in (link.tail, link.head)} <= set(ids)
    assert any("10.20.0.9:80" in box.lines for box in picture.boxes)
    assert "10.20.0.9:80" in mermaid(picture)


def test_a_packet_goes_down() -> None:
    asked = {"dst": "203.0.113.10", "protocol": "tcp", "dport": 80, "mark": 0}
    result = iptviz.packet(iptviz.load(DUMP), **asked)  # type: ignore[arg-type]
    root = ET.fromstring(str(FORMATS["svg"].writer("packet")(result, Style(), fold=True)))
    width, height = (float(root.get(name, "").removesuffix("pt")) for name in ("width", "height"))
    assert height > width / 2


@needs_dot
def test_affinity_and_refusal_have_their_own_marks() -> None:
    sticky = svg_texts(str(drawn("svg", "10.97.13.198", "fixtures/httpd-affinity/dump.rules")))
    assert "a client stays with its endpoint" in sticky
    assert any("blue tab: clients stay" in line for line in sticky)
    refused = svg_texts(str(drawn("svg", "10.97.13.198", "fixtures/httpd-no-endpoints/dump.rules")))
    assert any("red octagon: refused" in line for line in refused)


# --- bars ---------------------------------------------------------------------------------------------------


def strips(text: str) -> list[list[tuple[str, float]]]:
    """Return the colour and the length of each strip, box by box."""
    boxes = []
    for group in ET.fromstring(text).iter(f"{SVG}g"):
        if group.get("class") == "node endpoint":
            filled = group.findall(f"{SVG}polygon")[1:]
            ends = [[float(pair.split(",")[0]) for pair in one.get("points", "").split()] for one in filled]
            boxes.append(
                [(one.get("fill", ""), max(x) - min(x)) for one, x in zip(filled, ends, strict=True)]
            )
    return boxes


@needs_dot
def test_bars_are_as_long_as_the_shares_expected_and_observed() -> None:
    text = str(drawn("svg", "10.97.13.198", "fixtures/httpd-nft/dump.rules"))
    lengths = [[round(length) for _, length in box] for box in strips(text)]
    # 260, 230, 250 and 260 of 1,000 connections; the longest bar of the picture is 120 points.
    assert lengths == [[115, 120], [115, 106], [115, 115], [115, 120]]
    legend = " ".join(svg_texts(text))
    assert "bars: expected above, observed below" in legend
    assert "1,000 connections: consistent with the expected shares" in legend


@needs_dot
def test_a_bar_that_chance_does_not_explain_has_another_colour_and_counters_that_mislead_make_none() -> None:
    data = Path("fixtures/httpd-nft/dump.rules").read_text(encoding="utf-8")
    misled = data.replace("[260:15600] -A KUBE-SVC", "[900:1] -A KUBE-SVC")
    odd = re.sub(r"\[[0-9:]*\]( -A KUBE-SERVICES -d 10\.97\.13\.198)", r"[5000:1]\1", misled)
    pictures = [
        str(
            FORMATS["svg"].writer("trace")(
                iptviz.trace(iptviz.load(text.encode()), "10.97.13.198"), Style(), fold=True
            )
        )
        for text in (data, odd, misled)
    ]
    colours = [{box[1][0] for box in strips(text)[:4] if len(box) > 1} for text in pictures]
    assert [len(some) for some in colours] == [1, 1, 0]
    assert colours[0] != colours[1]
    assert "cannot compare" in " ".join(svg_texts(pictures[2]))


@needs_dot
@every_text
def test_hostile_text_is_text_above_a_bar(text: str) -> None:
    shown = printable(text)
    box = Box("b", "endpoint", (shown, "25.00 %"), (), Bar(0.25, 0.3))
    groups = svg_of(dot_text(Picture("title", (box,), (), ())))
    assert groups["b"] == [shown, "25.00 %"]


# --- Mermaid -------------------------------------------------------------------------------------------------


def labels(text: str) -> list[str]:
    """Return every label as a reader sees it."""
    return [
        unescape(ENTITY.sub(r"&#\1;", label)).replace("<br>", "\n").replace("\u200b", "")
        for label in re.findall(r'"([^"]*)"', text.partition("\nflowchart ")[2])
    ]


@every_target
@every_text
def test_hostile_text_is_text_in_mermaid(text: str, target: str) -> None:
    flowchart = mermaid(_picture(text, target))
    shown = expected(text, target)
    assert any(shown in label or (len(shown) > 9_000 and shown[:50] in label) for label in labels(flowchart))
    for label in re.findall(r'"([^"]*)"', flowchart.partition("\nflowchart ")[2]):
        assert re.fullmatch(r"(?:[A-Za-z0-9 .,_/:()+=-]|#\d+;|<br>)*", label), label


def _picture(text: str, target: str) -> Picture:
    from iptviz.view.trace_picture import trace_picture

    return trace_picture(traced(text, target))


def limits(text: str) -> tuple[int, int]:
    return len(text), len(re.findall(r"(?:-->|\.->)", text))


@pytest.mark.parametrize("services", [1, 30, pytest.param(90, marks=pytest.mark.unmeasured)])
def test_mermaid_stays_inside_githubs_limits_and_says_what_it_left_out(services: int) -> None:
    cluster = numbered(services, 12, name="shop", node_ports=False)
    result = iptviz.trace(iptviz.load(saved(cluster).encode()), "shop")
    text = str(FORMATS["mermaid"].writer("trace")(result, Style(), fold=True))
    characters, links = limits(text)
    assert characters < MOST_CHARACTERS
    assert links <= MOST_LINKS
    assert ("not shown" in text) == (services > 1)


def test_mermaid_ends_whatever_the_picture_is() -> None:
    boxes = tuple(Box(f"b{number}", "chain", (HOSTILE["letters"] * 300,)) for number in range(700))
    for picture in (Picture("a" * 90_000, (), (), ("f" * 90_000,) * 900), Picture("a", boxes, (), ())):
        assert limits(mermaid(picture))[0] < MOST_CHARACTERS


def test_mermaid_clips_what_is_too_long_and_keeps_every_end_of_a_link() -> None:
    boxes = tuple(Box(f"b{number}", "chain", ("x" * 9_000,)) for number in range(20))
    links = tuple(Link(f"b{number}", "b0", (), "jump", 0.5) for number in range(1, 20))
    text = mermaid(Picture("a", boxes, links, ()))
    assert len(text) < MOST_CHARACTERS
    assert "#8230;" in text
    named = set(re.findall(r"^  (n\d+)[(\[>{]", text, re.MULTILINE))
    assert {end for pair in re.findall(r"^  (n\d+) --> (n\d+)$", text, re.MULTILINE) for end in pair} <= named


# --- what is missing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["svg", "png", "pdf"])
def test_without_dot_one_line_says_what_to_do_and_no_file_is_left(name: str, tmp_path: Path) -> None:
    file = tmp_path / f"picture.{name}"
    done = run("trace", "203.0.113.10", DUMP, "-o", str(file), env={"PATH": str(tmp_path)})
    assert done.returncode == 2
    assert "Graphviz (dot) is not installed" in done.stderr
    assert "apt-get install graphviz" in done.stderr
    assert "-f mermaid" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(shutil.which("script") is None, reason="needs script (util-linux)")
def test_a_picture_of_bytes_is_nothing_for_a_terminal() -> None:
    command = f"{sys.executable} -m iptviz trace 203.0.113.10 {DUMP} -f png"
    done = subprocess.run(
        ["script", "-qec", command, "/dev/null"], capture_output=True, check=False, cwd=ROOT
    )
    assert done.returncode == 2
    assert b"refusing to write PNG to a terminal" in done.stdout
    assert b"-o picture.png" in done.stdout or b"-o out.png" in done.stdout
