"""`iptviz services` from outside: what it prints, writes and exits with."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING

import pytest

from tests import program
from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from tests.program import Ended

TODAY = "fixtures/policies-today/dump.rules"


def run(*arguments: str, stdin: str = "") -> Ended:
    return program.run("services", *arguments, stdin=stdin.encode(), env={"COLUMNS": "100"})


def test_it_lists_what_is_piped_in() -> None:
    done = run(stdin=(ROOT / TODAY).read_text())
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("<stdin> ·")
    assert "7 service ports" in done.stdout


@pytest.mark.parametrize("arguments", [("--no-endpoints",), ("--namespace", "nowhere"), ("--uneven",)])
def test_finding_none_is_an_answer(arguments: tuple[str, ...]) -> None:
    done = run(TODAY, *arguments)
    assert done.returncode == 0
    assert "0 of 7 service ports" in done.stdout


def test_a_suffix_chooses_the_format(tmp_path: Path) -> None:
    for name in ("all.csv", "all.json", "all.md", "all.txt"):
        assert run(TODAY, "-o", str(tmp_path / name)).returncode == 0
    rows = list(csv.DictReader((tmp_path / "all.csv").read_text().splitlines()))
    shop = next(row for row in rows if row["name"] == "shop")
    assert (shop["endpoint_count"], shop["external_policy"]) == ("3", "Local")
    assert json.loads((tmp_path / "all.json").read_text())["schema"] == "iptviz.services.v1"
    assert (tmp_path / "all.md").read_text().count("\n| ") == 9
    assert "default/shop:http" in (tmp_path / "all.txt").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--sort", "age"), 'cannot sort by "age"'),
        (("--endpoint", "web"), 'invalid endpoint "web"'),
        (("-f", "dot"), 'unknown format "dot"'),
        (("nowhere.rules",), "nowhere.rules"),
    ],
)
def test_what_cannot_be_asked_exits_with_2_and_a_line(arguments: tuple[str, ...], said: str) -> None:
    done = run(*(arguments if arguments[0] == "nowhere.rules" else (TODAY, *arguments)))
    assert done.returncode == 2
    assert done.stdout == ""
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_no_cell_of_a_csv_is_a_formula() -> None:
    text = (ROOT / TODAY).read_text().replace("default/shop:http", '=cmd("x")/shop:http')
    for row in csv.reader(run("-f", "csv", stdin=text).stdout.splitlines()):
        assert not any(cell.startswith(("=", "+", "-", "@")) for cell in row)
