"""Golden files: what each format prints for each of a table of targets.

To write them anew, and then to read what changed: `pytest tests/render/test_golden.py --update-golden`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from tests.conftest import GOLDEN

if TYPE_CHECKING:
    from collections.abc import Callable

# name -> fixture, TARGET
ROWS = {
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

# ending -> format, style
OPTIONS = {
    "tree.txt": ("tree", Style()),
    "tree-ascii.txt": ("tree", Style(ascii_only=True)),
    "tree-80.txt": ("tree", Style(width=80)),
    "tree-color.txt": ("tree", Style(color=True)),
    "json": ("json", Style()),
    "dot": ("dot", Style()),
}
FILES = {f"{row}.{ending}" for row in ROWS for ending in OPTIONS}


def printed(row: str, ending: str) -> str:
    fixture, target = ROWS[row]
    format_name, style = OPTIONS[ending]
    result = iptviz.trace(iptviz.load(f"fixtures/{fixture}"), target)
    return FORMATS[format_name].writer("trace")(result, style, fold=True)


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("ending", OPTIONS)
def test_it_prints_what_it_printed(row: str, ending: str, golden: Callable[[str, str], None]) -> None:
    golden(f"{row}.{ending}", printed(row, ending))


@pytest.mark.parametrize("row", ROWS)
@pytest.mark.parametrize("ending", OPTIONS)
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
    ours = {path.name for path in GOLDEN.glob("*") if path.name.partition(".")[0] in ROWS}
    assert ours == FILES
