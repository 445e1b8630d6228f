"""The README shows what the program prints."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys

import pytest

from iptviz.cli.run import FOUND
from iptviz.render.formats import FORMATS
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SESSIONS = re.findall(r"^```console\n\$ (iptviz .*)\n((?s:.*?))^```$", README, re.MULTILINE)
HELP = re.findall(r"^```text\n(Usage: .*?)^```$", README, re.MULTILINE | re.DOTALL)


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
    assert len(SESSIONS) == 8


def test_the_help_in_the_readme_is_the_programs() -> None:
    assert [program("trace", "--help")] == HELP


def test_the_table_of_formats_is_the_programs() -> None:
    rows = [
        f"| `{one.name}` | {', '.join(f'`{suffix}`' for suffix in one.suffixes)} | {one.purpose} "
        f"| {', '.join(f'`{question}`' for question in one.questions)} |"
        for one in FORMATS.values()
    ]
    table = ["| Format | Suffixes | What it is for | Of |", "| --- | --- | --- | --- |", *rows]
    assert "\n".join(table) in README


def test_the_python_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.splitlines()[0] == "10.244.1.17 1/4"
