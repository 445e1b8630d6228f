"""Inputs as a summary: the same function in this process, in one of its own, and on another machine."""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from importlib import import_module
from pickle import dumps, loads
from traceback import format_exc
from typing import TYPE_CHECKING, cast

from iptviz.errors import IptvizError
from iptviz.fleets.inputs import IS_URL, relabelled, unreadable
from iptviz.fleets.neighbours import Neighbours
from iptviz.fleets.summary import Summary, merged
from iptviz.grammar.segments import forget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from iptviz.fleets.inputs import Input, Work


def packed(inputs: Sequence[Input], work: Work) -> bytes:
    """Return what inputs say together, as another process can have it; of one of which it cannot, why."""
    try:
        return dumps(summary_of_inputs(inputs, work))
    except Exception as error:
        if os.environ.get("IPTVIZ_DEBUG"):
            raise RuntimeError(format_exc()) from None  # not every error arrives elsewhere as what it is
        if len(inputs) > 1:
            return dumps(merged(unpacked(packed([one], work)) for one in inputs))
        return dumps(unreadable(inputs, mistaken(error)))


def unpacked(sent: bytes) -> Summary:
    """Return the summary that a process of this run packed."""
    return cast("Summary", loads(sent))  # noqa: S301


def summary_of_inputs(inputs: Iterable[Input], work: Work) -> Summary:
    """Return what inputs say together; of one that cannot be read, why."""
    found = Neighbours[Summary](lambda one, other: merged((one, other)))
    for place, one in enumerate(inputs):
        found.add(place, place + 1, summary_of_input(one, work))
    return merged(found)


def summary_of_input(one: Input, work: Work) -> Summary:
    """Return what an input says, from the cache where it is known there.

    Whatever goes wrong with one costs nobody else anything, be it a mistake of this program.
    """
    try:
        with _here(one, work) as path, _leaving_nothing():
            return relabelled(_summary_at(path, work), path, one.label)
    except IptvizError as error:
        return unreadable([one], error.what)
    except OSError as error:
        return unreadable([one], f"cannot be read: {(error.strerror or str(error)).lower()}")
    except (Exception, SystemExit) as error:
        if os.environ.get("IPTVIZ_DEBUG") and not isinstance(error, MemoryError):
            raise
        return unreadable([one], mistaken(error))


def mistaken(error: BaseException) -> str:
    """Return why an input tells nothing that may be as it should."""
    if isinstance(error, MemoryError):
        return "not enough memory for this dump"
    return f"internal error, a bug in iptviz: {type(error).__name__}: {error}"


def _summary_at(path: str, work: Work) -> Summary:
    read = _reader(work.reader)
    if not work.cache:
        return read(path, path, max_size=work.max_size)
    from iptviz.fleets.cache import kept_or_made

    return kept_or_made(work.cache, path, lambda: read(path, path, max_size=work.max_size))


def _reader(place: str) -> Callable[..., Summary]:
    module, _, name = place.partition(":")
    return cast("Callable[..., Summary]", getattr(import_module(module), name))


def _here(one: Input, work: Work) -> AbstractContextManager[str]:
    """Lend a path at which an input can be read: what is elsewhere is fetched for as long."""
    if IS_URL not in one.place:
        return _itself(one.place)
    from iptviz.fleets.remote import fetched

    return fetched(one.place, work.max_size)


@contextmanager
def _itself(path: str) -> Iterator[str]:
    yield path


@contextmanager
def _leaving_nothing() -> Iterator[None]:
    """Look for garbage once, when a dump is read and gone: meanwhile it would be looked through again and again.

    A dump is a few megabytes of cycles. Without looking, as the program itself does, those of all would stay, as
    would words of its rules. All of them are young: what was there before is not looked at.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        forget()
        gc.collect(0)
        if was_enabled:
            gc.enable()


def size_here(one: Input) -> int | None:
    """Return how many bytes an input has, None where that takes longer to find out than it is worth."""
    try:
        return os.path.getsize(one.place) if os.path.isfile(one.place) else None  # noqa: PTH113, PTH202
    except OSError:
        return None
