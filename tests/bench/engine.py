"""How fast the engine answers what is large or tangled, as whole processes, this build against another one.

`python -m tests.bench.engine OTHER [ROUNDS [SHARED]]`: OTHER is the directory of the other build, such as a git
worktree, SHARED one that holds `cases` and `corpus`, without which what is asked of them is left out. The two
builds run in turn; the median of the ratios of each pair is printed, for wall time, CPU time and peak memory, and
beside the medians of this build what it is meant to need at most. A build that needs more than two minutes is
stopped; that, or that it fails, is told instead.
"""

from __future__ import annotations

import random
import re
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests import kubeproxy
from tests.bench.figures import MEGABYTE
from tests.bench.processes import HERE, PROGRAM, Run, StoppedError, median, run, write_dump

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LIMIT = 120
"""So many seconds a process may take."""

EACH = """
import sys, time
import iptviz
took = {}
for path in sys.argv[1:]:
    start = time.process_time()
    try:
        iptviz.packet(iptviz.load(path), dst="10.1.0.1")
    except Exception:  # no dump, or too much for this build
        continue
    took[path] = time.process_time() - start
slowest = max(took, key=took.get)
print(f"{slowest}: {took[slowest]:.2f} s, {len(took)} files with an answer")
"""
"""Asks each of the files where a packet goes of which nothing but the destination is known."""


class Goal(NamedTuple):
    """What a command is to need at most: CPU time in seconds, memory in bytes, a part of what the other one needs."""

    seconds: float | None = None
    peak: int | None = None
    ratio: float | None = None

    def __str__(self) -> str:
        told = [] if self.seconds is None else [f"{self.seconds:g} s"]
        told += [] if self.peak is None else [f"{self.peak / MEGABYTE:.0f} MB"]
        told += [] if self.ratio is None else [f"{self.ratio:g} of the other"]
        return ", ".join(told)


class Question(NamedTuple):
    """A command line of iptviz, and what its answer is to need."""

    name: str
    arguments: list[str]
    goal: Goal


# --- dumps, made by code ----------------------------------------------------------------------------------------


def filtering(rules: Sequence[str], chains: Sequence[str] = ()) -> str:
    """Return a dump of the filter table with these rules, and chains beside the built-in ones."""
    lines = ["*filter", *(f":{name} ACCEPT [0:0]" for name in ("INPUT", "FORWARD", "OUTPUT"))]
    return "\n".join([*lines, *(f":{name} - [0:0]" for name in chains), *rules, "COMMIT", ""])


def blocklist(sources: int) -> str:
    """Return a dump whose INPUT drops so many sources, in no order."""
    chosen = random.Random(1).sample(range(1 << 24, 224 << 24), sources)
    addresses = (".".join(map(str, number.to_bytes(4))) for number in chosen)
    return filtering([f"-A INPUT -s {address}/32 -j DROP" for address in addresses])


def nested(depth: int) -> str:
    """Return a dump with so many chains, each of which calls the next."""
    chains = [f"C{number}" for number in range(depth)]
    calls = [f"-A {caller} -j {callee}" for caller, callee in pairwise(["INPUT", *chains])]
    return filtering([*calls, f"-A {chains[-1]} -p tcp -j DROP"], chains)


def hits(count: int) -> str:
    """Return a dump in which one name has so many ports, of ten endpoints each."""
    services = kubeproxy.numbered(count, 10, node_ports=False, namespace="default").services
    ports = (
        replace(service, name="web", port_name=f"p{place}", port=80 + place)
        for place, service in enumerate(services)
    )
    return kubeproxy.saved(kubeproxy.Cluster(tuple(ports), pod_cidr="10.128.0.0/9"))


def made_dumps(folder: Path) -> dict[str, Path]:
    """Write the dumps, and return where each is."""
    paths = {
        name: folder / f"{name}.rules" for name in ("blocked", "nested", "hits", "thousands", "endpoints")
    }
    paths["blocked"].write_text(blocklist(10_000), encoding="utf-8")
    paths["nested"].write_text(nested(50_000), encoding="utf-8")
    paths["hits"].write_text(hits(300), encoding="utf-8")
    write_dump(paths["thousands"], 1, 2_000)
    write_dump(paths["endpoints"], 1, 20_000)
    return paths


# --- questions --------------------------------------------------------------------------------------------------


def questions(dumps: dict[str, Path]) -> Iterator[Question]:
    """Yield what is asked of the dumps that are made."""
    towards = ["packet", "--dst", "10.1.0.1"]
    yield Question("10,000 blocked sources", [*towards, str(dumps["blocked"])], Goal(1.5))
    yield Question("50,000 nested chains", [*towards, str(dumps["nested"])], Goal(5))
    first = kubeproxy.numbered(1, 1).services[0].cluster_ip
    yield Question("2,000 endpoints", ["trace", first, str(dumps["thousands"])], Goal(ratio=1))
    yield Question("20,000 endpoints", ["trace", first, str(dumps["endpoints"])], Goal(3, 400 * MEGABYTE))
    yield Question("300 ports of 10 endpoints", ["trace", "default/web", str(dumps["hits"])], Goal(ratio=0.1))


def tangled(cases: Path) -> Iterator[Question]:
    """Yield what is asked of the cases that once took minutes."""
    blocked = cases / "exact/blocklist.rules"
    yield Question(blocked.name, ["packet", "--dst", "10.1.0.1", str(blocked)], Goal(0.3))
    ranges = cases / "exact/lb-ranges.rules"
    found = re.findall(
        r"^-A KUBE-SERVICES -d ([\d.]+)/32 -p (\w+) .* --dport (\d+)", ranges.read_text(), re.MULTILINE
    )
    for address, protocol, port in found:
        target = f"{address}:{port}/{protocol}"
        yield Question(f"{ranges.name}, {target}", ["trace", target, str(ranges)], Goal(0.3))


# --- figures ----------------------------------------------------------------------------------------------------


def compare(question: Question, other: Path, rounds: int) -> None:
    """Print what this build needs for an answer, and how that compares with the other build."""
    command = [*PROGRAM, *question.arguments]
    pairs = [
        (asked(command, HERE), asked(command, other))
    ]  # to warm up, and to see whether they answer at all
    if not any(isinstance(side, str) for side in pairs[0]):
        pairs = [(asked(command, HERE), asked(command, other)) for _ in range(rounds)]
    ours = [mine for mine, _ in pairs if isinstance(mine, Run)]
    told = _figures(ours) if ours else f"this one {pairs[0][0]}"
    print(f"{question.name:42} {told}  {_ratios(pairs)}   goal: {question.goal}", flush=True)


def asked(command: list[str], build: Path) -> Run | str:
    """Return what a build needs for an answer, or why there is none."""
    try:
        return run(command, build, LIMIT)
    except StoppedError as error:
        return str(error)


def _figures(runs: Sequence[Run]) -> str:
    middle = median(runs)
    return f"{middle.wall:7.2f} s  CPU {middle.cpu:6.2f} s  {middle.peak / MEGABYTE:5.0f} MB"


def _ratios(pairs: Sequence[tuple[Run | str, Run | str]]) -> str:
    both = [(mine, theirs) for mine, theirs in pairs if isinstance(mine, Run) and isinstance(theirs, Run)]
    if not both:
        return f"the other {pairs[0][1]}" if isinstance(pairs[0][1], str) else ""
    wall, cpu, peak = (
        statistics.median(getattr(mine, figure) / getattr(theirs, figure) for mine, theirs in both)
        for figure in ("wall", "cpu", "peak")
    )
    return f"of the other: {wall:.3f}, CPU {cpu:.3f}, memory {peak:.3f}"


def slowest(shared: Path, other: Path) -> None:
    """Print which file takes longest to be asked of a packet of which nothing but the destination is known."""
    files = [
        str(path)
        for part in ("corpus", "cases")
        for path in sorted((shared / part).rglob("*.*"))
        if path.is_file()
    ]
    for build in (HERE, other):
        try:
            done = subprocess.run(
                [sys.executable, "-c", EACH, *files], cwd=build, env={"PYTHONPATH": str(build)}, timeout=LIMIT * 5,
                capture_output=True, text=True, check=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            print(f"slowest of {len(files)} files: needs more than {LIMIT * 5} s   {build}", flush=True)
        else:
            print(f"slowest of {len(files)} files: {done.stdout.strip()}   {build}", flush=True)


def main() -> None:
    other = Path(sys.argv[1]).resolve()
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    shared = Path(sys.argv[3]).resolve() if len(sys.argv) > 3 else HERE.parent / "shared"
    print(f"{rounds} rounds after one to warm up; medians")
    with tempfile.TemporaryDirectory() as folder:
        for question in questions(made_dumps(Path(folder))):
            compare(question, other, rounds)
    if shared.exists():
        for question in tangled(shared / "cases"):
            compare(question, other, rounds)
        slowest(shared, other)


if __name__ == "__main__":
    main()
