"""What is not imported: starting fast is a feature, and each of these libraries costs 20 to 110 ms."""

from __future__ import annotations

import subprocess
import sys

import pytest

from iptviz.cli.commands import COMMANDS, docstring_of
from iptviz.view.registry import function_at
from tests.program import unmeasured

FIXTURE = "fixtures/httpd-service/dump.rules"
SLOW = ("rich", "networkx", "graphviz", "typer")

# Runs the command line in a fresh interpreter; then standard error gets the names of what is loaded.
RUN = """
import sys
sys.argv = ["iptviz", *sys.argv[1:]]
from iptviz.__main__ import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def loaded_by(code: str, *arguments: str) -> set[str]:
    """Run `code` in a fresh interpreter and return the modules that it says it loaded."""
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=unmeasured()
    )
    assert "Traceback" not in done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize(
    ("code", "ours"),
    [
        ("import iptviz", {"iptviz"}),
        ("import iptviz; iptviz.load", {"iptviz", "iptviz.dump.model"}),
        ("import iptviz; iptviz.trace", {"iptviz.questions.trace"}),
    ],
)
def test_importing_the_package_loads_no_library(code: str, ours: set[str]) -> None:
    loaded = loaded_by(f"{code}\nimport sys\nprint(*sys.modules, file=sys.stderr)")
    assert ours <= loaded
    assert loaded.isdisjoint(SLOW)


def test_importing_the_package_loads_none_of_its_own_modules() -> None:
    loaded = loaded_by("import iptviz\nimport sys\nprint(*sys.modules, file=sys.stderr)")
    assert {name for name in loaded if name.startswith("iptviz")} == {"iptviz", "iptviz.version"}


@pytest.mark.parametrize(
    ("options", "needed", "unneeded"),
    [
        ((), "iptviz.render.tree", ("rich", "networkx", "graphviz", "json", "tempfile")),
        ((), "iptviz.cli.plain", ("typer", "inspect", "shutil", "textwrap", "iptviz.cli.app")),
        ((), "iptviz.source.head", ("iptviz.source.unpack", "iptviz.xtables.values.kinds")),
        (
            (),
            "iptviz.questions.document",
            ("iptviz.checks.absence", "iptviz.checks.reading", "iptviz.documents"),
        ),
        (("--json",), "iptviz.checks.finding", ("iptviz.checks.absence", "iptviz.checks.reading")),
        ((), "iptviz.redact.named", ("iptviz.redact.dump", "iptviz.kube.observed", "iptviz.view.picture")),
        (("--json",), "json", ("rich", "networkx", "graphviz", "tempfile")),
        (("--color", "always"), "rich", ("networkx", "graphviz")),
        (("-f", "dot"), "graphviz", ("rich",)),
    ],
)
def test_a_trace_loads_only_what_its_format_needs(
    options: tuple[str, ...], needed: str, unneeded: tuple[str, ...]
) -> None:
    loaded = loaded_by(RUN, "trace", "10.97.13.198", FIXTURE, *options)
    assert needed in loaded
    assert loaded.isdisjoint(unneeded)


@pytest.mark.parametrize(
    ("asked", "most"),
    [(("trace", "10.97.13.198"), 260), (("services",), 263), (("check",), 290), (("packet",), 296)],
)
def test_a_plain_question_loads_no_more_than_it_needs(asked: tuple[str, ...], most: int) -> None:
    loaded = loaded_by(RUN, *asked, FIXTURE)
    assert loaded.isdisjoint({*SLOW, "inspect"})
    assert len([name for name in loaded if name.startswith("iptviz.")]) <= most, (
        "each costs 0.2 ms, and what it imports"
    )


def test_the_version_waits_for_no_command_and_no_library() -> None:
    loaded = loaded_by(RUN, "--version")
    assert "iptviz.cli.plain" in loaded
    assert loaded.isdisjoint({*SLOW, "inspect", "iptviz.cli.command"})


def test_the_list_of_commands_imports_none_of_them() -> None:
    loaded = loaded_by(RUN, "--help")
    assert "iptviz.cli.overview" in loaded
    assert loaded.isdisjoint(
        {place.partition(":")[0] for place in COMMANDS.values()} | {"iptviz.cli.command", *SLOW, "inspect"}
    )


def test_at_its_end_nothing_is_looked_for() -> None:
    code = f"""
import atexit, gc, sys
atexit.register(lambda: print("enabled" if gc.isenabled() else "frozen" * bool(gc.get_freeze_count()), file=sys.stderr))
{RUN.rpartition("finally")[0]}finally:
    pass
"""
    assert loaded_by(code, "trace", "10.97.13.198", FIXTURE) == {"frozen"}


@pytest.mark.parametrize("place", COMMANDS.values())
def test_what_a_command_does_is_told_by_its_docstring(place: str) -> None:
    assert docstring_of(place) == function_at(place).__doc__ != ""


def test_the_names_of_the_slow_libraries_are_right() -> None:
    loaded = loaded_by(f"import {', '.join(SLOW)}\nimport sys\nprint(*sys.modules, file=sys.stderr)")
    assert loaded.issuperset(SLOW)
