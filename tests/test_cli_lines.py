"""`-f jsonl`: the elements of a document, a line for each, as they are made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.kubeproxy import numbered, saved
from tests.program import run, start

if TYPE_CHECKING:
    from pathlib import Path

TODAY = "fixtures/policies-today/dump.rules"
BOTH = ("fixtures/httpd-dual-stack/dump.rules", "fixtures/httpd-dual-stack/dump6.rules")


@pytest.mark.parametrize(("question", "key"), [("services", "services"), ("check", "findings")])
@pytest.mark.parametrize("dumps", [(TODAY,), BOTH])
def test_lines_are_the_elements_of_the_document(question: str, key: str, dumps: tuple[str, ...]) -> None:
    lines = run(question, *dumps, "-f", "jsonl")
    whole = run(question, *dumps, "-f", "json")
    assert lines.returncode == whole.returncode
    document = json.loads(whole.stdout)
    assert [json.loads(line) for line in lines.stdout.splitlines()] == [
        {"schema": f"iptviz.{question}.v1", **element} for element in document[key]
    ]
    assert lines.stdout.count("\n") == len(document[key]) > 0


def test_filters_hold_and_none_is_no_line() -> None:
    assert run("services", TODAY, "--no-endpoints", "-f", "jsonl").stdout == ""
    assert run("check", TODAY, "--select", "no-endpoints", "-f", "jsonl").stdout == ""
    one = run("services", TODAY, "-n", "kube-system", "-f", "jsonl").stdout.splitlines()
    assert {json.loads(line)["service"]["namespace"] for line in one} == {"kube-system"}


@pytest.mark.parametrize("suffix", ["jsonl", "ndjson"])
def test_a_suffix_chooses_it(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"all.{suffix}"
    done = run("services", TODAY, "-o", str(file))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert file.read_text() == run("services", TODAY, "-f", "jsonl").stdout


def test_it_is_a_format_of_lists_alone() -> None:
    for question in ("services", "check"):
        assert "jsonl (a JSON object per line)" in " ".join(run(question, "--help").stdout.split())
    assert 'unknown format "jsonl"' in run("trace", "10.96.0.1", TODAY, "-f", "jsonl").stderr


def test_whoever_reads_a_line_need_not_wait_for_the_others(tmp_path: Path) -> None:
    (tmp_path / "big").write_text(saved(numbered(400, 2)))
    done = start(shell=f'"$@" services {tmp_path}/big -f jsonl | head -1 | wc -l; echo ${{PIPESTATUS[0]}}')
    assert (done.stdout, done.stderr) == ("1\n0\n", "")
