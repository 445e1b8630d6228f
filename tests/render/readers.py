"""Every format read back by a real parser: all texts that it shows, and all markup, as a list to compare."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
import zipfile
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import jsonschema
import pypdf
from markdown_it import MarkdownIt

from iptviz.view.text import printable
from tests.conftest import ROOT
from tests.dot import svg
from tests.render.test_pictures import chunks, labels

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SARIF_SCHEMA = json.loads((ROOT / "tests/render/sarif/sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
SVG = "{http://www.w3.org/2000/svg}"
_SAID = {"href", "aria-label", "title", "content", "{http://www.w3.org/1999/xlink}title"}
"""Attributes that hold texts of a dump; others are of the drawing and change with the lengths of texts."""

_CODE = {"code", "strong", "pre"}
"""How Markdown writes what might mean something; which texts do is not compared."""

_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
# What GitHub makes links, mentions and pictures of outside code, although CommonMark does not.
_GITHUB = re.compile(r"://|www\.|@\w|#\d|\bGH-\d|:[\w+-]+:", re.IGNORECASE)


def squeezed(text: str) -> str:
    """Return a text with single blanks, and without digests of the whole dump."""
    return re.sub(r"[ \xa0]+", " ", _DIGEST.sub("(digest)", text)).strip()


def lines_of(text: str) -> list[str]:
    found = text.split("\n")
    assert [line for line in found if line != printable(line)] == []
    return found


def csv_texts(text: str) -> list[str]:
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    assert len({len(row) for row in rows}) == 1
    return [cell for row in rows for cell in row]


def json_texts(text: Any) -> list[str]:
    return list(_leaves(json.loads(str(text))))


def json_lines_texts(lines: Any) -> list[str]:
    found = str(lines)
    assert found == "" or found.endswith("\n")
    return [text for line in found.split("\n")[:-1] for text in json_texts(line)]


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, one in value.items():
            yield key
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    else:
        yield str(value)


def dot_texts(text: str) -> list[str]:
    # Titles are the names of nodes here, which for such chains are digests.
    return [line for line in svg_texts(svg(text).decode()) if not re.match(r"title:.*/|title:.*->", line)]


def svg_texts(text: str) -> list[str]:
    """Return the tags, and the texts of each group as one: long ones are broken into lines."""
    found = []
    for one in ET.fromstring(text).iter():
        tag = one.tag.removeprefix(SVG)
        if tag == "text":
            continue
        lines = " ".join("".join(line.itertext()) for line in one.findall(f"{SVG}text"))
        said = [one.get(name, "") for name in sorted(_SAID)]
        found += [f"<{tag}>", f"text: {lines}"]
        found += [f"{tag}: {line}" for held in (one.text, *said) if held for line in held.split("\n")]
    return found


def png_texts(data: bytes) -> list[str]:
    assert [name for name, _ in chunks(data)][-1] == b"IEND"
    return []


def pdf_texts(data: bytes) -> list[str]:
    (page,) = pypdf.PdfReader(io.BytesIO(data)).pages
    return [unblanked(page.extract_text())]


def unblanked(text: str) -> str:
    """Return a text without blanks and ligatures: a page has them where letters are set closer or wider."""
    return "".join(unicodedata.normalize("NFKC", text).split())


class _Page(HTMLParser):
    """Collects tags, texts of attributes, and texts, those of one element and of code inside it together."""

    def __init__(self, ignored: set[str]) -> None:
        super().__init__()
        self.ignored = ignored
        self.found = [""]
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.inside = tag
        if tag == "text":
            self.found[-1] += " "  # lines of a label in a picture
        elif tag not in self.ignored:
            self.found += [f"<{tag}>", *(f"{name}={value}" for name, value in attrs if name in _SAID)]
            self.found.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""
        if tag not in self.ignored | {"text"}:
            self.found += [f"</{tag}>", ""]

    def handle_data(self, data: str) -> None:
        if "code" in self.ignored and self.inside != "code":
            assert not _GITHUB.search(data), data
        self.found[-1] += data.replace("\n", " ") if self.inside in {"", "text"} else data


def html_texts(text: str, ignored: set[str] = frozenset()) -> list[str]:  # type: ignore[assignment]
    page = _Page(ignored)
    page.feed(text)
    page.close()
    found = []
    for one in page.found:
        data = one.startswith('{"rows"')
        found += json_texts(one) if data else [unquote(line) for line in one.split("\n")]
    return found


def markdown_texts(text: str) -> list[str]:
    read = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    page = read.render(text)
    drawn = re.findall(r'<pre><code class="language-mermaid">(.*?)</code></pre>', page, re.DOTALL)
    told = re.sub(r'<pre><code class="language-mermaid">.*?</code></pre>', "<hr>", page, flags=re.DOTALL)
    return [*html_texts(told, _CODE), *(line for one in drawn for line in mermaid_texts(unescape(one)))]


def mermaid_texts(text: str) -> list[str]:
    written = re.findall(r'"([^"]*)"', text.partition("\nflowchart ")[2])
    assert [one for one in written if not re.fullmatch(r"(?:[A-Za-z0-9 .,_/:()+=-]|#\d+;|<br>)*", one)] == []
    return [one.replace("\n", " ") for one in labels(text)]  # long ones are broken into lines


def zip_texts(data: bytes) -> list[str]:
    found = []
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        for name in archive.namelist():
            read = _BY_SUFFIX[name.rpartition(".")[2]]
            texts = read(archive.read(name).decode("utf-8", "surrogateescape"))
            # As everywhere else: that JSON holds texts as they are is told of JSON alone.
            found += [name, *(map(printable, texts) if name.endswith((".json", ".rules")) else texts)]
    return found


def sarif_texts(text: str) -> list[str]:
    """Return the texts of a log that the standard's schema allows, messages and places as a reader shows them."""
    log = json.loads(text)
    check_sarif(log)
    for result in log["runs"][0]["results"]:
        result["message"]["text"] = said_by_sarif(result["message"]["text"])
        for place in (*result["locations"], *result.get("relatedLocations", [])):
            artifact = place["physicalLocation"]["artifactLocation"]
            artifact["uri"] = printable(unquote(artifact["uri"], errors="surrogateescape"))
    return list(_leaves(log))


def check_sarif(log: Any) -> None:
    """Raise an error where a log is not what the schema of SARIF 2.1.0 says, or a URI is none."""
    jsonschema.Draft4Validator(SARIF_SCHEMA).validate(log)
    for result in log["runs"][0]["results"]:
        for place in (*result["locations"], *result.get("relatedLocations", [])):
            uri = place["physicalLocation"]["artifactLocation"]["uri"]
            assert re.fullmatch(r"(?:file://)?(?:[\w.~/-]|%[0-9A-F]{2})+", uri, re.ASCII), uri


def said_by_sarif(text: str) -> str:
    """Return what a reader shows of a message: none of it may be a placeholder or a link."""
    assert re.fullmatch(r"(?:[^{}]|\{\{|\}\})*", text), text
    assert not re.search(r"(?<!\\)(?:\\\\)*\]\(", text), text
    if "\\](" in text:
        text = re.sub(r"\\([\[\]\\])", r"\1", text)
    return text.replace("{{", "{").replace("}}", "}")


def junit_texts(text: str) -> list[str]:
    found = []
    for one in ET.fromstring(text.encode()).iter():
        found.append(f"<{one.tag}>")
        found += [f"{name}={value}" for name, value in sorted(one.attrib.items())]
        found += (one.text or "").strip().split("\n")
    return found


_COMMAND = re.compile(r"::(error|warning|notice) ((?:[\w]+=[^:,\r\n]*)(?:,[\w]+=[^:,\r\n]*)*)::(.*)")


def github_texts(text: str) -> list[str]:
    """Return what the runner reads of workflow commands, which every line must be."""
    found = []
    for line in lines_of(text)[:-1]:
        command = _COMMAND.fullmatch(line)
        assert command, line
        properties = (unescaped(one, "\r\n:,") for one in command[2].split(","))
        found += [command[1], *properties, *unescaped(command[3], "\r\n").split("\n")]
    return found


def unescaped(text: str, signs: str) -> str:
    """Return what the runner makes of a text: it undoes these escapes, and that of the percent sign at last."""
    for sign in (*signs, "%"):
        text = text.replace(f"%{ord(sign):02X}", sign)
    return text


READERS: dict[str, Callable[[Any], list[str]]] = {
    "tree": lines_of,
    "table": lines_of,
    "csv": csv_texts,
    "dot": dot_texts,
    "svg": svg_texts,
    "png": png_texts,
    "pdf": pdf_texts,
    "mermaid": mermaid_texts,
    "sarif": sarif_texts,
    "junit": junit_texts,
    "github": github_texts,
    "json": json_texts,
    "jsonl": json_lines_texts,
    "html": html_texts,
    "markdown": markdown_texts,
    "zip": zip_texts,
}
"""What reads each format."""

_BY_SUFFIX: dict[str, Callable[[str], list[str]]] = {
    "html": html_texts, "md": markdown_texts, "json": json_texts, "svg": svg_texts,
    "rules": lambda text: text.split("\n"),
}  # fmt: skip
