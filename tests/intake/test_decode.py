"""From bytes to lines: encodings, line ends, NUL bytes, entities; what is text already stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.checks.wording import sentences
from iptviz.dump.model import Dump
from iptviz.errors import DumpError
from iptviz.intake.decode import decode
from iptviz.intake.index import build_index
from iptviz.intake.read import read_text
from tests.intake.test_index import assert_tiles, dump_like

TEXT = '*nat\n:A - [0:0]\n-A A -m comment --comment "\u00e9 & \u4e2d" -j B\nCOMMIT\n'
WIDE, NUL = "the text is UTF-16 or UTF-32", "NUL bytes removed"
RETURNS = "carriage returns removed"
COLOURS = "colour codes of grep removed"


def worded(raw: bytes) -> tuple[bytes, tuple[str, ...]]:
    """Decode bytes, and put what was done to them into words."""
    data, repairs = decode(raw)
    return data, tuple(sentences(repairs))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_with_a_mark_becomes_utf_8(encoding: str) -> None:
    assert worded(("\ufeff" + TEXT).encode(encoding)) == (TEXT.encode(), (WIDE,))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_wide_text_without_a_mark_is_told_by_its_nul_bytes(encoding: str) -> None:
    assert worded(TEXT.encode(encoding)) == (TEXT.encode(), (WIDE,))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("cut", [1, 3])
def test_wide_text_that_is_cut_within_a_sign_is_read(encoding: str, cut: int) -> None:
    assert decode(("\ufeff" + TEXT).encode(encoding)[:-cut]).data.startswith(TEXT.encode()[:-2])


@pytest.mark.parametrize(
    ("raw", "data", "repairs"),
    [
        (b"", b"", ()),
        (b"*nat\nCOMMIT\n", b"*nat\nCOMMIT\n", ()),
        (b"*nat\r\nCOMMIT\r\n", b"*nat\r\nCOMMIT\r\n", ()),  # what the scanner reads anyway
        (b"*nat\rCOMMIT\r", b"*nat\nCOMMIT\n", (RETURNS,)),
        (b"*na\0t\nCOM\0MIT\n", b"*nat\nCOMMIT\n", (NUL,)),
        (b"\xef\xbb\xbf*nat\n", b"\xef\xbb\xbf*nat\n", ()),
        (b"-A A \xff\xfe\n", b"-A A \xff\xfe\n", ()),  # no UTF-8, and kept
        (b"-A \x1b[01;31m\x1b[KKUBE\x1b[m\x1b[K-X\n", b"-A KUBE-X\n", (COLOURS,)),
        (b"-A \x1b[31mX\n", b"-A \x1b[31mX\n", ()),  # not grep's
    ],
)  # fmt: skip
def test_what_is_done_to_a_text(raw: bytes, data: bytes, repairs: tuple[str, ...]) -> None:
    assert worded(raw) == (data, repairs)


@given(st.binary(max_size=300))
def test_decoding_takes_any_bytes(raw: bytes) -> None:
    decoded = decode(raw)
    assert decoded.data == raw or decoded.repairs


@given(
    st.one_of(st.binary(max_size=300), dump_like, dump_like.map(lambda data: data.replace(b"-A", b"> -A")))
)
def test_reading_takes_any_bytes(raw: bytes) -> None:
    text = read_text(raw)
    assert text.raw == raw
    for plain in text.dumps:
        assert_tiles(plain.text)
        assert [section.name for section in build_index(plain.text).sections] == [
            section.name for section in plain.layout.sections
        ]
        assert plain.layout.sections
    for note in text.notes:
        assert 1 <= note.first <= note.last <= text.line_count
    assert sorted(text.notes) == text.notes


@given(
    st.one_of(st.binary(max_size=300), dump_like, dump_like.map(lambda data: data.replace(b"\n", b"\n> ")))
)
def test_a_dump_keeps_any_bytes_or_there_is_none(raw: bytes) -> None:
    try:
        dump = Dump(raw)
    except DumpError:
        return
    assert bytes(dump) == raw
    count = raw.count(b"\n") + raw.count(b"\r") + 1
    for table in dump.tables.values():
        for rule in table.rules():
            assert 1 <= rule.line <= count
            assert rule.canonical()
    assert all(1 <= gap.line <= count + 1 for gap in dump.gaps)
