"""Files that -o writes: whole or not at all, where they are, with the mode and the links that they have."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.errors import OutputError
from iptviz.output import write_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534
UMASK = 0o027


@pytest.fixture(autouse=True)
def _umask() -> Iterator[None]:
    before = os.umask(UMASK)
    yield
    os.umask(before)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "answer.txt").write_text("the answer before, which is a longer one")
    return tmp_path / "answer.txt"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def fail_with(monkeypatch: pytest.MonkeyPatch, function: str, number: int) -> None:
    """Let a function of `os` fail for the file beside the one that is meant."""
    module, _, name = function.partition(".")
    right = getattr(sys.modules[module], name)

    def fail(path: str, *more: object, **options: object) -> object:
        if ".iptviz-" in path:
            raise OSError(number, os.strerror(number))
        return right(path, *more, **options)

    monkeypatch.setattr(function, fail)


# --- mode, owner, links --------------------------------------------------------------------------------------------


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    write_answer("new", str(tmp_path / "new.txt"))
    assert mode(tmp_path / "new.txt") == 0o640
    assert [one.name for one in tmp_path.iterdir()] == ["new.txt"]


@pytest.mark.parametrize("kept", [0o600, 0o640, 0o666, 0o755])
def test_a_file_keeps_its_mode(path: Path, kept: int) -> None:
    path.chmod(kept)
    write_answer("new", str(path))
    assert (path.read_text(), oct(mode(path))) == ("new", oct(kept))


def test_a_secret_file_is_secret_at_every_moment(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o600)
    seen: list[int] = []
    replace = os.replace

    def look(source: str, target: str) -> None:
        seen.append(mode(Path(source)))
        replace(source, target)

    monkeypatch.setattr("os.replace", look)
    write_answer("new", str(path))
    assert seen == [0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_file_keeps_its_owner(path: Path) -> None:
    os.chown(path, NOBODY, NOBODY)
    write_answer("new", str(path))
    assert (path.stat().st_uid, path.stat().st_gid, path.read_text()) == (NOBODY, NOBODY, "new")


def test_an_owner_that_cannot_be_kept_is_no_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o666)
    fail_with(monkeypatch, "os.chown", 1)
    write_answer("new", str(path))
    assert (path.read_text(), mode(path)) == ("new", 0o666)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "answer.txt"
    if there:
        target.write_text("before")
        target.chmod(0o604)
    (tmp_path / "middle.txt").symlink_to(Path("far", "answer.txt"))
    (tmp_path / "link.txt").symlink_to("middle.txt")
    write_answer("new", str(tmp_path / "link.txt"))
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "middle.txt").is_symlink()
    assert (target.read_text(), mode(target)) == ("new", 0o604 if there else 0o640)
    assert [one.name for one in target.parent.iterdir()] == ["answer.txt"]


def test_all_names_of_a_file_have_the_answer(path: Path) -> None:
    other = path.with_name("other.txt")
    other.hardlink_to(path)
    for answer in ("new", "a newer one, which is longer than what was there"):
        write_answer(answer, str(other))
        assert path.read_text() == other.read_text() == answer
    assert path.samefile(other)


# --- what is no file of its own --------------------------------------------------------------------------------------


def test_a_device_stays_one(tmp_path: Path) -> None:
    write_answer("nothing", os.devnull)
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)  # noqa: PTH116
    (tmp_path / "link").symlink_to(os.devnull)
    write_answer("nothing", str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()


def test_a_pipe_with_a_name_is_written_and_stays_one(tmp_path: Path) -> None:
    pipe, got = tmp_path / "pipe", list[bytes]()
    os.mkfifo(pipe)
    reader = Thread(target=lambda: got.append(pipe.read_bytes()))
    reader.start()
    write_answer("new", str(pipe))
    reader.join()
    assert (got, stat.S_ISFIFO(pipe.stat().st_mode)) == ([b"new"], True)


def test_an_open_descriptor_goes_on_where_it_is(path: Path) -> None:
    with path.open("r+b", buffering=0) as file:
        file.write(b"head ")
        write_answer("new", f"/dev/fd/{file.fileno()}")
        file.write(b" foot ")
    assert path.read_text().startswith("head new foot ")
    with pytest.raises(OutputError, match="cannot be written: bad file descriptor"):
        write_answer("new", "/dev/fd/9999")


def test_whoever_has_read_enough_of_a_pipe_is_no_error_in_the_file() -> None:
    reads, writes = os.pipe()
    os.close(reads)
    with pytest.raises(BrokenPipeError):
        write_answer("new", f"/dev/fd/{writes}")
    os.close(writes)


def test_standard_output_by_its_path_is_standard_output(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    write_answer("new", "/dev/stdout")
    sys.stdout.flush()
    assert capfdbinary.readouterr().out == b"new"


# --- where no other file can stand beside it -----------------------------------------------------------------------------


@pytest.mark.parametrize("function", ["os.open", "os.replace"])
@pytest.mark.parametrize("number", [1, 13, 16, 30], ids=os.strerror)
def test_what_cannot_be_replaced_is_written_in_place(
    path: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int
) -> None:
    before = path.stat()
    fail_with(monkeypatch, function, number)
    write_answer("new", str(path))
    assert (path.read_text(), path.stat().st_ino) == ("new", before.st_ino)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("function", ["os.open", "os.replace"])
def test_a_full_disk_leaves_what_was_there(
    path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    before = path.read_text()
    fail_with(monkeypatch, function, 28)
    with pytest.raises(OutputError, match="cannot be written: no space left on device"):
        write_answer("new", str(path))
    assert path.read_text() == before
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are Linux'")
def test_what_does_not_fit_in_place_leaves_what_was_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.with_name("other.txt").hardlink_to(path)
    before, write = path.read_text(), os.write

    def write_little(descriptor: int, data: Any) -> int:
        room = len(before) + 10 - os.lseek(descriptor, 0, os.SEEK_CUR)
        if room <= 0:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:room])

    monkeypatch.setattr("os.write", write_little)
    with pytest.raises(OutputError, match="no space left"):
        write_answer("new" * 100, str(path))
    assert path.read_text() == before


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that anybody can reach: those of pytest are their owner's."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)  # noqa: PTH101
        yield Path(name)
        os.chmod(name, 0o700)  # noqa: PTH101


@pytest.fixture
def nobody(folder: Path) -> Iterator[None]:
    """Have no rights but those of the files' modes; whoever runs the tests without being root has no others."""
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(folder, NOBODY, NOBODY)
        os.seteuid(NOBODY)
    yield
    if is_root:
        os.seteuid(0)


@pytest.mark.usefixtures("nobody")
def test_a_file_that_may_not_be_written_is_not_replaced(folder: Path) -> None:
    path = folder / "answer.txt"
    path.write_text("before")
    path.chmod(0o444)
    with pytest.raises(OutputError, match=r"answer\.txt: cannot be written: permission denied"):
        write_answer("new", str(path))
    assert (path.read_text(), mode(path)) == ("before", 0o444)


@pytest.mark.usefixtures("nobody")
def test_a_file_in_a_folder_that_may_not_be_written_is_written_in_place(folder: Path) -> None:
    path = folder / "answer.txt"
    path.write_text("before")
    folder.chmod(0o555)
    write_answer("new", str(path))
    assert path.read_text() == "new"
    with pytest.raises(OutputError, match=r"new\.txt: cannot be written: permission denied"):
        write_answer("new", str(folder / "new.txt"))


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("folder", "is a directory"),
        ("new/", "is a directory"),
        ("folder/", "is a directory"),
        ("answer.txt/x", "not a directory"),
        ("missing/x", "no such file or directory"),
        ("loop", "too many levels of symbolic links"),
        ("nowhere", "no such file or directory"),
    ],
)
def test_what_is_no_place_for_an_answer_is_said(path: Path, name: str, what: str) -> None:
    (path.parent / "folder").mkdir()
    (path.parent / "loop").symlink_to("loop")
    (path.parent / "nowhere").symlink_to("missing/x")
    before = sorted(path.parent.rglob("*"))
    with pytest.raises(OutputError, match=f"{name}: cannot be written: {what}"):
        write_answer("new", f"{path.parent}/{name}")
    assert sorted(path.parent.rglob("*")) == before
