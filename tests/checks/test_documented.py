"""What can be found is what the catalogue of diagnostics lists, and every place that names ids names these."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import pytest

from iptviz.checks.finding import SEVERITIES
from iptviz.checks.registry import all_diagnoses
from iptviz.questions.explain_finding import explain
from iptviz.questions.wanted import lookable
from tests.conftest import FIXTURES, ROOT, SHARED
from tests.program import run

CATALOGUE = SHARED.parent / "DIAGNOSTICS.md"
needs_catalogue = pytest.mark.skipif(not CATALOGUE.exists(), reason="needs the catalogue of diagnostics")

NOT_FOUND: dict[str, str] = {}
"""Ids of the catalogue that nothing finds, and why."""


class Row(NamedTuple):
    """What the catalogue says of an id: the severities that it names."""

    what: str
    severities: set[str]


def rows_of(section: str) -> list[Row]:
    """Return the rows of a section, of which one may have several ids; some tell severities with the evidence."""
    text = CATALOGUE.read_text(encoding="utf-8") if CATALOGUE.exists() else ""
    own = re.split(r"^## ", text.partition(f"\n## {section}")[2], maxsplit=1, flags=re.MULTILINE)[0]
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in own.splitlines() if line[:2] == "| "
    ]
    return [
        Row(what.strip(), severities_in(row[2]) or severities_in(row[1]))
        for row in cells[1:]
        for what in row[0].split(",")
    ]


def severities_in(words: str) -> set[str]:
    return {severity for severity in SEVERITIES if re.search(rf"\b{severity}\b", words)}


LISTED = [*rows_of("In one dump"), *rows_of("Added on ")]


@needs_catalogue
def test_all_of_the_catalogue_is_looked_for_or_a_reason_says_why_not() -> None:
    ids = {row.what for row in LISTED}
    assert len(ids) > 60
    assert ids - set(lookable()) == set(NOT_FOUND)


@pytest.mark.parametrize("row", LISTED, ids=lambda row: row.what)
def test_a_finding_is_as_severe_as_the_catalogue_says(row: Row) -> None:
    if row.what not in NOT_FOUND:
        assert row.severities <= set(all_diagnoses()[row.what].severities)


@pytest.mark.parametrize("what", all_diagnoses())
def test_every_finding_is_explained(what: str) -> None:
    done = run("explain", what)
    assert (done.returncode, done.stderr) == (0, "")
    (said,) = explain(what).to_dict()["findings"]
    assert all(said[part] in done.stdout for part in ("id", "means", "matters", "advice"))
    assert said["severities"] == [severity for severity in SEVERITIES if severity in said["severities"]]


def test_explain_and_the_list_have_all_ids_and_no_other() -> None:
    for arguments, expected in ((("explain",), all_diagnoses()), (("check", "--list"), lookable())):
        document = json.loads(run(*arguments, "--json").stdout)
        assert [one["id"] for one in document["findings"]] == list(expected)


NAMED = {
    "docs/reference.md": r"iptviz explain ([a-z-]+)|--(?:select|ignore) ([a-z,-]+)",
    "CHANGELOG.md": r"[Ff]indings? `([a-z-]+)`",
}
"""How pages name ids."""


@pytest.mark.parametrize(("page", "pattern"), NAMED.items())
def test_ids_that_pages_name_are_there(page: str, pattern: str) -> None:
    found = re.findall(pattern, (ROOT / page).read_text(encoding="utf-8"))
    named = {
        what for one in found for text in ([one] if isinstance(one, str) else one) for what in text.split(",")
    }
    assert named
    assert named - {"", "conditions"} <= set(all_diagnoses())


def test_ids_that_fixtures_name_are_there() -> None:
    texts = [path.read_text(encoding="utf-8") for path in FIXTURES.glob("checks/*/*.rules")]
    lines = "\n".join(line for text in texts for line in re.findall(r"^# beside: (.*)$", text, re.MULTILINE))
    assert set(re.findall(r"[\w-]+", lines)) <= set(all_diagnoses())
