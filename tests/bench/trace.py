"""How fast `iptviz trace` is, as whole processes, against other programs on the same file in one run.

`python -m tests.bench.trace [SERVICES [ENDPOINTS [ROUNDS]]]`; needs iptables-legacy-restore and root for one
of the comparisons. The two commands of a pair run in turn, and the median of their ratios is printed, so
that a machine that is busy at times tells the same as an idle one.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests import kubeproxy

FIXTURE = Path(__file__).parents[2] / "fixtures/httpd-service/dump.rules"


@dataclass(frozen=True)
class Run:
    """One finished process: wall time in seconds, and the most memory it held, in bytes."""

    seconds: float
    peak: int


def run(command: list[str]) -> Run:
    """Run a command with its output thrown away."""
    with open(os.devnull, "r+b") as nothing:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} exited with {process.returncode}")
    return Run(seconds, usage.ru_maxrss * 1024)


def pair(name: str, ours: list[str], theirs: list[str], rounds: int) -> list[Run]:
    """Run two commands in turn and print how they compare."""
    run(ours), run(theirs)
    runs = [(run(ours), run(theirs)) for _ in range(rounds)]
    ratio = statistics.median(one.seconds / other.seconds for one, other in runs)
    mine, other = (statistics.median(which.seconds for which in side) for side in zip(*runs, strict=True))
    print(f"{name:58} {mine:7.3f} s / {other:7.3f} s = {ratio:6.3f}")
    return [one for one, _ in runs]


def main() -> None:
    services, endpoints, rounds = (
        int(text) for text in (*sys.argv[1:], *("10000", "10", "5")[len(sys.argv) - 1 :])
    )
    cluster = kubeproxy.numbered(services, endpoints)
    with tempfile.TemporaryDirectory() as folder:
        big = Path(folder) / "big.rules"
        big.write_text(kubeproxy.saved(cluster))
        target = cluster.services[services // 2].cluster_ip
        compare(big, target, rounds)


def compare(big: Path, target: str, rounds: int) -> None:
    """Print all comparisons."""
    size, rules = big.stat().st_size, big.read_bytes().count(b"\n-A ")
    print(f"{rules:,} rules, {size / 1e6:.1f} MB, {rounds} rounds after one to warm up; medians")
    trace = [sys.executable, "-m", "iptviz", "trace"]
    ours = [*trace, target, str(big)]
    if shutil.which("iptables-legacy-restore") and os.geteuid() == 0:
        pair(
            "trace / iptables-legacy-restore --test",
            ours,
            ["iptables-legacy-restore", "--test", str(big)],
            rounds,
        )
    runs = pair("trace / grep -F", ours, ["grep", "-F", target, str(big)], rounds)
    print(f"{'peak memory of trace / the file':58} {max(one.peak for one in runs) / size:.2f}")
    bare = [sys.executable, "-c", "pass"]
    pair("trace on the fixture / python -c pass", [*trace, "10.97.13.198", str(FIXTURE)], bare, rounds * 4)
    pair(
        "trace --json on the fixture / python -c pass",
        [*trace, "--json", "10.97.13.198", str(FIXTURE)],
        bare,
        rounds * 4,
    )


if __name__ == "__main__":
    main()
