"""The decompressors of the standard library and of zstandard, behind one interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from iptviz.source.stream import DamageError

if TYPE_CHECKING:
    from types import ModuleType

# An xz file says how much memory its reader needs; xz -9 needs 65 MiB.
_MEMORY = 1 << 30


class Decoder(Protocol):
    """The interface that the decompressors of the standard library share, but for zlib's."""

    @property
    def eof(self) -> bool:
        """Whether the compressed data is complete."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing can be made without more input."""

    @property
    def unused_data(self) -> bytes:
        """What was given after the end of the compressed data."""

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        """Take all of `data`; return at most `max_length` bytes."""


class _Inflate:
    """zlib's decompressor of bare deflate data, as a `Decoder`."""

    def __init__(self) -> None:
        import zlib

        self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
        self._filled = False

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not (self._filled or self._zlib.unconsumed_tail)

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        out = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        self._filled = len(out) == max_length  # more may wait inside
        return out


class _Zstandard:
    """The decompressor of the library zstandard, as a `Decoder` that knows no `max_length`.

    What it makes of a piece is bounded by the piece: four bytes can be a block of 128 KiB.
    """

    needs_input = True

    def __init__(self, library: ModuleType) -> None:
        self._zstd = library.ZstdDecompressor(max_window_size=_MEMORY).decompressobj()

    @property
    def eof(self) -> bool:
        return bool(self._zstd.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self._zstd.unused_data)

    def decompress(self, data: bytes, _max_length: int, /) -> bytes:
        return bytes(self._zstd.decompress(data))


def new_deflate() -> Decoder:
    """Return what decompresses bare deflate data."""
    return _Inflate()


def new_bzip2() -> Decoder:
    """Return what decompresses one bzip2 stream."""
    import bz2

    return bz2.BZ2Decompressor()


def new_xz() -> Decoder:
    """Return what decompresses one xz stream."""
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MEMORY)


def new_lzma() -> Decoder:
    """Return what decompresses a file of the format that was before xz."""
    import lzma

    return lzma.LZMADecompressor(lzma.FORMAT_ALONE, memlimit=_MEMORY)


def _of_python(library: ModuleType) -> Decoder:
    decoder: Decoder = library.ZstdDecompressor()
    return decoder


# Library -> what makes a decoder with it. The first is part of Python since 3.14.
_ZSTD = {"compression.zstd": _of_python, "zstandard": _Zstandard}


def new_zstd() -> Decoder:
    """Return what decompresses one zstd frame.

    Raises:
        DamageError: no library for that is installed.
    """
    from importlib import import_module

    for library, make in _ZSTD.items():
        try:
            return make(import_module(library))
        except ImportError:
            continue
    raise DamageError(
        "compressed with zstd, and no zstd library is installed",
        "pip install 'iptviz[zst]', or: zstd -dc FILE | iptviz ... -",
    )
