"""The program as its users run it: exit status, both outputs, colour, terminals, files, and broken input."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.kubeproxy import numbered, saved
from tests.program import at_terminal, run, start

FIXTURE = "fixtures/httpd-service/dump.rules"
HTTPD = (FIXTURES / "httpd-service" / "dump.rules").read_bytes()
ASK = ("trace", "10.97.13.198", FIXTURE)
ABSENT = ("trace", "10.97.13.199", FIXTURE)
SGR = re.compile(r"\x1b\[[0-9;]*m")


# --- status and streams -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "status", "answered", "message"),
    [
        (ASK, 0, True, ""),
        (("trace", "10.97.13.198", "fixtures/httpd-no-endpoints/dump.rules"), 0, True, ""),  # REJECT is one
        (ABSENT, 1, False, f'{FIXTURE}: no service matches "10.97.13.199" in this dump'),
        ((*ABSENT, "--exit-zero"), 0, False, 'no service matches "10.97.13.199" in this dump'),
        ((*ABSENT, "-q"), 1, False, f'{FIXTURE}: no service matches "10.97.13.199" in this dump'),
        ((*ABSENT, "--json"), 1, True, 'no service matches "10.97.13.199" in this dump'),
        ((), 2, False, "Usage: iptviz"),
        (("trace",), 2, False, "Missing argument 'TARGET'"),
        (("nonsense",), 2, False, "No such command 'nonsense'"),
        ((*ASK, "--nonsense"), 2, False, "No such option"),
        ((*ASK, "--color", "sometimes"), 2, False, "'sometimes' is not one of"),
        (("trace", "no service!", FIXTURE), 2, False, "invalid TARGET"),
        (("trace", ":70000", FIXTURE), 2, False, 'invalid port 70000 in ":70000" (1 to 65535)'),
        ((*ASK, "-f", "gif"), 2, False, 'unknown format "gif"'),
        ((*ASK, "-o", "answer.xyz"), 2, False, 'answer.xyz: unknown file extension ".xyz"; pass -f'),
        (("trace", "10.0.0.1", "missing.rules"), 2, False, "missing.rules: cannot be read: no such file"),
        (("trace", "10.0.0.1", "fixtures"), 2, False, "nodes: changed, checks, httpd-affinity"),
        (("trace", "10.0.0.1", "/dev/null"), 2, False, "/dev/null: file is empty"),
        (("trace", "10.0.0.1", sys.executable), 2, False, "this is a program, not a dump"),
        (("trace", "10.0.0.1", "LICENSE"), 2, False, "LICENSE: no iptables rules found"),
    ],
)  # fmt: skip
def test_status_answer_and_message(
    arguments: tuple[str, ...], status: int, answered: bool, message: str
) -> None:
    done = run(*arguments)
    assert (done.returncode, bool(done.stdout)) == (status, answered)
    assert message in done.stderr if message else done.stderr == ""
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


@pytest.mark.parametrize(
    "arguments", [("--version",), ("--help",), ("-h",), ("trace", "--help"), ("trace", "-h")]
)
def test_help_and_version_are_answers(arguments: tuple[str, ...]) -> None:
    done = run(*arguments, env={"GITHUB_ACTIONS": "true"})
    assert (done.returncode, done.stderr) == (0, "")
    assert re.match(r"iptviz \d|Usage: iptviz ", done.stdout)
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("shell", ['"$@" trace 10.97.13.198 - < {0}', 'cat {0} | "$@" trace 10.97.13.198'])
def test_a_dump_comes_through_a_pipe(shell: str) -> None:
    done = start(shell=shell.format(FIXTURE))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == run(*ASK).stdout.replace(f"\n{FIXTURE} · ", "\n<stdin> · ")


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "big").write_text(saved(numbered(1, 450)))
    done = start(shell=f'"$@" trace 10.96.1.0 {tmp_path}/big --json | head -1; echo ${{PIPESTATUS[0]}}')
    assert (done.stdout, done.stderr) == ("{\n0\n", "")


FULL = pytest.param("> /dev/full", marks=pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux"))


@pytest.mark.parametrize("end", [FULL, ">&-"])
def test_an_output_that_takes_nothing_is_no_bug_of_the_program(end: str) -> None:
    done = start(shell=f'"$@" {" ".join(ASK)} {end}')
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) <= 2
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr


@pytest.mark.parametrize("asked", ["--help", "services --help", "--version"])
@pytest.mark.parametrize("end", [FULL])
def test_help_that_cannot_be_written_is_no_bug_either(asked: str, end: str) -> None:
    done = start(shell=f'"$@" {asked} {end}')
    assert done.returncode == 2
    assert done.stderr == "iptviz: standard output: cannot be written: no space left on device\n"


# --- formats and files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suffix", "options"),
    [(".txt", ()), (".json", ("--json",)), (".dot", ("-f", "dot")), (".GV", ("-f", "dot"))],
)
def test_a_suffix_chooses_the_format(suffix: str, options: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / f"answer{suffix}"
    path.write_text("what was there before")
    done = run(*ASK, "-o", str(path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert path.read_text() == run(*ASK, *options).stdout
    assert list(tmp_path.iterdir()) == [path]


def test_a_format_that_is_named_beats_the_suffix(tmp_path: Path) -> None:
    path = tmp_path / "answer.txt"
    run(*ASK, "-f", "json", "-o", str(path), "--color", "always")
    assert json.loads(path.read_text())["schema"] == "iptviz.trace.v1"


@pytest.mark.parametrize("place", ["missing/answer.json", "folder.json", "file/answer.json"])
def test_what_cannot_be_written_leaves_nothing_behind(place: str, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "file").touch()
    before = sorted(tmp_path.rglob("*"))
    done = run(*ASK, "-o", str(tmp_path / place))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{place}: cannot be written: " in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


# --- colour, width, signs ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "env", "piped", "terminal"),
    [
        ((), {}, False, True),
        ((), {"NO_COLOR": "1"}, False, False),
        ((), {"FORCE_COLOR": "0"}, False, False),
        ((), {"FORCE_COLOR": "1"}, True, True),
        ((), {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False, False),
        ((), {"TERM": "dumb"}, False, False),
        (("--color", "always"), {"NO_COLOR": "1"}, True, True),
        (("--color", "never"), {"FORCE_COLOR": "1"}, False, False),
        (("--json",), {"FORCE_COLOR": "1"}, False, False),
    ],
)
def test_colour(options: tuple[str, ...], env: dict[str, str], piped: bool, terminal: bool) -> None:
    assert ("\x1b" in run(*ASK, *options, env=env).stdout) == piped
    assert ("\x1b" in at_terminal(120, *ASK, *options, env=env)[1]) == terminal


@pytest.mark.parametrize("env", [{}, {"COLUMNS": "40"}, {"LC_ALL": "C"}])
def test_what_is_piped_is_never_cut(env: dict[str, str]) -> None:
    lines = start(*ASK, env=env).stdout.splitlines()
    assert max(map(len, lines)) > 100
    assert sum(bool(re.search(r"10\.244.*KUBE-SEP-\w{16}   lines \d+, \d+$", line)) for line in lines) == 4


@pytest.mark.parametrize("columns", [60, 80, 100, 120])
def test_a_tree_fits_its_terminal(columns: int) -> None:
    status, text = at_terminal(columns, *ASK)
    text = SGR.sub("", text)
    _, _, tree, *_ = text.split("\n\n")
    rows = [line for line in tree.splitlines() if line.startswith(("├", "│", "└", "    "))]
    assert (status, len(rows)) == (0, 7)
    assert max(map(len, text.splitlines())) <= columns
    assert max(map(len, rows)) <= columns
    assert (
        sum(bool(re.search(r"25\.00 %   10\.244\.\d\.\d+:80   .*lines \d+, \d+$", row)) for row in rows) == 4
    )
    assert ("left out to fit this terminal" in " ".join(text.split())) == (columns < 120)


@pytest.mark.parametrize("options", [("--ascii",), ("--ascii", "--color", "always")])
def test_ascii_is_ascii(options: tuple[str, ...]) -> None:
    text = start(*ASK, *options, env={"LC_ALL": "C"}).stdout
    assert text.isascii()
    assert "|-- KUBE-SERVICES" in SGR.sub("", text)


def test_at_a_terminal_without_a_dump_it_does_not_wait() -> None:
    status, text = at_terminal(80, "trace", "10.97.13.198")
    assert status == 2
    assert "no DUMP given" in text


# --- broken dumps -----------------------------------------------------------------------------------------

JUMP = b"-A KUBE-SVC-X2P42VLQEZCHLPKZ -j KUBE-SEP-PIY2GUM6HM67YPSI\n"


@pytest.mark.parametrize(
    ("dump", "note"),
    [
        (HTTPD[: HTTPD.rindex(b"COMMIT")], "table filter has no COMMIT"),
        (HTTPD[: HTTPD.index(b"*filter") + 90], "the last line has no end"),
        (HTTPD.replace(JUMP, JUMP.replace(b"SEP", b"GONE")), "jumps to KUBE-GONE-PIY2GUM6HM67YPSI"),
        (HTTPD.replace(JUMP, JUMP.replace(b"SEP-PIY2GUM6HM67YPSI", b"SVC-X2P42VLQEZCHLPKZ")), "is a loop"),
        (HTTPD.replace(b":KUBE-SERVICES - [0:0]\n", b"", 1), "rules of KUBE-SERVICES, but no declaration"),
        (
            HTTPD.replace(b"*filter\n", b"*filter\nwhat is this?\n"),
            "a line within table filter is not",
        ),
        (
            HTTPD[: HTTPD.index(b"*filter")],
            "no table filter, in which kube-proxy 1.2 and newer has rules",
        ),
    ],
    ids=["no COMMIT", "cut in a line", "jump to nowhere", "loop", "undeclared", "noise", "no filter"],
)
def test_an_incomplete_dump_is_answered_and_marked(dump: bytes, note: str) -> None:
    done = run("trace", "10.97.13.198", "-", stdin=dump)
    assert done.returncode == 0
    assert done.stderr.count("\n") == (b"what is this" in dump)
    first, source, *_ = done.stdout.split("\n\n")
    assert first.endswith("the dump is incomplete: see the notes")
    assert "INCOMPLETE" in source
    assert note in done.stdout
    found = json.loads(run("trace", "10.97.13.198", "--json", stdin=dump).stdout)
    assert found["dump"]["complete"] is False
    assert any(note in one for one in found["notes"])
    assert len(found["services"][0]["endpoints"]) >= 3
