"""Compressed files and bundles: every format, nested, with names of any kind, and whatever the bytes."""

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
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iptviz.source.head import ZIP, is_packed
from iptviz.source.inflate import STREAMS
from iptviz.source.origin import DEFAULT_LIMIT
from iptviz.source.unpack import Member
from tests.program import Piped
from tests.source.packed import (
    DUMP,
    END,
    OTHER,
    TIME,
    OneWay,
    block,
    every_archive,
    every_compressor,
    header,
    info,
    read,
    sound,
    sparse,
    tar,
    zipped,
    zstd,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Formats


@every_compressor
@pytest.mark.parametrize("data", [b"", b"x", DUMP, bytes(300_000)], ids=["empty", "byte", "dump", "zeros"])
def test_a_compressed_file_is_one_member_without_a_path(
    compress: Callable[[bytes], bytes], data: bytes
) -> None:
    packed = compress(data)
    assert is_packed(packed[:512])
    assert sound(packed) == [Member("", data, None)]
    assert sound(packed, file=Piped) == [Member("", data, None)]


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
    assert sound(packed) == sound(packed, file=Piped) == expected


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
        assert sound(data) == sound(data, file=Piped) == [Member("", data, None)]


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
    assert outcome.said.startswith("a.bin: more than 4 nested archives\n")


def test_a_bundle_that_is_the_fifth_layer_is_refused() -> None:
    packed = functools.reduce(lambda data, _: tar(("t", data)), range(5), DUMP)
    outcome = read(packed)
    assert outcome.members == []
    assert outcome.said.startswith("a.bin:t/t/t/t: more than 4 nested archives\n")


def test_four_bundles_are_opened_and_the_fifth_is_named_after_all_else_is_read() -> None:
    packed = functools.reduce(lambda data, _: gzip.compress(tar(("t", data))), range(4), DUMP)
    assert [member.path for member in sound(packed)] == ["t/t/t/t"]
    outcome = read(tar(("t", packed), ("x", DUMP)))
    assert outcome.paths == ["x"]
    assert outcome.said.startswith("a.bin:t/t/t/t: more than 4 nested archives\n")


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
    one, two = read(data, limit=1 << 22), read(data, limit=1 << 22, file=Piped)
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
