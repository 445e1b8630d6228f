"""CONTRIBUTING.md is followed: its examples are put into a copy as it says, and the copy does what they promise.

An example is a block of code in which comments name places. `# FILE` alone on a line stands above lines for a new
file, or for the end of one that is there; behind an import, it names the file that gets it. `# NAME in FILE` stands
behind a line for the end of a table, or of a function, of that file.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.conftest import ROOT
from tests.test_architecture import RANK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROSE = " ".join(re.sub(r"^```.*?^```$", "", PAGE, flags=re.MULTILINE | re.DOTALL).split())
EXAMPLES = dict(
    re.findall(r"^## A (\w+)\n(?:(?!^##).)*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
MOST_LINES = 115

# --- an example carried out ------------------------------------------------------------------------------------

_PLACE = re.compile(r"(?P<line>|.*\S  )# (?:(?P<name>\w+) in )?(?P<file>[\w/.-]+\.(?:py|txt|rules))")


class Addition(NamedTuple):
    """Lines that an example adds to a file: to a table or a function of it, or, without a name, to its end."""

    file: str
    name: str
    lines: list[str]


def additions(example: str) -> Iterator[Addition]:
    """Yield what an example adds; every line of it belongs to a place."""
    block: Addition | None = None
    for line in example.splitlines():
        place = _PLACE.fullmatch(line)
        if place is None:
            assert block is not None, f"no place for {line!r}"
            block.lines.append(line)
            continue
        if block is not None:
            yield block
        own = place["line"].rstrip()
        addition = Addition(place["file"], place["name"] or "", [own] if own else [])
        block = None if own else addition
        if own:
            yield addition
    if block is not None:
        yield block


def add(root: Path, addition: Addition) -> None:
    """Put lines where an addition says; a new file says in its first line what it is, or is a dump."""
    path = root / addition.file
    assert path.exists() or addition.lines[0].startswith(('"""', "-P ")), f"{addition.file} is not there"
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    at, indent = place_of(old, addition) if path.suffix == ".py" else (len(old), "")
    old[at:at] = [indent + line for line in addition.lines]
    path.write_text("\n".join([*old, ""]), encoding="utf-8")


def add_all(root: Path, example: str) -> None:
    """Put all lines of an example where it says."""
    for addition in additions(example):
        add(root, addition)


def place_of(old: list[str], addition: Addition) -> tuple[int, str]:
    """Return behind how many lines of a module an addition stands, and how far it is set in."""
    body = ast.parse("\n".join(old)).body
    if addition.name:
        (named,) = (node for node in body if addition.name in names_of(node))
        return end_of(named, old)
    if body and addition.lines[0].startswith("from "):
        last = [node for node in body if isinstance(node, ast.ImportFrom)][-1]
        return last.end_lineno or 0, ""
    return len(old), ""


def names_of(node: ast.stmt) -> set[str]:
    """Return what a statement of a module defines."""
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {one.id for one in targets if isinstance(one, ast.Name)} | {getattr(node, "name", "")}


def end_of(named: ast.stmt, old: list[str]) -> tuple[int, str]:
    """Return where a function ends; or a table, whose bracket stands on a line of its own, and its indentation."""
    if isinstance(named, ast.FunctionDef):
        return named.end_lineno or 0, ""
    assert isinstance(named, ast.Assign | ast.AnnAssign)
    assert named.value is not None
    table = named.value.generators[0].iter if isinstance(named.value, ast.DictComp) else named.value
    closing = (table.end_lineno or 0) - 1
    bracket = old[closing]
    assert bracket.strip()[0] in ")]}", f"no line for the end of a table: {bracket}"
    return closing, " " * (len(bracket) - len(bracket.lstrip()) + 4)


def run(root: Path, *arguments: str, text: str = "") -> str:
    """Run Python in a folder, whose iptviz it takes; return all that it prints."""
    # What this run is told, such as to measure coverage, is not meant for the copy.
    meant = ("COVERAGE_", "COV_", "PYTEST_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(meant)}
    command = [sys.executable, *arguments]
    done = subprocess.run(
        command, cwd=root, input=text, capture_output=True, text=True, check=False, env=environment
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project to which all examples are added."""
    root = tmp_path_factory.mktemp("copy")
    unneeded = shutil.ignore_patterns("__pycache__", "golden", "corpus")
    for folder in ("iptviz", "tests", "fixtures"):
        shutil.copytree(ROOT / folder, root / folder, ignore=unneeded)
    shutil.copy(ROOT / "pyproject.toml", root)
    for example in EXAMPLES.values():
        add_all(root, example)
    return root


@pytest.mark.parametrize(
    "example",
    [
        "row",
        "# iptviz/no_such.py\nrow",
        "row,  # NO_SUCH in iptviz/cli/commands.py",
        "row,  # COMMANDS in iptviz/no_such.py",
        "row,  # __version__ in iptviz/version.py",
    ],
)
def test_a_place_that_is_not_there_is_none(example: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        add_all(ROOT, example)


# --- what the examples promise ---------------------------------------------------------------------------------

DUMP = "fixtures/httpd-service/dump.rules"
PACKET = "packet --src 10.0.0.1 --dst 10.0.0.2 --protocol tcp --dport 21 --local-ip 10.0.0.2"


def rules(*lines: str) -> str:
    """Return a dump with rules of INPUT."""
    return "".join(["*filter\n:INPUT ACCEPT [0:0]\n", *(f"-A INPUT {line}\n" for line in lines), "COMMIT\n"])


# The example, what is asked, of which dump, and what is said without it, and with it.
PROMISES = [
    ("match", PACKET, rules("-m helper --helper ftp -j DROP"), "packet matches -m helper", "Verdict  100 % ACCEPT"),
    ("match", PACKET, rules("-m helper ! --helper ftp -j DROP"), "packet matches -m helper", "Verdict  100 % DROP"),
    ("target", PACKET, rules("-p tcp -j DELUDE"), "rules go on after target DELUDE", "Verdict  100 % DROP"),
    ("check", "check --json", rules("-j LOG"), '"findings": []', '"message": "line 3: a rule of INPUT logs without -m limit"'),
    ("check", "explain log-unlimited", "", 'unknown finding "log-unlimited"', "Add -m limit to the rule, or remove the rule."),
    ("format", f"graph {DUMP} -f tsv", "", 'unknown format "tsv"', "nat\tPREROUTING\tjump\tKUBE-SERVICES\t"),
    ("format", "services --help", "", "Output format", "tsv (for cut and awk)"),
    ("question", "--help", "", "sources", "chains    List the chains and how many rules each has."),
    ("question", f"chains {DUMP}", "", "No such command 'chains'", "nat     PREROUTING                 1\n"),
]  # fmt: skip


LIMITED = rules("-m limit --limit 3/min -j LOG", "-j LOG-OF-OURS", '-m comment --comment "-j LOG" -j DROP')
QUESTIONS = [*((asked, text) for _, asked, text, *_ in PROMISES), ("check --json", LIMITED)]

Answers = dict[tuple[str, str], str]

# Asks what standard input says, of the iptviz that is there, and prints the answers.
ASK = """
import json, sys
from typer.testing import CliRunner
from iptviz.cli.app import app
asked = [CliRunner().invoke(app, words.split(), input=text).output for words, text in json.load(sys.stdin)]
print(json.dumps(asked))
"""


def answers_of(root: Path) -> Answers:
    """Return what the iptviz in a folder answers to each question; lines of help are joined."""
    printed = run(root, "-c", ASK, text=json.dumps(QUESTIONS))
    told = (re.sub(r"\n +", " ", one) for one in json.loads(printed))
    return dict(zip(QUESTIONS, told, strict=True))


@pytest.fixture(scope="module")
def without() -> Answers:
    """Return the answers of iptviz as it is."""
    return answers_of(ROOT)


@pytest.fixture(scope="module")
def with_examples(copy: Path) -> Answers:
    """Return the answers of the copy."""
    return answers_of(copy)


@pytest.mark.parametrize(
    ("example", "asked", "text", "before", "after"), PROMISES, ids=[one[0] for one in PROMISES]
)
def test_an_example_does_what_it_promises(
    without: Answers, with_examples: Answers, example: str, asked: str, text: str, before: str, after: str
) -> None:
    assert before in without[asked, text]
    assert after not in without[asked, text], (
        f"iptviz does this by now: choose another example for a {example}"
    )
    assert after in with_examples[asked, text]


def test_the_check_is_silent_where_a_rule_is_limited(with_examples: Answers) -> None:
    answer = json.loads(with_examples["check --json", LIMITED])
    assert "log-unlimited" in answer["looked_for"]
    assert "log-unlimited" not in [one["id"] for one in answer["findings"]]


# The tests that demand something of every row of a table; what they say of the rows that are new, and of all.
ASKING = (
    "tests/test_architecture.py", "tests/xtables/test_tables.py", "tests/engine/test_meanings.py",
    "tests/engine/test_journey.py", "tests/checks/test_registry.py", "tests/checks/test_documented.py",
    "tests/checks/test_faults.py::test_a_fault_is_found_once_and_alone",
    "tests/checks/test_faults.py::test_what_only_looks_like_a_fault_is_none", "tests/render/test_formats.py",
    "tests/render/test_packet.py", "tests/view/test_blocks.py", "tests/test_cli_commands.py",
    "tests/render/test_every_format.py::test_every_question_and_every_format_is_here",
)  # fmt: skip
ASKED = "helper or DELUDE or logs or log-unlimited or tsv or chains or untested or every or unique or stands_alone or nowhere"


def test_the_projects_own_tables_lack_nothing_for_the_examples(copy: Path) -> None:
    printed = run(copy, "-m", "pytest", "--quiet", "-p", "no:cacheprovider", *ASKING, "-k", ASKED)
    assert re.search(r"^\d+ passed, \d+ deselected", printed, re.MULTILINE), printed


# --- the page --------------------------------------------------------------------------------------------------


def test_the_page_is_short_and_is_found() -> None:
    assert len(PAGE.splitlines()) <= MOST_LINES
    assert list(EXAMPLES) == ["match", "target", "check", "format", "question"]
    assert "[CONTRIBUTING.md](CONTRIBUTING.md)" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_rooms_are_named_in_order() -> None:
    rooms = {path.name for path in (ROOT / "iptviz").iterdir() if path.is_dir() and path.name in RANK}
    told, _, _ = PROSE.partition("## A match")
    named = [name for name in re.findall(r"`(\w+)`", told) if name in rooms]
    assert sorted(named) == sorted(rooms)
    assert named == sorted(named, key=lambda name: RANK[name])


def test_every_path_is_there() -> None:
    named = re.findall(r"`([\w.-]+/[\w./-]*)`", PROSE)
    assert len(named) > 10
    assert [
        path for path in named if not (ROOT / path).exists() and not (ROOT / "iptviz" / path).exists()
    ] == []


def test_every_table_is_there() -> None:
    named = re.findall(r"`(\w+)`(?: and the like)? in `([\w/]+\.py)`", PROSE)
    assert len(named) > 5
    for name, path in named:
        body = ast.parse((ROOT / path).read_text(encoding="utf-8")).body
        assert any(name in names_of(node) for node in body), f"{path} has no {name}"


def test_every_switch_is_one() -> None:
    texts = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("conftest.py"))
    switched = (
        "render/test_golden.py", "kernel/test_truths.py", "kernel/test_wild.py", "kernel/test_equivalence.py", "kernel/test_nft_nodes.py", "test_pyz.py", "test_package.py",
        "paths/test_native_shared.py", "fleet/test_cluster.py",
    )  # fmt: skip
    texts += "".join((ROOT / "tests" / name).read_text(encoding="utf-8") for name in switched)
    named = re.findall(r"IPTVIZ_\w+|--update-golden", PROSE)
    assert len(named) > 3
    assert [name for name in named if name not in texts] == []
