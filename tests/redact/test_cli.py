"""The command: pseudonyms on standard output, the mapping in a file that is the owner's alone."""

from __future__ import annotations

import json
import re
import stat
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from iptviz.cli.app import app

if TYPE_CHECKING:
    from pathlib import Path

DUMP = "fixtures/policies-today/dump.rules"
OTHER = "fixtures/policies-old/dump.rules"


def run(*arguments: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments)
    return done.exit_code, done.stdout, done.stderr


def test_it_prints_a_dump_in_pseudonyms() -> None:
    status, text, message = run("redact", DUMP)
    assert (status, message) == (0, "")
    assert "-A KUBE-SERVICES -d " in text
    assert "default/shop" not in text
    assert "203.0.113" not in text


def test_with_one_map_two_dumps_stay_comparable(tmp_path: Path) -> None:
    mapping = tmp_path / "secret.json"
    first = run("redact", DUMP, "--map", str(mapping))[1]
    assert stat.S_IMODE(mapping.stat().st_mode) == 0o600
    second = run("redact", OTHER, "--map", str(mapping))[1]
    again = run("redact", DUMP, "--map", str(mapping))[1]
    assert again == first
    names = [
        set(re.findall(r'--comment "(ns-\w+/svc-\w+:p-\w+) cluster IP"', text)) for text in (first, second)
    ]
    assert len(names[0]) >= 5
    assert names[0] == names[1]
    kept = json.loads(mapping.read_text())
    assert kept["names"]["service"]["shop"] in first
    assert kept["addresses"]["203.0.113.10"] in first
    assert run("redact", DUMP)[1] != first


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"key": "zz", "names": {}, "ordered": []}', "\0"])
def test_a_file_that_is_no_map_is_said_and_left_alone(tmp_path: Path, text: str) -> None:
    mapping = tmp_path / "notes.txt"
    mapping.write_text(text)
    status, output, message = run("redact", DUMP, "--map", str(mapping))
    assert (status, output) == (2, "")
    assert "is no mapping of pseudonyms" in message
    assert mapping.read_text() == text


def test_a_map_that_cannot_be_written_stops_before_anything_is_told(tmp_path: Path) -> None:
    status, output, message = run("redact", DUMP, "--map", str(tmp_path / "missing" / "secret.json"))
    assert (status, output) == (2, "")
    assert "cannot be written" in message


def test_lines_are_those_of_the_original() -> None:
    lines = run("redact", DUMP)[1].splitlines()
    with open(DUMP, encoding="utf-8") as file:  # noqa: PTH123
        original = file.read().splitlines()
    for number, line in enumerate(original):
        if line.startswith(("-A ", "*", ":", "COMMIT")):
            assert lines[number].split(" ")[0] == line.split(" ")[0] or line.startswith(":")
