"""Folders: what is read of them, and that what cannot be read is said."""

from __future__ import annotations

import builtins
import os
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.errors import DumpError
from iptviz.source.origin import DEFAULT_LIMIT, FoundTexts, read_sources
from iptviz.supplied.files import read_file
from tests.source.packed import DUMP, tar, wanted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def found(folder: Path) -> FoundTexts:
    return read_sources(str(folder), DEFAULT_LIMIT, wanted)


def inside(folder: Path) -> list[str]:
    return [source.inside for source in found(folder).sources]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a dump in it, one below it, and another folder with one beside it."""
    for path in ("node/a.rules", "node/sub/b.rules", "other/c.rules"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(DUMP)
    return tmp_path / "node"


@pytest.fixture
def shut(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Refuses what somebody who is not root may be refused: root, who may run this, is refused nothing."""

    def shut(
        *paths: Path, calls: tuple[tuple[Any, str], ...] = ((builtins, "open"), (os, "scandir"))
    ) -> None:
        for module, name in calls:
            monkeypatch.setattr(module, name, _refusing(getattr(module, name), set(map(str, paths))))

    return shut


def _refusing(call: Callable[..., Any], paths: set[str]) -> Callable[..., Any]:
    def refusing(path: Any = ".", *others: Any, **named: Any) -> Any:
        if isinstance(path, str) and path in paths:
            raise PermissionError(13, "Permission denied", path)
        return call(path, *others, **named)

    return refusing


# --- what cannot be read -----------------------------------------------------------------------------------------


def test_a_file_that_is_refused_is_said_beside_what_is_found(folder: Path, shut: Callable[..., None]) -> None:
    shut(folder / "a.rules")
    texts = found(folder)
    assert [source.inside for source in texts.sources] == ["sub/b.rules"]
    assert texts.problem
    assert (texts.problem.where, texts.problem.what) == (
        str(folder),
        "1 file cannot be read (a.rules: permission denied)",
    )
    assert "sudo" in texts.problem.hint


def test_a_folder_in_it_that_is_shut_is_said_too(folder: Path, shut: Callable[..., None]) -> None:
    (folder / "z.rules").write_bytes(DUMP)
    shut(folder / "sub", folder / "z.rules")
    texts = found(folder)
    assert [source.inside for source in texts.sources] == ["a.rules"]
    assert texts.problem
    assert texts.problem.what == "2 files cannot be read (first: z.rules: permission denied)"


def test_names_that_may_be_listed_but_not_looked_at_are_said(folder: Path, shut: Callable[..., None]) -> None:
    shut(folder / "sub/b.rules", calls=((os, "lstat"),))
    assert "(sub/b.rules: permission denied)" in str(found(folder).problem)


def test_damage_is_said_beside_what_is_refused(folder: Path, shut: Callable[..., None]) -> None:
    (folder / "cut.tar").write_bytes(tar(("x", DUMP))[:2000])
    shut(folder / "a.rules")
    problem = str(found(folder).problem)
    assert "1 file cannot be read (a.rules: permission denied); " in problem
    assert f"{folder}:cut.tar: " in problem


def test_where_nothing_else_is_found_it_is_the_error(folder: Path, shut: Callable[..., None]) -> None:
    shut(folder)
    with pytest.raises(DumpError) as raised:
        found(folder)
    assert str(raised.value).startswith(f"{folder}: cannot be read: permission denied\n")


# --- symbolic links ----------------------------------------------------------------------------------------------


def test_a_link_to_a_file_elsewhere_is_read_as_a_file(folder: Path) -> None:
    (folder / "linked").symlink_to("../other/c.rules")
    (folder / "sub/twice").symlink_to("../linked")
    assert inside(folder) == ["a.rules", "linked", "sub/b.rules", "sub/twice"]


def test_a_link_to_a_file_inside_is_passed_over(folder: Path, tmp_path: Path) -> None:
    (folder / "linked").symlink_to("sub/b.rules")
    (folder / "sub/absolute").symlink_to(folder / "a.rules")
    (tmp_path / "alias").symlink_to(folder)
    (folder / "roundabout").symlink_to(tmp_path / "alias/a.rules")
    (tmp_path / "node-2").mkdir()
    (tmp_path / "node-2/d.rules").write_bytes(DUMP)
    (folder / "sibling").symlink_to("../node-2/d.rules")  # beside the folder, whose name begins alike
    assert inside(folder) == ["a.rules", "sibling", "sub/b.rules"]
    assert inside(tmp_path / "alias") == ["a.rules", "sibling", "sub/b.rules"]


def test_links_that_lead_to_no_file_are_passed_over(folder: Path) -> None:
    (folder / "dangling").symlink_to("nowhere")
    (folder / "directory").symlink_to("../other")
    (folder / "loop").symlink_to("loop")
    (folder / "device").symlink_to(os.devnull)
    assert inside(folder) == ["a.rules", "sub/b.rules"]
    assert found(folder).problem is None


def test_a_link_to_a_file_that_is_refused_is_said(folder: Path, shut: Callable[..., None]) -> None:
    (folder / "linked").symlink_to("../other/c.rules")
    shut(folder / "linked")
    assert "(linked: permission denied)" in str(found(folder).problem)


def test_a_link_to_a_file_that_may_not_be_looked_at_is_said(folder: Path, shut: Callable[..., None]) -> None:
    (folder / "linked").symlink_to("../other/c.rules")
    shut(folder / "linked", calls=((os, "stat"),))
    assert "(linked: permission denied)" in str(found(folder).problem)


# --- FOLDER:path/inside ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sub/b.rules", "b.rules", "more.tar/x", "x"])
def test_a_path_inside_names_one_file(folder: Path, name: str) -> None:
    (folder / "more.tar").write_bytes(tar(("x", DUMP)))
    (source,) = read_sources(f"{folder}:{name}", DEFAULT_LIMIT, lambda *_: False).sources
    assert source.data == DUMP
    assert source.name == f"{folder}/{source.inside}"
    assert source.inside.endswith(name)


def test_a_path_that_is_not_inside_leads_to_the_list(folder: Path) -> None:
    with pytest.raises(DumpError) as raised:
        read_sources(f"{folder}:none", DEFAULT_LIMIT, wanted)
    assert (raised.value.where, raised.value.what) == (str(folder), "no file named none in it")


def test_a_path_that_is_refused_is_not_said_to_be_none(folder: Path, shut: Callable[..., None]) -> None:
    shut(folder / "a.rules")
    with pytest.raises(DumpError, match=r"1 file cannot be read \(a.rules: permission denied\)"):
        read_sources(f"{folder}:a.rules", DEFAULT_LIMIT, wanted)


def test_a_file_with_a_colon_in_its_name_goes_before(folder: Path) -> None:
    (folder.parent / "node:a.rules").write_bytes(b"*raw\n")
    assert found(folder.parent / "node:a.rules").sources[0].data == b"*raw\n"


def test_a_bundle_that_begins_with_the_name_of_a_folder_goes_before(folder: Path) -> None:
    (folder.parent / "node:a.tar").write_bytes(tar(("x", DUMP)))
    assert found(folder.parent / "node:a.tar:x").sources[0].inside == "x"


def test_a_file_of_a_folder_is_supplied_by_its_path_inside(folder: Path) -> None:
    (folder / "routes").write_text("default dev lo\n")
    assert read_file(f"{folder}:routes", lambda text, source: (text, source)) == (
        "default dev lo\n",
        f"{folder}/routes",
    )
