"""One side of a diff is read, never both at once; what stands between its hunks is missing, and said to be."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from iptviz.dump.model import Dump
from iptviz.errors import DumpError
from iptviz.intake.read import read_text
from iptviz.node.load import load
from iptviz.source.origin import Source
from tests.intake.texts import joined, rules

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD = [
    "*nat", ":KUBE-SVC-A - [0:0]", "-A KUBE-SVC-A -j KUBE-SEP-B", "-A KUBE-SVC-A -j KUBE-SEP-C",
    "-A KUBE-SVC-A -j KUBE-SEP-D", "COMMIT", "*filter", ":KUBE-FORWARD - [0:0]", "-A KUBE-FORWARD -j REJECT", "COMMIT",
]  # fmt: skip
NEW = [*OLD[:3], "-A KUBE-SVC-A -j KUBE-SEP-X", *OLD[4:8], "-A KUBE-FORWARD -j DROP", "COMMIT"]
CUT = "diff-cut"


def side(data: bytes, which: str | None = None) -> Dump:
    text = read_text(data, side=which)
    (plain,) = text.dumps
    return Dump.of(text, plain, Source("<bytes>", "", data))


def found(read: Dump) -> dict[str, list[str]]:
    return {name: [text for _, text in of_table] for name, of_table in rules(read).items()}


def whole(lines: list[str]) -> dict[str, list[str]]:
    return found(Dump(joined(*lines)))


@pytest.fixture
def diff(tmp_path: Path) -> list[str]:
    (tmp_path / "old").write_bytes(joined(*OLD))
    (tmp_path / "new").write_bytes(joined(*NEW))
    return ["diff", str(tmp_path / "old"), str(tmp_path / "new")]


def output(command: list[str]) -> bytes:
    return subprocess.run(command, capture_output=True, check=False).stdout


@pytest.mark.parametrize("option", ["-U0", "-U1", "-U2", "-u", "-U5", "-U99", ""])
def test_a_side_of_a_diff_is_read(diff: list[str], option: str) -> None:
    data = output([*diff, *filter(None, [option])])
    for which, lines in (("new", NEW), ("old", OLD)):
        read = side(data, which)
        for table, texts in found(read).items():
            assert texts == [text for text in whole(lines)[table] if text in texts]
        assert {lines[3], lines[8]} <= {text for texts in found(read).values() for text in texts}
        assert read.complete or CUT in {gap.id for gap in read.gaps}
        assert found(read) == whole(lines) or not read.complete
        assert dict(read.repairs[-1].values)["side"] == which
    assert found(side(data)) == found(side(data, "new"))


@pytest.mark.parametrize("option", ["-U6", "-U99"])
def test_a_diff_that_shows_all_is_a_whole_dump(diff: list[str], option: str) -> None:
    read = side(output([*diff, option]))
    assert (found(read), read.complete) == (whole(NEW), True)


def test_lines_keep_their_numbers(diff: list[str]) -> None:
    data = output([*diff, "-U99"])
    numbers = {
        line.lstrip("+ "): at for at, line in enumerate(data.decode().split("\n"), 1) if line[:1] != "-"
    }
    assert all(numbers[text] == line for of_table in rules(side(data)).values() for line, text in of_table)


def test_tables_after_a_gap_are_told_by_their_rules() -> None:
    hunks = [
        "@@ -2,2 +2,2 @@",
        " *nat",
        "-:A - [0:0]",
        "+:B - [0:0]",
        "@@ -90,2 +90,2 @@",
        " -A INPUT -j REJECT",
        "--A INPUT -j A",
        "+-A INPUT -j C",
    ]
    read = side(joined("--- a", "+++ b", *hunks))
    assert found(read) == {"nat": [], "filter": ["-A INPUT -j REJECT", "-A INPUT -j C"]}
    assert not read.complete


def test_the_same_rule_in_two_hunks_is_there_twice() -> None:
    hunks = ["@@ -2,2 +2,2 @@", " -A A -j B", "+-A A -j C", "@@ -90,2 +91,2 @@", " -A A -j B", "+-A A -j D"]
    assert found(side(joined(*hunks))) == {"filter": ["-A A -j B", "-A A -j C", "-A A -j B", "-A A -j D"]}


def test_files_of_a_diff_are_dumps_of_their_own() -> None:
    lines = ["diff --git a/n1 b/n1", "--- a/n1", "+++ b/n1", "@@ -9,1 +9,2 @@", " -A A -j B", "+-A A -j C"]
    found_dumps = read_text(joined(*lines, *(line.replace("n1", "n2") for line in lines))).dumps
    assert len(found_dumps) == 2


@pytest.mark.parametrize("signs", ["+", "-"])
def test_lines_with_signs_alone_are_a_side(signs: str) -> None:
    lines = joined(*(f"{signs}{line}" for line in ("-A A -j B", "-A A -j C")))
    which, other = ("new", "old") if signs == "+" else ("old", "new")
    read = side(lines, which)
    assert found(read) == {"filter": ["-A A -j B", "-A A -j C"]}
    assert not read.complete
    with pytest.raises(DumpError, match=f"the {other} side of this diff has no rules") as refused:
        load(lines, side=other)
    assert refused.value.hint == f"read the other side: --side {which}"


def test_a_list_is_no_diff() -> None:
    read = side(joined("- -A A -j B", "- -A A -j C"))
    assert (found(read), read.repairs) == ({"filter": ["-A A -j B", "-A A -j C"]}, ())


def test_a_side_of_what_is_no_diff_is_refused() -> None:
    with pytest.raises(DumpError, match="--side old needs a diff"):
        load(joined(*OLD), side="old")


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        (["@@@ -1,2 -1,2 +1,2 @@@", "  -A A -j B", "++-A A -j C", "- -A A -j D"], "a combined diff"),
        (["-A A -j B\t\t\t-A A -j B", "-A A -j C\t\t  |\t-A A -j D"], "a diff side by side"),
    ],
)
def test_other_diffs_are_refused(lines: list[str], what: str) -> None:
    with pytest.raises(DumpError, match=f"this is {what}"):
        load(joined(*lines))


PREFIXES: dict[str, Callable[[int], bytes]] = {
    "a mail": lambda _: b"> ", "indentation": lambda _: b"    ", "a mail in a mail": lambda _: b"> > ", "a table": lambda _: b"| ",
    "aligned numbers": lambda at: b"%4d  " % at, "grep": lambda at: b"%d:" % at, "a log": lambda at: b"2024-11-12T10:11:%02d.%dZ " % (at % 60, at),
}  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("option", ["-u", "-U99", ""])
def test_a_quoted_diff_has_sides_too(diff: list[str], option: str, prefix: str) -> None:
    data = output([*diff, *filter(None, [option])])
    quoted = b"".join(
        PREFIXES[prefix](at) + line for at, line in enumerate(data.splitlines(keepends=True), 1)
    )
    for which in ("new", "old"):
        assert found(side(quoted, which)) == found(side(data, which))


def test_blanks_at_the_end_of_quoted_lines_may_be_cut(diff: list[str]) -> None:
    data = output([*diff, "-U99"]).replace(b" COMMIT\n", b" \n COMMIT\n")
    cut = b"".join((b"> " + line).rstrip() + b"\n" for line in data.splitlines())
    assert found(side(cut)) == found(side(data))


@pytest.mark.parametrize("signs", [(b"+", b"-"), (b"+ ", b"- ")])
def test_quoted_lines_with_signs_alone_are_no_rules_of_both_sides(signs: tuple[bytes, bytes]) -> None:
    new, old = signs
    data = b"> %s-A KUBE-SVC-A -j KUBE-SEP-X\n> %s-A KUBE-SVC-A -j KUBE-SEP-D\n" % (new, old) * 4
    assert {rule for texts in found(side(data)).values() for rule in texts} == {"-A KUBE-SVC-A -j KUBE-SEP-X"}


def test_of_a_diff_of_diffs_the_side_of_a_side_is_read() -> None:
    inner = [
        "@@ -1,3 +1,3 @@",
        " *nat",
        " -A KUBE-SVC-A -j KUBE-SEP-B",
        "--A KUBE-SVC-A -j KUBE-SEP-C",
        "+-A KUBE-SVC-A -j KUBE-SEP-X",
    ]
    outer = ["@@ -1,4 +1,5 @@", *(f" {line}" for line in inner[:4]), f"+{inner[4]}"]
    assert found(side(joined(*outer))) == {
        "nat": ["-A KUBE-SVC-A -j KUBE-SEP-B", "-A KUBE-SVC-A -j KUBE-SEP-X"]
    }
    assert found(side(joined(*outer), "old")) == {
        "nat": ["-A KUBE-SVC-A -j KUBE-SEP-B", "-A KUBE-SVC-A -j KUBE-SEP-C"]
    }


def test_lines_around_those_that_grep_found_are_no_removed_ones() -> None:
    data = b"11--A KUBE-SVC-A -j KUBE-SEP-B\n12:-A KUBE-SVC-A -j KUBE-SEP-C\n13--A KUBE-SVC-A -j KUBE-SEP-D\n"
    assert [len(texts) for texts in found(side(data)).values()] == [3]
