"""The help of the program is laid out as typer would lay it out."""

from __future__ import annotations

from typing import Any

import pytest
from typer.core import TyperGroup

from iptviz.cli.app import app_command
from iptviz.cli.overview import overview
from tests.program import run


@pytest.mark.parametrize("width", range(50, 99))
def test_it_is_what_typer_makes_of_the_same_options_and_commands(width: int) -> None:
    program = app_command()
    context: Any = program.make_context("iptviz", [], resilient_parsing=True)
    context.terminal_width = width
    formatter = context.make_formatter()
    TyperGroup.format_help(program, context, formatter)
    assert overview(width) == formatter.getvalue()


@pytest.mark.parametrize("columns", ["1", "60", "80", "200"])
@pytest.mark.parametrize("words", [("--help",), ("-h",), ("-h", "--help"), ("--help", "trace")])
def test_it_is_the_same_however_it_is_asked_for(columns: str, words: tuple[str, ...]) -> None:
    width = max(min(int(columns), 100) - 2, 50)
    assert run(*words, env={"COLUMNS": columns}).stdout == overview(width)
