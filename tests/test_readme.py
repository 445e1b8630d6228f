"""The README shows what the program prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from xml.etree import ElementTree as ET

import pytest

from iptviz.cli.ending import FOUND
from iptviz.render.formats import FORMATS
from tests.conftest import ROOT
from tests.render.test_hostile import needs_dot

README, REFERENCE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "docs/reference.md"))
SESSIONS = re.findall(r"^```console\n\$ (iptviz .*)\n((?s:.*?))^```$", README + REFERENCE, re.MULTILINE)
PICTURE = ("trace", "shop/web", "fixtures/ways/reported/31-forward-drop-first.rules")
TEXT = "{http://www.w3.org/2000/svg}text"


def program(*arguments: str) -> str:
    environment = os.environ | {"COLUMNS": "100"}
    command = [sys.executable, "-m", "iptviz", *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, env=environment)
    assert (done.returncode in {0, FOUND}, done.stderr) == (True, "")
    return done.stdout


@pytest.mark.parametrize(("command", "shown"), SESSIONS, ids=[command for command, _ in SESSIONS])
def test_a_session_in_the_readme_is_what_the_program_prints(command: str, shown: str) -> None:
    assert program(*shlex.split(command)[1:]) == shown


def test_the_readme_has_sessions_to_check() -> None:
    assert len(SESSIONS) == 14


def test_the_readme_names_every_command() -> None:
    named = re.findall(r"^\| `iptviz ([a-z]+)` \|", README, re.MULTILINE)
    helped = program("--help").partition("Commands:")[2]
    assert {*named, "explain"} == set(re.findall(r"^  ([a-z]+) ", helped, re.MULTILINE))


def test_what_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#([a-z-]+))?\)", README)
    assert links
    for path, place in links:
        text = (ROOT / path).read_text(encoding="utf-8")
        headings = re.findall(r"^##+ (.*)$", text, re.MULTILINE)
        assert not place or place in {heading.lower().replace(" ", "-") for heading in headings}, place


@needs_dot
def test_the_picture_is_what_the_program_draws() -> None:
    """Where boxes stand is Graphviz' affair; what they say is not."""

    def said(svg: str) -> list[str]:
        return sorted("".join(text.itertext()) for text in ET.fromstring(svg).iter(TEXT))

    assert said((ROOT / "docs/web.svg").read_text(encoding="utf-8")) == said(program(*PICTURE, "-f", "svg"))


def test_the_table_of_formats_is_the_programs() -> None:
    rows = [
        f"| `{one.name}` | {', '.join(f'`{suffix}`' for suffix in one.suffixes)} | {one.purpose} "
        f"| {', '.join(f'`{question}`' for question in one.questions)} |"
        for one in FORMATS.values()
    ]
    table = ["| Format | Suffixes | What it is for | Of |", "| --- | --- | --- | --- |", *rows]
    assert "\n".join(table) in REFERENCE


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[0] == "10.244.1.17 1/4"
