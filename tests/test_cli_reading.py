"""The options about reading, and `iptviz sources`: which dump, what was left out, what is refused."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from tests.conftest import FIXTURES
from tests.program import run

if TYPE_CHECKING:
    from pathlib import Path

HTTPD = (FIXTURES / "httpd-service/dump.rules").read_bytes()
PASTED = "fixtures/httpd-pasted/dump.txt"
CLUSTER_IP = "10.97.13.198"


def bundle(path: Path, files: dict[str, bytes]) -> Path:
    """Write a .tar.gz of `files`."""
    with tarfile.open(path, "w:gz") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1_731_405_600
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.fixture
def nodes(tmp_path: Path) -> Path:
    """A bundle of two nodes, with other files between them."""
    changed = HTTPD.replace(b"10.244.1.17", b"10.244.9.99")
    return bundle(
        tmp_path / "nodes.tar.gz",
        {
            "gather/nodes/node-1/iptables-save": HTTPD,
            "gather/nodes/node-1/dmesg": b"all is well\n" * 50,
            "gather/nodes/node-2/iptables-save.gz": gzip.compress(changed),
        },
    )


def test_a_compressed_dump_is_read_as_if_it_were_not(tmp_path: Path) -> None:
    packed = tmp_path / "a"
    packed.write_bytes(gzip.compress(HTTPD))
    plain = run("trace", CLUSTER_IP, stdin=HTTPD)
    for done in (run("trace", CLUSTER_IP, str(packed)), run("trace", CLUSTER_IP, stdin=gzip.compress(HTTPD))):
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.partition(" · ")[2] == plain.stdout.partition(" · ")[2]


def test_of_two_dumps_that_of_the_targets_family_answers() -> None:
    done = run("trace", "fd00:10:96::a", PASTED, "--json")
    found = json.loads(done.stdout)
    assert found["dump"]["family"] == "ipv6"
    assert [dump["family"] for dump in found["dumps"]] == ["ipv6", "ipv4"]
    assert "is used" not in done.stderr
    assert json.loads(run("trace", CLUSTER_IP, PASTED, "--json").stdout)["dump"]["family"] == "ipv4"


def test_of_several_nodes_one_is_chosen_by_its_name(nodes: Path) -> None:
    done = run("trace", CLUSTER_IP, str(nodes))
    assert (done.returncode, done.stdout) == (2, "")
    assert "contains dumps of 2 nodes: node-1, node-2\n  pick one with --node NAME" in done.stderr
    assert "10.244.9.99:80" in run("trace", CLUSTER_IP, str(nodes), "--node", "node-2").stdout
    done = run("trace", CLUSTER_IP, str(nodes), "--node", "node-3")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'no dump of node "node-3"; nodes: node-1, node-2' in done.stderr


def test_where_nothing_tells_which_dump_is_meant_all_are_listed() -> None:
    done = run("trace", CLUSTER_IP, stdin=HTTPD + HTTPD.replace(b"10.244.1.17", b"10.244.9.99"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "contains 2 dumps; pick one with --dump N" in done.stderr
    assert "2: line " in done.stderr


@pytest.mark.parametrize("how", ["--dump", "inside", "end of the path"])
def test_a_dump_of_a_bundle_is_chosen_by_number_or_path(how: str, nodes: Path) -> None:
    arguments = {
        "--dump": (str(nodes), "--dump", "2"),
        "inside": (f"{nodes}:gather/nodes/node-2/iptables-save.gz",),
        "end of the path": (f"{nodes}:node-2/iptables-save.gz",),
    }[how]
    done = run("trace", CLUSTER_IP, *arguments)
    assert done.returncode == 0
    assert "10.244.9.99:80" in done.stdout
    assert f"\n{nodes}:gather/nodes/node-2/iptables-save.gz · " in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dump", "3"), "no dump 3; contains 2 dumps"),
        (("--dump", "0"), "no dump 0; contains 2 dumps"),
        (("--max-size", "1K"), "--max-size raises the limit"),
        (("--max-size", "much"), 'invalid size "much"'),
    ],
)
def test_a_dump_that_cannot_be_had_is_an_error(arguments: tuple[str, ...], message: str, nodes: Path) -> None:
    done = run("trace", CLUSTER_IP, str(nodes), *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_path_that_no_bundle_holds_is_an_error(nodes: Path) -> None:
    done = run("trace", CLUSTER_IP, f"{nodes}:no/such")
    assert done.returncode == 2
    assert f"{nodes}: no file named no/such in it" in done.stderr


NOISY = b"root@node-7:~# iptables-save\n```\n" + HTTPD + b"```\nthanks\n"
LAST = NOISY.count(b"\n")


def test_what_was_left_out_is_said_in_one_line() -> None:
    done = run("trace", CLUSTER_IP, stdin=NOISY)
    assert done.returncode == 0
    assert "WARNING" not in done.stdout
    assert done.stderr.splitlines() == [
        f"<stdin>: skipped 4 of {LAST} lines that are not iptables output (lines 1, 2, {LAST - 1}, {LAST}); -v for details"
    ]


def test_verbose_says_why_for_each_stretch_of_lines() -> None:
    assert run("trace", CLUSTER_IP, "-v", stdin=NOISY).stderr.splitlines() == [
        "<stdin>:1: skipped: shell command",
        "<stdin>:2: skipped: Markdown fence",
        f"<stdin>:{LAST - 1}: skipped: Markdown fence",
        f"<stdin>:{LAST}: skipped: not iptables output",
    ]


def test_quiet_says_nothing_of_it() -> None:
    assert run("trace", CLUSTER_IP, "-q", stdin=NOISY).stderr == ""


@pytest.mark.parametrize(
    "text",
    [NOISY, b"> " + HTTPD.replace(b"\n", b"\n> "), HTTPD.decode().encode("utf-16"), gzip.compress(NOISY)],
    ids=["noise", "quoted", "utf-16", "noise, compressed"],
)
def test_strict_refuses_what_is_not_plain(text: bytes) -> None:
    done = run("trace", CLUSTER_IP, "--strict", stdin=text)
    assert (done.returncode, done.stdout) == (2, "")
    assert "drop --strict" in done.stderr


def test_strict_takes_what_is_plain() -> None:
    for text in (HTTPD, gzip.compress(HTTPD), HTTPD.replace(b"\n", b"\r\n")):
        done = run("trace", CLUSTER_IP, "--strict", stdin=text)
        assert (done.returncode, done.stderr) == (0, "")


def test_sources_lists_the_dumps_of_a_bundle(nodes: Path) -> None:
    done = run("sources", str(nodes))
    assert (done.returncode, done.stderr) == (0, "")
    heading, *rows = done.stdout.splitlines()
    assert heading.split()[:3] == ["N", "INSIDE", "LINE"]
    assert [row.split()[:2] for row in rows] == [
        ["1", "gather/nodes/node-1/iptables-save"],
        ["2", "gather/nodes/node-2/iptables-save.gz"],
    ]
    assert ["node-1" in rows[0], "node-2" in rows[1]] == [True, True]
    assert all("nat 52, filter 11" in row and row.endswith("complete") for row in rows)


def test_sources_as_json_names_family_backend_node_and_time(nodes: Path) -> None:
    found = json.loads(run("sources", "--json", str(nodes)).stdout)
    assert found["schema"] == "iptviz.sources.v1"
    first, second = found["sources"]
    assert (first["number"], first["node"], first["backend"]) == (1, "node-1", "legacy")
    assert first["dump"]["family"] == "ipv4"
    assert first["time"] == "Mon Nov 23 12:00:00 2026"
    assert second["inside"] == "gather/nodes/node-2/iptables-save.gz"
    assert (second["gaps"], second["lines"], second["repairs"]) == ([], [], [])


def test_a_dump_without_a_time_has_that_of_its_file(tmp_path: Path) -> None:
    path = bundle(tmp_path / "a.tgz", {"iptables_-t_nat_-S": b"-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n"})
    (one,) = json.loads(run("sources", "--json", str(path)).stdout)["sources"]
    assert (one["time"], one["form"], one["dump"]["tables"]) == (
        "2024-11-12 10:00:00 UTC",
        "iptables -S",
        ["nat"],
    )


def test_sources_tells_of_each_line_when_asked() -> None:
    text = NOISY.replace(b"-j KUBE-MARK-MASQ", b"--what is-this -j KUBE-MARK-MASQ", 1)
    assert "left out" not in run("sources", stdin=text).stdout
    shown = run("sources", "--lines", stdin=text).stdout
    assert "1: skipped: shell command" in shown
    assert "not understood: unknown option --what is-this" in shown


def test_names_in_a_bundle_cannot_steer_the_terminal(tmp_path: Path) -> None:
    path = bundle(
        tmp_path / "a.tgz", {"a\x1b[2Jb/\u202eiptables-save": HTTPD, "c": HTTPD.replace(b".17", b".99")}
    )
    for arguments in (
        ("sources", str(path)),
        ("trace", CLUSTER_IP, str(path)),
        ("sources", "--json", str(path)),
    ):
        done = run(*arguments)
        assert not {"\x1b", "\u202e"} & {*done.stdout, *done.stderr}


def test_a_damaged_bundle_gives_what_is_whole_and_says_so(nodes: Path) -> None:
    data = nodes.read_bytes()
    nodes.write_bytes(data[: len(data) - 20])
    done = run("sources", str(nodes))
    assert done.returncode == 0
    assert "node-1/iptables-save" in done.stdout
    assert done.stderr.startswith(f"{nodes}")


DIFF = b"--- old\n+++ new\n@@ -9,2 +9,2 @@\n -A A -j B\n--A A -j C\n+-A A -j D\n"


def test_a_side_of_a_diff_is_chosen(tmp_path: Path) -> None:
    changes = tmp_path / "changes"
    changes.write_bytes(DIFF)
    new, old = (run("graph", str(changes), *side) for side in ((), ("--side", "old")))
    assert f"{changes}: this is a diff: using its new side (--side old for the other)" in new.stderr
    assert f"{changes}: this is a diff: using its old side" in old.stderr
    assert "D" in new.stdout.split()
    assert "C" in old.stdout.split()


def test_a_side_of_what_is_no_diff_is_refused_in_a_line(tmp_path: Path) -> None:
    dump = tmp_path / "dump"
    dump.write_bytes(b"*nat\n:A - [0:0]\nCOMMIT\n")
    done = run("services", str(dump), "--side", "new")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"iptviz: {dump}: --side new needs a diff, and this is not one\n  drop --side\n"
