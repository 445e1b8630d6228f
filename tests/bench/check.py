"""How fast `check` is, as whole processes, against `services` and iptables-legacy-restore on the same file in one run.

`python -m tests.bench.check [ROUNDS]`: the ratios on 330,000 rules, the most memory it holds for each byte of the file,
and the exponent of its time from 33,000 to 1,000,000 rules (1: twice the rules take twice the time). Then the same for
a small node with more and more chains of single pods, and with more and more blocked addresses.
"""

from __future__ import annotations

import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.trace import pair, run
from tests.paths.small import TWO, service, text_of
from tests.paths.test_growth import blocked, pods

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CHECK = [sys.executable, "-m", "iptviz", "check", "--exit-zero"]
GENERATOR = [sys.executable, "-m", "tests.kubeproxy"]
SERVICES = [sys.executable, "-m", "iptviz", "services"]
PER_SERVICE = 35
"""About so many rules has a service with ten endpoints."""
SIZES = (33_000, 100_000, 330_000, 1_000_000)

FOREIGN = {
    "pods": (pods, (15, 30, 60, 120)),
    "blocked sources": (blocked("FORWARD", "-s"), (250, 500, 1_000, 2_000)),
}
"""Rules of others beside a service's, by how many pods or addresses they are about."""


def written(folder: Path, rules: int) -> Path:
    """Return a dump of about so many rules, written by another process: what this one holds counts as a peak."""
    path = folder / f"{rules}.rules"
    with path.open("wb") as file:
        subprocess.run([*GENERATOR, str(rules // PER_SERVICE), "10"], stdout=file, check=True)
    return path


def among(folder: Path, rules: Iterable[str]) -> Path:
    """Return a dump of a service among others' rules."""
    path = folder / "among.rules"
    path.write_text(text_of(*service(TWO, *rules)), encoding="utf-8")
    return path


def print_growth(
    folder: Path, kind: str, rules_of: Callable[[int], Iterable[str]], sizes: tuple[int, ...], rounds: int
) -> None:
    """Print how long a check takes by how many there are of a kind, and the exponent of what they add."""
    nothing = median(among(folder, ()), rounds)
    taken = {size: median(among(folder, rules_of(size)), rounds) for size in sizes}
    for size, seconds in taken.items():
        print(f"{size:>12,} {kind} {seconds:8.2f} s")
    added = {size: max(seconds - nothing, 0.01) for size, seconds in taken.items()}
    print(f"{'exponent of ' + kind:46} {exponent(added):.3f}")


def rules_in(path: Path) -> int:
    """Count the rules of a dump line by line: this process stays small."""
    with path.open("rb") as file:
        return sum(line.startswith(b"-A ") for line in file)


def median(path: Path, rounds: int) -> float:
    """Return the seconds of processor time that a check takes."""
    runs = [run([*CHECK, str(path)]) for _ in range(rounds)]
    return float(statistics.median(done.cpu for done in runs if done is not None))


def exponent(seconds: dict[int, float]) -> float:
    """Return the slope of time over rules, both as logarithms."""
    line = statistics.linear_regression([*map(math.log, seconds)], [*map(math.log, seconds.values())])
    return line.slope


def main(rounds: int = 3) -> None:
    """Print all figures."""
    with tempfile.TemporaryDirectory() as name:
        files = {rules: written(Path(name), rules) for rules in SIZES}
        large = files[330_000]
        count, size = rules_in(large), large.stat().st_size
        print(f"{count:,} rules, {size / 1e6:.1f} MB, {rounds} rounds after one to warm up; medians")
        runs = pair("check / services", [*CHECK, str(large)], [*SERVICES, str(large)], rounds)
        print(f"{'peak memory of check / the file':46} {max(one.peak for one in runs) / size:.2f}")
        if shutil.which("iptables-legacy-restore") and os.geteuid() == 0:
            restore = ["iptables-legacy-restore", "--test", str(large)]
            pair("check / iptables-legacy-restore --test", [*CHECK, str(large)], restore, rounds)
        taken = {rules_in(file): median(file, rounds) for file in files.values()}
        for rules, seconds in taken.items():
            print(f"{rules:>12,} rules {seconds:8.2f} s")
        print(f"{'exponent':46} {exponent(taken):.3f}")
        for kind, (rules_of, sizes) in FOREIGN.items():
            print_growth(Path(name), kind, rules_of, sizes, rounds)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
