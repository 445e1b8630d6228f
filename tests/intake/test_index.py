"""The one pass over the bytes: nothing is lost, and every rule is found where it belongs."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from iptviz.intake.index import (
    COMMENT,
    COMMIT,
    DECLARATIONS,
    NOISE,
    RULES,
    TABLE,
    Index,
    Section,
    build_index,
    kind_of,
    runs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.intake.index import Span

CHAINS = ("INPUT", "A", "A-1", "A-118", "AB", "KUBE-SVC-X", "KUBE-SVC-XY", "a:b", "\u00e9", "-A")
TAILS = ("", " ", " -j DROP", " -s 10.0.0.1/32 -j AB", ' -m comment --comment "-A AB COMMIT"', "\t-j A")
BULK = (
    (
        "SEP-{0} -s 10.0.0.1/32 -j KUBE-MARK-MASQ",
        "SEP-{0} -p tcp -m tcp -j DNAT --to-destination 10.0.0.1:80",
    ),
    ("SEP-{0} -s 10.0.0.1/32 -j KUBE-MARK-MASQ",),
    ("SVC-{0} -m statistic --mode random --probability 0.5 -j KUBE-SEP-A", "SVC-{0} -j KUBE-SEP-B"),
    ("SVC-{0} -j KUBE-SEP-A -m ttl",),
)
OTHERS = (
    ":INPUT ACCEPT [0:0]", ":AB - [0:0]", ":", "*nat", "*filter", "*filter  ", "*nosuch", "* nat", "COMMIT",
    "COMMITTED", "COMMIT ", "# Completed on Mon", "#", "", "  \t", "$ iptables-save -c", "-A", "-A ",
    "[0:0]", "[0:0] COMMIT", " -A INPUT -j DROP", "-B INPUT", "iptables-save: warning", "\x00", "\x0b",
    "\ufeff", "\ufeff\ufeff# Completed", "\ufeff*nat", "\ufeff-A A -j B", "\t# Completed", " :AB - [0:0]", "::",
)  # fmt: skip

rule_lines = st.tuples(
    st.sampled_from(("", "", "[0:0] ", "[12:34567] ", "[1~5:2] ")),
    st.sampled_from(CHAINS),
    st.sampled_from(TAILS),
).map(lambda parts: f"{parts[0]}-A {parts[1]}{parts[2]}")
in_bulk = st.tuples(st.sampled_from(("", "[12:34] ")), st.sampled_from(BULK), st.sampled_from("AB")).map(
    lambda parts: "\n".join(f"{parts[0]}-A KUBE-{line.format(parts[2])}" for line in parts[1])
)
lines = st.one_of(rule_lines, rule_lines, in_bulk, in_bulk, st.sampled_from(OTHERS))
ended_lines = st.tuples(lines, st.sampled_from(("\n", "\n", "\n", "\r\n"))).map("".join)
dump_like = st.tuples(st.lists(ended_lines, max_size=30).map("".join), st.one_of(st.just(""), lines)).map(
    lambda parts: "".join(parts).encode()
)

_RULE_LINE = re.compile(rb"(?:\[[\d~]+:[\d~]+\] )?-A (\S+)")
_TABLE_LINE = re.compile(rb"\*(filter|nat|mangle|raw|security)[ \t\r]*\n?\Z")
_BYTE_ORDER_MARK = "\ufeff".encode()


def tiles(data: bytes) -> list[tuple[int, tuple[int, int]]]:
    """The runs that the scanner cuts `data` into, with their kinds."""
    return [(kind_of(run), run.span()) for run in runs(data)]


class Line(NamedTuple):
    """A line, or a byte order mark in front of one: its kind, what names it, and where it stands."""

    kind: int
    name: bytes
    start: int
    end: int

    @property
    def span(self) -> Span:
        return self.start, self.end


def read_lines(data: bytes) -> Iterator[Line]:
    """Read `data` the slow way, line by line."""
    at = 0
    for text in io.BytesIO(data):
        rest = text
        while rest.startswith(_BYTE_ORDER_MARK):
            yield Line(COMMENT, b"", at, at + 3)
            at, rest = at + 3, rest[3:]
        if rest:
            yield Line(*kind_and_name(rest), at, at + len(rest))
            at += len(rest)


def kind_and_name(line: bytes) -> tuple[int, bytes]:
    if found := _RULE_LINE.match(line):
        return RULES, found[1]
    if found := _TABLE_LINE.match(line):
        return TABLE, found[1]
    if line.rstrip(b" \t\r\n") == b"COMMIT":
        return COMMIT, b""
    if not line.strip(b" \t\r\n") or line.startswith(b"#"):
        return COMMENT, b""
    return (DECLARATIONS if line.startswith(b":") and line.rstrip(b"\n") != b":" else NOISE), b""


def together(spans: Iterable[Span]) -> list[Span]:
    """Make one of the spans that go on from each other."""
    joined: list[Span] = []
    for start, end in spans:
        first = joined.pop()[0] if joined and joined[-1][1] == start else start
        joined.append((first, end))
    return joined


class Table(NamedTuple):
    """What is to be found of a section."""

    name: str
    start: int
    committed: bool
    declarations: list[Span]
    runs: dict[bytes, list[Span]]
    all_runs: dict[bytes, list[Span]]
    blocks: list[Span]


class Found(NamedTuple):
    """What is to be found of a text; of what belongs to no table, each line."""

    tables: list[Table]
    comments: list[Span]
    strays: list[tuple[int, bytes]]


def found_in(data: bytes) -> Found:
    """Tell what `build_index` finds."""
    index = build_index(data)
    tables = [
        Table(
            section.name,
            section.start,
            section.committed,
            section.declarations,
            {chain: section.spans(chain) for chain in section.chains},
            gathered(section.each_run()),
            section.blocks,
        )
        for section in index.sections
    ]
    strays = [(kind, line) for span, kind in index.strays for line in io.BytesIO(data[slice(*span)])]
    return Found(tables, index.comments, strays)


def gathered(runs: Iterable[tuple[bytes, Span]]) -> dict[bytes, list[Span]]:
    found: dict[bytes, list[Span]] = {}
    for chain, span in runs:
        found.setdefault(chain, []).append(span)
    return found


def found_line_by_line(data: bytes) -> Found:
    """Tell what is to be found, from `read_lines` alone."""
    sections: list[tuple[Line, list[Line]]] = []
    comments, strays = [], []
    inside = False
    for line in read_lines(data):
        if line.kind == TABLE:
            sections.append((line, []))
            inside = True
        elif line.kind == COMMENT:
            comments.append(line)
        elif not inside or line.kind == NOISE:
            strays.append(line)
        else:
            sections[-1][1].append(line)
            inside = line.kind != COMMIT
    return Found(
        [table_of(head, lines) for head, lines in sections],
        together(line.span for line in comments),
        [(line.kind, data[slice(*line.span)]) for line in strays],
    )


def table_of(head: Line, lines: list[Line]) -> Table:
    rules = [line for line in lines if line.kind == RULES]
    runs = {chain: together(line.span for line in rules if line.name == chain) for chain in names_of(rules)}
    return Table(
        head.name.decode(),
        head.start,
        any(line.kind == COMMIT for line in lines),
        together(line.span for line in lines if line.kind == DECLARATIONS),
        runs,
        runs,
        together(line.span for line in rules),
    )


def names_of(rules: list[Line]) -> list[bytes]:
    return list(dict.fromkeys(line.name for line in rules))


def lines_of(data: bytes, section: Section, chain: bytes) -> list[bytes]:
    texts = (data[start:end].removesuffix(b"\n") for start, end in section.spans(chain))
    return [line for text in texts for line in text.split(b"\n")]


def assert_tiles(data: bytes) -> None:
    reached = 0
    for kind, (start, end) in tiles(data):
        assert start == reached
        assert end > start
        assert RULES <= kind <= NOISE
        reached = end
    assert reached == len(data)


@given(st.binary(max_size=200))
def test_runs_tile_any_bytes(data: bytes) -> None:
    assert_tiles(data)


@given(dump_like)
def test_runs_tile_what_looks_like_a_dump(data: bytes) -> None:
    assert_tiles(data)


@settings(max_examples=500)
@given(dump_like)
# Python before 3.11.5 (gh-106052) would take the beginning of each second line here for part of the first.
@example(b"*nat\n-A A-1 -j X\n-A A-118 -j Y\n")
@example(b"*nat\n[1:2] -A A -j X\n[3:4] -A AB -j Y\n")
@example(b"*nat\n[1:2] -A A -j X\n[3:4]x\n")
@example(b"*nat\n[1:2] -A A -j X\n[3:4] :B\n")
@example(b"*nat\n:A - [0:0]\n:\n:B - [0:0]\n")
@example(b"*nat\n# Completed\n  -A A -j X\n")
@example(b"*nat\n# Completed\n \xef\xbb\xbf-A A -j X\n")
# Rules of one chain that are written in different ways.
@example(b"*nat\n-A A\n-A A\n[1:2] -A A\n-A A -j X\n[1:2] -A A -j X\n[1:2] -A A\t-j X\n-A A\t\n")
def test_a_dump_is_cut_as_its_lines_say(data: bytes) -> None:
    assert found_in(data) == found_line_by_line(data)


def index(*text: str) -> tuple[bytes, Index]:
    data = "".join(f"{line}\n" for line in text).encode()
    return data, build_index(data)


def test_rules_of_interleaved_chains_are_gathered_chain_by_chain() -> None:
    data, found = index("*nat", "-A A -j X", "-A B -j Y", "-A A -j Z", "-A A -j W", "-A AB -j V", "COMMIT")
    (section,) = found.sections
    assert lines_of(data, section, b"A") == [b"-A A -j X", b"-A A -j Z", b"-A A -j W"]
    assert lines_of(data, section, b"B") == [b"-A B -j Y"]
    assert lines_of(data, section, b"AB") == [b"-A AB -j V"]
    assert [len(section.spans(chain)) for chain in (b"A", b"B", b"AB", b"C")] == [2, 1, 1, 0]
    assert len(section.blocks) == 1


@pytest.mark.parametrize("count", [999, 1000, 1001, 2000, 50_000])
def test_many_lines_of_one_kind_stand_in_one_place(count: int) -> None:
    rules = [f"[{number}:0] -A KUBE-SERVICES -s 10.0.0.0/8 -j X{number}" for number in range(count)]
    data, found = index(
        *["# rules"] * count, "*nat", *[":A - [0:0]"] * count, *rules, "COMMIT", *[""] * count
    )
    (section,) = found.sections
    comments, declarations, blocks = (
        count * len("# rules\n"),
        count * len(":A - [0:0]\n"),
        sum(map(len, rules)),
    )
    first = comments + len("*nat\n") + declarations
    last = first + blocks + count
    assert section.declarations == [(comments + len("*nat\n"), first)]
    assert section.spans(b"KUBE-SERVICES") == section.blocks == [(first, last)]
    assert found.comments == [(0, comments), (last + len("COMMIT\n"), len(data))]
    assert found_in(data) == found_line_by_line(data)


@pytest.mark.parametrize("line", ["-A A -j X", "[1:2] -A A -j X", ":A - [0:0]", "# a comment"])
def test_the_scanner_takes_a_thousand_lines_at_once(line: str) -> None:
    assert len(tiles(f"{line}\n".encode() * 100_000)) == 100


def test_a_table_that_stands_twice_is_two_sections() -> None:
    _, found = index("*nat", "-A A -j X", "COMMIT", "*nat", "-A B -j Y")
    assert [(one.name, list(one.chains), one.committed) for one in found.sections] == [
        ("nat", [b"A"], True),
        ("nat", [b"B"], False),
    ]


def test_a_table_that_begins_inside_another_ends_that_one_uncommitted() -> None:
    _, found = index("*nat", "-A A -j X", "*filter", "-A B -j Y", "COMMIT")
    assert [(one.name, list(one.chains), one.committed) for one in found.sections] == [
        ("nat", [b"A"], False),
        ("filter", [b"B"], True),
    ]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("-A A -j X", RULES),
        ("[1:2] -A A -j X", RULES),
        (":A - [0:0]", DECLARATIONS),
        ("COMMIT", COMMIT),
        ("*nosuch", NOISE),
        ("root@node:~# iptables-save", NOISE),
    ],
)
def test_what_stands_outside_a_table_is_a_stray(line: str, kind: int) -> None:
    data, found = index("*nat", "COMMIT", line, "*filter", "COMMIT")
    ((span, given_kind),) = found.strays
    assert data[slice(*span)] == f"{line}\n".encode()
    assert given_kind == kind


def test_noise_inside_a_table_does_not_end_it() -> None:
    data, found = index("*nat", "-A A -j X", "warning: slow", "-A A -j Y", "COMMIT")
    (section,) = found.sections
    assert lines_of(data, section, b"A") == [b"-A A -j X", b"-A A -j Y"]
    assert section.committed
    assert [data[slice(*stray.span)] for stray in found.strays] == [b"warning: slow\n"]


@given(dump_like)
def test_what_is_not_in_bulk_is_told_apart(data: bytes) -> None:
    for section in build_index(b"*nat\n" + data).sections:
        assert together(sorted(span for _, span in section.rest_runs())) == section.rest
        whole = set(lines_within(b"*nat\n" + data, section.blocks))
        rest = set(lines_within(b"*nat\n" + data, section.rest))
        assert rest <= whole
        assert {line for line in whole if b"10.0.0.1:80" not in line and b"SEP" not in line} <= rest


def lines_within(data: bytes, spans: Iterable[Span]) -> Iterator[bytes]:
    return (line for start, end in spans for line in data[start:end].splitlines())


def test_who_asks_for_many_chains_is_told_the_same() -> None:
    rules = [
        line
        for number in range(1000)
        for line in (
            f"-A KUBE-SEP-{number} -s 10.0.0.1/32 -j KUBE-MARK-MASQ",
            f"-A KUBE-SEP-{number} -p tcp -m tcp -j DNAT --to-destination 10.0.0.1:80",
            f"-A KUBE-SEP-{number % 7} -j RETURN",
        )
    ]
    data, found = index("*nat", *rules, "COMMIT")
    (section,) = found.sections
    first = {chain: section.spans(chain) for chain in list(section.chains)[:300]}
    assert {chain: section.spans(chain) for chain in first} == first
    runs = gathered(section.each_run())
    assert {chain: runs[chain] for chain in first} == first
    assert lines_of(data, section, b"KUBE-SEP-999") == [line.encode() for line in rules[-3:-1]]
