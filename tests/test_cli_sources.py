"""What the program says of its input: which dump is used, what was left out, and how to choose another."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.dump.test_load import HTTPD, HTTPD6, NODES, SOS, tar
from tests.program import at_terminal, run
from tests.test_cli import FIXTURE

if TYPE_CHECKING:
    from pathlib import Path

TARGET = "10.97.13.198"
QUOTED = b"Hello,\n" + b"".join(b"> " + line for line in HTTPD.splitlines(keepends=True)) + b"Bye\n"
PROMPTED = b"root@node-1:~# iptables-save\n" + HTTPD


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    path = tmp_path / "sos.tar.gz"
    path.write_bytes(tar(NODES))
    return path


def document(*arguments: str, stdin: bytes = b"") -> dict[str, Any]:
    done = run("sources", *arguments, "--json", stdin=stdin)
    assert done.returncode == 0
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["schema"] == "iptviz.sources.v1"
    return found


# --- iptviz sources -----------------------------------------------------------------------------------------


def test_sources_lists_the_dumps_of_a_bundle(bundle: Path) -> None:
    done = run("sources", str(bundle))
    assert (done.returncode, done.stderr) == (0, "")
    rows = [line.split() for line in done.stdout.splitlines() if line.strip()[:1] in {"1", "2", "3"}]
    assert [row[0] for row in rows] == ["1", "2", "3"]
    for text in (
        *list(NODES)[:3],
        "node1",
        "node2.example.org",
        "ipv6",
        "2024-11-12 08:26:40 UTC",
        "INCOMPLETE",
    ):
        assert text in done.stdout
    assert "etc/hosts" not in done.stdout


def test_the_document_of_a_bundle(bundle: Path) -> None:
    found = document(str(bundle))
    assert found["notes"] == []
    assert [
        (one["number"], one["inside"], one["form"], one["node"], one["time"]) for one in found["sources"]
    ] == [
        (1, SOS.format("node1", "iptables_-t_nat_-nvL"), "iptables -L", "node1", "2024-11-12 08:26:40 UTC"),
        (2, SOS.format("node1", "ip6tables_-t_nat_-nvL"), "iptables -L", "node1", "2024-11-12 08:26:40 UTC"),
        (3, SOS.format("node2.example.org", "iptables-save"), "iptables-save", "node2.example.org",
         "Mon Nov 23 12:00:00 2026"),
    ]  # fmt: skip
    assert [bool(one["gaps"]) for one in found["sources"]] == [True, True, False]


def test_the_document_names_every_line_left_out_or_repaired() -> None:
    (one,) = document(stdin=QUOTED)["sources"]
    last = QUOTED.count(b"\n")
    assert one["lines"][0] == {"first": 1, "last": 1, "skipped": True, "reason": "not iptables output"}
    assert one["lines"][-1] == {"first": last, "last": last, "skipped": True, "reason": "not iptables output"}
    assert [(row["first"], row["last"]) for row in one["lines"][1:-1]] == [(2, last - 1)]
    assert (one["inside"], one["repairs"]) == (None, [])


def test_a_plain_dump_is_one_source() -> None:
    (one,) = document(FIXTURE)["sources"]
    assert (one["number"], one["line"], one["lines"], one["gaps"]) == (1, 1, [], [])


def test_sources_says_of_lines_what_is_wrong_only_where_asked(tmp_path: Path) -> None:
    path = tmp_path / "mail.txt"
    path.write_bytes(QUOTED)
    assert "left out" not in run("sources", str(path)).stdout
    assert "1: skipped: not iptables output" in run("sources", str(path), "--lines").stdout


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (("missing.tar",), b"", "missing.tar: cannot be read: no such file"),
        (("LICENSE",), b"", "LICENSE: no iptables rules found"),
        (("-",), b"", "<stdin>: file is empty"),
        (("--max-size", "1K"), HTTPD, "larger than 1 KiB"),
        (("--max-size", "much"), HTTPD, 'invalid size "much"'),
        (("-f", "svg", FIXTURE), b"", 'unknown format "svg"'),
    ],
)
def test_what_sources_cannot_read_is_an_error(arguments: tuple[str, ...], stdin: bytes, message: str) -> None:
    done = run("sources", *arguments, stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_damaged_bundle_is_listed_and_its_problem_said(tmp_path: Path) -> None:
    path = tmp_path / "cut.tar"
    path.write_bytes(tar({"a": HTTPD, "b": HTTPD6 * 3}, "w")[: 512 + len(HTTPD) + 1024])
    done = run("sources", str(path))
    assert done.returncode == 0
    assert str(path) in done.stderr
    assert run("sources", str(path), "-q").stderr == ""
    assert len(document(str(path))["notes"]) == 1


# --- which dump is asked ------------------------------------------------------------------------------------


def test_a_node_of_a_bundle_is_used_and_it_is_said_which_dump(bundle: Path) -> None:
    done = run("trace", TARGET, str(bundle), "--node", "node2.example.org")
    assert done.returncode == 0
    mine, plain = (one.stdout.splitlines() for one in (done, run("trace", TARGET, FIXTURE)))
    assert [line for line in mine if line not in plain] == [mine[3]]
    assert mine[3].startswith(f"{bundle}:")
    (line,) = done.stderr.splitlines()
    assert "using dump 3 of 3 (" in line
    assert "--dump N for another" in line


def test_a_target_of_ipv6_is_looked_for_in_a_dump_of_ipv6() -> None:
    done = run("trace", "[fd00::1]:443", "--json", "--exit-zero", stdin=HTTPD + HTTPD6)
    assert json.loads(done.stdout)["dump"]["family"] == "ipv6"


@pytest.mark.parametrize(("number", "status"), [("3", 0), ("1", 1), ("2", 1)])
def test_a_number_chooses_a_dump(number: str, status: int, bundle: Path) -> None:
    done = run("trace", TARGET, str(bundle), "--dump", number)
    assert done.returncode == status
    assert f"using dump {number} of 3" in done.stderr


@pytest.mark.parametrize("number", ["0", "4", "-1"])
def test_a_number_that_is_not_there_is_an_error_with_the_list(number: str, bundle: Path) -> None:
    done = run("trace", TARGET, str(bundle), "--dump", number)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{bundle}: no dump {number}; contains 3 dumps" in done.stderr
    assert "1: sosreport-node1" in done.stderr


def test_where_none_is_obvious_the_choice_is_left_to_the_user() -> None:
    done = run("trace", TARGET, stdin=HTTPD + HTTPD.replace(b"10.244.1.17", b"10.244.1.99"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "pick one with --dump N" in done.stderr


def test_a_path_inside_a_bundle_is_traced(bundle: Path) -> None:
    done = run("trace", TARGET, f"{bundle}:{SOS.format('node2.example.org', 'iptables-save')}")
    assert (done.returncode, done.stderr) == (0, "")


# --- what was left out --------------------------------------------------------------------------------------


def test_a_plain_dump_is_read_without_a_word() -> None:
    for options in ((), ("-v",), ("--strict",)):
        done = run("trace", TARGET, FIXTURE, *options)
        assert (done.returncode, done.stderr) == (0, "")


def test_one_line_sums_up_what_was_left_out_and_repaired() -> None:
    done = run("trace", TARGET, stdin=QUOTED)
    total = QUOTED.count(b"\n")
    assert done.returncode == 0
    assert done.stderr == (
        f"<stdin>: skipped 2 of {total} lines that are not iptables output (lines 1, {total}); "
        f"repaired {total - 2} lines: stripped leading quote marks (lines 2-{total - 1}); -v for details\n"
    )
    assert run("trace", TARGET, "-q", stdin=QUOTED).stderr == ""


def test_details_tell_of_every_line() -> None:
    total = QUOTED.count(b"\n")
    assert run("trace", TARGET, "-v", stdin=QUOTED).stderr.splitlines() == [
        "<stdin>:1: skipped: not iptables output",
        f"<stdin>:2-{total - 1}: repaired: stripped leading quote marks",
        f"<stdin>:{total}: skipped: not iptables output",
    ]


def test_a_repair_of_the_whole_text_is_said() -> None:
    done = run("trace", TARGET, stdin=HTTPD.decode().encode("utf-16"))
    assert (done.returncode, done.stderr) == (0, "<stdin>: the text is UTF-16 or UTF-32\n")


@pytest.mark.parametrize(
    ("stdin", "what"),
    [
        (QUOTED, "skipped 2 of 105 lines that are not iptables output"),
        (PROMPTED, "skipped 1 of 104 lines that are not iptables output (line 1)"),
        (HTTPD.decode().encode("utf-16"), "the text is UTF-16 or UTF-32"),
        (b"> " + HTTPD.replace(b"\n", b"\n> "), "lines: stripped leading quote marks"),
    ],
)
def test_strict_refuses_what_had_to_be_left_out_or_repaired(stdin: bytes, what: str) -> None:
    done = run("trace", TARGET, "--strict", stdin=stdin)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("iptviz: <stdin>: ")
    assert what in done.stderr
    assert "drop --strict" in done.stderr


@pytest.mark.parametrize(
    ("size", "status"), [("1K", 2), ("6000000", 0), ("1M", 0), ("8GiB", 0), ("0", 2), ("", 2), ("-1", 2)]
)
def test_a_limit_of_size(size: str, status: int) -> None:
    done = run("trace", TARGET, FIXTURE, f"--max-size={size}")
    assert done.returncode == status
    assert bool(done.stderr) == (status == 2)


# --- hostile names ------------------------------------------------------------------------------------------

HOSTILE = (
    "a\x1b]0;owned\x07/dump", "a\x1b[31mred/dump", "a\nfake: line/dump", "a\r\x1b[2K/dump", "a\u202egpj/dump",
    "a\x9b31m/dump", "[bold]x[/bold]/dump", "nodes/n\x1b[1m/dump", "\udcff\udcfe/dump",
)  # fmt: skip
STEERING = ("\x1b]", "\x1b[2K", "\x1b[31m", "\x07", "\u202e", "\x9b")


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_a_hostile_name_never_reaches_the_terminal_raw(name: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    other = HTTPD.replace(b"10.244.1.17", b"10.244.1.99")
    path.write_bytes(tar({name: QUOTED, f"{name}2": other}))
    asked = (
        ("sources",), ("sources", "--lines"), ("sources", "--json"), ("trace", TARGET, "-v"), ("trace", TARGET, "--dump", "1"),
        ("trace", TARGET, "--dump", "1", "-v"), ("trace", TARGET, "--dump", "9"), ("trace", TARGET, "--dump", "1", "--strict"),
    )  # fmt: skip
    for command, *options in asked:
        positional = [one for one in options[:1] if not one.startswith("-")]
        done = run(command, *positional, str(path), *options[len(positional) :])
        for text in (done.stdout, done.stderr):
            assert not any(sign in text for sign in STEERING)
            assert not any(line.startswith("fake: line") for line in text.splitlines())
            assert "Traceback" not in text
            assert "internal error" not in text


def test_at_a_terminal_a_hostile_name_steers_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(tar({HOSTILE[0]: HTTPD, HOSTILE[1]: HTTPD6}))
    for arguments in (("sources", str(path)), ("trace", TARGET, str(path), "--color", "always")):
        status, text = at_terminal(100, *arguments)
        assert status == 0
        assert not any(sign in text for sign in ("\x1b]", "\x07", "\x1b[31mred"))


def test_hostile_lines_are_named_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\x1b]0;owned\x07\n\x1b[2J\nroot@\x1b[31mx:~# iptables-save\n" + HTTPD)
    for arguments in (("sources", "--lines", str(path)), ("trace", TARGET, str(path), "-v")):
        done = run(*arguments)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout + done.stderr
