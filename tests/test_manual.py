"""The manual's page says what the help says, and is what the program writes now."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from iptviz.cli.app import app_command
from iptviz.cli.commands import COMMANDS
from iptviz.cli.manual import manual
from iptviz.version import __version__
from tests.conftest import ROOT

PAGE = ROOT / "man" / "iptviz.1"
TEXT = manual()


def shown(text: str) -> str:
    """Return what a page shows, in one line."""
    bare = re.sub(r"\\f[BRI]|\\&", "", text).replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")
    return " ".join(bare.split())


def test_the_page_that_is_shipped_is_what_is_written() -> None:
    assert PAGE.read_text(encoding="utf-8") == TEXT, "run: python -m iptviz.cli.manual > man/iptviz.1"


def test_it_has_the_sections_of_a_manual() -> None:
    assert re.findall(r"^\.SH (.*)$", TEXT, re.MULTILINE) == [
        "NAME", "SYNOPSIS", "DESCRIPTION", "COMMANDS", "OPTIONS", "TARGET FORMS", "EXIT STATUS", "ENVIRONMENT",
        "FILES", "EXAMPLES", "SEE ALSO",
    ]  # fmt: skip
    assert f'"iptviz {__version__}"' in TEXT.splitlines()[0]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_all_of_its_help_is_there(name: str) -> None:
    whole = shown(TEXT)
    command = app_command(name)
    for paragraph in command.help.replace("`", "").split("\n\n"):
        assert shown(paragraph) in whole
    for param in command.params:
        assert shown((param.help or "").replace("`", "")) in whole
        assert all(flag in whole for flag in param.opts if flag.startswith("-"))


def test_nothing_on_it_is_a_request_by_chance() -> None:
    requests = {line.split(" ")[0] for line in TEXT.splitlines() if line.startswith((".", "'"))}
    assert requests <= {".TH", ".SH", ".SS", ".TP", ".PP", ".BR", ".nf", ".fi", ".nh", ".ad"}
    assert TEXT.isascii()
    assert re.findall(r"(?<!\\)\\(?![-e&]|f[BR]|\((?:aq|ga|ha|ti))", TEXT) == []


@pytest.mark.parametrize(
    "command",
    [("mandoc", "-Tlint"), ("groff", "-man", "-ww", "-Tascii", "-z"), ("man", "--warnings=w", "-l")],
)
def test_whoever_shows_it_finds_no_fault(command: tuple[str, ...]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([*command, str(PAGE)], capture_output=True, text=True, check=False)
    said = [line for line in (done.stdout * (command[0] == "mandoc") + done.stderr).splitlines() if line]
    assert (done.returncode, said) == (0, [])


def test_what_is_shipped_for_shells_and_man_is_where_the_build_looks_for_it() -> None:
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (table,) = re.findall(
        r"^\[tool\.hatch\.build\.targets\.wheel\.shared-data\]\n(.*?)\n\n", settings, re.MULTILINE | re.DOTALL
    )
    shared = dict(re.findall(r'^"([^"]+)" = "([^"]+)"$', table, re.MULTILINE))
    assert [file for file in shared if not (ROOT / file).is_file()] == []
    assert sorted(shared.values()) == [
        "share/bash-completion/completions/iptviz",
        "share/fish/vendor_completions.d/iptviz.fish",
        "share/man/man1/iptviz.1",
        "share/zsh/site-functions/_iptviz",
    ]
    assert [place for place in shared.values() if "man/" not in place and place not in shown(TEXT)] == []
