"""How far a command has come is shown to who waits at a terminal, and to nobody else."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from iptviz.cli.commands import COMMANDS
from iptviz.cli.progress import Bar
from iptviz.node.load import load_node
from iptviz.progress import counted_out, part_of, stepwise
from tests import program
from tests.program import Piped, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.progress import Progress

TODAY = "fixtures/policies-today/dump.rules"
HIDDEN, SHOWN = "\x1b[?25l", "\x1b[?25h"
"""What takes a terminal's cursor away while a bar is drawn, and what puts it back."""

LONG = (
    ("trace", "203.0.113.10", TODAY),
    ("trace", "203.0.113.10", TODAY, "--redact"),
    ("services", TODAY),
    ("check", TODAY),
    ("diff", "fixtures/policies-old/dump.rules", TODAY),
    ("graph", TODAY),
    ("report", TODAY, "-f", "markdown"),
    ("redact", TODAY),
    ("sources", TODAY),
    ("fleet", TODAY, "fixtures/policies-old/dump.rules"),
    ("packet", "--src", "10.0.0.1", "--dst", "203.0.113.10", "--protocol", "tcp", "--dport", "80", TODAY),
)


class Clock:
    """Timers that the test lets run out: at once, or when as many things were told."""

    def __init__(self, after: int | None) -> None:
        self.after = after
        self.seconds: list[float] = []
        self.cancelled = 0

    def timer(self, seconds: float, run_out: Callable[[], None]) -> Clock:
        self.seconds.append(seconds)
        self.run_out = run_out
        return self

    def start(self) -> None:
        if self.after == 0:
            self.run_out()

    def cancel(self) -> None:
        self.cancelled += 1


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A second is over as soon as it has begun."""
    clock = Clock(0)
    monkeypatch.setattr("threading.Timer", clock.timer)
    return clock


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """A second is never over."""
    clock = Clock(None)
    monkeypatch.setattr("threading.Timer", clock.timer)
    return clock


@pytest.mark.parametrize("arguments", LONG, ids=" ".join)
def test_a_bar_is_drawn_for_who_watches_and_is_gone_before_the_answer(
    arguments: tuple[str, ...], impatient: Clock
) -> None:
    _, shown = program.at_terminal(100, *arguments)
    bar, _, answer = shown.rpartition("\x1b[2K")
    assert "reading" in bar
    assert (shown.count(HIDDEN), shown.count(SHOWN)) == (1, 1)
    assert HIDDEN in bar
    assert "reading" not in answer.partition("\n")[0]
    assert answer.strip(f"{SHOWN}\n \x1b[0m")
    assert impatient.cancelled == 1


def test_every_command_that_reads_a_dump_is_watched() -> None:
    assert {*COMMANDS} - {arguments[0] for arguments in LONG} == {"explain", "verify"}


def test_what_comes_within_a_second_has_no_bar_and_nobody_imports_one(patient: Clock) -> None:
    _, shown = program.at_terminal(100, "services", TODAY)
    assert HIDDEN not in shown
    assert (patient.seconds, patient.cancelled) == ([1.0], 1)


@pytest.mark.parametrize(
    ("arguments", "env"), [(("-q",), {}), ((), {"TERM": "dumb"})], ids=["quiet", "dumb terminal"]
)
def test_no_bar_is_drawn_where_nobody_wants_one(
    arguments: tuple[str, ...], env: dict[str, str], impatient: Clock
) -> None:
    _, shown = program.at_terminal(100, "services", TODAY, *arguments, env=env)
    assert HIDDEN not in shown
    assert impatient.seconds == []


def test_no_bar_is_drawn_into_a_pipe(impatient: Clock) -> None:
    done = run("services", TODAY)
    assert (done.stderr, HIDDEN in done.stdout, impatient.seconds) == ("", False, [])


def test_without_colour_the_bar_has_none(impatient: Clock) -> None:
    _, shown = program.at_terminal(100, "services", TODAY, env={"NO_COLOR": "1"})
    assert HIDDEN in shown
    assert "\x1b[3" not in shown
    assert impatient.seconds


def test_a_bar_is_gone_where_something_goes_wrong(impatient: Clock) -> None:
    status, shown = program.at_terminal(100, "services", TODAY, "--sort", "size")
    assert (status, impatient.cancelled) == (2, 1)
    assert shown.count(HIDDEN) == shown.count(SHOWN) == 1
    assert shown.rstrip().endswith("endpoints, uneven, line")


@pytest.mark.usefixtures("impatient")
def test_what_is_said_while_a_bar_stands_stays_on_the_screen(tmp_path: Path) -> None:
    path = tmp_path / "noisy.rules"
    path.write_bytes(b"some words of a chat\n" + (Path(TODAY)).read_bytes())
    _, shown = program.at_terminal(100, "services", str(path))
    said = next(line for line in shown.split("\n") if "skipped 1 of" in line)
    assert "\x1b[2K" not in said.partition("skipped")[2]


def test_a_bar_shows_what_is_done_and_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, float | None]] = []
    monkeypatch.setattr(Bar, "__call__", lambda _bar, doing, done=None: told.append((doing, done)))
    assert run("services", TODAY).returncode == 0
    shares = [done for _, done in told if done is not None]
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1
    assert ("following connections of service port 1 of 7", 0.3) in told
    assert [doing for doing, done in told if done is None] == [
        "working out the answer",
        "preparing the answer",
    ]


def test_redacting_tells_of_each_table_how_many_rules_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, float | None]] = []
    monkeypatch.setattr(Bar, "__call__", lambda _bar, doing, done=None: told.append((doing, done)))
    assert run("redact", TODAY).returncode == 0
    shares = [done for _, done in told if done is not None]
    assert shares == sorted(shares)
    assert any(doing.startswith("redacting nat: rule 2 of ") for doing, _ in told)


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "compressed"])
def test_of_what_comes_through_a_pipe_it_is_told_how_much_has_come(packed: bool) -> None:
    told, tell = _listener()
    dump = Path(TODAY).read_bytes()
    data = dump + b"".join(b"# %032x\n" % (place * 2**64 // 3) for place in range(100_000))
    node = load_node(Piped(gzip.compress(data, 0) if packed else data), progress=tell)
    assert bytes(node.dump) == data
    assert [doing for doing, _ in told] == ["reading 1 MB", "reading 2 MB", "reading 3 MB"]
    assert {done for _, done in told} == {None}


def _listener() -> tuple[list[tuple[str, float | None]], Progress]:
    told: list[tuple[str, float | None]] = []
    return told, lambda doing, done: told.append((doing, done))


def test_many_things_are_told_in_few_steps() -> None:
    told, tell = _listener()
    assert sum(stepwise(range(100_000), "counting", tell, 0.5, 1.0)) == sum(range(100_000))
    assert len(told) == 200
    assert told[0] == ("counting 1 of 100,000", 0.5)
    assert told[100] == ("counting 50,001 of 100,000", 0.75)


def test_a_part_of_nothing_is_nothing() -> None:
    told, tell = _listener()
    assert list(counted_out([], 0, "counting", tell)) == []
    part_of(tell, 0.2, 0.4)("waiting", None)
    part_of(tell, 0.2, 0.4)("working", 0.5)
    assert told == [("waiting", None), ("working", pytest.approx(0.3))]
