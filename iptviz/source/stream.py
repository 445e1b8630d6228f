"""Bytes that are drawn when they are asked for, and that may end before they should."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from iptviz.records import NamedTuple
from iptviz.source.head import BLANK, is_blank

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 1 << 16

MEND = "copy or create the file again: only the part before the damage can be read"


class DamageError(Exception):
    """What is packed cannot be read, or not further; never leaves `iptviz.source.unpack`.

    `what` completes "FILE: ..."; `hint` is what to do about it.
    """

    def __init__(self, what: str, hint: str = MEND) -> None:
        self.what = what
        self.hint = hint
        super().__init__(what)


class Reader:
    """A file to be read once, from its beginning to its end, that shows what comes next.

    `chunks` makes its bytes; where it raises DamageError the file ends, and `damage` says why.
    `under` is the reader that `chunks` draws upon: its damage is this one's too.
    `file` is the open file that this reader shows unchanged from its beginning, if it can seek.
    """

    def __init__(
        self, chunks: Iterator[bytes], *, under: Reader | None = None, file: BinaryIO | None = None
    ) -> None:
        self.file = file
        self._chunks = chunks
        self._under = under
        self._held = bytearray()
        self._damage: DamageError | None = None

    @property
    def damage(self) -> DamageError | None:
        """Why the file ended before its end; None as long as nothing is wrong."""
        return self._damage or (self._under.damage if self._under else None)

    def peek(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end, and leave them to be read."""
        self._hold(size)
        return bytes(self._held[:size])

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes, fewer at the end."""
        data = self.peek(size)
        del self._held[:size]
        return data

    def unread(self, data: bytes) -> None:
        """Put back `data`, which was read last."""
        self._held[:0] = data

    def skip(self, size: int) -> int:
        """Read `size` bytes and forget them; return how many there were."""
        left = size
        while left > 0 and (data := self.read(min(left, CHUNK))):
            left -= len(data)
        return size - left

    def chunks(self) -> Iterator[bytes]:
        """Read to the end, piece by piece."""
        while data := self.read(CHUNK):
            yield data

    def whole(self) -> bytes:
        """Read to the end; of a file of nothing but zeros, the first are enough."""
        import io

        kept = io.BytesIO()  # hands out its buffer without the copy that joining pieces would need
        begun = False
        for data in self.chunks():
            begun = begun or not is_blank(data)
            if begun:
                kept.write(data)
            else:
                kept.seek(len(data), io.SEEK_CUR)  # takes no memory until something follows
        return kept.getvalue() if begun else bytes(min(kept.tell(), BLANK))

    def _hold(self, size: int) -> None:
        """Draw until `size` bytes are held, or there are no more."""
        while len(self._held) < size:
            try:
                data = next(self._chunks, None)
            except DamageError as damage:
                self._damage, data = damage, None
            if data is None:
                self._chunks = iter(())
                return
            self._held += data


class ArchivedFile(NamedTuple):
    """A regular file in an archive, to be read before the next entry is asked for.

    `name` is as the archive has it; `modified` is in seconds since the epoch, None where it is not said.
    `grows` tells that it may hold more bytes than the archive, by compression or by holes.
    """

    name: str
    modified: float | None
    reader: Reader
    grows: bool
