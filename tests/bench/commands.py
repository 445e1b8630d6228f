"""How fast the commands are, as whole processes: this build, another one and iptables-legacy-restore in turn.

`python -m tests.bench.commands OTHER [ROUNDS] [--only trace,services] [--rules 33000,330000]`: OTHER is the directory
of the other build, such as a git worktree. What is printed is a table in Markdown: medians of wall time, user time and
peak memory by command and dump, ratios of user time, and the exponents of user time over the rules (1: twice the rules
take twice the time), each beside what it may be at most. Goals hold for 330,000 rules or more, and for the fixture,
whose times are told in those of a bare interpreter. A build that fails or needs more than two minutes is told and
not asked again. iptables-legacy-restore needs root. dist/iptviz.pyz is measured where it was built.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.figures import Goal, Measured, Runs, exponent, growth_row, head, row
from tests.bench.processes import (
    BARE,
    FIXTURE,
    FIXTURE_TARGET,
    HERE,
    PROGRAM,
    RESTORE,
    Run,
    StoppedError,
    median,
    run,
    write_dump,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

LIMIT = 120
"""So many seconds a process may take."""

SIZES = (33_000, 330_000, 1_000_000)
LARGE = 330_000
"""From so many rules on goals hold; what starting takes counts for little."""

SMALL_ROUNDS = 4
"""So many times the rounds are made on the fixture, where a run takes little."""

ENDPOINTS, WITH_NODE_PORT, WITHOUT, NODE_PORTS = 10, 35, 32, 2_768
"""How many endpoints a service has, the rules of one with and without a node port, and how many have one."""

MOVED = "10.128.1.200"
"""An endpoint's address that another has in the later dump."""

PACKET = "packet --src 10.244.0.9 --protocol tcp --dport 80 --mark 0 --dst"
COMMANDS = {
    "trace": "trace {target} {dump}",
    "trace --brief": "trace --brief {target} {dump}",
    "trace --redact": "trace --redact {target} {dump}",
    "packet": PACKET + " {target} {dump}",
    "services": "services {dump}",
    "check": "check --exit-zero {dump}",
    "graph": "graph {dump}",
    "report": "report {dump} -f html",
    "redact": "redact {dump}",
    "diff": "diff --exit-zero {dump} {later}",
}
STARTS = {"--version": "--version", "--help": "--help"}
"""What needs no dump: how fast the program starts."""

INTERPRETER = "bare python"
GOALS: Mapping[str, Goal] = {
    "trace": Goal(other=1 / 2, restore=0.05),
    "trace --redact": Goal(command=("trace", 3)),
    "packet": Goal(restore=0.1),
    "services": Goal(other=1 / 3, restore=0.35),
    "check": Goal(restore=0.7),
    "graph": Goal(command=("services", 1)),
    "report": Goal(other=1 / 2),
    "redact": Goal(other=1 / 6, restore=1.6, memory=5.7),
    "diff": Goal(command=("services", 2.2), memory=8),
}
STEEPEST = 1.05
"""What exponents may be at most."""

FIXTURE_GOALS: Mapping[str, Goal] = {
    "trace": Goal(command=(INTERPRETER, 7)),
    "--version": Goal(command=(INTERPRETER, 5)),
    "--help": Goal(command=(INTERPRETER, 5)),
}
UNBOUND = Goal()
PYZ = HERE / "dist/iptviz.pyz"


class Asked(NamedTuple):
    """The dump that is asked, the address of one of its services, how many rules it has, and the same node later."""

    path: Path
    target: str
    rules: int
    later: Path

    def command(self, words: str) -> list[str]:
        """Return the command line of a question about this dump."""
        return [*PROGRAM, *self.words(words)]

    def words(self, words: str) -> list[str]:
        return [word.format(target=self.target, dump=self.path, later=self.later) for word in words.split()]


# --- dumps ------------------------------------------------------------------------------------------------------


def services_of(rules: int) -> int:
    """Return how many services have about so many rules."""
    if rules <= WITH_NODE_PORT * NODE_PORTS:
        return rules // WITH_NODE_PORT
    return (rules - (WITH_NODE_PORT - WITHOUT) * NODE_PORTS) // WITHOUT


def made(folder: Path, rules: int) -> Asked:
    """Return a dump of about so many rules, of which a service in the middle is asked."""
    path, services = folder / f"{rules}.rules", services_of(rules)
    write_dump(path, services, ENDPOINTS)
    return Asked(path, cluster_ip(path, services // 2), rules_in(path), written_later(path))


def written_later(path: Path) -> Path:
    """Write what the node has later, line by line: all rules with counters, and an endpoint with another address."""
    later = path.with_suffix(".later")
    with path.open(encoding="utf-8") as old, later.open("w", encoding="utf-8") as new:
        for number, line in enumerate(old):
            moved = line.replace(f" {MOVED}:8080\n", " 10.127.0.1:8080\n")
            new.write(f"[{number % 997}:{number * 60}] {moved}" if line.startswith("-A ") else line)
    return later


def cluster_ip(path: Path, service: int) -> str:
    """Return the address of the service of a number; line by line, as this process is to stay small."""
    comment = f"/service-{service}:http cluster IP"
    with path.open(encoding="utf-8") as file:
        rule = next(line for line in file if comment in line and " -d " in line)
    return rule.split(" -d ")[1].partition("/")[0]


def rules_in(path: Path) -> int:
    """Count the rules of a dump line by line."""
    with path.open("rb") as file:
        return sum(line.startswith(b"-A ") for line in file)


# --- measuring --------------------------------------------------------------------------------------------------


def in_turn(commands: Sequence[tuple[list[str], Path]], rounds: int) -> list[Runs]:
    """Run commands in turn, each in its build; one that is stopped is not run again."""
    found: list[Runs] = [[] for _ in commands]
    for _ in range(rounds):
        for place, (command, build) in enumerate(commands):
            before = found[place]
            if isinstance(before, list):
                found[place] = after(before, command, build)
    return found


def after(before: list[Run], command: list[str], build: Path) -> Runs:
    """Return the runs of a command with one more, or why there is none."""
    try:
        return [*before, run(command, build, LIMIT)]
    except StoppedError as error:
        return str(error)


def on_fixture(words: Mapping[str, str], other: Path, rounds: int) -> Iterator[Measured]:
    """Yield what starting takes, and commands on the fixture: first a bare interpreter, the measure of all."""
    asked, size = Asked(FIXTURE, FIXTURE_TARGET, rules_in(FIXTURE), FIXTURE), FIXTURE.stat().st_size
    for name, command in chain([(INTERPRETER, BARE)], _alone(asked)):
        (ours,) = warmed([(command, HERE)], rounds)
        yield Measured(asked.rules, size, name, ours)
    for name, line in chain(STARTS.items(), words.items()):
        command = asked.command(line)
        yield Measured(asked.rules, size, name, *warmed([(command, HERE), (command, other)], rounds))


def _alone(asked: Asked) -> Iterator[tuple[str, list[str]]]:
    """Yield what starting is made of, and how fast the one file for nodes starts, if it was built."""
    yield "import typer", [sys.executable, "-c", "import typer"]
    if PYZ.exists():
        for name, line in chain(STARTS.items(), [("trace", COMMANDS["trace"])]):
            yield f"{name}, .pyz", [sys.executable, str(PYZ), *asked.words(line)]


def warmed(commands: Sequence[tuple[list[str], Path]], rounds: int) -> list[Runs]:
    """Run short commands in turn more often than long ones, and once before, so that all is compiled."""
    in_turn(commands, 1)
    return in_turn(commands, rounds * SMALL_ROUNDS)


def on_dump(words: Mapping[str, str], asked: Asked, other: Path, rounds: int) -> Iterator[Measured]:
    """Yield what commands take on a dump."""
    size = asked.path.stat().st_size
    for name, line in words.items():
        command = asked.command(line)
        turns = [(command, HERE), (command, other), ([*RESTORE, str(asked.path)], HERE)]
        yield Measured(asked.rules, size, name, *in_turn(turns, rounds))


# --- telling ----------------------------------------------------------------------------------------------------


class Told:
    """What was told, by command and rules."""

    def __init__(self) -> None:
        self._ours: dict[str, dict[int, Run]] = {}
        self._other: dict[str, dict[int, Run]] = {}

    def tell(self, measured: Measured, goal: Goal) -> None:
        """Print the row of a command, and keep what it took."""
        print(row(measured, goal, self._at(measured.rules)), flush=True)
        for kept, runs in ((self._ours, measured.ours), (self._other, measured.other)):
            if isinstance(runs, list):
                kept.setdefault(measured.command, {})[measured.rules] = median(runs)

    def tell_growth(self, command: str) -> None:
        """Print the exponents of a command, if it was asked of dumps of two sizes."""
        if (mine := _exponent(self._ours.get(command, {}))) is not None:
            print(growth_row(command, mine, _exponent(self._other.get(command, {})), STEEPEST), flush=True)

    def _at(self, rules: int) -> dict[str, Run]:
        return {command: taken[rules] for command, taken in self._ours.items() if rules in taken}


def _exponent(taken: Mapping[int, Run]) -> float | None:
    """Return the exponent of user time on all dumps but the smallest, the fixture, which takes what starting does."""
    if len(taken) < 3:
        return None
    seconds = {rules: each.user for rules, each in taken.items()}
    start = seconds.pop(min(seconds))
    return exponent(seconds, start)


def tell(words: Mapping[str, str], sizes: Sequence[int], other: Path, rounds: int) -> None:
    """Print the table."""
    print(
        f"This build: {named(HERE)}; the other: {named(other)}; {rounds} rounds, medians.\n\n{head()}",
        flush=True,
    )
    told = Told()
    for measured in on_fixture(words, other, rounds):
        told.tell(measured, FIXTURE_GOALS.get(measured.command, UNBOUND))
    for rules in sizes:
        with tempfile.TemporaryDirectory() as folder:
            for measured in on_dump(words, made(Path(folder), rules), other, rounds):
                told.tell(measured, GOALS.get(measured.command, UNBOUND) if rules >= LARGE else UNBOUND)
    for command in words:
        told.tell_growth(command)


def named(build: Path) -> str:
    """Return what git calls the state of a build, or its folder."""
    command = ["git", "-C", str(build), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or build.name


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.commands")
    parser.add_argument("other", type=Path, help="the directory of the other build")
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    parser.add_argument("--only", default=",".join(COMMANDS), help="commands, with commas between")
    parser.add_argument(
        "--rules", default=",".join(map(str, SIZES)), help="sizes of dumps, with commas between"
    )
    typed = parser.parse_args()
    unknown = set(typed.only.split(",")) - COMMANDS.keys()
    if unknown:
        parser.error(f"no such command: {', '.join(sorted(unknown))}; there are {', '.join(COMMANDS)}")
    words = {name: COMMANDS[name] for name in COMMANDS if name in typed.only.split(",")}
    tell(words, [*map(int, typed.rules.split(","))], typed.other.resolve(), typed.rounds)


if __name__ == "__main__":
    main()
