"""Files beside the dump are read as they are found: also compressed, or in a bundle."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import tarfile
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from iptviz.errors import DumpError
from iptviz.supplied.files import Unread, read_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TEXT = "10.1.0.0/24 dev cli\r\n10.2.0.0/24 dev srv\r\n"
READ = "10.1.0.0/24 dev cli\n10.2.0.0/24 dev srv\n"


def as_read(text: str, source: str) -> tuple[str, str]:
    return text.replace("\r\n", "\n"), source


@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_a_file_may_be_compressed(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "routes"
    path.write_bytes(packed(TEXT.encode()))
    found = read_file(str(path), as_read)
    assert found is not None
    assert found[0] == READ


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_powershell_marks_what_it_writes(tmp_path: Path, encoding: str) -> None:
    text = TEXT if encoding in {"utf-16", "utf-8-sig"} else f"\ufeff{TEXT}"
    (tmp_path / "routes").write_bytes(text.encode(encoding))
    assert read_file(str(tmp_path / "routes"), as_read) == (READ, str(tmp_path / "routes"))
    packed = tmp_path / "routes.gz"
    packed.write_bytes(gzip.compress(text.encode(encoding)))
    assert read_file(str(packed), as_read) == (READ, str(packed))


def test_of_a_bundle_a_file_has_to_be_named(tmp_path: Path) -> None:
    for name in ("routes", "others"):
        (tmp_path / name).write_text(TEXT)
    bundle = str(tmp_path / "bundle.tgz")
    with tarfile.open(bundle, "w:gz") as archive:
        for name in ("routes", "others"):
            archive.add(tmp_path / name, name)
    found = read_file(f"{bundle}:routes", as_read)
    assert found is not None
    assert found[0] == READ
    with pytest.raises(DumpError, match="is a bundle\n  name a file in it") as refused:
        read_file(bundle, as_read)
    assert refused.value.where == bundle


@pytest.mark.parametrize("packed", [bytes, gzip.compress, bz2.compress, lzma.compress])
def test_the_limit_is_exact(tmp_path: Path, packed: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "routes"
    path.write_bytes(packed(TEXT.encode()))
    assert read_file(Unread(str(path), len(TEXT)), as_read)
    with pytest.raises(
        DumpError, match=rf"(larger|unpacks to more) than {len(TEXT) - 1} bytes\n  --max-size"
    ):
        read_file(Unread(str(path), len(TEXT) - 1), as_read)


def test_a_pipe_without_an_end_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError), path.open("wb", buffering=0) as file:
            while True:
                file.write(TEXT.encode())

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(DumpError, match="larger than 1 MiB"):
        read_file(Unread(str(path), 1 << 20), as_read)
    writer.join()


def test_what_comes_packed_through_a_pipe_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(TEXT.encode()),))
    writer.start()
    assert read_file(str(path), as_read) == (READ, str(path))
    writer.join()


def test_standard_input_is_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    with pytest.raises(DumpError, match="<stdin>: larger than 9 bytes"):
        read_file(Unread("-", 9), as_read)
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(DumpError, match="<stdin>: cannot be read: closed"):
        read_file("-", as_read)
