"""Compressed files and bundles: every format, nested, hostile, and damaged."""

from __future__ import annotations

import bz2
import calendar
import functools
import gzip
import io
import lzma
import subprocess
import sys
import tarfile
import textwrap
import tracemalloc
import zipfile
import zlib
from hashlib import sha256
from types import SimpleNamespace
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iptviz.errors import DumpError
from iptviz.source.head import ZIP, is_packed
from iptviz.source.inflate import STREAMS
from iptviz.source.origin import DEFAULT_LIMIT
from iptviz.source.unpack import Member, unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

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


def wanted(data: bytes) -> bool:
    return data.startswith(b"*")


class Pipe(io.BytesIO):
    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise OSError(29, "Illegal seek")

    def tell(self) -> int:
        raise OSError(29, "Illegal seek")


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


# Formats


@every_compressor
@pytest.mark.parametrize("data", [b"", b"x", DUMP, bytes(300_000)], ids=["empty", "byte", "dump", "zeros"])
def test_a_compressed_file_is_one_member_without_a_path(
    compress: Callable[[bytes], bytes], data: bytes
) -> None:
    packed = compress(data)
    assert is_packed(packed[:512])
    assert sound(packed) == [Member("", data, None)]
    assert sound(packed, file=Pipe) == [Member("", data, None)]


@every_compressor
def test_streams_that_follow_one_another_are_one_file(compress: Callable[[bytes], bytes]) -> None:
    packed = compress(DUMP) + compress(b"") + compress(OTHER)
    assert sound(packed)[0].data == DUMP + OTHER


@every_compressor
def test_zeros_at_the_end_and_between_are_padding(compress: Callable[[bytes], bytes]) -> None:
    packed = compress(DUMP) + bytes(512) + compress(OTHER) + bytes(100_004)
    assert sound(packed)[0].data == DUMP + OTHER


def test_skippable_frames_of_zstd_are_skipped() -> None:
    skippable = b"\x5e\x2a\x4d\x18" + (9).to_bytes(4, "little") + bytes(9)
    assert sound(zstd(DUMP) + skippable + zstd(OTHER) + skippable)[0].data == DUMP + OTHER


def test_a_gzip_file_tells_the_time_of_its_original() -> None:
    assert sound(gzip.compress(DUMP, mtime=TIME)) == [Member("", DUMP, TIME)]


def test_all_optional_fields_of_a_gzip_header_are_skipped() -> None:
    plain = gzip.compress(DUMP, mtime=0)
    fields = (5).to_bytes(2, "little") + b"extra" + b"name\0" + b"comment\0" + b"hc"
    assert sound(plain[:3] + b"\x1e" + plain[4:10] + fields + plain[10:])[0].data == DUMP


@every_archive
def test_wanted_files_of_an_archive_are_yielded_in_order(archive: Callable[..., bytes]) -> None:
    packed = archive(("z/one", DUMP), ("a/log", OTHER), ("a/two", b"*filter\n"), ("a/empty", b""))
    assert is_packed(packed[:512])
    expected = [Member("z/one", DUMP, TIME), Member("a/two", b"*filter\n", TIME)]
    assert sound(packed) == sound(packed, file=Pipe) == expected


@every_archive
@every_compressor
def test_archives_are_found_below_compression(
    archive: Callable[..., bytes], compress: Callable[[bytes], bytes]
) -> None:
    assert sound(compress(archive(("x", DUMP)))) == [Member("x", DUMP, TIME)]


@pytest.mark.parametrize("form", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_names_too_long_for_a_header_are_read(form: int) -> None:
    name = "deep/" * 60 + "é" * 150
    assert [member.path for member in sound(tar((name, DUMP), form=form))] == [name]


def test_a_tar_from_before_ustar_is_told_by_its_checksum() -> None:
    old = bytearray(header("x", len(DUMP), tarfile.AREGTYPE))
    old[257:] = bytes(255)
    old[148:156] = b" " * 8
    old[148:156] = b"%06o\0 " % sum(old)
    assert is_packed(bytes(old))
    assert sound(bytes(old) + block(DUMP) + END) == [Member("x", DUMP, TIME)]


def test_archives_that_follow_one_another_are_all_read() -> None:
    assert [member.path for member in sound(tar(("x", DUMP)) + tar(("y", DUMP)))] == ["x", "y"]


def test_holes_of_a_sparse_file_are_read_as_zeros() -> None:
    data = b"*nat\n" + bytes(507)
    pax = b"".join(
        b"%d %s\n" % (len(record) + 4, record)
        for record in (
            b"GNU.sparse.major=1",
            b"GNU.sparse.minor=0",
            b"GNU.sparse.name=sparse",
            b"GNU.sparse.realsize=2048",
        )
    )
    table = block(b"1\n0\n512\n")
    packed = header("p", len(pax), tarfile.XHDTYPE) + block(pax) + header("x", 1024) + table + data + END
    assert sound(packed) == [Member("sparse", data + bytes(1536), TIME)]


def test_what_is_not_packed_is_yielded_as_it_is() -> None:
    for data in (DUMP, b"", b"PK", b"\x1f", bytes(4096)):
        assert not is_packed(data[:512])
        assert sound(data) == sound(data, file=Pipe) == [Member("", data, None)]


@pytest.mark.parametrize("magic", [*STREAMS, *ZIP])
def test_what_can_be_unpacked_is_told_by_its_first_bytes(magic: bytes) -> None:
    assert is_packed(magic.ljust(512, b"x"))
    assert not is_packed(magic[:-1].ljust(512, b"x"))


def test_times_that_are_none_are_not_known() -> None:
    for pax in ({"mtime": "nan"}, {"mtime": "inf"}, {"mtime": "-5"}, {"mtime": "1e300"}, {"mtime": "0"}):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
            one = info("x", len(DUMP))
            one.pax_headers = pax
            archive.addfile(one, io.BytesIO(DUMP))
        assert [member.modified for member in read(made.getvalue()).members] == [None]


def test_the_time_of_a_zip_member_is_the_one_in_utc_if_it_is_said() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        one = zipfile.ZipInfo("x", (2020, 2, 2, 2, 2, 2))
        one.extra = b"\x01\x99\x01\0A" + b"UT\x05\0\x01" + TIME.to_bytes(4, "little")
        archive.writestr(one, DUMP)
        archive.writestr(zipfile.ZipInfo("y", (2020, 2, 2, 2, 2, 2)), DUMP)
        archive.writestr(zipfile.ZipInfo("z"), DUMP)
    dos = calendar.timegm((2020, 2, 2, 2, 2, 2))
    assert [member.modified for member in sound(made.getvalue())] == [TIME, dos, None]


# Nesting


def test_bundles_in_bundles_are_unpacked() -> None:
    inner = gzip.compress(tar(("etc/x", DUMP), ("log.1.gz", gzip.compress(DUMP))))
    packed = lzma.compress(tar(("./a/inner.tar.gz", inner), ("b.zip", zipped(("c", DUMP)))))
    paths = ["a/inner.tar.gz/etc/x", "a/inner.tar.gz/log.1.gz", "b.zip/c"]
    assert [member.path for member in sound(packed)] == paths


def test_a_compressed_file_in_a_bundle_keeps_its_path_and_time_there() -> None:
    packed = tar(("a/x.gz", gzip.compress(DUMP, mtime=5)), ("log.bz2", bz2.compress(OTHER)))
    assert sound(packed) == [Member("a/x.gz", DUMP, TIME)]


def test_four_layers_are_unpacked_and_a_fifth_is_refused() -> None:
    packed = functools.reduce(lambda data, _: gzip.compress(data), range(4), DUMP)
    assert sound(packed)[0].data == DUMP
    outcome = read(gzip.compress(packed))
    assert outcome.members == []
    assert outcome.said.startswith("a.bin: is packed in more than 4 layers\n")


def test_a_bundle_that_is_the_fifth_layer_is_refused() -> None:
    packed = functools.reduce(lambda data, _: tar(("t", data)), range(5), DUMP)
    outcome = read(packed)
    assert outcome.members == []
    assert outcome.said.startswith("a.bin:t/t/t/t: is packed in more than 4 layers\n")


def test_four_bundles_are_opened_and_the_fifth_is_named_after_all_else_is_read() -> None:
    packed = functools.reduce(lambda data, _: gzip.compress(tar(("t", data))), range(4), DUMP)
    assert [member.path for member in sound(packed)] == ["t/t/t/t"]
    outcome = read(tar(("t", packed), ("x", DUMP)))
    assert outcome.paths == ["x"]
    assert outcome.said.startswith("a.bin:t/t/t/t: is packed in more than 4 layers\n")


# Names, and what is no file


def test_links_devices_and_directories_are_passed_over() -> None:
    kinds = (
        tarfile.SYMTYPE,
        tarfile.LNKTYPE,
        tarfile.DIRTYPE,
        tarfile.CHRTYPE,
        tarfile.BLKTYPE,
        tarfile.FIFOTYPE,
    )
    links = b"".join(info(f"k{kind!r}", kind=kind, link="/etc/passwd").tobuf() for kind in kinds)
    assert [member.path for member in sound(links + tar(("x", DUMP)))] == ["x"]


def test_links_in_a_zip_are_passed_over() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "*target")
        archive.writestr("directory/", "")
        from_stdin = zipfile.ZipInfo("-")
        from_stdin.external_attr = 0o010600 << 16
        archive.writestr(from_stdin, DUMP)
        archive.writestr("x", DUMP)
    assert [member.path for member in sound(made.getvalue())] == ["-", "x"]


@every_archive
def test_names_are_only_names(archive: Callable[..., bytes]) -> None:
    names = {
        "/etc/x": "etc/x",
        "./y": "y",
        "../../z": "../../z",
        "a\\b": "a\\b",
        "a\x1b[31m\nb": "a\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}b",
        "a//./c": "a/c",
    }
    assert [member.path for member in sound(archive(*((name, DUMP) for name in names)))] == list(
        names.values()
    )


def test_names_that_are_no_utf8_or_nothing_at_all_are_shown() -> None:
    packed = tar(("x", DUMP), ("y", DUMP))
    one = bytearray(header("x", len(DUMP)))
    one[0:2] = b"\xff/"
    one[148:156] = b" " * 8
    one[148:156] = b"%06o\0 " % sum(one)
    two = header("./", len(DUMP))
    shown = [member.path for member in sound(bytes(one) + block(DUMP) + two + block(DUMP) + packed)]
    assert shown == ["\N{REPLACEMENT CHARACTER}", "?", "x", "y"]


def test_the_same_path_again_is_numbered() -> None:
    packed = tar(("x", DUMP), ("x#2", DUMP), ("./x", b"*raw\n"), ("x", b"*mangle\n"))
    members = sound(packed)
    assert [member.path for member in members] == ["x", "x#2", "x#2#2", "x#3"]
    assert members[2].data == b"*raw\n"


# Bounds


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


def sparse(real: int) -> bytes:
    pax = b"".join(
        b"%d %s\n" % (len(record) + 4, record)
        for record in (b"GNU.sparse.map=0,0", b"GNU.sparse.name=hole", b"GNU.sparse.size=%014d" % real)
    )
    return header("p", len(pax), tarfile.XHDTYPE) + block(pax) + header("x", 0) + END


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
    for member in unpack(open(sys.argv[1], "rb"), "bomb", int(sys.argv[2]), lambda data: False):
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
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
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
@pytest.mark.parametrize("file", [io.BytesIO, Pipe])
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
    assert outcome.said.startswith("a.bin: takes too much memory to decompress")


# Damage


BIG = DUMP + bytes(range(256)) * 40 + zlib.compress(DUMP, 9) * 3


@pytest.mark.parametrize("name", ["gzip", "xz", "bzip2", "zstd"])
def test_a_truncated_compressed_file_gives_what_is_there(name: str) -> None:
    packed = COMPRESSORS[name](BIG)
    lengths = []
    for end in range(20, len(packed), 97):
        members, error = read(packed[:end])
        assert (error is None) == bool(members)
        assert error is None or ENDS_EARLY in str(error)
        if members:
            assert BIG.startswith(members[0].data)
            assert members[0].damage == ENDS_EARLY
            lengths.append(len(members[0].data))
    assert lengths == sorted(lengths)
    if name in ("gzip", "xz"):
        assert lengths[-1] > len(BIG) - 5000


def test_a_gzip_file_without_its_checksum_says_so() -> None:
    [member] = read(gzip.compress(DUMP)[:-3]).members
    assert (member.data, member.damage) == (
        DUMP,
        "the compressed data ends before its checksum: more may be missing",
    )


def test_a_wrong_checksum_of_gzip_is_told() -> None:
    for at in (-1, -5):
        packed = bytearray(gzip.compress(DUMP))
        packed[at] ^= 1
        [member] = read(bytes(packed)).members
        assert (member.data, member.damage) == (
            DUMP,
            "the checksum does not match: this file is not what was packed",
        )


@pytest.mark.parametrize("name", ["xz", "gzip", "bzip2", "zstd"])
def test_damage_in_the_middle_keeps_what_is_before(name: str) -> None:
    packed = bytearray(COMPRESSORS[name](BIG))
    packed[len(packed) // 2 :] = b"\xff" * (len(packed) - len(packed) // 2)
    members, error = read(bytes(packed))
    if name in ("gzip", "xz"):  # the others decode in blocks larger than this
        assert len(members[0].data) > 10_000
    if members:
        assert BIG.startswith(members[0].data[:10_000])
        assert members[0].damage
    else:
        assert "is damaged" in str(error)


def test_what_follows_the_compressed_data_is_told() -> None:
    [member] = read(gzip.compress(DUMP) + b"\0\0garbage").members
    assert (member.data, member.damage) == (
        DUMP,
        "something else follows the compressed data: it is left out",
    )


def test_a_damage_below_another_layer_is_told() -> None:
    packed = bytearray(gzip.compress(lzma.compress(DUMP)))
    packed[-5] ^= 1
    [member] = read(bytes(packed)).members
    assert member.data == DUMP
    assert member.damage.startswith("the checksum does not match")


# Digests, since what compresses well is lost in large parts.
RULES = b"*nat\n" + b"".join(b"-A %s\n" % sha256(b"%d" % number).hexdigest().encode() for number in range(90))
FILES = [(f"f{number}", RULES[: 400 * number + 5]) for number in range(12)]


@pytest.mark.parametrize("file", [io.BytesIO, Pipe])
@pytest.mark.parametrize(
    "packed",
    [tar(*FILES), gzip.compress(tar(*FILES)), lzma.compress(tar(*FILES)), zipped(*FILES)],
    ids=["tar", "tar.gz", "tar.xz", "zip"],
)
def test_a_truncated_bundle_gives_what_is_whole_and_then_an_error(
    packed: bytes, file: type[io.BytesIO]
) -> None:
    contents = dict(FILES)
    counts = []
    for end in range(700, len(packed.rstrip(b"\0")) - 10, 97):
        members, error = read(packed[:end], file=file)
        assert error is not None
        assert error.where.startswith("a.bin")
        assert error.hint
        assert all(contents[member.path] == member.data for member in members[:-1])
        assert not any(member.damage for member in members[:-1])
        if members:
            assert contents[members[-1].path].startswith(members[-1].data)
            assert bool(members[-1].damage) == (contents[members[-1].path] != members[-1].data)
        counts.append(len(members))
    assert counts == sorted(counts)
    assert counts[-1] >= len(FILES) - 1


def test_a_tar_without_its_end_mark_may_lack_files() -> None:
    whole = tar(("x", DUMP))
    members, error = read(gzip.compress(whole[: 512 + len(block(DUMP))]))
    assert [member.damage for member in members] == [""]
    assert str(error).startswith("a.bin: the archive ends too early: files may be missing\n")


def test_a_damaged_header_ends_a_tar_with_an_error() -> None:
    packed = bytearray(tar(("x", DUMP), ("y", DUMP)))
    packed[512 + len(block(DUMP)) + 20] ^= 1
    outcome = read(bytes(packed))
    assert outcome.paths == ["x"]
    assert outcome.said.startswith("a.bin: the archive is damaged: files are missing after this place\n")


def test_a_tar_in_gzip_with_a_wrong_checksum_is_read_and_then_refused() -> None:
    packed = bytearray(gzip.compress(tar(("x", DUMP), ("y", DUMP))))
    packed[-6] ^= 1
    outcome = read(bytes(packed))
    assert outcome.paths == ["x", "y"]
    assert outcome.said.startswith("a.bin: the checksum does not match")


def test_a_zip_member_with_a_wrong_checksum_is_told() -> None:
    packed = bytearray(zipped(("x", DUMP), ("y", DUMP), method=zipfile.ZIP_STORED))
    packed[200] ^= 1
    members, error = read(bytes(packed))
    assert error is None
    assert [bool(member.damage) for member in members] == [True, False]


class OneWay(io.BytesIO):
    """Makes zipfile write the sizes after the data."""

    def seek(self, *_: int) -> int:
        raise OSError

    def tell(self) -> int:
        raise OSError


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_is_read_without_its_directory(method: int) -> None:
    for to in (io.BytesIO, OneWay):
        packed = zipped(*FILES, method=method, to=to)
        outcome = read(packed[: packed.index(b"PK\x01\x02")])
        assert [(member.path, member.data) for member in outcome.members] == FILES
        assert not any(member.damage for member in outcome.members)
        assert "its directory is missing" in outcome.said


def test_a_damaged_bundle_in_a_bundle_is_named_after_all_else_is_read() -> None:
    inner = gzip.compress(tar(("x", DUMP), ("y", DUMP[::-1])))
    outcome = read(tar(("in.tgz", inner[:-300]), ("z", DUMP)))
    assert outcome.paths == ["in.tgz/x", "z"]
    assert outcome.said.startswith("a.bin:in.tgz: the compressed data ends too early")


def test_a_damaged_log_in_a_bundle_is_of_no_concern_where_something_was_found() -> None:
    damaged = [
        ("log.gz", gzip.compress(OTHER)[:-20]),
        ("gone.gz", b"\x1f\x8bnothing more"),
        ("x.gz", gzip.compress(DUMP)[:-20]),
    ]
    outcome = read(tar(*damaged))
    assert outcome.paths == ["x.gz"]
    assert outcome.members[0].damage == ENDS_EARLY
    assert outcome.error is None
    assert read(tar(*damaged[:2])).said.startswith("a.bin:gone.gz: the compressed data is damaged")


def encrypted(packed: bytes) -> bytes:
    """Set the flag that says so, in each file's own header and in the directory."""
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        parts = packed.split(sign)
        parts[1:] = [part[: at - 4] + bytes((part[at - 4] | 1,)) + part[at - 3 :] for part in parts[1:]]
        packed = sign.join(parts)
    return packed


def test_encrypted_files_are_told_only_where_nothing_else_is_found() -> None:
    locked = encrypted(zipped(("x", DUMP), ("y", DUMP)))
    outcome = read(locked)
    assert outcome.members == []
    assert outcome.said.startswith(
        "a.bin:x: is encrypted (and so for 1 more in it)\n  decrypt it first: unzip -P"
    )
    assert read(tar(("z.zip", locked), ("x", DUMP))).error is None
    assert read(locked, file=Pipe).said == outcome.said


def test_a_method_of_zip_that_is_not_known_is_told() -> None:
    packed = bytearray(zipped(("x", DUMP)))
    packed[8] = packed[packed.index(b"PK\x01\x02") + 10] = 9
    outcome = read(bytes(packed))
    assert "a.bin:x: is compressed by zip's method 9" in outcome.said


def test_without_a_library_for_zstd_it_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = b"\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00"
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    assert read(packed).said == (
        "a.bin: is compressed with zstd, and no library for that is installed\n"
        "  pip install 'iptviz[zst]', or: zstd -dc FILE | iptviz ... -"
    )
    assert read(tar(("core.zst", packed), ("x", DUMP))) == ([Member("x", DUMP, TIME)], None)
    assert read(tar(("core.zst", packed))).error is not None


def test_the_zstd_of_python_itself_is_preferred(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own:
        eof, needs_input, unused_data = False, True, b""

        def decompress(self, data: bytes, max_length: int) -> bytes:
            self.eof = True
            return b"*%d %d" % (len(data), max_length)

    monkeypatch.setitem(sys.modules, "compression.zstd", SimpleNamespace(ZstdDecompressor=Own))
    assert sound(b"\x28\xb5\x2f\xfd" + bytes(5))[0].data == b"*9 65536"


def test_an_error_of_the_disk_is_told() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 100:
                raise OSError(5, "Input/output error")
            return super().read(100 if size is None or size > 100 else size)

    for packed in (DUMP, gzip.compress(DUMP), tar(("x", DUMP)), zipped(("x", DUMP))):
        assert read(packed, file=Failing).said == "a.bin: cannot be read: input/output error"


# Whatever the bytes


def zip_of_all() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
            archive.writestr(f"m{method}", DUMP[:700], method)
    return made.getvalue()


SEEDS = (
    gzip.compress(DUMP[:900]),
    bz2.compress(DUMP[:900]),
    lzma.compress(DUMP[:900]),
    tar(("a" * 150, DUMP[:600]), ("b", b"*"), form=tarfile.GNU_FORMAT),
    tar(("é" * 150, DUMP[:600]), ("b", b"*"), form=tarfile.PAX_FORMAT),
    sparse(9000),
    header("x", 512, tarfile.GNUTYPE_SPARSE) + DUMP[:512] + END,
    zip_of_all(),
    zipped(("x", DUMP[:700]), ("y", b"*"), to=OneWay),
    tar(("in.zip", zip_of_all()), ("in.gz", gzip.compress(DUMP[:99]))),
)


def mutated(seed: bytes, edits: Iterable[tuple[int, bytes, int]], end: int | None) -> bytes:
    """Replace `length` bytes at each place by others, then cut."""
    data = bytearray(seed)
    for at, new, length in edits:
        start = at % (len(data) + 1)
        data[start : start + length] = new
    return bytes(data[:end])


def with_checksums(data: bytes) -> bytes:
    """Make the headers of a tar valid again, so that what they say is believed."""
    made = bytearray(data)
    for start in range(0, len(made) - 511, 512):
        if made[start + 257 : start + 262] == b"ustar":
            made[start + 148 : start + 156] = b" " * 8
            made[start + 148 : start + 156] = b"%06o\0 " % sum(made[start : start + 512])
    return bytes(made)


edits = st.lists(
    st.tuples(
        st.integers(0, 20_000),
        st.binary(max_size=8) | st.sampled_from([b"\xff" * 8, b"-1", b"9" * 12]),
        st.integers(0, 12),
    ),
    max_size=6,
)


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(SEEDS), edits, st.none() | st.integers(0, 3000), st.booleans())
def test_nothing_but_our_own_error_comes_out(
    seed: bytes, changes: list[tuple[int, bytes, int]], end: int | None, mend: bool
) -> None:
    data = mutated(seed, changes, end)
    data = with_checksums(data) if mend else data
    one, two = read(data, limit=1 << 22), read(data, limit=1 << 22, file=Pipe)
    assert one.members == two.members
    for member in one.members:
        assert member.path.isprintable()
        assert not member.path.startswith("/")


@given(
    st.binary(max_size=600),
    st.sampled_from([b"", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\0", b"PK\x03\x04", b"PK\x05\x06"]),
)
def test_any_bytes_after_a_magic_are_survived(data: bytes, magic: bytes) -> None:
    read(magic + data, limit=1 << 22)


# Costs


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = """
    import sys
    import iptviz.source.unpack
    heavy = {"tarfile", "zipfile", "lzma", "bz2", "gzip", "zlib", "struct", "shutil", "zstandard"}
    print(sorted(heavy & set(sys.modules)))
    """
    command = [sys.executable, "-S", "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_default_limit_is_two_gibibytes() -> None:
    assert DEFAULT_LIMIT == 2 * 1024**3
