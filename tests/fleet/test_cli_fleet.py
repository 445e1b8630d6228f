"""`iptviz fleet` as its users run it: exit statuses, what cannot be read, and what cannot be asked."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from iptviz.questions.fleet import fleet
from tests.conftest import FIXTURES
from tests.program import run

if TYPE_CHECKING:
    from pathlib import Path

RULES = (FIXTURES / "httpd-service/dump.rules").read_text(encoding="utf-8")
(OLD, *_) = re.findall(r"--to-destination ([0-9.]+):", RULES)
STALE = RULES.replace(f"{OLD}:", "10.255.0.9:").replace(f"{OLD}/32", "10.255.0.9/32")


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    folder = tmp_path / "nodes"
    folder.mkdir()
    for number in (1, 2, 3):
        (folder / f"node-{number}.rules").write_text(RULES, encoding="utf-8")
    return folder


def test_nodes_that_agree(nodes: Path) -> None:
    done = run("fleet", str(nodes), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["schema"] == "iptviz.fleet.v1"


def test_nodes_that_differ_and_what_cannot_be_read(nodes: Path) -> None:
    (nodes / "node-2.rules").write_text(STALE, encoding="utf-8")
    (nodes / "node-4.rules").write_text("", encoding="utf-8")
    done = run("fleet", str(nodes), str(nodes / "gone*"))
    assert done.returncode == 1
    assert "file is empty" in done.stdout
    assert "no file matches" in done.stdout
    assert run("fleet", str(nodes), "--exit-zero").returncode == 0


def test_the_answer_is_the_same_by_processes_from_the_cache_and_in_python(
    nodes: Path, tmp_path: Path
) -> None:
    (nodes / "node-2.rules").write_text(STALE, encoding="utf-8")
    cache = str(tmp_path / "cache")
    words = ("fleet", str(nodes), "--json", "--cache", cache)
    first = run(*words, "--jobs", "2")
    assert first.returncode == 1
    assert run(*words, "--jobs", "1").stdout == run("fleet", str(nodes), "--json").stdout == first.stdout
    assert len(list((tmp_path / "cache").iterdir())) == 3
    assert fleet(str(nodes)).to_dict() == json.loads(first.stdout)


def test_a_finding_about_rules_comes_back_from_another_process(nodes: Path) -> None:
    without = re.sub(rf"-A .* --to-destination {re.escape(OLD)}:.*\n", "", RULES)
    (nodes / "node-2.rules").write_text(without, encoding="utf-8")
    done = run("fleet", str(nodes), "--json", "--jobs", "2")
    assert (done.returncode, done.stderr) == (1, "")
    assert "endpoint-without-dnat" in done.stdout
    assert done.stdout == run("fleet", str(nodes), "--json", "--jobs", "1").stdout


def test_a_list_of_dumps_on_standard_input(nodes: Path) -> None:
    listed = "\n".join(str(path) for path in sorted(nodes.iterdir()))
    assert (
        run("fleet", "-", "--json", stdin=listed.encode()).stdout == run("fleet", str(nodes), "--json").stdout
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{}/gone*",), 'no file matches "{}/gone*"\n  usage: iptviz fleet DUMP...'),
        (("{}/gone.rules",), "{}/gone.rules: cannot be read: no such file or directory"),
        (
            ("{}/empty", "{}/gone"),
            "none of 2 inputs can be read\n  {}/empty: file is empty\n  {}/gone: cannot",
        ),
        (("{}/node-1.rules", "--redact"), "fleet does not support --redact\n  redact each dump first"),
        (("{}/node-1.rules", "--cache", "{}/empty"), "{}/empty: cannot be used as a cache: file exists"),
        (("{}/node-1.rules", "--max-size", "x"), 'invalid size "x"'),
        (("{}/node-1.rules", "--api", "{}/gone"), "{}/gone: cannot be read"),
    ],
)
def test_what_cannot_be_asked(nodes: Path, words: tuple[str, ...], said: str) -> None:
    (nodes / "empty").write_text("", encoding="utf-8")
    done = run("fleet", *(word.replace("{}", str(nodes)) for word in words))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("iptviz: " + said.replace("{}", str(nodes)))


def test_without_the_libraries_it_is_said_what_to_install(
    nodes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = run("fleet", str(nodes), "--scheduler", "tcp://127.0.0.1:1")
    assert done.returncode == 2
    assert "pip install 'iptviz[fleet]'" in done.stderr
