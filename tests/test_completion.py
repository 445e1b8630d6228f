"""Completion: what shells are offered, by the shells themselves where they are installed, else as they ask."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from iptviz.cli.commands import COMMANDS
from iptviz.render.formats import formats_of
from tests.conftest import FIXTURES, ROOT
from tests.kubeproxy import numbered, saved
from tests.program import run, start
from tests.test_startup import loaded_by

if TYPE_CHECKING:
    from pathlib import Path

DUMP = "fixtures/httpd-service/dump.rules"
DUMP6 = "fixtures/httpd-dual-stack/dump6.rules"
CURSOR = "|"


def offered(line: str, shell: str = "fish") -> list[str]:
    """Return what is offered at the cursor, or at the end of the line."""
    before, _, after = line.partition(CURSOR)
    env = {
        "COMP_LINE": before + after,
        "COMP_POINT": str(len(before)),
        "_IPTVIZ_COMPLETE": f"complete_{shell}",
    }
    done = run(env=env)
    assert (done.returncode, done.stderr) == (0, "")
    return [text.partition("\t")[0] for text in done.stdout.splitlines()]


# --- what is offered ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("iptviz tra", ["trace"]),
        ("iptviz --v", ["--version"]),
        ("iptviz --show-completion ", ["bash", "zsh", "fish"]),
        ("iptviz trace --form", ["--format"]),
        ("iptviz trace -f js", ["json"]),
        ("iptviz trace --format=js", ["--format=json"]),
        ("iptviz trace -qf js", ["json"]),
        ("iptviz trace x --from ", ["outside", "pod", "node"]),
        ("iptviz check --min-severity ", ["critical", "high", "medium", "low", "info"]),
        ("iptviz check --select no-endpoi", ["no-endpoints"]),
        ("iptviz check --select no-endpoints,ends-w", ["no-endpoints,ends-without-endpoint"]),
        ("iptviz explain cond", ["conditions"]),
        ("iptviz explain no-endpoints no-endp", ["no-endpoints"]),
        ("iptviz trace --color ", ["auto", "always", "never"]),
        ("iptviz services --sort u", ["uneven"]),
        ("iptviz packet --hook o", ["output"]),
        ("iptviz graph --table n", ["nat"]),
        (f"iptviz services {DUMP} -n kube", ["kube-system"]),
        (f"iptviz trace default/h| {DUMP}", ["default/httpd-service"]),
        (f"iptviz trace 'default/h| {DUMP}", ["default/httpd-service"]),
        (f"iptviz trace httpd| {DUMP}", ["httpd-service"]),
        (f"iptviz trace 10.97| {DUMP}", ["10.97.13.198:79"]),
        (f"iptviz trace 10.97.13.198:| {DUMP}", ["10.97.13.198:79"]),
        (f"iptviz trace :| {DUMP}", [":32123"]),
        (f"iptviz trace KUBE-SVC-X| {DUMP}", ["KUBE-SVC-X2P42VLQEZCHLPKZ"]),
        (f"iptviz trace kube-system/kube-dns:dns-| {DUMP}", ["kube-system/kube-dns:dns-tcp"]),
        (f"iptviz trace [fd00:10:96::1]| {DUMP6}", ["[fd00:10:96::1]:443"]),
        (f"iptviz trace 10.97.13| -q -f json {DUMP}", ["10.97.13.198:79"]),
        (f"iptviz trace -- 10.97.13| {DUMP}", ["10.97.13.198:79"]),
        (f"iptviz report {DUMP} httpd-service 10.97", ["10.97.13.198:79"]),
        (f"iptviz graph {DUMP} --focus httpd", ["httpd-service"]),
        (f"iptviz graph {DUMP} --around KUBE-SVC-X", ["KUBE-SVC-X2P42VLQEZCHLPKZ"]),
        (f"iptviz graph --focus httpd| {DUMP}", ["httpd-service"]),
        (f"iptviz graph --around=KUBE-SVC-X| -q {DUMP}", ["--around=KUBE-SVC-X2P42VLQEZCHLPKZ"]),
        (f"iptviz services -n kube| {DUMP}", ["kube-system"]),
        # Files are the shell's own business.
        ("iptviz trace httpd-service fix", []),
        ("iptviz trace -o an", []),
        ("iptviz trace --addresses fix", []),
        # Nothing, and nothing goes wrong.
        ("iptviz trace httpd", []),
        ("iptviz trace httpd| -", []),
        ("iptviz trace httpd| /dev/stdin", []),
        ("iptviz trace httpd| README.md", []),
        ("iptviz trace httpd| missing.rules", []),
        ("iptviz nonsense x", []),
        ("iptviz trace --nonsense=x", []),
        ("iptviz 'tra", ["trace"]),
        ("iptviz verify a b ", []),
    ],
)  # fmt: skip
def test_what_is_offered(line: str, wanted: list[str]) -> None:
    assert offered(line) == wanted


def test_all_commands_and_formats_are_offered() -> None:
    assert offered("iptviz ") == list(COMMANDS)
    for question in ("trace", "services", "check", "report"):
        assert offered(f"iptviz {question} -f ") == list(formats_of(question))


def test_an_option_is_offered_once_unless_it_may_be_repeated() -> None:
    assert "--format" not in offered("iptviz check -f json --")
    assert "--select" in offered("iptviz check --select no-endpoints --")


def test_a_shell_that_tells_words_and_their_number_is_answered() -> None:
    env = {"COMP_WORDS": "iptviz trace -f js", "COMP_CWORD": "3", "_IPTVIZ_COMPLETE": "complete_bash"}
    assert run(env=env).stdout == "json\n"


@pytest.mark.parametrize(
    "env",
    [
        {"COMP_WORDS": "iptviz", "COMP_CWORD": "x"},
        {"COMP_LINE": "iptviz trace ", "COMP_POINT": "zzz"},
        {"COMP_LINE": "iptviz trace \\"},
        {"_IPTVIZ_COMPLETE": "nonsense"},
        {"_IPTVIZ_COMPLETE": "source_csh"},
        {},
    ],
)
def test_nothing_is_ever_said_but_candidates(env: dict[str, str]) -> None:
    done = run(env={"_IPTVIZ_COMPLETE": "complete_bash", **env})
    assert (done.returncode, done.stderr) == (0, "")


HOSTILE = (
    "*nat\n:KUBE-SERVICES - [0:0]\n:KUBE-SVC-$(reboot) - [0:0]\n:KUBE-SVC-`x` - [0:0]\n"
    '-A KUBE-SERVICES -d 10.0.0.1/32 -p tcp -m comment --comment "a/$(reboot) cluster IP" -m tcp --dport 80 -j X\n'
    '-A KUBE-SERVICES -d 10.0.0.1;reboot -p tcp -m comment --comment "a/\x1b[31m" -m tcp --dport 80 -j X\n'
    '-A KUBE-SERVICES -d 10.0.0.2/32 -p tcp -m comment --comment "a/b`reboot`:c cluster IP" -m tcp --dport 80 -j X\n'
    '-A KUBE-SERVICES ! -d 10.0.0.9/32 -p tcp -m tcp --dport 80 -j X\nCOMMIT\n'
)  # fmt: skip


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_what_a_dump_says_is_not_trusted(shell: str, tmp_path: Path) -> None:
    (tmp_path / "hostile").write_text(HOSTILE)
    for begun in ("", "a", "KUBE-"):
        found = offered(f"iptviz trace {begun}| {tmp_path}/hostile", shell)
        assert set(found) <= {"10.0.0.1:80", "10.0.0.2:80", "KUBE-SERVICES"}


def test_a_large_dump_is_answered_before_anybody_wonders(tmp_path: Path) -> None:
    (tmp_path / "large").write_text(saved(numbered(2_000, 3)))
    before = time.process_time()
    assert offered(f"iptviz trace 10.96.2.1| {tmp_path}/large")[:2] == ["10.96.2.1:80", "10.96.2.10:80"]
    assert time.process_time() - before < 1


# --- scripts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_the_file_for_packagers(shell: str) -> None:
    script = (ROOT / "iptviz" / "completions" / f"iptviz.{shell}").read_text()
    for done in (run("--show-completion", shell), run(env={"_IPTVIZ_COMPLETE": f"source_{shell}"})):
        assert (done.returncode, done.stdout, done.stderr) == (0, script, "")


@pytest.mark.parametrize(
    ("shell", "file"),
    [
        ("bash", "data/bash-completion/completions/iptviz"),
        ("zsh", "data/zsh/site-functions/_iptviz"),
        ("fish", "config/fish/completions/iptviz.fish"),
    ],
)
def test_it_is_installed_where_the_shell_looks(shell: str, file: str, tmp_path: Path) -> None:
    env = {"XDG_DATA_HOME": f"{tmp_path}/data", "XDG_CONFIG_HOME": f"{tmp_path}/config"}
    done = run("--install-completion", shell, env=env)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(tmp_path / file) in done.stdout
    assert (tmp_path / file).read_text() == run("--show-completion", shell).stdout


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = run("--install-completion", "bash", env={"XDG_DATA_HOME": f"{tmp_path}/file"})
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot be made" in done.stderr


def test_an_unknown_shell_is_named() -> None:
    done = run("--install-completion", "bsh")
    assert (done.returncode, done.stdout) == (2, "")
    assert (
        done.stderr
        == 'iptviz: no completion for "bsh"\n  did you mean bash or zsh? shells: bash, zsh, fish\n'
    )


def test_without_a_name_it_is_the_shell_that_runs() -> None:
    done = start(shell='"$@" --show-completion; true')
    assert done.stdout == run("--show-completion", "bash").stdout


def test_no_ordinary_run_waits_for_completion() -> None:
    code = (
        "import sys\nfrom iptviz.__main__ import main\nsys.argv = ['iptviz', *sys.argv[1:]]\n"
        "try:\n    main()\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    loaded = loaded_by(code, "trace", "10.97.13.198", DUMP)
    assert loaded.isdisjoint({"iptviz.cli.completing", "iptviz.cli.candidates", "iptviz.cli.shells"})


# --- shells -------------------------------------------------------------------------------------------------------

# Bash calls the function with the program's name and the word that it completes: what is behind the last colon.
BASH = """
source iptviz/completions/iptviz.bash
COMP_LINE=$1 COMP_POINT=${#1}
_iptviz "$2" "$3" ""
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("line", "word", "wanted"),
    [
        ("iptviz tra", "tra", "trace\n"),
        (f"iptviz report {DUMP} default/h", "default/h", "default/httpd-service\n"),
        (f"iptviz report {DUMP} 10.97.13.198:", "", "79\n"),
        (f"iptviz report {DUMP} :32", "32", "32123\n"),
        (f"iptviz report {DUMP6} [fd00:10:96::1]:", "", "443\n"),
        (f"iptviz report {DUMP6} \\[fd00:10:96::1\\", "1\\", "1\\]:443\n"),
        ("iptviz trace x --format=js", "js", "json\n"),
        ("iptviz trace missing x ", "", "\n"),
    ],
)
def test_bash(line: str, word: str, wanted: str, tmp_path: Path) -> None:
    program = tmp_path / "iptviz"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m iptviz "$@"\n')
    program.chmod(0o755)
    command = ["bash", "-c", BASH, "bash", line, str(program), word]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=FIXTURES.parent)
    assert (done.stdout, done.stderr) == (wanted, "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_finds_no_fault_with_its_script(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    command = [shell, "-n", f"iptviz/completions/iptviz.{shell}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_fish(tmp_path: Path) -> None:
    if shutil.which("fish") is None:
        pytest.skip("fish is not installed")
    program = tmp_path / "iptviz"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m iptviz "$@"\n')
    program.chmod(0o755)
    asked = f"source iptviz/completions/iptviz.fish; complete -C '{program} report {DUMP} 10.97'"
    command = ["fish", "--no-config", "-c", f"set -p PATH {tmp_path}; {asked}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("10.97.13.198:79\n", "")
