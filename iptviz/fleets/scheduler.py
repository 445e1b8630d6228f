"""Inputs to one summary on the workers of a Dask scheduler, by the same functions as on one machine.

A worker reads what is at a path as the worker sees it, or at a URL; what travels are summaries. Neighbours are
merged where they are. What was on a worker that is lost, the scheduler has made again by another one; of a chunk
that is lost too often, each input is tried alone, and one that still costs its workers is unreadable.
"""

from __future__ import annotations

import logging
import os
import re
import warnings
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from iptviz.errors import DumpError, quoted
from iptviz.fleets.inputs import IS_URL, NotInstalledError, unreadable
from iptviz.fleets.neighbours import Neighbours
from iptviz.fleets.reading import packed, unpacked
from iptviz.fleets.remote import shown
from iptviz.fleets.running import Chunk, chunks_of, tell
from iptviz.fleets.summary import Summary, merged
from iptviz.progress import nobody
from iptviz.version import __version__

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Iterator, Sequence

    from iptviz.fleets.inputs import Input, Work
    from iptviz.progress import Progress

_PATIENCE = 8
"""After so many seconds a scheduler that does not answer is not there, nor a worker of one that does."""

_ADDRESS = re.compile(r"(?:(?:tcp|tls|ws|wss|ucx)://)?[^/@?#\s]+:\d{1,5}")

_RETRIES = 2
"""So many times more a task is tried that fails."""

KILLED = "the workers that read it died (killed: out of memory?)"
_HINT = "install it: pip install 'iptviz[fleet]' (iptviz.pyz cannot contain it)"
_START = "start one with: dask scheduler, and on each machine: dask worker ADDRESS --nthreads 1"


def summarized_by(
    address: str, inputs: Sequence[Input], work: Work, *, progress: Progress = nobody
) -> Summary:
    """Return what inputs say together, read by the workers of the scheduler at an address, as `tcp://host:8786`.

    Raises:
        NotInstalledError: Dask is not installed.
        DumpError: the scheduler does not answer, has no worker, or workers of other versions.
    """
    with _quiet(), _client(address) as client:
        workers = _checked_workers(client, address)
        with _worded(address):
            return _Run(client, work, len(inputs), progress).summary(
                chunks_of([_seen_elsewhere(one) for one in inputs], workers)
            )


def _seen_elsewhere(one: Input) -> Input:
    """Return an input by a path that does not depend on the folder in which somebody works."""
    return one if IS_URL in one.place else one._replace(place=os.path.abspath(one.place))  # noqa: PTH100


# --- the scheduler ---------------------------------------------------------------------------------------------


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the library logs and warns of from the terminal: what matters is said in a line of ours."""
    loggers = [logging.getLogger(name) for name in ("distributed", "tornado", "asyncio", "bokeh")]
    before = [(one.level, one.propagate) for one in loggers]
    for one in loggers:
        one.setLevel(logging.CRITICAL + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, (level, propagate) in zip(loggers, before, strict=True):
            one.setLevel(level)
            one.propagate = propagate


@contextmanager
def _client(address: str) -> Iterator[Any]:
    try:
        from distributed import Client
    except ImportError:
        raise NotInstalledError("--scheduler needs Dask, which is not installed", hint=_HINT) from None
    if not _ADDRESS.fullmatch(address):
        raise DumpError(
            f"invalid scheduler address {quoted(shown(address))}", hint="write it like tcp://host:8786"
        )
    try:
        _in_time(_identity(address))
        client = Client(address, timeout=_PATIENCE, set_as_default=False)
    except Exception as error:  # what is no scheduler may say anything, and so fails in any way
        why = f" ({shown(str(error))})" if isinstance(error, ValueError) else ""
        raise DumpError(
            f"no Dask scheduler answers within {_PATIENCE} seconds{why}", where=shown(address), hint=_START
        ) from None
    try:
        yield client
    finally:
        with suppress(Exception):  # the answer is there, or another error
            client.close(timeout=2)


async def _identity(address: str) -> Any:
    """Ask what is at an address who it is: a client would wait without end for what says nothing, or not stop."""
    from distributed.core import connect

    comm = await connect(address, timeout=_PATIENCE)
    try:
        await comm.write({"op": "identity", "reply": True})
        return await comm.read()
    finally:
        comm.abort()


def _in_time(asked: Coroutine[Any, Any, Any]) -> Any:
    """Return an answer, where it comes in time, in a thread of its own: this one may have a loop already.

    Raises:
        TimeoutError: it does not come.
    """
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, asyncio.wait_for(asked, _PATIENCE)).result()


def _checked_workers(client: Any, address: str) -> int:
    """Return how many workers there are, all of which have what they need.

    Raises:
        DumpError: there is none, or one lacks iptviz or has another version of it or of Python.
    """
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
        said = client.run(_versions, on_error="return")
    except (OSError, TimeoutError):
        raise DumpError("the Dask scheduler has no workers", where=shown(address), hint=_START) from None
    ours = _versions()
    for worker, versions in said.items():
        if versions == ours:
            continue
        if isinstance(versions, tuple):
            has = ", ".join(f"{name} {theirs}" for name, theirs in zip(_NAMES, versions, strict=False))
            needs = ", ".join(f"{name} {own}" for name, own in zip(_NAMES, ours, strict=True))
            raise DumpError(
                f"Dask worker {worker} has {has}, this is {needs}",
                where=shown(address),
                hint="install the same versions on all machines",
            )
        raise DumpError(
            f"Dask worker {worker} cannot use iptviz: {versions}",
            where=shown(address),
            hint=f"install it there: pip install iptviz=={__version__}",
        )
    return max(len(said), 1)


_NAMES = ("iptviz", "Python")


def _versions() -> tuple[str, str]:
    """Return what must be the same on all machines: records are sent as the classes that they have here."""
    import sys

    return __version__, f"{sys.version_info.major}.{sys.version_info.minor}"


@contextmanager
def _worded(address: str) -> Iterator[None]:
    """Say in a line that the scheduler went away, or gave up."""
    from distributed import CancelledError, KilledWorker
    from distributed.comm.core import CommClosedError

    try:
        yield
    except (OSError, TimeoutError, CancelledError, CommClosedError, KilledWorker, _GoneError) as error:
        raise DumpError(
            f"the Dask scheduler stopped before the answer was there: {error or type(error).__name__}",
            where=shown(address),
            hint="see the logs of the scheduler and of its workers, and ask again",
        ) from None


class _GoneError(Exception):
    """Whoever should give an answer is gone."""


# --- the work --------------------------------------------------------------------------------------------------


def _arriving(inputs: Sequence[Input], work: Work) -> Summary:
    """Return what inputs say together, as other workers have it: one that could not would end the run."""
    return unpacked(packed(inputs, work))


class _Run:
    """A run on workers: what is made of chunks stays there until all of them are done, and then is merged.

    The scheduler blames all tasks of a worker that dies. So nothing is merged while something that kills workers
    may be read, and what is suspected is read alone.
    """

    def __init__(self, client: Any, work: Work, total: int, progress: Progress) -> None:
        self._client = client
        self._work = work
        self._total = total
        self._progress = progress
        self._done: dict[Chunk, Any] = {}

    def summary(self, chunks: Sequence[Chunk]) -> Summary:
        """Return the summary of all chunks."""
        tell(self._progress, 0, self._total)
        suspects = self._side_by_side(chunks)
        for chunk in (each for some in suspects for each in some.one_by_one()):
            self._settle()
            if self._side_by_side([chunk]):
                self._take(chunk, self._unreadable(chunk, KILLED))
        self._settle()
        found = Neighbours[Any](lambda one, other: self._merged([one, other]))
        for chunk, future in self._done.items():
            found.add(chunk.first, chunk.last, future)
        (whole,) = self._completed([self._merged(list(found))])
        summary: Summary = whole.result()
        return summary

    def _side_by_side(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """Have chunks read, and return those that cost more workers than the scheduler allows.

        Where a worker says nothing of a chunk for another reason, each of its inputs is read anew.
        """
        from distributed import KilledWorker

        in_work = {self._submit(chunk): chunk for chunk in chunks}
        lost: list[Chunk] = []
        failed: list[Chunk] = []
        for future in self._completed(in_work):
            chunk, error = in_work[future], future.exception()
            if isinstance(error, KilledWorker):
                lost.append(chunk)
            elif error is not None and len(chunk.inputs) > 1:
                failed += chunk.one_by_one()
            elif error is not None:
                reason = f"a Dask worker failed: {type(error).__name__}: {error}"
                self._take(chunk, self._unreadable(chunk, reason))
            else:
                self._take(chunk, future)
        lost += self._side_by_side(failed) if failed else []
        return sorted(lost, key=lambda chunk: chunk.first)

    def _settle(self) -> None:
        """Have made again what was done, and lost with a worker; it is to blame for nothing."""
        for _ in range(_RETRIES):
            chunks = {future: chunk for chunk, future in self._done.items()}
            again = [chunks[future] for future in self._completed(chunks) if future.status == "error"]
            if not again:
                return
            self._done |= {chunk: self._submit(chunk) for chunk in again}

    def _completed(self, futures: Iterable[Any]) -> Iterator[Any]:
        """Yield each future that has a result or an error, as soon as it has.

        Raises:
            DumpError: for a while there has been no worker any more.
        """
        from distributed import as_completed

        left = dict.fromkeys(futures)
        alone = False
        while left:
            with suppress(TimeoutError):
                for future in as_completed(list(left), loop=self._client.loop, timeout=_PATIENCE):
                    del left[future]
                    if future.cancelled():
                        raise _GoneError("lost the connection")
                    yield future
                continue
            was_alone, alone = alone, not self._client.ncores()
            if alone and was_alone:
                raise _GoneError("all workers are gone")

    def _unreadable(self, chunk: Chunk, reason: str) -> Any:
        return self._client.submit(unreadable, chunk.inputs, reason, pure=False)

    def _submit(self, chunk: Chunk) -> Any:
        return self._client.submit(
            _arriving,
            list(chunk.inputs),
            self._work,
            pure=False,
            retries=_RETRIES,
            priority=-chunk.first,
        )

    def _merged(self, futures: list[Any]) -> Any:
        return self._client.submit(merged, futures, pure=False, retries=_RETRIES)

    def _take(self, chunk: Chunk, future: Any) -> None:
        self._done[chunk] = future
        tell(self._progress, sum(len(one.inputs) for one in self._done), self._total)
