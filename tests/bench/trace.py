"""How fast parts of iptviz are, against other programs on the same file in one run.

`python -m tests.bench.trace [SERVICES [ENDPOINTS [ROUNDS]]]`; needs iptables-legacy-restore and root for some of the
comparisons. The two commands of a pair run in turn, and the median of their ratios is printed, so that a machine that
is busy at times tells the same as an idle one. Whole commands are measured by `tests.bench.commands`.
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

from tests import kubeproxy
from tests.bench.processes import FIXTURE, FIXTURE_TARGET, PROGRAM, RESTORE, Run, run, write_dump

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


def pair(name: str, ours: list[str], theirs: list[str], rounds: int) -> list[Run]:
    """Run two commands in turn and print how they compare; our runs."""
    for command in (ours, theirs):
        run(command)
    runs = [(run(ours), run(theirs)) for _ in range(rounds)]
    ratio = statistics.median(one.wall / other.wall for one, other in runs)
    mine, other = (statistics.median(one.wall for one in side) for side in zip(*runs, strict=True))
    print(f"{name:46} {mine:7.3f} s / {other:7.3f} s = {ratio:6.3f}", flush=True)
    return [one for one, _ in runs]


def compare(big: Path, target: str, rounds: int) -> None:
    """Print all comparisons."""
    size = big.stat().st_size
    print(f"{size / 1e6:.1f} MB, {rounds} rounds after one to warm up; medians of wall time")
    if shutil.which("iptables-legacy-restore") and os.geteuid() == 0:
        restore = [*RESTORE, str(big)]
        index = [sys.executable, "-c", INDEX, str(big)]
        understand = [sys.executable, "-c", UNDERSTAND, str(big)]
        pair("open and index / iptables-legacy-restore --test", index, restore, rounds)
        runs = pair("understand every rule / ...-restore --test", understand, restore, rounds)
        print(f"{'peak memory of understanding / the file':46} {max(one.peak for one in runs) / size:.2f}")
    trace = [*PROGRAM, "trace", target, str(big)]
    pair("trace / grep -F", trace, ["grep", "-F", target, str(big)], rounds)
    many = big.with_name("many.rules")
    write_dump(many, 1, 400)
    for dump, asked in ((FIXTURE, FIXTURE_TARGET), (many, "team-0/service-0")):
        draw(dump, asked, rounds * 4)


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
        write_dump(big, services, endpoints)
        last = kubeproxy.numbered(services // 2 + 1, 1).services[-1]
        compare(big, last.cluster_ip, rounds)


if __name__ == "__main__":
    main()
