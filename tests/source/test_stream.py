"""What is read to its end is kept as it is, but for files of nothing but zeros."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.source import origin, stream
from iptviz.source.origin import read_plain
from iptviz.source.stream import Reader
from tests.program import Piped

CHUNKS = st.lists(st.binary(min_size=1, max_size=9) | st.integers(1, 9).map(bytes), max_size=9)
BLANK = 12


@given(CHUNKS, st.sampled_from([io.BytesIO, Piped]))
def test_zeros_are_kept_where_something_follows(chunks: list[bytes], file: type[io.BytesIO]) -> None:
    text = b"".join(chunks)
    kept = text if text.strip(b"\0") else text[:BLANK]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stream, "CHUNK", 4)
        patch.setattr(stream, "BLANK", BLANK)
        patch.setattr(origin, "BLANK", BLANK)
        patch.setattr(origin, "_PIECE", 7)
        patch.setattr(origin, "_PIPED", 5)
        assert Reader(iter(chunks)).whole() == kept
        assert read_plain(file(text), "a", 100) == kept
