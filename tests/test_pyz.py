"""The program in one file: the same bytes from the same sources, and the same answers as the program that is installed."""

from __future__ import annotations

import ast
import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from iptviz.cli.commands import COMMANDS
from tests.conftest import ROOT, shared_folder
from tests.program import Ended, run, unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator

FIXTURE = "fixtures/httpd-service/dump.rules"
BROKEN = "fixtures/ways/reported/31-forward-drop-first.rules"
LOOPED = "fixtures/checks/chain-loop/fault.rules"
MOST = 4 * 1024 * 1024
REQUIRED = bool(os.environ.get("IPTVIZ_REQUIRE_PYZ"))

# One or more questions of each command; between them they need every library.
ANSWERS = (
    ("--version",),
    ("--show-completion", "zsh"),
    ("trace", "10.97.13.198", FIXTURE, "--color", "always"),
    ("trace", "shop/web", BROKEN, "-f", "html"),
    ("trace", "10.97.13.198", FIXTURE, "-f", "dot"),
    ("trace", "10.97.13.199", FIXTURE),
    ("services", BROKEN, "-f", "csv"),
    ("check", LOOPED),
    ("fleet", FIXTURE, BROKEN, "-f", "html"),
    ("explain", "forward-drop"),
    ("packet", "--src", "10.244.0.9", "--dst", "10.97.13.198", "--protocol", "tcp", "--dport", "79", FIXTURE),
    ("diff", FIXTURE, BROKEN),
    ("verify", FIXTURE, "{folder}/services.yaml"),
    ("graph", LOOPED, "-f", "mermaid"),
    ("report", BROKEN, "-f", "markdown"),
    ("redact", FIXTURE, "--map", "{folder}/key.json"),
    ("sources", BROKEN, "--json"),
)
IN_TURN = """
import json, runpy, sys
_, pyz, asked = sys.argv
for arguments in json.loads(asked):
    sys.argv = [pyz, *arguments]
    try:
        runpy.run_path(pyz, run_name="__main__")
    except SystemExit:
        pass
"""
SERVICES = """\
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Service
  metadata: {name: httpd-service, namespace: default}
  spec: {clusterIP: 10.97.13.198, type: ClusterIP, ports: [{port: 79, protocol: TCP, targetPort: 80}]}
"""


def build(output: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "tools/build_pyz.py", "--output", str(output)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**unmeasured(), **environment}
    )


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, built once for all workers."""
    folder = shared_folder(tmp_path_factory)
    path = folder / "iptviz.pyz"
    with (folder / "iptviz.pyz.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = None if path.exists() else build(path)
    if done and done.returncode:
        (pytest.fail if REQUIRED else pytest.skip)(done.stderr)
    return path


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What questions need beside fixtures; a key, for pseudonyms that are the same twice."""
    path = tmp_path_factory.mktemp("pyz")
    (path / "services.yaml").write_text(SERVICES)
    assert run("redact", FIXTURE, "--map", str(path / "key.json")).returncode == 0
    return path


def ask(pyz: Path, *arguments: str, python: str = sys.executable, **more: object) -> Ended:
    """Ask it with nothing that is installed beside Python, and nothing that somebody has set."""
    command = [python, "-I", "-S", str(pyz), *arguments]
    done = subprocess.run(  # type: ignore[call-overload]
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        **{"env": unmeasured(), **more},
    )
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("arguments", ANSWERS, ids=" ".join)
def test_it_answers_as_the_program_that_is_installed(
    arguments: tuple[str, ...], pyz: Path, folder: Path
) -> None:
    filled = [each.format(folder=folder) for each in arguments]
    assert ask(pyz, *filled) == run(*filled)


def test_it_is_asked_every_command() -> None:
    assert {*COMMANDS} == {command for command, *_ in ANSWERS if not command.startswith("-")}


def test_it_has_the_help(pyz: Path) -> None:
    asked = [["--help"], *([command, "--help"] for command in COMMANDS)]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", IN_TURN, str(pyz), json.dumps(asked)],
        capture_output=True, text=True, check=True, env=unmeasured(),
    )  # fmt: skip
    assert done.stdout == "".join(run(*arguments).stdout for arguments in asked)


def test_it_reads_a_pipe(pyz: Path) -> None:
    with Path(FIXTURE).open("rb") as dump:
        command = [sys.executable, "-I", "-S", str(pyz), "trace", "10.97.13.198", "-"]
        told = subprocess.run(
            command, stdin=dump, capture_output=True, text=True, check=True, env=unmeasured()
        )
    assert told.stdout == run("trace", "10.97.13.198", "-", stdin=Path(FIXTURE).read_bytes()).stdout


def test_what_needs_dot_says_so(pyz: Path) -> None:
    told = ask(
        pyz, "trace", "10.97.13.198", FIXTURE, "-f", "svg", env=unmeasured() | {"PATH": "/nonexistent"}
    )
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith("iptviz: ")
    assert "dot" in told.stderr
    assert "Traceback" not in told.stderr


def test_the_same_sources_give_the_same_bytes(pyz: Path, tmp_path: Path) -> None:
    done = build(tmp_path / "again.pyz")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "again.pyz").read_bytes() == pyz.read_bytes()


def test_it_is_small_and_has_the_licences_and_nothing_that_is_compiled_for_one_kind_of_machine(
    pyz: Path,
) -> None:
    assert pyz.stat().st_size <= MOST
    with zipfile.ZipFile(pyz) as archive:
        names = archive.namelist()
    libraries = {name.partition("/")[0] for name in names if name.endswith("/__init__.py")} - {"_yaml"}
    licensed = {name.split("/")[1] for name in names if name.startswith("licenses/")}
    assert {name.replace("pyyaml", "yaml") for name in licensed} == libraries
    assert not [name for name in names if "test" in name.split("/") or name.endswith((".so", ".pyd"))]


def test_it_starts_from_bytecode(pyz: Path, tmp_path: Path) -> None:
    without = {
        name: b"raise SystemExit('compiled')" for name in _names(pyz, "iptviz/") if name.endswith(".py")
    }
    other = _changed(pyz, tmp_path / "other.pyz", without)
    assert ask(other, "trace", "10.97.13.198", FIXTURE) == run("trace", "10.97.13.198", FIXTURE)


def test_a_python_whose_bytecode_it_lacks_compiles_the_sources(pyz: Path, tmp_path: Path) -> None:
    bytecode = [name for name in _names(pyz) if name.endswith(f".{sys.implementation.cache_tag}")]
    assert bytecode
    other = _changed(pyz, tmp_path / "other.pyz", dict.fromkeys(bytecode, b"of another version"))
    assert ask(other, "trace", "10.97.13.198", FIXTURE) == run("trace", "10.97.13.198", FIXTURE)


def _names(pyz: Path, begin: str = "") -> list[str]:
    with zipfile.ZipFile(pyz) as archive:
        return [name for name in archive.namelist() if name.startswith(begin)]


def _changed(pyz: Path, path: Path, contents: dict[str, bytes]) -> Path:
    """Return a copy of the file that holds something else."""
    with zipfile.ZipFile(pyz) as archive, zipfile.ZipFile(path, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, contents.get(name) or archive.read(name))
    return path


def test_an_old_python_is_told_which_one_is_needed(pyz: Path) -> None:
    begun = (ROOT / "tools/pyz_main.py").read_text(encoding="utf-8")
    ast.parse(begun, feature_version=(3, 6))
    code = "import runpy, sys; sys.version_info = (3, 9, 2); runpy.run_path(sys.argv[1], run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code, str(pyz)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "iptviz: needs Python 3.11 or later; this is 3.9\n"


def test_without_an_index_it_says_what_it_needs(tmp_path: Path) -> None:
    done = build(tmp_path / "never.pyz", PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    assert (done.returncode, done.stdout, [*tmp_path.iterdir()]) == (2, "", [])
    assert done.stderr.startswith("build_pyz: cannot download the libraries of tools/pyz_requirements.txt: ")


def _pythons() -> Iterator[str]:
    """Yield Pythons that anybody may run, and that are new enough."""
    for name in filter(None, (sys.executable, shutil.which("python3", path="/usr/bin:/usr/local/bin"))):
        asked = [name, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
        try:
            done = subprocess.run(asked, check=False, user="nobody", env={}, cwd="/")
        except OSError:
            continue
        if done.returncode == 0:
            yield name


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be nobody")
def test_nobody_with_a_home_that_is_read_only_gets_an_answer(pyz: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        home = Path(name)
        for path in (pyz, ROOT / FIXTURE):
            shutil.copy(path, home / path.name)
        home.chmod(0o555)
        python = next(_pythons(), None)
        if python is None:
            pytest.skip("no Python of 3.11 or later that nobody may run")
        asked = ("trace", "10.97.13.198", "dump.rules", "--json")
        told = ask(home / pyz.name, *asked, python=python, cwd=home, user="nobody", env={"HOME": name})
        assert {path.name for path in home.iterdir()} == {pyz.name, "dump.rules"}
    assert (told.returncode, told.stderr) == (0, "")
    assert json.loads(told.stdout)["target"] == "10.97.13.198"
