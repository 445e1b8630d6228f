"""What is unpacked is bounded: the limit, bombs, and claims beyond reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import tracemalloc
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

from iptviz.source.unpack import Member
from tests.program import Piped, unmeasured
from tests.source.packed import DUMP, END, TIME, Outcome, block, header, read, sparse, tar, zipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def too_much(outcome: Outcome, limit: str, where: str = "a.bin") -> bool:
    hint = "--max-size raises the limit, e.g. --max-size 8G"
    return outcome.said == f"{where}: unpacks to more than {limit}\n  {hint}"


@pytest.mark.parametrize(
    ("packed", "size", "where"),
    [
        (DUMP, len(DUMP), "a.bin"),
        (gzip.compress(DUMP), len(DUMP), "a.bin"),
        (gzip.compress(gzip.compress(DUMP)), len(DUMP) + len(gzip.compress(DUMP)), "a.bin"),
        (tar(("x", DUMP)), len(tar(("x", DUMP))), "a.bin"),
        (gzip.compress(tar(("x", DUMP))), len(tar(("x", DUMP))), "a.bin"),
        (zipped(("x", DUMP), ("y", DUMP)), 2 * len(DUMP), "a.bin:y"),
    ],
    ids=["plain", "gz", "gz.gz", "tar", "tar.gz", "zip"],
)
def test_the_limit_is_exact(packed: bytes, size: int, where: str) -> None:
    assert read(packed, limit=size).error is None
    assert too_much(read(packed, limit=size - 1), f"{size - 1} bytes", where)


@pytest.mark.parametrize(
    ("limit", "shown"), [(3 << 10, "3 KiB"), (2 << 20, "2 MiB"), (4097, "4097 bytes"), (0, "0 bytes")]
)
def test_the_limit_is_told_in_a_unit_that_fits(limit: int, shown: str) -> None:
    assert too_much(read(gzip.compress(bytes(3 << 20)), limit=limit), shown)


def test_what_was_found_before_the_limit_is_yielded() -> None:
    outcome = read(gzip.compress(tar(("x", DUMP), ("zeros", bytes(9 << 20)))), limit=1 << 20)
    assert outcome.paths == ["x"]
    assert too_much(outcome, "1 MiB")


MIB_OF_ZEROS = bytes(1 << 20)


def bomb_of_streams() -> bytes:
    return gzip.compress(bytes(10 << 20)) * 1000


def bomb_of_bzip2() -> bytes:
    return bz2.compress(bytes(40 << 20)) * 500


def bomb_in_a_tar() -> bytes:
    return gzip.compress(tar(("a.gz", gzip.compress(bytes(200 << 20))), ("b.gz", bomb_of_streams())))


def bomb_of_a_zip() -> bytes:
    """One member of 10 MiB, and 1000 entries in the directory for it."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("zeros", bytes(10 << 20))
        archive.filelist *= 1000
    return made.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "streams": bomb_of_streams,
    "bzip2": bomb_of_bzip2,
    "in a tar": bomb_in_a_tar,
    "overlapping zip": bomb_of_a_zip,
    "hole": lambda: sparse(10**13),
    "zip in gzip": lambda: gzip.compress(bomb_of_a_zip()),
}

MEASURE = """
import sys
from iptviz.source.unpack import unpack
from iptviz.errors import DumpError
def peak():
    # Not getrusage: what that tells begins with the memory of the process that started this one.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
before = peak()
try:
    for member in unpack(open(sys.argv[1], "rb"), "bomb", int(sys.argv[2]), lambda path, data: False):
        pass
except DumpError as error:
    print(error.what, end=";")
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_a_bomb_takes_no_more_memory_than_the_limit(bomb: Callable[[], bytes], tmp_path: Path) -> None:
    file = tmp_path / "bomb"
    file.write_bytes(bomb())
    command = [sys.executable, "-W", "error", "-c", MEASURE, str(file), str(64 << 20)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=unmeasured())
    what, mebibytes = done.stdout.split(";")
    assert what == "unpacks to more than 64 MiB"
    assert int(mebibytes) < 150  # a growing buffer is moved, so there are two of it for a moment


def test_what_is_not_kept_takes_no_memory() -> None:
    packed = gzip.compress(tar(*((f"log{number}", MIB_OF_ZEROS) for number in range(100))))
    tracemalloc.start()
    assert read(packed) == ([], None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 << 20


def test_many_small_files_take_no_memory() -> None:
    packed = gzip.compress(tar(*((f"log{number}", b"") for number in range(20_000))))
    tracemalloc.start()
    assert read(packed) == ([], None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 << 20


HUGE = (1 << 63) - 1
HOSTILE = {
    "8 EB": header("x", HUGE) + b"*nat\n",
    "long name of 8 EB": header("x", HUGE, tarfile.GNUTYPE_LONGNAME) + bytes(4096),
    "pax of 8 EB": header("x", HUGE, tarfile.XHDTYPE) + bytes(4096),
    "negative size": header("x", -1024) + END,
    "negative pax size": header("x", 14, tarfile.XHDTYPE) + block(b"14 size=-9999\n") + header("y", 5) + END,
    "digits": header("x", 90_000, tarfile.XHDTYPE) + block(b"1" * 90_000) + END,
    "pax on pax": (header("x", 10, tarfile.XHDTYPE) + block(b"10 a=bcde\n")) * 4000 + tar(("x", DUMP)),
    "long names on end": (header("x", 10, tarfile.GNUTYPE_LONGNAME) + block(b"longername\0")) * 4000,
    "map without end": header("x", 600, tarfile.GNUTYPE_SPARSE)[:482]
    + b"\1"
    + header("x", 1)[483:]
    + b"1" * 9999,
    "ustar and nothing": bytes(257) + b"ustar\0" + bytes(249),
    "zip of nothing": b"PK\x03\x04",
    "zip name of 64 KiB": b"PK\x03\x04\x14\0\x08" + bytes(19) + b"\xff" * 4 + bytes(99),
    "end of zip": b"PK\x05\x06",
    "gzip of nothing": b"\x1f\x8b",
    "method of gzip": b"\x1f\x8b\x07" + bytes(20),
    "name without end": b"\x1f\x8b\x08\x08" + b"n" * 100_000,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("file", [io.BytesIO, Piped])
def test_claims_beyond_reason_are_damage(data: bytes, file: type[io.BytesIO]) -> None:
    tracemalloc.start()
    outcome = read(data, limit=1 << 25, file=file)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outcome.error is not None
    assert peak < 30 << 20


def test_the_beginning_of_a_file_that_claims_too_much_is_kept() -> None:
    outcome = read(HOSTILE["8 EB"])
    assert outcome.members == [
        Member("x", b"*nat\n", TIME, "the archive ends too early: the end of this file is missing")
    ]


def test_a_zip_directory_beyond_reason_is_not_read() -> None:
    packed = zipped(("x", DUMP))
    at = packed.rindex(b"PK\x05\x06")
    fat = packed[:at] + bytes(40 << 20)
    end = (
        packed[at : at + 12]
        + (len(fat) - packed.index(b"PK\x01\x02")).to_bytes(4, "little")
        + packed[at + 16 :]
    )
    outcome = read(fat + end)
    assert outcome.paths == ["x"]
    assert "its directory is missing" in outcome.said


def test_an_xz_file_that_needs_gigabytes_is_refused() -> None:
    packed = bytearray(lzma.compress(DUMP))
    length = (packed[12] + 1) * 4
    packed[16] = 40  # a dictionary of 4 GiB
    packed[12 + length - 4 : 12 + length] = zlib.crc32(packed[12 : 12 + length - 4]).to_bytes(4, "little")
    outcome = read(bytes(packed))
    assert outcome.said.startswith("a.bin: needs too much memory to decompress")
