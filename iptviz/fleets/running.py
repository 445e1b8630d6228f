"""Inputs to one summary on one machine: in this process, or in several where that is worth their start.

Workers are children of a small server of Python's own, not of this process: that may have threads, of a progress
bar or of libraries that read URLs, whose locks a fork would copy as they are. What a worker makes of some
neighbours is one summary, and only that travels.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from iptviz.fleets.inputs import unreadable
from iptviz.fleets.neighbours import Neighbours
from iptviz.fleets.reading import mistaken, packed, size_here, summary_of_inputs, unpacked
from iptviz.fleets.summary import Summary, merged
from iptviz.progress import nobody
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from concurrent.futures import Future, ProcessPoolExecutor

    from iptviz.fleets.inputs import Input, Work
    from iptviz.progress import Progress

_FEW_INPUTS = 3
_FEW_BYTES = 4 << 20
"""So little is read sooner than other processes start."""

_CHUNKS = 6
"""So many chunks each worker gets, as far as none is too large: so none waits long for the last one."""

_LARGEST_CHUNK = 16
"""So many inputs a chunk has at most, for a bar that moves."""

_PATIENCE = 1.0
"""After so many seconds without an answer it is looked whether a worker died."""

DIED = "the process that read it died (killed: out of memory?)"


class Chunk(NamedTuple):
    """Neighbouring inputs, and the place of the first one among all."""

    first: int
    inputs: tuple[Input, ...]

    @property
    def last(self) -> int:
        """The place behind the last one."""
        return self.first + len(self.inputs)

    def one_by_one(self) -> list[Chunk]:
        """Return each of its inputs alone."""
        return [Chunk(self.first + place, (one,)) for place, one in enumerate(self.inputs)]


def chunks_of(inputs: Sequence[Input], workers: int) -> list[Chunk]:
    """Return inputs in chunks for so many workers."""
    size = min(max(len(inputs) // (workers * _CHUNKS), 1), _LARGEST_CHUNK)
    return [Chunk(at, tuple(inputs[at : at + size])) for at in range(0, len(inputs), size)]


def summarized(
    inputs: Sequence[Input], work: Work, *, jobs: int | None = None, progress: Progress = nobody
) -> Summary:
    """Return what inputs say together, read by so many processes; None: by as many as there are processors.

    An input that kills the process that reads it, and another one that reads it alone, is unreadable, and so is
    one whose summary cannot be sent.
    """
    workers = min(jobs or _processors(), len(inputs))
    if workers <= 1 or (jobs is None and _is_little(inputs)):
        return _in_this_process(inputs, work, progress)
    run = _Run(work, workers, len(inputs), progress)
    try:
        return run.summary(chunks_of(inputs, workers))
    except BaseException:
        run.kill()
        raise
    finally:
        run.end()


def _processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _is_little(inputs: Sequence[Input]) -> bool:
    if len(inputs) <= _FEW_INPUTS:
        return True
    sizes = [size_here(one) for one in inputs]
    return None not in sizes and sum(size or 0 for size in sizes) < _FEW_BYTES


def _in_this_process(inputs: Sequence[Input], work: Work, progress: Progress) -> Summary:
    found = neighbours()
    for place, one in enumerate(inputs):
        tell(progress, place, len(inputs))
        found.add(place, place + 1, summary_of_inputs([one], work))
    return merged(found)


def neighbours() -> Neighbours[Summary]:
    """Return a place for summaries that come in any order."""
    return Neighbours(lambda one, other: merged((one, other)))


def tell(progress: Progress, done: int, total: int) -> None:
    """Tell how many inputs of all are read."""
    progress(f"reading: {done:,} of {total:,} done", done / total)


class _Run:
    """A run of several processes: chunks are in work, no more than are needed to keep all of them busy."""

    def __init__(self, work: Work, workers: int, total: int, progress: Progress) -> None:
        self._work = work
        self._workers = workers
        self._total = total
        self._progress = progress
        self._found = neighbours()
        self._done = 0
        self._pool: ProcessPoolExecutor | None = None

    def summary(self, chunks: Sequence[Chunk]) -> Summary:
        """Return the summary of all chunks."""
        waiting = deque(chunks)
        while waiting:
            for chunk in self._side_by_side(waiting):
                self._alone(chunk)
        return merged(self._found)

    def _side_by_side(self, waiting: deque[Chunk]) -> list[Chunk]:
        """Have chunks read until none waits; where a worker dies, return those that it may have died of."""
        from concurrent.futures.process import BrokenProcessPool

        in_work: dict[Future[bytes], Chunk] = {}
        tell(self._progress, self._done, self._total)
        try:
            while waiting or in_work:
                while waiting and len(in_work) <= self._workers:  # one waits for whoever is ready first
                    chunk = waiting[0]
                    in_work[self._submit(chunk)] = chunk
                    waiting.popleft()
                for future in self._done_of(in_work):
                    waiting += self._arrived(in_work[future], future)
                    del in_work[future]
        except BrokenProcessPool:
            self.end()
            return self._unfinished(in_work)
        return []

    def _done_of(self, futures: Collection[Future[bytes]]) -> Collection[Future[bytes]]:
        """Return those that are done, as soon as one is, be it since its worker died.

        Of who dies while it sends, Python would wait for the rest, as long as anybody could send that.
        """
        from concurrent.futures import FIRST_COMPLETED, wait
        from multiprocessing.connection import wait as ended

        while not (done := wait(futures, _PATIENCE, FIRST_COMPLETED).done):
            if ended([process.sentinel for process in self._processes()], 0):
                self.kill()
        return done

    def _arrived(self, chunk: Chunk, future: Future[bytes]) -> list[Chunk]:
        """Take what was sent of a chunk; where that is nothing, return each of its inputs, to be tried again."""
        from concurrent.futures.process import BrokenProcessPool

        try:
            summary = unpacked(future.result())
        except BrokenProcessPool:
            raise
        except Exception as error:
            if os.environ.get("IPTVIZ_DEBUG"):
                raise
            if len(chunk.inputs) > 1:
                return chunk.one_by_one()
            summary = unreadable(chunk.inputs, mistaken(error))
        self._take(chunk, summary)
        return []

    def _unfinished(self, in_work: dict[Future[bytes], Chunk]) -> list[Chunk]:
        """Return each input alone of the chunks that were lost; some may have been done in the last moment."""
        lost: list[Chunk] = []
        for future, chunk in in_work.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                lost += self._arrived(chunk, future)
            else:
                lost += chunk.one_by_one()
        return lost

    def _alone(self, chunk: Chunk) -> None:
        """Have an input read with nothing beside it: if the process dies, it is because of that."""
        from concurrent.futures.process import BrokenProcessPool

        try:
            for future in self._done_of([self._submit(chunk)]):
                self._arrived(chunk, future)
        except BrokenProcessPool:
            self.end()
            self._take(chunk, unreadable(chunk.inputs, DIED))

    def _take(self, chunk: Chunk, summary: Summary) -> None:
        self._found.add(chunk.first, chunk.last, summary)
        self._done += len(chunk.inputs)
        tell(self._progress, self._done, self._total)

    def _submit(self, chunk: Chunk) -> Future[bytes]:
        if self._pool is None:
            self._pool = _pool(self._workers, self._work.reader)
        with _without_main():
            return self._pool.submit(packed, chunk.inputs, self._work)

    def kill(self) -> None:
        """End the workers at once, whatever they do; nobody waits for the rest of what one was sending."""
        for process in self._processes():
            with suppress(OSError):
                process.kill()
        pool: Any = self._pool
        with suppress(AttributeError):  # there is none, or Python's own parts have other names
            pool._result_queue._writer.close()

    def _processes(self) -> list[Any]:
        return list((getattr(self._pool, "_processes", None) or {}).values())

    def end(self) -> None:
        """End the workers that there are; the next chunk gets new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int, reader: str) -> ProcessPoolExecutor:
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_all_start_methods, get_context

    methods = get_all_start_methods()
    context: Any = get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload([__name__, reader.partition(":")[0], "iptviz.fleets.cache"])
    return ProcessPoolExecutor(workers, context, _begin)


@contextmanager
def _without_main() -> Iterator[None]:
    """Let a process start without the program that started this one.

    Python would run it anew in each worker, to find functions that may stand there: ours stand here. A script
    that asks without `if __name__ == "__main__"` would ask once more in each of them.
    """
    from types import ModuleType

    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _begin() -> None:
    """Make a worker that ends with the process that asked, and leaves Ctrl-C to that."""
    import gc
    import signal
    from threading import Thread

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()
    gc.freeze()  # what is loaded is no garbage


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
