"""Decompression of gzip, bzip2, xz and zstd, in pieces of bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.source.decoders import Decoder, new_bzip2, new_deflate, new_lzma, new_xz, new_zstd
from iptviz.source.head import BZIP2, GZIP, XZ, ZSTD
from iptviz.source.stream import CHUNK, DamageError, Reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CUT = "the compressed data ends too early: the end of this file is missing"
BROKEN = "the compressed data is damaged: the end of this file is missing"
WRONG_SUM = "the checksum does not match: this file is not what was packed"
NO_SUM = "the compressed data ends before its checksum: more may be missing"
TRAILING = "something else follows the compressed data: it is left out"
NO_MEMORY = "needs too much memory to decompress"

# A decoder that meets damage keeps to itself what it made of the piece at hand: pieces are small at the
# beginning, which loses little of a short file, and grow with what was read, which is fast.
_SMALL, _LARGE = 16, 1 << 10


def _lzma_of_zip(source: Reader) -> Iterator[bytes]:
    """Decompress what zip calls LZMA: the format of .lzma files but for its header."""
    head = source.read(9)  # version (2 bytes), size of the properties (2), properties (5)
    if len(head) < 9:
        raise DamageError(CUT)
    source.unread(head[4:] + b"\xff" * 8)  # a size that is not known: an end mark follows, or the end
    yield from _pump(source, new_lzma(), must_end=False)


def _pump(source: Reader, decoder: Decoder, *, must_end: bool = True) -> Iterator[bytes]:
    """Yield what `decoder` makes of `source`; what it leaves over can be read from `source` again.

    Raises:
        DamageError: the data is wrong, or ends where `must_end` forbids it.
    """
    fed = 0
    while not decoder.eof:
        piece = b""
        if decoder.needs_input:
            piece = source.read(min(max(_SMALL, fed >> 6), _LARGE))
            if not piece and not must_end:
                return
            if not piece:
                raise DamageError(CUT)
        fed += len(piece)
        yield _decoded(decoder, piece)
    source.unread(decoder.unused_data)


def _decoded(decoder: Decoder, piece: bytes) -> bytes:
    try:
        return decoder.decompress(piece, CHUNK)
    except MemoryError:
        raise DamageError(NO_MEMORY) from None
    except Exception as error:  # each library has its own kinds, and some raise others besides
        limit = "Memory usage limit" in str(error)
        raise DamageError(NO_MEMORY if limit else BROKEN) from None


def _gunzip(source: Reader) -> Iterator[bytes]:
    """Decompress one gzip member; by hand, as zlib keeps the last bytes if the checksum is wrong."""
    import zlib

    _skip_gzip_header(source)
    checksum = size = 0
    for data in _pump(source, new_deflate()):
        checksum = zlib.crc32(data, checksum)
        size += len(data)
        yield data
    trailer = source.read(8)
    if len(trailer) < 8:
        raise DamageError(NO_SUM)
    if trailer != checksum.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little"):
        raise DamageError(WRONG_SUM)


def _skip_gzip_header(source: Reader) -> None:
    """Skip magic, method, flags, time, two bytes more, and the optional fields (RFC 1952, 2.3)."""
    head = source.read(10)
    if len(head) < 10:
        raise DamageError(CUT)
    if head[2] != 8:
        raise DamageError(BROKEN)
    flags = head[3]
    if flags & 4:
        source.skip(int.from_bytes(source.read(2), "little"))
    for flag in (8, 16):  # the original file's name, and a comment
        while flags & flag and source.read(1) not in (b"\0", b""):
            pass
    if flags & 2:
        source.skip(2)


def _each(make: Callable[[], Decoder]) -> Callable[[Reader], Iterator[bytes]]:
    """Return what decompresses one stream by a new decoder."""
    return lambda source: _pump(source, make())


# The first bytes of a compressed stream -> what decompresses one such stream.
STREAMS: dict[bytes, Callable[[Reader], Iterator[bytes]]] = {
    GZIP: _gunzip,
    BZIP2: _each(new_bzip2),
    XZ: _each(new_xz),
    ZSTD: _each(new_zstd),
}

# What else may follow a stream: frames of zstd that its readers skip (RFC 8878, 3.1.2).
_MAY_FOLLOW = {ZSTD: tuple(bytes((first,)) + b"\x2a\x4d\x18" for first in range(0x50, 0x60))}

# Number in a zip archive -> what decompresses a member that is packed so.
ZIP_METHODS: dict[int, Callable[[Reader], Iterator[bytes]]] = {
    0: Reader.chunks,
    8: _each(new_deflate),
    12: _each(new_bzip2),
    14: _lzma_of_zip,
    93: _each(new_zstd),
}


def inflate(magic: bytes, source: Reader) -> Iterator[bytes]:
    """Decompress all streams that follow one another in `source`, and skip the zeros that pad them.

    Raises:
        DamageError: the data is wrong or ends too early; what comes before is yielded.
    """
    next_one = (magic, *_MAY_FOLLOW.get(magic, ()))
    more = True
    while more:
        yield from STREAMS[magic](source)
        _skip_zeros(source)
        more = source.peek(len(magic)).startswith(next_one)
    if source.peek(1):
        raise DamageError(TRAILING)


def _skip_zeros(source: Reader) -> None:
    while (ahead := source.peek(CHUNK)).startswith(b"\0"):
        source.skip(len(ahead) - len(ahead.lstrip(b"\0")))


def gzip_time(head: bytes) -> float | None:
    """Return the time of the original file that the first bytes of a gzip file tell; None for others."""
    seconds = int.from_bytes(head[4:8], "little")
    return float(seconds) if seconds and head.startswith(GZIP) else None
