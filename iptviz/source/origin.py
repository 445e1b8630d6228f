"""Where text comes from: a path, a path into a bundle, standard input, bytes or an open binary file."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING, BinaryIO

from iptviz.errors import DumpError, NothingError
from iptviz.progress import nobody
from iptviz.records import NamedTuple
from iptviz.source.head import BLANK, Headed, is_blank, is_packed
from iptviz.source.size import print_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.progress import Progress
    from iptviz.source.unpack import Member

    Wanted = Callable[[str, bytes], bool]

DumpLike = str | os.PathLike[str] | bytes | BinaryIO
DEFAULT_LIMIT = 2 << 30
"""How many bytes are read, or unpacked, unless somebody asks for more."""

_HOW_TO_SAVE = "capture a dump with: sudo iptables-save > FILE (on the node)"
_HEAD = 1024
_NUMBER = re.compile(r"#\d+$")
_PIECE = 1 << 27
_PIPED = 1 << 20
"""So many bytes are asked for at a time: of what comes through a pipe fewer, since that may be slow."""

_COMPARED = 1 << 20
"""So many characters of a text are compared at a time."""

_NAMED = 5
"""So many files are named of a bundle that holds nothing of a node."""

# What people hand over by mistake, by its first bytes (file(1)'s magic numbers).
_NO_DUMPS = {
    b"\x7fELF": "this is a program, not a dump",
    b"%PDF": "this is a PDF document, not a dump",
    b"\x89PNG": "this is a picture, not a dump",
    b"\xff\xd8\xff": "this is a picture, not a dump",
    b"\xd4\xc3\xb2\xa1": "this is a packet capture, not a dump",
    b"\n\r\r\n": "this is a packet capture, not a dump",
}


class Source:
    """Text, and how messages call it; `inside` is its path in a bundle or a folder, or empty.

    `modified` is in seconds since the epoch, where a bundle or a compressed file says so; `damage` says why the
    text is not whole.
    """

    __slots__ = ("_kept", "damage", "inside", "modified", "name")

    def __init__(
        self, name: str, inside: str, data: bytes, modified: float | None = None, damage: str = ""
    ) -> None:
        self.name = name
        self.inside = inside
        self.modified = modified
        self.damage = damage
        self._kept: bytes | str = data

    @property
    def data(self) -> bytes:
        """The bytes as they were handed over; made each time where `keep_as` took them away."""
        kept = self._kept
        return kept if isinstance(kept, bytes) else _as_bytes(kept)

    def keep_as(self, text: str) -> None:
        """Keep a text that somebody keeps anyway in place of the bytes, where it says the same: both are much."""
        if isinstance(self._kept, bytes) and _says(text, self._kept):
            self._kept = text

    def with_data(self, data: bytes) -> Source:
        """Return the same source with other bytes."""
        return Source(self.name, self.inside, data, self.modified, self.damage)

    @property
    def bundle(self) -> str:
        """What to call the bundle or folder that the text is in; without any, the text itself."""
        return self.name[: -len(self.inside) - 1] if self.inside else self.name

    @property
    def path(self) -> str:
        """Where the text stands, beginning with the last part of the bundle's name, which may tell the node."""
        return "/".join(filter(None, (self.bundle.rstrip("/").rpartition("/")[2], self.inside)))


def _as_bytes(text: str) -> bytes:
    """Return the bytes of a text in which surrogates stand for those that are not UTF-8."""
    return text.encode("utf-8", "surrogateescape")


def _says(text: str, data: bytes) -> bool:
    """Whether a text is what bytes say: looked at in pieces, as a copy of all would be one more."""
    at = 0
    for start in range(0, len(text), _COMPARED):
        piece = _as_bytes(text[start : start + _COMPARED])
        if not data.startswith(piece, at):
            return False
        at += len(piece)
    return at == len(data)


class FoundTexts(NamedTuple):
    """The texts of one origin; `problem` is what kept others from being read."""

    sources: list[Source]
    problem: DumpError | None


class _Asked:
    """Asks whether a file of a bundle is wanted, and remembers which there were: if none is, that is said."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self.count = 0
        self.first: list[str] = []

    def __call__(self, path: str, data: bytes) -> bool:
        self.count += 1
        if self.count <= _NAMED:
            self.first.append(path)
        return self._wanted(path, data)

    def __str__(self) -> str:
        names = ", ".join(self.first)
        return f"{names} and {self.count - _NAMED} more" if self.count > _NAMED else names


def read_sources(origin: DumpLike, limit: int, wanted: Wanted, progress: Progress = nobody) -> FoundTexts:
    """Return the text of `origin`, or of a bundle or folder those that are `wanted`; "-" is standard input.

    `wanted` is asked with the path of a text in the bundle, and the text. `BUNDLE:path/inside` names one of them,
    wanted or not. `progress` is told how much is read.

    Raises:
        DumpError: it cannot be opened or read, is empty, is larger than `limit` bytes, or is plainly not text.
    """
    asked = _Asked(wanted)
    if isinstance(origin, bytes):
        from io import BytesIO

        return _checked(_read(BytesIO(origin), "<bytes>", limit, asked, nobody), "<bytes>", asked)
    if not isinstance(origin, (str, os.PathLike)):
        name = str(getattr(origin, "name", "<stream>"))
        return _checked(_read(origin, name, limit, asked, progress), name, asked)
    path = os.fspath(origin)
    if path == "-":
        return _checked(_read(standard_input(), "<stdin>", limit, asked, progress), "<stdin>", asked)
    bundle, inside = split_path(path)
    if inside:
        found = _read_path(bundle, limit, lambda path, _: _is_called(path, inside), progress)
        return _pick(found, inside, bundle)
    return _checked(_read_path(bundle, limit, asked, progress), path, asked)


def standard_input() -> BinaryIO:
    """Return standard input: bytes, as text mode would turn undecodable ones into surrogates under some locales.

    Raises:
        DumpError: whoever started the program closed it.
    """
    if sys.stdin is None:
        raise DumpError("cannot be read: closed", where="<stdin>")
    return sys.stdin.buffer


def _read_path(path: str, limit: int, wanted: Wanted, progress: Progress) -> FoundTexts:
    if os.path.isdir(path):  # noqa: PTH112 - pathlib costs 3 ms at start-up
        from iptviz.source.unpack import unpack_folder

        return _gather(_members(unpack_folder(path, limit, wanted), path, "/"))
    with _open(path) as file:
        return _read(file, path, limit, wanted, progress)


def split_path(path: str) -> tuple[str, str]:
    """Split `BUNDLE:path/inside`, also of a folder; a file that has such a name itself goes before."""
    if ":" not in path or os.path.exists(path):  # noqa: PTH110 - pathlib costs 3 ms at start-up
        return path, ""
    heads = [path[:at] for at, char in enumerate(path) if char == ":"]
    kinds = (os.path.isfile, os.path.isdir)
    bundle = next((head for is_there in kinds for head in heads if is_there(head)), path)
    return bundle, path[len(bundle) + 1 :]


def _pick(found: FoundTexts, inside: str, bundle: str) -> FoundTexts:
    """Keep the text of that path, or of the one path that ends so."""
    exact = [source for source in found.sources if source.inside == inside]
    chosen = exact or [source for source in found.sources if source.inside.endswith(f"/{inside}")]
    if len(chosen) == 1:
        return FoundTexts(chosen, None)
    # What cannot be read may be the file that is meant.
    unread = f"; {found.problem.where}: {found.problem.what}" if found.problem else ""
    raise DumpError(
        f"contains {len(chosen)} files named {inside}" if chosen else f"no file named {inside} in it{unread}",
        where=bundle,
        hint=f"list its files: iptviz sources {bundle}",
    )


def _is_called(path: str, name: str) -> bool:
    """Whether a path ends so; a name may end with the number by which files of one path are told apart."""
    return any(path == called or path.endswith(f"/{called}") for called in {name, _NUMBER.sub("", name)})


def _open(path: str) -> BinaryIO:
    try:
        return open(path, "rb")  # noqa: PTH123 - the caller closes it
    except OSError as error:
        raise _failed(error, path) from None
    except ValueError as error:
        raise DumpError(f"invalid file name: {error}", where=repr(path)) from None


def _failed(error: OSError, where: str) -> DumpError:
    reason = (error.strerror or str(error)).lower()
    return DumpError(f"cannot be read: {reason}", where=where, hint=_hint(error))


def _hint(error: OSError) -> str:
    """Return what to do about an error of opening."""
    if isinstance(error, FileNotFoundError):
        return _HOW_TO_SAVE
    if isinstance(error, PermissionError):
        return "iptables-save run by root leaves files of root; try with sudo, or chmod a copy"
    return ""


def _read(file: BinaryIO, name: str, limit: int, wanted: Wanted, progress: Progress) -> FoundTexts:
    """Read `file`, unpacked where it is packed."""
    try:
        headed = Headed(file, _HEAD, progress)
        if is_packed(headed.head):
            from iptviz.source.unpack import unpack  # what a file that is not packed does not need

            members = unpack(headed, name, limit, wanted)  # type: ignore[arg-type]
            found = _gather(_members(members, name, ":"))
        else:
            found = FoundTexts([Source(name, "", read_plain(headed, name, limit))], None)
    except OSError as error:
        raise _failed(error, name) from None
    return found


def _checked(found: FoundTexts, name: str, asked: _Asked) -> FoundTexts:
    """Return what was found, if it is something, and text."""
    if not found.sources:
        raise found.problem or (NothingError if asked.count else DumpError)(
            f"no iptables rules found in its files: {asked}" if asked.count else "contains no files",
            where=name,
            hint=_HOW_TO_SAVE,
        )
    for source in found.sources:
        if not source.inside:
            _refuse_what_is_no_text(source, asked)
    return found


def read_plain(file: BinaryIO | Headed, name: str, limit: int) -> bytes:
    """Read a file that is not packed from where it stands; messages call it `name`.

    Raises:
        DumpError: it has more than `limit` bytes.
        OSError: it cannot be read.
    """
    parts: list[bytes] = []
    zeros, left = 0, limit + 1
    # By pieces, because memory for all that is allowed would be reserved at once.
    piece = _PIECE if file.seekable() else _PIPED
    while left > 0 and (part := file.read(min(left, piece))):
        left -= len(part)
        if parts or not is_blank(part):
            parts.append(part)
        else:
            zeros += len(part)
    if not left:
        raise DumpError(
            f"larger than {print_size(limit)}",
            where=name,
            hint="--max-size raises the limit, e.g. --max-size 8G",
        )
    if zeros:
        parts.insert(0, bytes(zeros if parts else min(zeros, BLANK)))
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _gather(members: Iterator[Source]) -> FoundTexts:
    """Gather what is wanted; an error ends the gathering, and what was found before it stays."""
    sources: list[Source] = []
    problem = None
    try:
        for source in members:
            sources.append(source)  # noqa: PERF402 - an error must not lose those before it
    except DumpError as error:
        problem = error
    return FoundTexts(sources, problem)


def _members(members: Iterator[Member], name: str, sign: str) -> Iterator[Source]:
    """Yield each text under its full name: `sign` stands between the bundle and the path in it."""
    for member in members:
        full = f"{name.rstrip('/') if sign == '/' else name}{sign}{member.path}" if member.path else name
        yield Source(full, member.path, member.data, member.modified, member.damage)


def _refuse_what_is_no_text(source: Source, asked: _Asked) -> None:
    """Raise DumpError for empty input and for known binary formats; an empty file may be wanted by its name."""
    if not source.data or source.data.isspace():
        if asked(source.path, source.data):
            return
        raise NothingError("file is empty", where=source.name, hint=_HOW_TO_SAVE)
    for magic, what in _NO_DUMPS.items():
        if source.data.startswith(magic):
            raise DumpError(what, where=source.name, hint=_HOW_TO_SAVE)
