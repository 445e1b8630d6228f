"""ASCII where a locale or an encoding takes nothing else, in all commands, without being asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from iptviz.cli.commands import COMMANDS
from tests.program import at_terminal, run, start

if TYPE_CHECKING:
    from pathlib import Path

DUMP = "fixtures/policies-today/dump.rules"
BARE = {"LC_ALL": "", "LC_CTYPE": "", "LANG": ""}
TRACE = ("trace", "203.0.113.10", DUMP)
ANSWERS = [
    TRACE,
    (*TRACE, "-f", "table"),
    (*TRACE, "-f", "markdown"),
    (*TRACE, "--color", "always"),
    ("services", DUMP),
    ("check", DUMP, "--all"),
    ("packet", DUMP, "--dst", "203.0.113.10"),
    ("graph", DUMP),
    ("graph", DUMP, "--focus", "203.0.113.10", "-f", "markdown"),
    ("explain",),
    ("explain", "conditions"),
    ("sources", DUMP),
    ("report", DUMP, "-f", "markdown"),
]


@pytest.mark.parametrize(
    ("env", "plain"),
    [
        ({}, False),
        ({"LANG": "C"}, True),
        ({"LC_ALL": "C"}, True),
        ({"LC_ALL": "POSIX"}, True),
        ({"LC_ALL": "C", "LANG": "de_DE.UTF-8"}, True),
        ({"LC_ALL": "de_DE.ISO-8859-1"}, True),
        ({"PYTHONIOENCODING": "ascii"}, True),
        ({"PYTHONIOENCODING": "latin-1"}, True),
        ({"LC_ALL": "C.UTF-8"}, False),
        ({"LANG": "C.UTF-8"}, False),
        ({"LANG": "de_DE.UTF-8"}, False),
        ({"LANG": "C", "LC_ALL": "C.UTF-8"}, False),
    ],
)
def test_the_locale_and_the_encoding_decide(env: dict[str, str], plain: bool) -> None:
    done = start("trace", "10.97.13.198", "fixtures/httpd-service/dump.rules", env={**BARE, **env})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii() == plain
    assert ("├── " in done.stdout, "|-- " in done.stdout) == (not plain, plain)


@pytest.mark.parametrize("arguments", ANSWERS)
def test_every_answer_is_ascii_there(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, env={"LC_ALL": "C"})
    assert done.returncode < 2
    assert (done.stdout + done.stderr).isascii()
    if not arguments[0].startswith("report"):
        assert done.stdout.splitlines() == run(*arguments, "--ascii").stdout.splitlines()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_is_ascii_anywhere(name: str) -> None:
    assert run(name, "--help").stdout.isascii()
    assert run("--help").stdout.isascii()


def test_messages_are_ascii_there(tmp_path: Path) -> None:
    for name in ("\N{SNOWMAN}-a", "\N{SNOWMAN}-b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dump").write_text("*nat\n:KUBE-SERVICES - [0:0]\n-A KUBE-SERVICES -j X\nCOMMIT\n")
    for asked in (("trace", "web", str(tmp_path)), ("trace", "nobody", DUMP), ("services", "\N{SNOWMAN}")):
        done = run(*asked, env={"LANG": "C"})
        assert done.returncode
        assert (done.stdout + done.stderr).isascii()


def test_what_programs_read_and_what_is_in_files_stays_as_it_is(tmp_path: Path) -> None:
    for name in ("json", "csv", "mermaid", "dot"):
        assert run(*TRACE, "-f", name, env={"LC_ALL": "C"}).stdout == run(*TRACE, "-f", name).stdout
    file = tmp_path / "answer.txt"
    run(*TRACE, "-o", str(file), env={"LC_ALL": "C"})
    assert "├── " in file.read_text(encoding="utf-8")
    json.loads(run(*TRACE, "--json", env={"LC_ALL": "C"}).stdout)


@pytest.mark.parametrize("columns", [150, 160])
def test_what_is_cut_fits_its_terminal(columns: int) -> None:
    asked = (
        "packet",
        DUMP,
        "--dst",
        "203.0.113.10",
        "--protocol",
        "tcp",
        "--dport",
        "80",
        "--color",
        "never",
    )
    for options, end in (((), "…"), (("--ascii",), "...")):
        _, text = at_terminal(columns, *asked, *options)
        cut = [line for line in text.splitlines() if line.endswith(end)]
        assert {len(line) for line in cut} == {columns}
