"""The program that tests call in this process does what a process of its own does."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FIXTURES
from tests.program import at_terminal, run, start

FIXTURE = "fixtures/httpd-service/dump.rules"
HTTPD = (FIXTURES / "httpd-service" / "dump.rules").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "stdin", "env"),
    [
        (("trace", "10.97.13.198", FIXTURE), b"", {}),
        (("trace", "10.97.13.198", "--json"), HTTPD, {}),
        (("trace", "10.97.13.198"), HTTPD, {"FORCE_COLOR": "1"}),
        (("trace", "10.97.13.199", FIXTURE), b"", {}),
        (("trace", "10.97.13.198"), b"", {}),
        (("trace", "--help"), b"", {"COLUMNS": "60"}),
        (("sources", "--lines"), b"\xff\xfe noise\n" + HTTPD, {}),
        (("--version",), b"", {}),
        ((), b"", {}),
    ],
)
def test_it_answers_here_as_in_a_process_of_its_own(
    arguments: tuple[str, ...], stdin: bytes, env: dict[str, str]
) -> None:
    assert run(*arguments, stdin=stdin, env=env) == start(*arguments, stdin=stdin, env=env)


def test_it_leaves_nothing_behind() -> None:
    before = (sys.argv, sys.stdin, sys.stdout, sys.stderr, sys.__stdout__, dict(os.environ), Path.cwd())
    run("trace", "10.97.13.198", FIXTURE, env={"NO_COLOR": "1"})
    at_terminal(80, "trace", "nonsense!")
    after = (sys.argv, sys.stdin, sys.stdout, sys.stderr, sys.__stdout__, dict(os.environ), Path.cwd())
    assert after == before
    assert gc.isenabled()


def test_the_script_that_is_installed_is_the_program() -> None:
    script = Path(sys.executable).with_name("iptviz")
    done = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == run("--version").stdout


def test_standard_input_that_is_closed_is_said() -> None:
    done = start(shell='"$@" trace 10.97.13.198 <&-')
    assert (done.returncode, done.stdout) == (2, "")
    assert "<stdin>: cannot be read: closed" in done.stderr
