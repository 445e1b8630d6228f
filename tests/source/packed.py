"""Small compressed files and bundles, and what is read from them."""

from __future__ import annotations

import bz2
import functools
import gzip
import io
import lzma
import tarfile
import zipfile
from typing import TYPE_CHECKING, NamedTuple

import pytest

from iptviz.errors import DumpError
from iptviz.source.unpack import Member, unpack

if TYPE_CHECKING:
    from collections.abc import Callable

DUMP = b"*nat\n" + b"".join(b"-A KUBE-SERVICES -d 10.96.%d.%d/32 -j A\n" % divmod(i, 256) for i in range(900))
OTHER = b"nothing of interest\n" * 50
TIME = 1_700_000_000

ENDS_EARLY = "the compressed data ends too early: the end of this file is missing"


class Outcome(NamedTuple):
    members: list[Member]
    error: DumpError | None

    @property
    def paths(self) -> list[str]:
        return [member.path for member in self.members]

    @property
    def said(self) -> str:
        return str(self.error)


def wanted(_path: str, data: bytes) -> bool:
    return data.startswith(b"*")


def read(data: bytes, *, limit: int = 1 << 30, file: type[io.BytesIO] = io.BytesIO) -> Outcome:
    """Collect what is yielded, and the error that comes after it."""
    members: list[Member] = []
    try:
        members.extend(unpack(file(data), "a.bin", limit, wanted))
    except DumpError as error:
        return Outcome(members, error)
    return Outcome(members, None)


def sound(data: bytes, *, file: type[io.BytesIO] = io.BytesIO) -> list[Member]:
    """What is yielded where nothing is wrong."""
    members, error = read(data, file=file)
    assert error is None
    assert not any(member.damage for member in members)
    return members


def zstd(data: bytes) -> bytes:
    library = pytest.importorskip("zstandard")
    return bytes(library.ZstdCompressor().compress(data))


def info(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.type, made.linkname, made.mtime = size, kind, link, TIME
    return made


def tar(*files: tuple[str, bytes], form: int = tarfile.GNU_FORMAT) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=form) as archive:
        for name, data in files:
            archive.addfile(info(name, len(data)), io.BytesIO(data))
    return made.getvalue()


def zipped(
    *files: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED, to: type[io.BytesIO] = io.BytesIO
) -> bytes:
    made = to()
    with zipfile.ZipFile(made, "w", method) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name, (2023, 11, 14, 22, 13, 20)), data, method)
    return made.getvalue()


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A tar header that may say anything of its size."""
    return info(name, size, kind).tobuf(tarfile.GNU_FORMAT)


def block(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


END = bytes(1024)

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": functools.partial(gzip.compress, mtime=0),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd,
}
ARCHIVES: dict[str, Callable[..., bytes]] = {
    "ustar": functools.partial(tar, form=tarfile.USTAR_FORMAT),
    "gnu": functools.partial(tar, form=tarfile.GNU_FORMAT),
    "pax": functools.partial(tar, form=tarfile.PAX_FORMAT),
    "stored": functools.partial(zipped, method=zipfile.ZIP_STORED),
    "deflated": functools.partial(zipped, method=zipfile.ZIP_DEFLATED),
    "bzip2": functools.partial(zipped, method=zipfile.ZIP_BZIP2),
    "lzma": functools.partial(zipped, method=zipfile.ZIP_LZMA),
}
every_compressor = pytest.mark.parametrize("compress", COMPRESSORS.values(), ids=COMPRESSORS)
every_archive = pytest.mark.parametrize("archive", ARCHIVES.values(), ids=ARCHIVES)


def sparse(real: int) -> bytes:
    """A tar whose one file is a hole of `real` bytes."""
    pax = b"".join(
        b"%d %s\n" % (len(record) + 4, record)
        for record in (b"GNU.sparse.map=0,0", b"GNU.sparse.name=hole", b"GNU.sparse.size=%014d" % real)
    )
    return header("p", len(pax), tarfile.XHDTYPE) + block(pax) + header("x", 0) + END


class OneWay(io.BytesIO):
    """Makes zipfile write the sizes after the data."""

    def seek(self, *_: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError
