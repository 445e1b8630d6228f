"""What is made of measured figures: ratios, exponents and the rows of a table, each figure beside what it may be."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING, NamedTuple

from tests.bench.processes import Run, median

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MEGABYTE = 1_000_000
LEAST = 1_000_000
"""Of files of fewer bytes it is not told how many times their size memory is: the program itself takes more."""

COLUMNS = {
    "rules": 9, "command": 16, "wall s": 6, "user s": 15, "MB": 5, "MB / file": 14,
    "other wall s": 20, "other user s": 12, "other MB": 8, "of other": 16, "of restore": 16, "of another": 27,
}  # fmt: skip
"""The heads of the table's columns, and how wide each is at least."""

Runs = list[Run] | str
"""The runs of a command, or why there are none."""


class Goal(NamedTuple):
    """What a command may take at most.

    User time: as a part of the other build's and of iptables-legacy-restore's. Processor time, the kernel's
    included: as a part of what this build takes for another command (its name, and the part), which may be too short
    to tell the kernel's part from its own. Memory: as a multiple of the file.
    """

    other: float | None = None
    restore: float | None = None
    command: tuple[str, float] | None = None
    memory: float | None = None


class Measured(NamedTuple):
    """What a command took on one dump: in this build, the other one, and iptables-legacy-restore in turn with them.

    `size` is that of the dump, in bytes.
    """

    rules: int
    size: int
    command: str
    ours: Runs
    other: Runs = ""
    restore: Runs = ""


def exponent(seconds: Mapping[int, float], start: float = 0) -> float:
    """Return the slope of time over rules, both as logarithms; `start` is what a process takes without any."""
    spent = [math.log(max(each - start, 0.01)) for each in seconds.values()]
    return statistics.linear_regression([*map(math.log, seconds)], spent).slope


def against(figure: float | None, most: float | None) -> str:
    """Return a figure, beside what it may be at most; bold where it is more."""
    if figure is None:
        return ""
    told = f"{figure:.2f}" if figure >= 0.1 else f"{figure:.3f}"
    if most is None:
        return told
    return f"{told} (max {most:.3g})" if figure <= most else f"**{told}** (max {most:.3g})"


def ratio(mine: Runs, theirs: Runs) -> float | None:
    """Return the median of the ratios of user time of runs in turn; None where one side has none."""
    if isinstance(mine, str) or isinstance(theirs, str):
        return None
    return statistics.median(
        one.user / max(other.user, 0.001) for one, other in zip(mine, theirs, strict=True)
    )


def row(measured: Measured, goal: Goal, others: Mapping[str, Run]) -> str:
    """Return a command's row; `others` are what other commands take on the same dump, by name."""
    if isinstance(measured.ours, str):
        return line([f"{measured.rules:,}", measured.command, measured.ours])
    mine = median(measured.ours)
    name, most = goal.command or ("", None)
    beside = f"{against(mine.cpu / others[name].cpu, most)} {name}" if name in others else ""
    times = mine.peak / measured.size if measured.size >= LEAST else None
    return line(
        [
            f"{measured.rules:,}",
            measured.command,
            *_taken(mine),
            against(times, goal.memory),
            *(
                [measured.other, "", ""]
                if isinstance(measured.other, str)
                else _taken(median(measured.other))
            ),
            against(ratio(measured.ours, measured.other), goal.other),
            against(ratio(measured.ours, measured.restore), goal.restore),
            beside,
        ]
    )


def growth_row(command: str, mine: float, other: float | None, most: float) -> str:
    """Return the row of the exponents of a command's user time, in both builds."""
    return line(["exponent", command, "", against(mine, most), "", "", "", against(other, None)])


def head() -> str:
    """Return the head of the table."""
    rule = "|".join("-" * (width + 2) for width in COLUMNS.values())
    return f"{line([*COLUMNS])}\n|{rule}|"


def line(cells: Sequence[str]) -> str:
    """Return a line of the table; cells that are not given are empty."""
    filled = [*cells, *[""] * (len(COLUMNS) - len(cells))]
    return "| " + " | ".join(map(str.ljust, filled, COLUMNS.values())) + " |"


def _taken(run: Run) -> list[str]:
    return [f"{run.wall:.2f}", f"{run.user:.2f}", f"{run.peak / MEGABYTE:.0f}"]
