"""Files beside the dump are read as they are found: also compressed, or in a bundle."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tarfile
from typing import TYPE_CHECKING

import pytest

from iptviz.errors import DumpError
from iptviz.supplied.files import read_file

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
