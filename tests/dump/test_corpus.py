"""Dumps that nobody here wrote: all of them are read, and what is not understood is said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from iptviz.checks.wording import text
from iptviz.intake.index import runs
from iptviz.node.load import load_all
from tests.conftest import SHARED

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(SHARED.glob("*/*.rules"))
MADE_UP = {"parser-test-data-iptables-save.rules": ["--something-else"]}
# How many dumps are in a text, where there is more than one: prose with saves, fragments and listings in it.
SEVERAL = {"configs-corny-docker-docker.txt.rules": 18, "configs-psa-team-a-about-notrack.txt.rules": 9}

pytestmark = pytest.mark.skipif(not FILES, reason="the collection of real dumps is not here")

# A rule, indented or not, or of a diff; commands (`$ iptables -A`) are none, nor are rows of a listing.
_RULE = re.compile(r"\+?\s*(\[\d+:\d+\] )?-[AI] \S")


def name_of(path: Path) -> str:
    return path.name.removesuffix(".rules")


def rule_lines(path: Path) -> set[int]:
    text = path.read_bytes().decode("utf-8", "surrogateescape")
    return {number for number, line in enumerate(text.split("\n"), 1) if _RULE.match(line)}


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_runs_tile_a_real_dump(file: Path) -> None:
    data = file.read_bytes()
    assert b"".join(data[start:end] for start, end in (run.span() for run in runs(data))) == data


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_a_real_dump_is_kept_byte_for_byte(file: Path) -> None:
    dumps, problem = load_all(file)
    assert problem is None
    assert len(dumps) == SEVERAL.get(file.name, 1)
    assert {bytes(dump) for dump in dumps} == {file.read_bytes()}


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_every_rule_of_a_real_dump_is_found_and_no_line_is_lost(file: Path) -> None:
    dumps, _ = load_all(file)
    found = [
        rule.line
        for dump in dumps
        if dump.form != "iptables -L"
        for table in dump.tables.values()
        for rule in table.rules()
    ]
    skipped = {
        line for note in dumps[0].line_notes if note.skipped for line in range(note.first, note.last + 1)
    }
    assert len(found) == len(set(found))
    assert rule_lines(file) == set(found) | (rule_lines(file) & skipped)
    assert not set(found) & skipped


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_rules_of_a_real_dump_are_understood(file: Path) -> None:
    dumps, _ = load_all(file)
    parts = [rule.parts for dump in dumps for table in dump.tables.values() for rule in table.rules()]
    assert [one for one in parts if one.problem] == []
    assert [unknown.option.name for one in parts for unknown in one.unknown] == MADE_UP.get(file.name, [])


def test_a_dump_without_table_headers_says_which_tables_it_was_taken_for() -> None:
    ((dump,), _) = load_all(SHARED / "kubernetes/k3s-grep-filtered.rules")
    assert {name: table.rule_count for name, table in dump.tables.items()} == {"filter": 40, "nat": 94}
    said = [text(gap) for gap in dump.gaps]
    assert said.count("lines are missing: filtered by grep") == 2
    assert "lines 43 to 178 name no table: assumed nat from the chains and targets" in said
