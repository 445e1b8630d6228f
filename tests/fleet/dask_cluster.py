"""A real scheduler of Dask and two workers on the loopback, each a process of its own that this one starts and ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple

from tests.conftest import ROOT
from tests.program import unmeasured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOME = ("--host", "127.0.0.1", "--no-dashboard")
_LIMIT = 20


class Cluster(NamedTuple):
    """Where the scheduler is, and its workers: each is watched by a process that starts it anew when it dies."""

    address: str
    workers: tuple[subprocess.Popen[bytes], ...]


@contextmanager
def cluster(
    folder: Path, *, workers: int = 2, more: tuple[str, ...] = (), env: dict[str, str] | None = None
) -> Iterator[Cluster]:
    """Start a scheduler and workers, with more options, and end them."""
    with ExitStack() as stack:
        told = folder / "scheduler.json"
        stack.enter_context(
            _started(folder, "scheduler", *_HOME, "--port", "0", "--scheduler-file", str(told), env=env)
        )
        address = _address(told)
        options = (address, *_HOME, "--nthreads", "1", *more)
        yield Cluster(
            address,
            tuple(stack.enter_context(_started(folder, "worker", *options, env=env)) for _ in range(workers)),
        )


def _address(told: Path) -> str:
    begun = time.monotonic()
    while time.monotonic() - begun < _LIMIT:
        if told.exists() and (text := told.read_text()):
            return str(json.loads(text)["address"])
        time.sleep(0.02)
    raise TimeoutError("the scheduler did not start")


@contextmanager
def _started(
    folder: Path, what: str, *options: str, env: dict[str, str] | None
) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", *options]
    environment = {
        **unmeasured(),
        "PYTHONPATH": str(ROOT),
        "DASK_TEMPORARY_DIRECTORY": str(folder),
        **(env or {}),
    }
    with (folder / f"{what}-{os.urandom(4).hex()}.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
