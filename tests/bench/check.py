"""How `check` grows with rules of others: chains of single pods, and blocked addresses, on a small node.

`python -m tests.bench.check [ROUNDS]` prints seconds of processor time, and the exponent of what they add (1: twice
the rules take twice the time).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.figures import exponent
from tests.bench.processes import PROGRAM, median, run
from tests.paths.small import TWO, service, text_of
from tests.paths.test_growth import blocked, pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

FOREIGN = {
    "pods": (pods, (15, 30, 60, 120)),
    "blocked sources": (blocked("FORWARD", "-s"), (250, 500, 1_000, 2_000)),
}
"""Rules of others beside a service's, by how many pods or addresses they are about."""


def among(folder: Path, rules: Iterable[str]) -> Path:
    """Return a dump of a service among others' rules."""
    path = folder / "among.rules"
    path.write_text(text_of(*service(TWO, *rules)), encoding="utf-8")
    return path


def print_growth(
    folder: Path, kind: str, rules_of: Callable[[int], Iterable[str]], sizes: tuple[int, ...], rounds: int
) -> None:
    """Print how long a check takes by how many there are of a kind, and the exponent of what they add."""
    nothing = seconds_of(among(folder, ()), rounds)
    taken = {size: seconds_of(among(folder, rules_of(size)), rounds) for size in sizes}
    for size, seconds in taken.items():
        print(f"{size:>12,} {kind} {seconds:8.2f} s")
    print(f"{'exponent of ' + kind:46} {exponent(taken, nothing):.3f}", flush=True)


def seconds_of(path: Path, rounds: int) -> float:
    """Return the seconds of processor time that a check takes."""
    return median(run([*PROGRAM, "check", "--exit-zero", str(path)]) for _ in range(rounds)).cpu


def main(rounds: int = 3) -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory() as name:
        for kind, (rules_of, sizes) in FOREIGN.items():
            print_growth(Path(name), kind, rules_of, sizes, rounds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
