"""Dumps that nobody here wrote: all of them are read, and what is not understood is said."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from iptviz.intake.index import runs
from iptviz.dump.load import load
from iptviz.dump.model import Dump
from iptviz.errors import DumpError
from tests.conftest import SHARED

if TYPE_CHECKING:
    from pathlib import Path

FILES = sorted(SHARED.glob("*/*.rules"))
WITHOUT_TABLES = {
    "configs-serverfault-758088-info.txt.rules": ":13: a table begins here",
    "configs-serverfault-762193-info.txt.rules": ":11: a table begins here",
    "k3s-grep-filtered.rules": ":1: a chain declaration outside any table",
}
MADE_UP = {"parser-test-data-iptables-save.rules": ["--something-else"]}
READABLE = [file for file in FILES if file.name not in WITHOUT_TABLES]
HEADLESS = [file for file in FILES if file.name in WITHOUT_TABLES]

pytestmark = pytest.mark.skipif(not FILES, reason="the collection of real dumps is not here")

_TABLE = re.compile(r"\*(filter|nat|mangle|raw|security)\s*\Z")
_RULE = re.compile(r"(\[\d+:\d+\] )?-A \S")


def name_of(path: Path) -> str:
    return path.name.removesuffix(".rules")


def sorted_lines(text: str) -> tuple[dict[str, set[int]], set[int]]:
    """Read line by line: the rules' lines of each table (a later one counts), and the lines of noise."""
    rules: dict[str, set[int]] = {}
    noise: set[int] = set()
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        if found := _TABLE.match(line):
            table = found[1]
            rules[table] = set()
        elif table and _RULE.match(line):
            rules[table].add(number)
        elif table and line.strip() == "COMMIT":
            table = ""
        elif not (table and line.startswith(":")) and line.strip() and not line.startswith("#"):
            noise.add(number)
    return rules, noise


def lines_in_gaps(dump: Dump) -> set[int]:
    covered: set[int] = set()
    for gap in dump.gaps:
        last = re.search(r"up to line (\d+)", gap.text)
        covered |= set(range(gap.line, (int(last[1]) if last else gap.line) + 1))
    return covered


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_runs_tile_a_real_dump(file: Path) -> None:
    data = file.read_bytes()
    assert b"".join(data[start:end] for start, end in (run.span() for run in runs(data))) == data


@pytest.mark.parametrize("file", READABLE, ids=name_of)
def test_a_real_dump_is_kept_byte_for_byte(file: Path) -> None:
    assert bytes(load(file)) == file.read_bytes()


@pytest.mark.parametrize("file", READABLE, ids=name_of)
def test_every_rule_of_a_real_dump_is_found_and_all_noise_is_said(file: Path) -> None:
    rules, noise = sorted_lines(file.read_bytes().decode("utf-8", "surrogateescape"))
    dump = load(file)
    assert {name: {rule.line for rule in table.rules()} for name, table in dump.tables.items()} == rules
    assert dump.rule_count == sum(map(len, rules.values()))
    assert noise <= lines_in_gaps(dump)
    assert dump.complete is (not dump.gaps)


@pytest.mark.parametrize("file", READABLE, ids=name_of)
def test_rules_of_a_real_dump_are_understood(file: Path) -> None:
    parts = [rule.parts for table in load(file).tables.values() for rule in table.rules()]
    assert [one for one in parts if one.problem] == []
    assert [unknown.option.name for one in parts for unknown in one.unknown] == MADE_UP.get(file.name, [])


@pytest.mark.parametrize("file", HEADLESS, ids=name_of)
def test_a_real_text_without_table_headers_is_refused_with_what_to_do(file: Path) -> None:
    with pytest.raises(DumpError) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}{WITHOUT_TABLES[file.name]}")
    assert caught.value.hint
