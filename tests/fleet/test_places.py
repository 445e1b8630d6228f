"""From what is given to what is read: patterns, folders, lists, URLs, and what is said of those that match nothing."""

from __future__ import annotations

import builtins
import io
import os
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.errors import DumpError
from iptviz.fleets.inputs import Input, NotInstalledError, Work
from iptviz.fleets.places import expanded, natural
from iptviz.fleets.reading import summary_of_input
from iptviz.fleets.remote import shown
from tests.conftest import FIXTURES
from tests.fleet.stand_ins import HERE

if TYPE_CHECKING:
    from collections.abc import Iterator

RULES = (FIXTURES / "httpd-service/dump.rules").read_text(encoding="utf-8")
NAMED = Work(f"{HERE}:named", 1 << 20)


def labels(*words: str | Path) -> list[str]:
    return [one.label for one in expanded(map(str, words)).inputs]


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """A folder of three dumps, one of which came out empty, and a README."""
    folder = tmp_path / "nodes"
    folder.mkdir()
    for number in (1, 2, 10):
        (folder / f"node-{number}.txt").write_text(RULES, encoding="utf-8")
    (folder / "node-3.txt").write_text("sudo: a password is required\n", encoding="utf-8")
    (folder / "README.md").write_text("Dumps of Monday.\n", encoding="utf-8")
    (folder / ".hidden.txt").write_text(RULES, encoding="utf-8")
    return folder


def test_names_are_sorted_as_people_count() -> None:
    names = ["b", "node-10", "node-2", "node-02", "node-1a", "a9b10", "a9b9", "10"]
    assert sorted(names, key=natural) == [
        "10", "a9b9", "a9b10", "b", "node-1a", "node-02", "node-2", "node-10",
    ]  # fmt: skip


def test_a_pattern_stands_for_what_it_matches(nodes: Path) -> None:
    names = ["node-1.txt", "node-2.txt", "node-3.txt", "node-10.txt"]
    assert labels(nodes / "node-*.txt") == [str(nodes / name) for name in names]
    assert labels(nodes.parent / "**" / "*.txt") == [str(nodes / name) for name in names]
    assert labels(nodes.parent / "**")[0] == str(nodes / "README.md")


def test_a_file_may_be_called_as_a_pattern_is(tmp_path: Path) -> None:
    (tmp_path / "a[1].txt").write_text(RULES, encoding="utf-8")
    (tmp_path / "a1.txt").write_text(RULES, encoding="utf-8")
    assert labels(tmp_path / "a[1].txt") == [str(tmp_path / "a[1].txt")]


def test_of_a_folder_each_file_is_one_node(nodes: Path) -> None:
    found = expanded([str(nodes)])
    names = ["node-1.txt", "node-2.txt", "node-3.txt", "node-10.txt"]
    assert [one.label for one in found.inputs] == [str(nodes / name) for name in names]
    (note,) = found.notes
    assert note.id == "fleet-passed-over"
    assert dict(note.values) == {"folder": str(nodes), "count": 1, "first": str(nodes / "README.md")}


def test_of_a_folder_each_folder_and_each_bundle_is_one_node(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"node-{number}").mkdir()
        for tool in ("iptables-save", "ip6tables-save"):
            (tmp_path / f"node-{number}" / f"{tool}.txt").write_text(RULES, encoding="utf-8")
    (tmp_path / "node-3.tar.gz").write_bytes(b"\x1f\x8b and more")
    (tmp_path / "notes").mkdir()
    assert labels(tmp_path) == [
        str(tmp_path / name) for name in ("node-1", "node-2", "node-3.tar.gz", "notes")
    ]


@pytest.mark.parametrize(
    "names",
    [
        ("iptables-save.txt", "ip6tables-save.txt", "ip-addr.txt"),
        ("iptables-save", "ip6tables-save", "nft-list-ruleset"),
        ("node-1_iptables.log", "node-1_ip6tables.log", "node-1_nft.log"),
        ("dump.rules", "README"),
    ],
)
def test_a_folder_of_one_node_is_one_input(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        text = RULES if "ip-addr" not in name and name != "README" else "nothing\n"
        (tmp_path / name).write_text(text, encoding="utf-8")
    assert labels(tmp_path) == [str(tmp_path)]


def test_a_list_is_read_from_standard_input(nodes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"# nodes of Monday\n\n  {nodes / 'node-2.txt'}  \r\n{nodes / 'node-1*.txt'}\n"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert labels("-") == [str(nodes / f"node-{number}.txt") for number in (2, 1, 10)]


def test_the_same_file_is_read_once(nodes: Path) -> None:
    (nodes / "link").symlink_to(nodes / "node-2.txt")
    found = expanded([str(nodes / "node-2.txt"), str(nodes / "link"), str(nodes / "node-*.txt")])
    assert [Path(one.label).name for one in found.inputs] == [
        "node-2.txt", "node-1.txt", "node-3.txt", "node-10.txt",
    ]  # fmt: skip
    (note,) = found.notes
    assert (note.id, dict(note.values)) == ("fleet-given-again", {"count": 2, "first": str(nodes / "link")})


def test_what_is_not_there_is_left_to_be_listed(nodes: Path) -> None:
    found = expanded([str(nodes / "node-1.txt"), str(nodes / "gone.txt"), str(nodes / "gone*")])
    assert [Path(one.label).name for one in found.inputs] == ["node-1.txt", "gone.txt"]
    assert found.unmatched == ((str(nodes / "gone*"), "no file matches"),)
    assert summary_of_input(found.inputs[1], NAMED).unreadable[0].reason == (
        "cannot be read: no such file or directory"
    )


def test_where_nothing_matches_the_patterns_are_named(tmp_path: Path) -> None:
    with pytest.raises(DumpError, match=r"no file matches \"a\*\", \"b\*\", \"c\*\" and 1 more\n  usage"):
        expanded(["a*", "b*", "c*", str(tmp_path / "d*")])
    with pytest.raises(DumpError, match="no DUMP given"):
        expanded([])


# --- URLs --------------------------------------------------------------------------------------------------------


def test_no_message_has_what_a_url_keeps_secret() -> None:
    assert shown("https://me:s3cret@host/a/b.txt?X-Sig=abc#x") == "https://host/a/b.txt"
    assert shown("401, url='https://me:p@ss@host/x?sig=1', try s3://b/k") == (
        "401, url='https://host/x', try s3://b/k"
    )


def test_without_fsspec_a_url_names_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("fsspec"):
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(NotInstalledError, match=r"(?s)s3://b/k: URLs need fsspec.*iptviz\[fleet\]"):
        expanded(["node.txt", "s3://me:x@b/k"])


def test_paths_do_not_load_fsspec(nodes: Path) -> None:
    from tests.test_startup import loaded_by

    code = f"from iptviz.fleets.places import expanded\nexpanded(['{nodes}'])\nimport sys\nprint(*sys.modules, file=sys.stderr)"
    assert loaded_by(code).isdisjoint({"fsspec", "distributed", "dask", "aiohttp"})


@pytest.fixture
def memory() -> Iterator[Any]:
    fsspec = pytest.importorskip("fsspec", reason="no fsspec: pip install '.[fleet]'")
    files = fsspec.filesystem("memory")
    for number in (1, 2, 10):
        files.pipe(f"/bucket/nodes/node-{number}.txt", f"node-{number}".encode())
    files.pipe("/bucket/nodes/node-3/iptables-save.txt", b"node-3")
    yield files
    files.rm("/bucket", recursive=True)


@pytest.mark.usefixtures("memory")
def test_a_folder_and_a_pattern_at_a_url() -> None:
    names = ["node-1.txt", "node-2.txt", "node-3", "node-10.txt"]
    assert labels("memory://bucket/nodes") == [f"memory://bucket/nodes/{name}" for name in names]
    assert labels("memory://bucket/nodes/") == [f"memory://bucket/nodes/{name}" for name in names]
    assert labels("memory://bucket/nodes/*1*") == [f"memory://bucket/nodes/node-{n}.txt" for n in (1, 10)]


@pytest.mark.usefixtures("memory")
def test_what_is_at_a_url_is_read_and_called_by_its_label() -> None:
    summary = summary_of_input(Input("label", "memory://bucket/nodes/node-2.txt"), NAMED)
    assert [(one.name, one.source) for one in summary.nodes] == [("node-2", "label")]
    small = NAMED._replace(max_size=3)
    assert summary_of_input(Input("label", "memory://bucket/nodes/node-2.txt"), small).unreadable == (
        ("label", "larger than 3 bytes"),
    )
    assert summary_of_input(Input("gone", "memory://bucket/gone.txt"), NAMED).unreadable == (
        ("gone", "cannot be read: no such file"),
    )
    folder = summary_of_input(Input("label", "memory://bucket/nodes/node-3"), NAMED)
    assert folder.unreadable == (
        ("label", "cannot be read: is a directory"),
    )  # of the stand-in: it came there


def test_a_local_url_is_a_path(nodes: Path) -> None:
    pytest.importorskip("fsspec", reason="no fsspec: pip install '.[fleet]'")
    found = expanded([f"file://{nodes}/node-*.txt"]).inputs
    assert [one.label for one in found] == [f"file://{nodes}/node-{number}.txt" for number in (1, 2, 3, 10)]
    assert summary_of_input(found[0], NAMED).nodes[0].source == found[0].label


@pytest.fixture
def served(nodes: Path) -> Iterator[str]:
    """The folder behind a web server; what asks for `secret` is refused."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            if "secret" in self.path:
                self.send_error(401, "Unauthorized")
            else:
                super().do_GET()

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(nodes)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_web_server(served: str) -> None:
    pytest.importorskip("fsspec", reason="no fsspec: pip install '.[fleet]'")
    pytest.importorskip("aiohttp", reason="no aiohttp: pip install '.[fleet]'")
    found = expanded([f"{served}/node-1*.txt", f"{served}/node-2.txt?sig=abc"]).inputs
    assert [one.label for one in found] == [f"{served}/node-{number}.txt" for number in (1, 10, 2)]
    (node,) = summary_of_input(found[2], NAMED).nodes
    assert (node.name, node.source) == (RULES.strip(), f"{served}/node-2.txt")
    refused = f"{served.replace('//', '//me:pass@')}/secret.txt?sig=abc"
    (problem,) = summary_of_input(Input(shown(refused), refused), NAMED).unreadable
    assert problem.source == f"{served}/secret.txt"
    assert "401" in problem.reason
    assert not {"pass", "sig=abc"} & set(problem.reason.split())
    assert "pass@" not in problem.reason
    assert "sig" not in problem.reason


def test_one_place_that_cannot_be_listed_stops_nothing(served: str, nodes: Path) -> None:
    pytest.importorskip("aiohttp", reason="no aiohttp: pip install '.[fleet]'")
    found = expanded([f"{served}/secret/*", str(nodes / "node-1.txt")])
    assert [one.label for one in found.inputs] == [str(nodes / "node-1.txt")]
    assert found.unmatched[0].source == f"{served}/secret/*"
    with pytest.raises(DumpError, match=r"401|no file matches"):
        expanded([f"{served}/secret/*"])


def test_a_home_is_known_in_a_list(monkeypatch: pytest.MonkeyPatch, nodes: Path) -> None:
    monkeypatch.setenv("HOME", str(nodes))
    assert labels("~/node-1.txt") == [os.path.join(nodes, "node-1.txt")]  # noqa: PTH118
