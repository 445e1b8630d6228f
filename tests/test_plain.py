"""A command line that is plain is read as typer reads it; what is not plain is left to typer."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from iptviz.cli.commands import COMMANDS
from iptviz.cli.plain import read_plainly
from tests.program import run
from tests.test_cli_commands import made

if TYPE_CHECKING:
    from iptviz.cli.command import CliCommand

VALUES = (
    "10.97.13.198", "dump.rules", "", "-", "--", "5", "0", "-1", " 7 ", "1_0", "new", "NEW", "always", "x=y", "ä"
)  # fmt: skip


class Asked:
    """A command that keeps what it is given."""

    def __init__(self, command: CliCommand) -> None:
        self.typed: list[dict[str, Any]] = []
        self.__signature__ = command.__signature__
        self.__annotations__ = command.__annotations__

    def __call__(self, **typed: Any) -> None:
        self.typed.append(typed)


@cache
def asked(name: str) -> tuple[Asked, Any]:
    """A command of the same arguments, and what typer makes of it."""
    kept = Asked(made(name))
    program = typer.Typer(add_completion=False)
    program.command(name)(kept)
    return kept, typer.main.get_command(program)


def read_by_typer(name: str, words: list[str]) -> dict[str, Any] | None:
    """What typer gives a command; None where it gives nothing."""
    kept, program = asked(name)
    kept.typed.clear()
    try:
        program.main(list(words), standalone_mode=False)
    except Exception as error:
        assert hasattr(error, "exit_code")
    return kept.typed[0] if kept.typed else None


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A command, and words of which many are its options."""
    name = draw(st.sampled_from(list(COMMANDS)))
    flags = [flag for each in made(name).arguments for flag in each.info.flags]
    values = st.sampled_from(VALUES)
    option = st.sampled_from([*flags, "--no", "-x", "-h"])
    words = (
        option | values | st.builds("{}={}".format, option, values) | st.builds("{}{}".format, option, values)
    )
    return name, draw(st.lists(words, max_size=8))


@given(lines())
def test_what_is_read_plainly_typer_reads_alike(line: tuple[str, list[str]]) -> None:
    name, words = line
    plain = read_plainly(made(name).arguments, words)
    assert plain is None or repr(plain) == repr(read_by_typer(name, words))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trace", ["web", "dump"]),
        ("trace", ["web"]),
        (
            "trace",
            ["--assume", "a", "web", "--assume=b", "one", "two", "-n", "", "--side", "old", "--dump=3"],
        ),
        ("services", ["--json", "--color", "always", "-q", "-v", "-f", "--json", "--json", "-"]),
        ("services", []),
        ("check", ["--select", "a", "--select", "b,c", "--exit-zero", "dump", "other"]),
        ("packet", ["--src", "1.2.3.4", "--dport", "80", "--dst=", "dump"]),
        ("verify", ["dump", "objects", "more"]),
        ("diff", ["old", "new", "--services-only", "--packet", "- 10.96.0.1 tcp 80"]),
        ("graph", ["--depth", "3", "--depth=1", "--table", "nat"]),
        ("report", ["dump", "web", "db"]),
        ("redact", ["--ports", "--map", "a", "--map", "b"]),
        ("sources", ["a", "b", "--lines"]),
        ("explain", []),
    ],
)
def test_what_is_usual_is_plain(name: str, words: list[str]) -> None:
    plain = read_plainly(made(name).arguments, words)
    assert plain is not None
    assert repr(plain) == repr(read_by_typer(name, words))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("trace", []),
        ("trace", ["web", "--jsn"]),
        ("trace", ["web", "-qv"]),
        ("trace", ["web", "-ofile"]),
        ("trace", ["web", "--", "dump"]),
        ("trace", ["web", "--json=1"]),
        ("trace", ["web", "--dump", "x"]),
        ("trace", ["web", "--side", "left"]),
        ("trace", ["web", "--output"]),
        ("trace", ["--help"]),
        ("verify", ["dump"]),
        ("diff", ["old"]),
        ("graph", ["--depth", "0"]),
        ("redact", ["one", "two"]),
    ],
)
def test_what_is_unusual_or_wrong_is_left_to_typer(name: str, words: list[str]) -> None:
    assert read_plainly(made(name).arguments, words) is None


def test_the_version_is_told_alike_however_it_is_asked_for() -> None:
    assert run("--version") == run("--version", "--version")


def test_an_interrupt_before_anything_is_read_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_words: list[str]) -> bool:
        raise KeyboardInterrupt

    monkeypatch.setattr("iptviz.cli.plain.answer_plainly", interrupted)
    assert run("services") == (130, "", "")
