"""How fast iptviz is, as whole processes, against other programs on the same file in one run.

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
from pathlib import Path
from signal import SIGKILL
from threading import Timer
from typing import NamedTuple

from tests import kubeproxy

FIXTURE = Path(__file__).parents[2] / "fixtures/httpd-service/dump.rules"
TRACE = [sys.executable, "-m", "iptviz", "trace"]
PACKET = [
    sys.executable,
    "-m",
    "iptviz",
    "packet",
    *["--src", "10.244.0.9", "--protocol", "tcp", "--dport", "80", "--mark", "0"],
]
INDEX = """
import gc, sys
gc.disable()
import iptviz
dump = iptviz.load(sys.argv[1])
"""
UNDERSTAND = (
    INDEX
    + """
kept = [rule.parts for table in dump.tables.values() for rule in table.rules()]
assert not any(parts.unknown or parts.problem for parts in kept)
"""
)
BARE = [sys.executable, "-c", "pass"]


class Run(NamedTuple):
    """One finished process: wall and CPU time in seconds, and the most memory it held, in bytes."""

    seconds: float
    cpu: float
    peak: int


def run(command: list[str], build: Path | None = None, limit: float | None = None) -> Run | None:
    """Run a command with its output thrown away; None where it needs more than `limit` seconds.

    `build` is a directory that holds another iptviz than the one that is installed.
    """
    # As installed: with compiled modules, whatever this process was told about writing them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if build is not None:
        environment["PYTHONPATH"] = str(
            build
        )  # and from there, since python -m looks where it is started first
    with Path(os.devnull).open("r+b") as nothing:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment, cwd=build
        )
        watch = Timer(limit or 0, process.kill)
        if limit is not None:
            watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        watch.cancel()
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if limit is not None and process.returncode == -SIGKILL:
        return None
    if process.returncode:
        raise SystemExit(f"{command} exited with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def pair(name: str, ours: list[str], theirs: list[str], rounds: int) -> list[Run]:
    """Run two commands in turn and print how they compare; our runs."""
    for command in (ours, theirs):
        run(command)
    runs = [
        (one, other)
        for _ in range(rounds)
        if (one := run(ours)) is not None and (other := run(theirs)) is not None
    ]
    ratio = statistics.median(one.seconds / other.seconds for one, other in runs)
    mine, other = (statistics.median(one.seconds for one in side) for side in zip(*runs, strict=True))
    print(f"{name:46} {mine:7.3f} s / {other:7.3f} s = {ratio:6.3f}", flush=True)
    return [one for one, _ in runs]


def compare(big: Path, target: str, rounds: int) -> None:
    """Print all comparisons."""
    size, rules = big.stat().st_size, big.read_bytes().count(b"\n-A ")
    print(f"{rules:,} rules, {size / 1e6:.1f} MB, {rounds} rounds after one to warm up; medians")
    ours = [*TRACE, target, str(big)]
    if shutil.which("iptables-legacy-restore") and os.geteuid() == 0:
        restore = ["iptables-legacy-restore", "--test", str(big)]
        index = [sys.executable, "-c", INDEX, str(big)]
        understand = [sys.executable, "-c", UNDERSTAND, str(big)]
        pair("trace / iptables-legacy-restore --test", ours, restore, rounds)
        packet = [*PACKET, "--dst", target, str(big)]
        pair("packet / iptables-legacy-restore --test", packet, restore, rounds)
        services = [sys.executable, "-m", "iptviz", "services", str(big)]
        pair("services / iptables-legacy-restore --test", services, restore, rounds)
        pair("open and index / iptables-legacy-restore --test", index, restore, rounds)
        runs = pair("understand every rule / ...-restore --test", understand, restore, rounds)
        print(f"{'peak memory of understanding / the file':46} {max(one.peak for one in runs) / size:.2f}")
    runs = pair("trace / grep -F", ours, ["grep", "-F", target, str(big)], rounds)
    print(f"{'peak memory of trace / the file':46} {max(one.peak for one in runs) / size:.2f}")
    small = ["10.97.13.198", str(FIXTURE)]
    pair("trace on the fixture / python -c pass", [*TRACE, *small], BARE, rounds * 4)
    pair("trace --json on the fixture / python -c pass", [*TRACE, "--json", *small], BARE, rounds * 4)
    evidence(Path(big.parent) / "thousand.rules", rounds)


def evidence(thousand: Path, rounds: int) -> None:
    """Print how fast what travels is made: a report against the list of services, a picture against dot itself."""
    thousand.write_text(kubeproxy.saved(kubeproxy.numbered(1_000, 10)), encoding="utf-8")
    report = [sys.executable, "-m", "iptviz", "report", str(thousand), "-f", "html"]
    services = [sys.executable, "-m", "iptviz", "services", str(thousand)]
    pair("report / services, of 1,000 services", report, services, rounds)
    many = thousand.with_name("many.rules")
    many.write_text(kubeproxy.saved(kubeproxy.numbered(1, 400)), encoding="utf-8")
    for dump, target in ((FIXTURE, "10.97.13.198"), (many, "team-0/service-0")):
        draw(dump, target, rounds * 4)


def draw(dump: Path, target: str, rounds: int) -> None:
    """Print how long an answer takes to become an SVG, against dot alone on the same text; in one process."""
    import iptviz
    from iptviz.render.dot import dot_text
    from iptviz.render.drawn import svg
    from iptviz.view.trace_picture import trace_picture

    result = iptviz.trace(iptviz.load(dump.read_bytes()), target)
    text = dot_text(trace_picture(result)).encode()
    ratios = []
    for _ in range(rounds):
        start = time.perf_counter()
        svg(trace_picture(result))
        middle = time.perf_counter()
        subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, check=True)
        ratios.append((middle - start) / (time.perf_counter() - middle))
    print(
        f"{'svg of one service / dot':46} {'':20} {statistics.median(ratios):6.3f}  {dump.name}", flush=True
    )


def main() -> None:
    given = dict(enumerate(map(int, sys.argv[1:])))
    services, endpoints, rounds = given.get(0, 10_000), given.get(1, 10), given.get(2, 5)
    with tempfile.TemporaryDirectory() as folder:
        big = Path(folder) / "big.rules"
        # In a process of its own: what this one holds would count as the peak of those that it starts.
        generator = [sys.executable, "-m", "tests.kubeproxy", str(services), str(endpoints)]
        with big.open("wb") as file:
            subprocess.run(generator, stdout=file, check=True)
        last = kubeproxy.numbered(services // 2 + 1, 1).services[-1]
        compare(big, last.cluster_ip, rounds)


if __name__ == "__main__":
    main()
