"""How fast `iptviz fleet` is, and how much memory it holds, in ratios of whole processes that ran in turn.

`python -m tests.bench.fleet [ROUNDS] [--nodes 200] [--services 2000]`: so many nodes, each with so many services of 5
endpoints. Printed is, in Markdown: how well two processors are used, what a node takes in comparison with `services` on
its dump (both without what starting takes), how much memory the largest process holds for more and more nodes, what a
second run takes with --cache when ten nodes have changed, and from what was measured the arithmetic for 5,000 nodes of
10,000 services; each figure beside what it may be. Takes ten minutes and 1.2 GB in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.figures import MEGABYTE, against
from tests.bench.processes import HERE, PROGRAM, Run, median

if TYPE_CHECKING:
    import resource
    from collections.abc import Iterator, Sequence

ENDPOINTS = 5
WORKERS = 2
CHANGED = 10
FLEET = ["fleet", "--exit-zero", "-q", "-f", "json"]

EFFICIENCY, PER_NODE, MEMORY, GROWTH = 0.85, 1.0, 250, 1.1
"""What is wanted: of WORKERS processors at least; of `services`, in MB, and of the memory for a quarter at most."""

FAR_NODES, FAR_SERVICES, FAR_WORKERS = 5_000, 10_000, 16
"""The cluster that nobody measures, and how many processors there may be for it."""

POINTS = (500, 1_000, 2_000)
"""Services by which it is told how the cost of a node grows."""


class Folder(NamedTuple):
    """Dumps of a cluster, one a node."""

    paths: list[Path]
    services: int

    def first(self, count: int) -> Folder:
        return self._replace(paths=self.paths[:count])

    def command(self, *options: str) -> list[str]:
        """Return the command that compares them."""
        return [*PROGRAM, *FLEET, *options, *map(str, self.paths)]


class Line(NamedTuple):
    """A straight line through measured points: what a node takes, and each of its services beyond that."""

    fixed: float
    each: float

    def at(self, services: int) -> float:
        return self.fixed + self.each * services


def written(folder: Path, nodes: int, services: int) -> Folder:
    """Write dumps in another process: what this one holds counts as others' peak."""
    folder.mkdir(exist_ok=True)
    words = ["--write", str(folder), str(nodes), str(services)]
    subprocess.run([sys.executable, "-m", "tests.bench.fleet", *words], check=True, cwd=HERE)
    return Folder(sorted(folder.glob("*.rules")), services)


def write(folder: Path, nodes: int, services: int) -> None:
    """Write the dumps of a cluster: in each other pods are local, the node's network and the date are others."""
    variants = [_variant(services, turn) for turn in range(ENDPOINTS)]
    for number in range(nodes):
        text = variants[number % ENDPOINTS].replace(
            b"! -s 10.128.0.0/9", f"! -s 10.128.{number}.0/24".encode()
        )
        text = text.replace(b" 12:00:00 2026", f" 12:00:{number % 60:02} 2026".encode())
        (folder / f"node-{number:04}.rules").write_bytes(text)


def _variant(services: int, turn: int) -> bytes:
    """Return a dump on whose node other pods of services with a policy Local are: of each twentieth service."""
    from dataclasses import replace

    from tests.kubeproxy import numbered, saved

    cluster = numbered(services, ENDPOINTS)
    ports = tuple(
        replace(one, local_only=True, local=1, endpoints=one.endpoints[turn:] + one.endpoints[:turn])
        if one.node_port and place % 20 == 0
        else one
        for place, one in enumerate(cluster.services)
    )
    return saved(replace(cluster, services=ports)).encode()


def change(folder: Folder, count: int) -> None:
    """Let some nodes forget an endpoint: what was kept of them no longer holds."""
    for path in folder.paths[:count]:
        lines = path.read_bytes().split(b"\n")
        gone = next(place for place, line in enumerate(lines) if b"--probability 0.2000" in line)
        path.write_bytes(b"\n".join(lines[:gone] + lines[gone + 1 :]))


# --- processes ---------------------------------------------------------------------------------------------------

_ADOPT = 36  # PR_SET_CHILD_SUBREAPER of prctl(2)


def adopt() -> None:
    """Let orphans of what is started become children of this process, which can ask what they took (Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(_ADOPT, 1, 0, 0, 0)


def run(command: list[str]) -> Run:
    """Run a command and all its workers, with the output thrown away; the peak is that of the largest process.

    Workers are children of a server of Python's own, for which nobody waits but this process.
    """
    with Path(os.devnull).open("r+b") as nothing:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdin=nothing, stdout=nothing, stderr=nothing, cwd=HERE)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command[:8])} ... exits with {process.returncode}")
    taken = [used, *_orphans()]
    return Run(
        wall,
        sum(one.ru_utime for one in taken),
        sum(one.ru_stime for one in taken),
        max(one.ru_maxrss for one in taken) * 1024,
    )


def _orphans() -> Iterator[resource.struct_rusage]:
    """Wait for what a command left behind."""
    with contextlib.suppress(ChildProcessError):
        while True:
            yield os.wait4(-1, 0)[2]


# --- measuring ----------------------------------------------------------------------------------------------------


def in_turn(commands: Sequence[list[str]], rounds: int) -> list[list[Run]]:
    """Run commands one after the other, again and again, and return the runs of each."""
    turns = [[run(command) for command in commands] for _ in range(rounds)]
    return [list(runs) for runs in zip(*turns, strict=True)]


def tell_parallel(folder: Folder, rounds: int) -> Run:
    """Print how well two processors are used; return what one alone takes."""
    alone, both = in_turn([folder.command("--jobs", str(jobs)) for jobs in (1, WORKERS)], rounds)
    part: float = statistics.median(
        one.wall / (WORKERS * other.wall) for one, other in zip(alone, both, strict=True)
    )
    for jobs, runs in ((1, alone), (WORKERS, both)):
        taken = median(runs)
        print(
            f"| --jobs {jobs} | {taken.wall:.1f} | {taken.cpu:.1f} | {taken.peak / MEGABYTE:.0f} |",
            flush=True,
        )
    print(f"\nOf {WORKERS} processors: {at_least(part, EFFICIENCY)}.\n", flush=True)
    return median(alone)


def tell_per_node(folder: Folder, tiny: Folder, rounds: int) -> float:
    """Print what a node takes in comparison with `services` on its dump, in processor time; return that time.

    Both without what starting takes: of dumps of four services the same commands take little else. Of the dumps that
    differ in more than a network each is asked once: they do not take the same.
    """
    some, kinds = folder.first(4 * ENDPOINTS), folder.first(ENDPOINTS)
    each = [[*PROGRAM, "services", str(path)] for path in (*kinds.paths, tiny.paths[0])]
    *services, start, fleet, fleet_start = (
        [one.cpu for one in runs]
        for runs in in_turn(
            [*each, some.command("--jobs", "1"), tiny.first(1).command("--jobs", "1")],
            max(rounds, 3),
        )
    )
    figures = [
        (statistics.mean(own) - first, (all_nodes - fleet_first) / len(some.paths))
        for *own, first, all_nodes, fleet_first in zip(*services, start, fleet, fleet_start, strict=True)
    ]
    own: float
    node: float
    own, node = (statistics.median(column) for column in zip(*figures, strict=True))
    part = statistics.median(mine / theirs for theirs, mine in figures)
    print(
        f"A node: {node:.2f} s; services on its dump: {own:.2f} s; of services: {against(part, PER_NODE)}.\n",
        flush=True,
    )
    return node


def tell_memory(folder: Folder) -> Iterator[tuple[int, float]]:
    """Print what the largest process holds for a quarter, a half and all of the nodes; yield it in MB."""
    every = len(folder.paths)
    least = None
    for count in (every // 4, every // 2, every):
        taken = run(folder.first(count).command("--jobs", str(WORKERS)))
        peak = taken.peak / MEGABYTE
        least = least or peak
        print(f"| {count} | {against(peak, MEMORY)} | {against(peak / least, GROWTH)} |", flush=True)
        yield count, peak


def tell_cache(folder: Folder, cache: Path) -> tuple[float, float]:
    """Print what runs with --cache take: the first, one after ten nodes have changed, one without any change.

    Returns the processor time that a node takes whose summary is kept, and how many bytes of it are.
    """
    command = folder.command("--jobs", str(WORKERS), "--cache", str(cache))
    first = run(command)
    kept = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file()) / len(folder.paths)
    change(folder, CHANGED)
    later, again = run(command), run(command)
    for name, taken in (("first", first), (f"{CHANGED} changed", later), ("none changed", again)):
        print(f"| {name} | {taken.wall:.1f} | {taken.cpu:.1f} | {taken.wall / first.wall:.3f} |", flush=True)
    print(f"\nKept of a node: {kept / 1000:,.0f} KB.\n", flush=True)
    return again.cpu / len(folder.paths), kept


def tell_growth(folder: Path, rounds: int) -> Line:
    """Print what a node takes by how many services it has; return the line through these points."""
    taken = {}
    for services in POINTS:
        nodes = written(folder / f"growth-{services}", 8, services)
        few, many = in_turn([nodes.first(count).command("--jobs", "1") for count in (2, 8)], rounds)
        taken[services] = statistics.median(
            (more.cpu - less.cpu) / 6 for less, more in zip(few, many, strict=True)
        )
        print(
            f"| {services:,} | {taken[services]:.3f} | {1000 * taken[services] / services:.3f} |", flush=True
        )
    slope, fixed = statistics.linear_regression([*taken], [*taken.values()])
    return Line(fixed, slope)


def tell_far(line: Line, kept: float, merging: float, services: int, efficiency: float) -> None:
    """Print the arithmetic for a cluster that nobody measures."""
    node = line.at(FAR_SERVICES)
    joining = merging * FAR_SERVICES / services
    total = FAR_NODES * node
    print(
        f"""
A node of {FAR_SERVICES:,} services: {line.fixed:.3f} + {FAR_SERVICES:,} x {1000 * line.each:.3f} ms = {node:.1f} s.
{FAR_NODES:,} nodes: {FAR_NODES:,} x {node:.1f} s = {total / 3600:.1f} h of one processor; on {FAR_WORKERS} at {efficiency:.2f} of each:
{total / 60:.0f} min / ({FAR_WORKERS} x {efficiency:.2f}) = {total / 60 / (FAR_WORKERS * efficiency):.0f} min.
With summaries kept a node takes {joining:.3f} s ({merging:.3f} s x {FAR_SERVICES:,} / {services:,}): {FAR_NODES:,} x {joining:.3f} s = {FAR_NODES * joining / 60:.0f} min.
Kept: {FAR_NODES:,} x {kept / 1000:,.0f} KB x {FAR_SERVICES:,} / {services:,} = {FAR_NODES * kept * FAR_SERVICES / services / 1e9:.1f} GB.""",
        flush=True,
    )


def at_least(figure: float, least: float) -> str:
    """Return a figure, beside what it must be at least; bold where it is less."""
    return f"{figure:.2f} (min {least})" if figure >= least else f"**{figure:.2f}** (min {least})"


def tell(folder: Path, rounds: int, nodes: int, services: int) -> None:
    """Print all."""
    cluster, tiny = written(folder / "all", nodes, services), written(folder / "tiny", 1, 4)
    size = cluster.paths[0].stat().st_size / MEGABYTE
    print(
        f"{nodes} nodes, {services:,} services of {ENDPOINTS} endpoints, {size:.1f} MB each; {os.cpu_count()} processors.\n"
    )
    print("| | wall s | user + system s | peak MB |\n|---|---|---|---|", flush=True)
    tell_parallel(cluster, rounds)
    tell_per_node(cluster, tiny, rounds)
    print("| nodes | peak MB | of the first |\n|---|---|---|", flush=True)
    for _ in tell_memory(cluster):
        pass
    print("\n| --cache | wall s | user + system s | of the first |\n|---|---|---|---|", flush=True)
    merging, kept = tell_cache(cluster, folder / "cache")
    print("| services | s a node | ms a service |\n|---|---|---|", flush=True)
    line = tell_growth(folder, rounds)
    tell_far(line, kept, merging, services, EFFICIENCY)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet")
    parser.add_argument("rounds", type=int, nargs="?", default=1)
    parser.add_argument("--nodes", type=int, default=200)
    parser.add_argument("--services", type=int, default=2_000)
    typed = parser.parse_args()
    adopt()
    with tempfile.TemporaryDirectory() as folder:
        tell(Path(folder), typed.rounds, typed.nodes, typed.services)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(Path(sys.argv[2]), *map(int, sys.argv[3:]))
    else:
        main()
