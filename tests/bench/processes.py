"""Whole processes, run one at a time, and what they took."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from signal import SIGKILL
from threading import Timer
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

HERE = Path(__file__).parents[2]
FIXTURE = HERE / "fixtures/httpd-service/dump.rules"
FIXTURE_TARGET = "10.97.13.198"
PROGRAM = [sys.executable, "-m", "iptviz"]
BARE = [sys.executable, "-c", "pass"]
RESTORE = ["unshare", "-n", "iptables-legacy-restore", "--test"]
"""Needs root; in a network of its own, where no rules and no lock of this machine's are met."""


class Run(NamedTuple):
    """What processes took: seconds of wall clock and of processor time, and the most memory held, in bytes."""

    wall: float
    user: float
    system: float
    peak: float

    @property
    def cpu(self) -> float:
        """The processor time, the kernel's included."""
        return self.user + self.system


class StoppedError(Exception):
    """A process did not answer: it failed, or needed too long."""


def run(command: list[str], build: Path | None = None, limit: float | None = None) -> Run:
    """Run a command with its output thrown away, for `limit` seconds at most.

    `build` is a directory that holds another iptviz than the one that is installed.

    Raises:
        StoppedError: it needs longer, cannot be started or fails.
    """
    # As installed: with compiled modules, whatever this process was told about writing them.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    if build is not None:
        # And from there, since python -m looks where it is started first.
        environment["PYTHONPATH"] = str(build)
    with Path(os.devnull).open("r+b") as nothing:
        start = time.perf_counter()
        try:
            process = subprocess.Popen(
                command, stdin=nothing, stdout=nothing, stderr=nothing, env=environment, cwd=build
            )
        except OSError as error:
            raise StoppedError(f"{command[0]}: {error.strerror}") from None
        watch = Timer(limit or 0, process.kill)
        if limit is not None:
            watch.start()
        _, status, usage = os.wait4(process.pid, 0)
        watch.cancel()
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if limit is not None and process.returncode == -SIGKILL:
        raise StoppedError(f"needs more than {limit:g} s")
    if process.returncode:
        raise StoppedError(f"exits with {process.returncode}")
    return Run(wall, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024)


def median(runs: Iterable[Run]) -> Run:
    """Return the median of each figure."""
    return Run(*map(statistics.median, zip(*runs, strict=True)))


def write_dump(path: Path, services: int, endpoints: int) -> None:
    """Write kube-proxy's dump of so many services, in another process: what this one holds counts as others' peak."""
    with path.open("wb") as file:
        subprocess.run(
            [sys.executable, "-m", "tests.kubeproxy", str(services), str(endpoints)],
            stdout=file, check=True, cwd=HERE,
        )  # fmt: skip
