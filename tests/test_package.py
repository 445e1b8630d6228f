"""What is published: its contents and metadata, and that it works with the oldest libraries that it allows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from iptviz.version import __version__
from tests.conftest import ROOT
from tests.program import run, unmeasured

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
REQUIRED = bool(os.environ.get("IPTVIZ_REQUIRE_PACKAGE"))
FIXTURE = "fixtures/httpd-service/dump.rules"

pytestmark = pytest.mark.skipif(
    not REQUIRED and not (find_spec("build") and find_spec("twine")),
    reason="needs build and twine (pip install '.[package]')",
)

# They go through what the program asks of typer, rich, networkx, graphviz, jinja2 and pyyaml.
OF_LIBRARIES = (
    "tests/test_jumps.py",
    "tests/test_manual.py",
    "tests/supplied/test_pods.py",
    "tests/render/test_golden.py",
)


class Published(NamedTuple):
    """The files that are published."""

    wheel: Path
    source: Path

    def names(self) -> set[str]:
        """The names of the files in the wheel."""
        with zipfile.ZipFile(self.wheel) as archive:
            return set(archive.namelist())

    def metadata(self) -> Message:
        """What the wheel says of itself."""
        with zipfile.ZipFile(self.wheel) as archive:
            return message_from_bytes(archive.read(f"iptviz-{__version__}.dist-info/METADATA"))


def do(*command: str | Path, env: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=env or unmeasured()
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def do_with_index(*command: str | Path) -> None:
    """Run what needs a package index, which not every machine has."""
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, check=False, env=unmeasured()
    )
    if done.returncode:
        (pytest.fail if REQUIRED else pytest.skip)(f"{done.stdout[-1000:]}\n{done.stderr[-2000:]}")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("published")
    do_with_index(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return Published(wheel, source)


def program_files() -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in (ROOT / "iptviz").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_wheel_has_the_program_and_what_shells_and_man_look_for_and_nothing_else(
    published: Published,
) -> None:
    shared = {
        "bash-completion/completions/iptviz", "zsh/site-functions/_iptviz", "fish/vendor_completions.d/iptviz.fish",
        "man/man1/iptviz.1",
    }  # fmt: skip
    about = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    expected = {
        *program_files(),
        *(f"iptviz-{__version__}.data/data/share/{name}" for name in shared),
        *(f"iptviz-{__version__}.dist-info/{name}" for name in about),
    }
    assert published.names() == expected
    assert "iptviz/py.typed" in expected


def test_the_source_has_what_the_repository_has(published: Published) -> None:
    with tarfile.open(published.source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    if (ROOT / ".git").exists():
        listed = do("git", "-C", ROOT, "ls-files", "--cached", "--others", "--exclude-standard")
        assert names - {"PKG-INFO"} == set(listed.splitlines())
    assert {"LICENSE", "man/iptviz.1", "tests/conftest.py", "tools/build_pyz.py", FIXTURE} <= names


def test_the_metadata_are_those_of_the_project(published: Published) -> None:
    told = published.metadata()
    assert (told["Name"], told["Version"], told["Requires-Python"]) == ("iptviz", __version__, ">=3.11")
    assert (told["License-Expression"], told["License-File"]) == ("Apache-2.0", "LICENSE")
    assert told["Summary"] == PROJECT["description"]
    needed = [line for line in told.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert len(needed) == len(PROJECT["dependencies"])


def test_an_index_would_take_them(published: Published) -> None:
    told = do(
        sys.executable, "-m", "twine", "--no-color", "check", "--strict", published.wheel, published.source
    )
    assert told.count("PASSED") == 2


def oldest() -> list[str]:
    """The oldest release of each library that the project allows."""
    found = (re.match(r"([a-z0-9]+)>=([0-9.]+),", line, re.IGNORECASE) for line in PROJECT["dependencies"])
    return [f"{one[1]}=={one[2]}" for one in found if one]


def test_every_library_has_a_lower_bound() -> None:
    assert len(oldest()) == len(PROJECT["dependencies"])


@pytest.fixture(scope="module")
def installed(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has the wheel and the oldest libraries, and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    do(sys.executable, "-m", "venv", "--without-pip", folder)
    python = folder / "bin/python"
    (folder / "oldest.txt").write_text("\n".join(oldest()))
    pip = (
        sys.executable,
        "-m",
        "pip",
        "--python",
        python,
        "--disable-pip-version-check",
        "install",
        "--quiet",
    )
    do_with_index(*pip, "--constraint", folder / "oldest.txt", published.wheel)
    return python


def test_it_works_where_it_is_installed_anew(installed: Path, tmp_path: Path) -> None:
    told = do(installed.with_name("iptviz"), "trace", "10.97.13.198", ROOT / FIXTURE)
    assert told == run("trace", "10.97.13.198", str(ROOT / FIXTURE)).stdout
    assert (installed.parent.parent / "share/man/man1/iptviz.1").is_file()
    code = "import iptviz; print(iptviz.__file__)"
    where = subprocess.run(
        [installed, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    assert Path(where.strip()).is_relative_to(installed.parent.parent)


def test_the_oldest_libraries_do_what_is_asked_of_them(installed: Path) -> None:
    (where,) = (installed.parent.parent / "lib").glob("python3.*/site-packages")
    first = unmeasured() | {"PYTHONPATH": str(where)}
    which = "import networkx, graphviz, yaml, jinja2; print(*(m.__version__ for m in (networkx, graphviz, yaml, jinja2)))"
    told = do(sys.executable, "-c", which, env=first).split()
    wanted = dict(one.split("==") for one in oldest())
    assert [
        version.startswith(wanted[name])
        for name, version in zip(("networkx", "graphviz", "pyyaml", "jinja2"), told, strict=True)
    ] == [True] * 4
    do(
        sys.executable,
        "-m",
        "pytest",
        "--quiet",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        *OF_LIBRARIES,
        env=first,
    )
