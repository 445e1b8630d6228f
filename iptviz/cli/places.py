"""Where a command writes: never to a file that it reads, whatever that file is called.

Files are told apart by device and inode: links, and paths into a bundle, are what they lead to. Devices,
terminals and pipes may be read and written at once. Standard error is not looked at: a refusal is said there.
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from iptviz.errors import OutputError
from iptviz.output import is_standard
from iptviz.records import NamedTuple
from iptviz.redact.named import INPUTS, Named
from iptviz.source.origin import split_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TextIO

    from iptviz.cli.options import Options

Place = tuple[int, int]
"""What a regular file is, under all its names: its device and its inode."""


class _Input(NamedTuple):
    """What a message calls a file that is read, and the folder that was named for it, if one was."""

    said: str
    folder: str = ""


_ELSEWHERE = "use another file"


def check_places(options: Options, typed: Mapping[str, Any], named: Mapping[str, Named | None]) -> None:
    """Raise an error where a command would write to a file that it reads, before either is done.

    `typed` are its own arguments, `named` is what each argument names.

    Raises:
        OutputError: it would, or the map would have no file of its own.
    """
    _check_map(options.mapping, options.output)
    read = {place: found for place, found in _read({**typed, **options._asdict()}, named) if place}
    for name, kind in named.items():
        if kind is Named.WRITTEN and name in typed:
            _check_own(f"--{name.replace('_', '-')}", typed[name], options, read)
    if (place := _place_of(options.mapping)) in read:
        raise OutputError(f"--map {options.mapping} would overwrite {read[place].said}; {_ELSEWHERE}")
    if (place := _written(options.output)) in read:
        raise OutputError(_refusal(options.output, read[place]))


def _check_map(mapping: str | None, output: str | None) -> None:
    """Raise an error where the map has no file of its own."""
    if mapping in {"", "-"}:
        raise OutputError("--map needs a file name", hint="it keeps the redaction key: keep that file secret")
    if mapping and _is_same(mapping, output):
        what = "standard output are the same file" if is_standard(output) else "-o name the same file"
        raise OutputError(f"--map and {what}", where=mapping, hint="the map is secret; use another file")


def _check_own(flag: str, path: str | None, options: Options, read: Mapping[Place, _Input]) -> None:
    """Raise an error where what a command writes beside its answer would go where something else is."""
    if path is None:
        return
    if path in {"", "-"}:
        raise OutputError(f"{flag} needs a file name", hint="the answer goes to standard output")
    place = _place_of(path)
    if place and place in read:
        raise OutputError(f"{flag} {path} would overwrite {read[place].said}; {_ELSEWHERE}")
    for other, its in (("-o", options.output), ("--map", options.mapping)):
        if its and _is_same(path, its):
            raise OutputError(f"{flag} and {other} name the same file", where=path, hint=_ELSEWHERE)


def _is_same(mapping: str, output: str | None) -> bool:
    place = _place_of(mapping)
    if place is None and output:  # a file that is not there yet has a name alone
        return os.path.realpath(mapping) == os.path.realpath(output)
    return place is not None and place == _written(output)


def _read(
    typed: Mapping[str, Any], named: Mapping[str, Named | None]
) -> Iterator[tuple[Place | None, _Input]]:
    """Yield each file that is read, and what a message calls it."""
    for name, kind in named.items():
        for path in _paths(typed.get(name), kind) if kind in INPUTS else ():
            if path == "-":
                yield _place_at(sys.stdin), _Input("the file on standard input")
                continue
            bundle = split_path(path)[0]
            if os.path.isdir(bundle):  # noqa: PTH112 - pathlib costs 3 ms at start-up
                # All of them, though a path inside is of one: which one, only who opens the bundles in it knows.
                files = _files_below(bundle)
                yield from ((_place_of(file), _Input(f"the input {file}", bundle)) for file in files)
            else:
                yield _place_of(bundle), _Input(f"the input {path}")


def _files_below(folder: str) -> Iterator[str]:
    return (os.path.join(place, name) for place, _, names in os.walk(folder) for name in names)  # noqa: PTH118


def _paths(value: str | Sequence[str] | None, kind: Named | None) -> Sequence[str]:
    """Return the paths that an argument names; a dump that has no name is piped in."""
    paths = [value] if isinstance(value, str) else value
    return paths or (["-"] if kind in {Named.DUMP, Named.DUMPS} else [])


def _refusal(output: str | None, found: _Input) -> str:
    if not is_standard(output):
        return f"-o {output} would overwrite {found.said}; {_ELSEWHERE}"
    if found.folder:  # the shell may have made the file: nothing tells whether it was there before
        return f"standard output is a file in the input folder {found.folder}; write it elsewhere"
    if _is_emptied(sys.stdout):
        return (
            f"standard output is {found.said}, which the shell emptied before iptviz started; "
            "restore it and redirect to another file"
        )
    return f"standard output is {found.said}; nothing was written, redirect to another file"


def _is_emptied(stream: TextIO) -> bool:
    """Tell whether whoever opened a stream's file emptied it: `>` does, `>>` only finds it empty."""
    return os.fstat(stream.fileno()).st_size == 0 and not _appends(stream)


def _appends(stream: TextIO) -> bool:
    try:
        import fcntl
    except ImportError:  # not POSIX: nothing tells
        return False
    return bool(fcntl.fcntl(stream, fcntl.F_GETFL) & os.O_APPEND)


def _written(output: str | None) -> Place | None:
    """Return where the answer goes: None where that is no file yet."""
    return _place_at(sys.stdout) if is_standard(output) else _place_of(output)


def _place_of(path: str | None) -> Place | None:
    """Return what is at a path: None where that is no regular file."""
    with suppress(OSError, ValueError):  # not there, or no name of a file: who reads or writes it says so
        return _place(os.stat(path)) if path else None  # noqa: PTH116
    return None


def _place_at(stream: TextIO | None) -> Place | None:
    """Return what file a stream is at: None where that is closed, a pipe, or in memory."""
    with suppress(OSError, ValueError):
        return _place(os.fstat(stream.fileno())) if stream else None
    return None


def _place(found: os.stat_result) -> Place | None:
    return (found.st_dev, found.st_ino) if stat.S_ISREG(found.st_mode) else None
