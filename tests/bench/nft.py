"""How fast commands are on a large listing of nftables mode, beside `nft -c -f` on the same text, in turn.

`python -m tests.bench.nft [ROUNDS] [--shapes 1.34,1.36]`: 10,000 services, about 20 MB, as each shape of kube-proxy's
table has them. What is printed is a table in Markdown: medians of wall and user time and of peak memory, and the medians
of ratios of whole processes that ran in turn, beside what they may be at most. nft needs root; it asks the
kernel, in a network of its own, to which all chains are new.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.commands import PACKET
from tests.bench.figures import MEGABYTE, against
from tests.bench.processes import HERE, PROGRAM, Run, run
from tests.bench.processes import median as middle

if TYPE_CHECKING:
    from collections.abc import Sequence

SERVICES = 10_000
ENDPOINTS = {"1.29": 7, "1.30": 7, "1.34": 7, "1.36": 66, "1.37": 66}
"""By shape how many endpoints of each service make 20 MB: older ones write a chain for each."""

TARGET = "10.96.20.0"
NFT = ["unshare", "-n", "nft", "-c", "-f"]


class Most(NamedTuple):
    """What a command may take at most: as a part of nft's wall time, and of memory as a multiple of the file."""

    nft: float | None
    memory: float


COMMANDS = {
    "trace": (f"trace {TARGET} {{}}", Most(1 / 8, 6)),
    "packet": (f"{PACKET} {TARGET} {{}}", Most(1 / 8, 6)),
    "services": ("services {}", Most(1, 6)),
}


def write_listing(path: Path, shape: str) -> None:
    """Write a listing in another process: what this one holds counts as others' peak."""
    words = [str(SERVICES), str(ENDPOINTS[shape]), shape]
    with path.open("wb") as file:
        subprocess.run([sys.executable, "-m", "tests.nftproxy", *words], stdout=file, check=True, cwd=HERE)


def row(shape: str, name: str, size: int, ours: Sequence[Run], theirs: Sequence[Run], most: Most) -> str:
    """Return the row of a command."""
    mine, other = middle(ours), middle(theirs)
    part = median(one.wall / beside.wall for one, beside in zip(ours, theirs, strict=True))
    cells = [
        shape, f"{size / MEGABYTE:.1f}", name, f"{mine.wall:.2f}", f"{mine.user:.2f}", f"{mine.peak / MEGABYTE:.0f}",
        against(mine.peak / size, most.memory), f"{other.wall:.2f}", f"{other.user:.2f}", f"{other.system:.2f}",
        against(part, most.nft),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def tell(shape: str, rounds: int) -> None:
    """Print the rows of a shape."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "node.nft"
        write_listing(path, shape)
        turns = [[*PROGRAM, *words.format(path).split()] for words, _ in COMMANDS.values()]
        found = [[run(command) for command in (*turns, [*NFT, str(path)])] for _ in range(rounds)]
        *ours, nft = zip(*found, strict=True)
        for (name, (_, most)), runs in zip(COMMANDS.items(), ours, strict=True):
            print(row(shape, name, path.stat().st_size, runs, nft, most), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.nft")
    parser.add_argument("rounds", type=int, nargs="?", default=3)
    parser.add_argument("--shapes", default="1.34,1.36", help="shapes of the table, with commas between")
    typed = parser.parse_args()
    print(
        "| shape | MB | command | wall s | user s | peak MB | MB / file | nft wall s | user s | system s | of nft |"
    )
    print("|" + "---|" * 11, flush=True)
    for shape in typed.shapes.split(","):
        tell(shape, typed.rounds)


if __name__ == "__main__":
    main()
