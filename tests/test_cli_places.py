"""No command writes where it reads: not by -o, not by standard output, not by --map."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from iptviz.cli.app import app
from iptviz.cli.commands import COMMANDS
from iptviz.cli.places import check_places
from iptviz.redact.named import INPUTS, Named
from tests.conftest import FIXTURES
from tests.render.questions import OF_NO_DUMP, WITHOUT_PSEUDONYMS
from tests.test_cli_commands import clicked, made

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from iptviz.cli.told import Argument

HTTPD = (FIXTURES / "httpd-service/dump.rules").read_bytes()
INPUT = b"what the input holds, which nobody reads here\n"


def run(*arguments: str, stdin: Any = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, arguments, input=stdin)
    return done.exit_code, done.stdout, done.stderr


def redirected(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], *, stdin: Path | None = None, stdout: Any = None
) -> int:
    """Run the program in this process, its streams those of a shell's `< stdin` and `> stdout`."""
    with (stdin or FIXTURES / "httpd-service/dump.rules").open() as source:
        monkeypatch.setattr(sys, "stdin", source)
        if stdout:
            monkeypatch.setattr(sys, "stdout", stdout)
        with pytest.raises(SystemExit) as ended:
            app(arguments)
    assert isinstance(ended.value.code, int)
    return ended.value.code


def reading() -> list[tuple[str, Argument]]:
    """The arguments of all commands that name what is read, with their commands."""
    return [(name, each) for name in COMMANDS for each in made(name).arguments if each.named in INPUTS]


def reading_with_map() -> list[tuple[str, Argument]]:
    """The same of commands that take a map of pseudonyms."""
    return [(name, each) for name, each in reading() if name not in WITHOUT_PSEUDONYMS]


def asked(name: str, said: Argument, path: str) -> list[str]:
    """Return a command with `path` as that argument; another argument that must be given has any value."""
    typed = [name]
    for param in clicked(name).params:
        value = path if param.name == said.name else "any" if param.required else None
        if value:
            typed += [value] if param.param_type_name == "argument" else [param.opts[-1], value]
    return typed


def linked(path: Path) -> str:
    path.with_name("link.json").symlink_to(path)
    return str(path.with_name("link.json"))


def hard_linked(path: Path) -> str:
    path.with_name("other.json").hardlink_to(path)
    return str(path.with_name("other.json"))


def roundabout(path: Path) -> str:
    (path.parent / "folder").mkdir()
    return str(path.parent / "folder" / ".." / path.name)


WAYS: list[Callable[[Path], str]] = [str, linked, hard_linked, roundabout]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "input.json").write_bytes(INPUT)
    return tmp_path / "input.json"


# --- of every command, every file ---------------------------------------------------------------------------------


def test_what_is_called_like_a_file_is_read_or_written() -> None:
    every = [each for name in COMMANDS for each in made(name).arguments]
    files = {each.info.metavar for each in every if each.named in {*INPUTS, Named.WRITTEN}}
    assert {"[DUMP]", "FILE", "OLD", "KUBECTL..."} <= files
    assert files.isdisjoint(
        {each.info.metavar for each in every if each.named not in {*INPUTS, Named.WRITTEN}}
    )


@pytest.mark.parametrize(("name", "said"), reading(), ids=lambda value: getattr(value, "name", value))
def test_no_output_goes_to_a_file_that_a_command_reads(path: Path, name: str, said: Argument) -> None:
    for number, other in enumerate(WAYS):
        typed, output = (other(path), str(path)) if number % 2 else (str(path), other(path))
        status, text, message = run(*asked(name, said, typed), "-o", output)
        assert (status, text) == (2, "")
        assert message == f"iptviz: -o {output} would overwrite the input {typed}; use another file\n"
    assert path.read_bytes() == INPUT


@pytest.mark.parametrize(
    ("name", "said"), reading_with_map(), ids=lambda value: getattr(value, "name", value)
)
def test_no_map_is_a_file_that_a_command_reads(path: Path, name: str, said: Argument) -> None:
    for other in WAYS:
        mapping = other(path)
        status, text, message = run(*asked(name, said, str(path)), "--map", mapping)
        assert (status, text) == (2, "")
        assert message == f"iptviz: --map {mapping} would overwrite the input {path}; use another file\n"
    assert path.read_bytes() == INPUT


@pytest.mark.parametrize(("name", "said"), reading(), ids=lambda value: getattr(value, "name", value))
def test_standard_output_is_no_file_that_a_command_reads(
    path: Path,
    name: str,
    said: Argument,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with path.open("a") as stdout:
        assert redirected(monkeypatch, asked(name, said, str(path)), stdout=stdout) == 2
    assert path.read_bytes() == INPUT
    assert capsys.readouterr().err == (
        f"iptviz: standard output is the input {path}; nothing was written, redirect to another file\n"
    )


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in {"report", *OF_NO_DUMP}])
def test_what_is_piped_in_is_read_too(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    dump = next(each for each in made(name).arguments if each.named in {Named.DUMP, Named.DUMPS})
    unnamed = asked(name, dump, "") if dump.info.default is None else asked(name, dump, "-")
    for typed in (unnamed, asked(name, dump, "-")):
        assert redirected(monkeypatch, [*typed, "-o", str(path)], stdin=path) == 2
        assert "would overwrite the file on standard input; use another file\n" in capsys.readouterr().err
    assert path.read_bytes() == INPUT


# --- what a shell has done -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '"$@" redact a.txt > a.txt',
            "standard output is the input a.txt, which the shell emptied before iptviz started; restore it and redirect to another file",
        ),
        (
            '"$@" redact < a.txt >> a.txt',
            "standard output is the file on standard input; nothing was written, redirect to another file",
        ),
        (
            '"$@" redact a.txt -o /dev/stdin < a.txt',
            "-o /dev/stdin would overwrite the input a.txt; use another file",
        ),
    ],
)
def test_a_redirection_to_the_input_is_refused(tmp_path: Path, line: str, message: str) -> None:
    (tmp_path / "a.txt").write_bytes(HTTPD)
    command = ["bash", "-c", line, "bash", sys.executable, "-m", "iptviz"]
    done = subprocess.run(command, capture_output=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (2, b"", f"iptviz: {message}\n")
    assert (tmp_path / "a.txt").read_bytes() == (b"" if " > " in line else HTTPD)


@pytest.mark.parametrize("output", [[], ["-o", "-"], ["-o", "/dev/stdout"], ["-o", "/dev/fd/1"]])
def test_an_empty_input_that_is_appended_to_was_emptied_by_nobody(
    path: Path, output: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for mode, emptied in (("a", False), ("w", True)):
        path.write_bytes(b"")
        with path.open(mode) as stdout:
            assert redirected(monkeypatch, ["redact", str(path), *output], stdout=stdout) == 2
        message = capsys.readouterr().err
        assert message.startswith(f"iptviz: standard output is the input {path}")
        assert ("which the shell emptied" in message) == emptied


def test_a_map_that_standard_output_is_stays(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with path.open("a") as stdout:
        assert redirected(monkeypatch, ["redact", "--map", str(path)], stdout=stdout) == 2
    assert "--map and standard output are the same file" in capsys.readouterr().err
    assert path.read_bytes() == INPUT


# --- bundles, lists, and what may be the same -----------------------------------------------------------------------


def test_a_bundle_is_not_overwritten_by_what_is_inside_it(tmp_path: Path) -> None:
    bundle = tmp_path / "a.tar"
    with tarfile.open(bundle, "w") as archive:
        member = tarfile.TarInfo("node/iptables-save")
        member.size = len(HTTPD)
        archive.addfile(member, io.BytesIO(HTTPD))
    before = bundle.read_bytes()
    inside = f"{bundle}:node/iptables-save"
    status, text, message = run("redact", inside, "-o", str(bundle))
    assert (status, text, bundle.read_bytes()) == (2, "", before)
    assert message == f"iptviz: -o {bundle} would overwrite the input {inside}; use another file\n"


@pytest.mark.parametrize("written", ["-o", "--map"])
def test_a_file_of_a_folder_is_not_overwritten(tmp_path: Path, written: str) -> None:
    file = tmp_path / "node/sub/dump.rules"
    file.parent.mkdir(parents=True)
    file.write_bytes(HTTPD)
    for named in (f"{tmp_path}/node", f"{tmp_path}/node:sub/dump.rules", f"{tmp_path}/node:dump.rules"):
        status, text, message = run("redact", named, written, str(file))
        assert (status, text, file.read_bytes()) == (2, "", HTTPD)
        assert message == f"iptviz: {written} {file} would overwrite the input {file}; use another file\n"


def test_a_new_file_may_be_called_like_a_path_inside(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    (tmp_path / "node/dump.rules").write_bytes(HTTPD)
    output = f"{tmp_path}/node:dump.rules"
    status, _, message = run("redact", f"{tmp_path}/node", "-o", output)
    assert (status, message) == (0, "")
    assert (tmp_path / "node:dump.rules").exists()


@pytest.mark.parametrize("mode", ["w", "a"])
@pytest.mark.parametrize("inside", ["", ":dump.rules"])
def test_standard_output_is_no_file_of_a_folder_that_is_read(
    tmp_path: Path,
    inside: str,
    mode: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "dump.rules").write_bytes(HTTPD)
    with (tmp_path / "new.json").open(mode) as stdout:
        assert redirected(monkeypatch, ["redact", f"{tmp_path}{inside}"], stdout=stdout) == 2
    assert capsys.readouterr().err == (
        f"iptviz: standard output is a file in the input folder {tmp_path}; write it elsewhere\n"
    )


@pytest.mark.parametrize("typed", ["a", ["b", "a"], ("a", "b")])
def test_each_of_several_paths_is_held_against_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: Any
) -> None:
    from iptviz.cli.options import Options
    from iptviz.errors import OutputError

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    for output, refused in (("a", True), ("c", False)):
        check = (Options(output=output), {"dumps": typed}, {"dumps": Named.DUMP})
        if refused:
            with pytest.raises(OutputError, match="would overwrite the input a;"):
                check_places(*check)
        else:
            check_places(*check)


def test_devices_may_be_read_and_written(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as nothing:  # noqa: PTH123
        assert redirected(monkeypatch, ["redact", os.devnull], stdout=nothing) == 2  # it is empty
    status, _, message = run("redact", os.devnull, "-o", os.devnull)
    assert (status, "file is empty" in message) == (2, True)


def test_an_input_may_be_read_twice(path: Path) -> None:
    path.write_bytes(HTTPD)
    output = path.with_name("out.json")
    assert run("trace", "10.97.13.198", str(path), "--since", str(path), "-o", str(output))[0] == 0
    assert output.exists()
