"""Damaged, truncated and encrypted files: what is there is read, and the damage is told."""

from __future__ import annotations

import gzip
import io
import lzma
import sys
import zipfile
import zlib
from hashlib import sha256
from types import SimpleNamespace

import pytest

from iptviz.source.unpack import Member
from tests.program import Piped
from tests.source.packed import (
    COMPRESSORS,
    DUMP,
    ENDS_EARLY,
    OTHER,
    TIME,
    OneWay,
    block,
    read,
    sound,
    tar,
    zipped,
)

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


@pytest.mark.parametrize("file", [io.BytesIO, Piped])
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
        "a.bin:x: file is encrypted (and so for 1 more in it)\n  decrypt it first: unzip -P"
    )
    assert read(tar(("z.zip", locked), ("x", DUMP))).error is None
    assert read(locked, file=Piped).said == outcome.said


def test_a_method_of_zip_that_is_not_known_is_told() -> None:
    packed = bytearray(zipped(("x", DUMP)))
    packed[8] = packed[packed.index(b"PK\x01\x02") + 10] = 9
    outcome = read(bytes(packed))
    assert "a.bin:x: zip compression method 9 is not supported" in outcome.said


def test_without_a_library_for_zstd_it_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = b"\x28\xb5\x2f\xfd\x04\x00\x01\x00\x00"
    monkeypatch.setitem(sys.modules, "zstandard", None)
    monkeypatch.setitem(sys.modules, "compression.zstd", None)
    assert read(packed).said == (
        "a.bin: compressed with zstd, and no zstd library is installed\n"
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
