"""The one pass over the bytes: nothing is lost, and every rule is found where it belongs."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iptviz.intake.index import COMMIT, DECLARATIONS, NOISE, RULES, Index, Section, build_index, runs

CHAINS = ("INPUT", "A", "AB", "KUBE-SVC-X", "KUBE-SVC-XY", "a:b", "\u00e9", "-A")
TAILS = ("", " ", " -j DROP", " -s 10.0.0.1/32 -j AB", ' -m comment --comment "-A AB COMMIT"', "\t-j A")
OTHERS = (
    ":INPUT ACCEPT [0:0]", ":AB - [0:0]", ":", "*nat", "*filter", "*filter  ", "*nosuch", "* nat", "COMMIT",
    "COMMITTED", "COMMIT ", "# Completed on Mon", "#", "", "  \t", "$ iptables-save -c", "-A", "-A ",
    "[0:0]", "[0:0] COMMIT", " -A INPUT -j DROP", "-B INPUT", "iptables-save: warning", "\x00", "\x0b",
)  # fmt: skip

rule_lines = st.tuples(
    st.sampled_from(("", "[0:0] ", "[12:34567] ")), st.sampled_from(CHAINS), st.sampled_from(TAILS)
).map(lambda parts: f"{parts[0]}-A {parts[1]}{parts[2]}")
lines = st.one_of(rule_lines, rule_lines, st.sampled_from(OTHERS))
ended_lines = st.tuples(lines, st.sampled_from(("\n", "\n", "\n", "\r\n"))).map("".join)
dump_like = st.tuples(st.lists(ended_lines, max_size=30).map("".join), st.one_of(st.just(""), lines)).map(
    lambda parts: "".join(parts).encode()
)

_RULE_LINE = re.compile(rb"(?:\[\d+:\d+\] )?-A (\S+)")
_TABLE_LINE = re.compile(rb"\*(filter|nat|mangle|raw|security)[ \t\r]*\n?\Z")


def tiles(data: bytes) -> list[tuple[int, tuple[int, int]]]:
    """The runs that the scanner cuts `data` into, with their kinds."""
    return [(run.lastindex or 0, run.span()) for run in runs(data)]


def rules_line_by_line(data: bytes) -> list[dict[bytes, list[bytes]]]:
    """Read `data` the slow way: for every table the rule lines of each chain."""
    sections: list[dict[bytes, list[bytes]]] = []
    inside = False
    for line in data.split(b"\n"):
        if _TABLE_LINE.match(line):
            sections.append({})
            inside = True
        elif line.rstrip(b" \t\r") == b"COMMIT":
            inside = False
        elif inside and (found := _RULE_LINE.match(line)):
            sections[-1].setdefault(found[1], []).append(line)
    return sections


def lines_of(data: bytes, section: Section, chain: bytes) -> list[bytes]:
    texts = (data[start:end].removesuffix(b"\n") for start, end in section.spans(chain))
    return [line for text in texts for line in text.split(b"\n")]


def assert_tiles(data: bytes) -> None:
    reached = 0
    for kind, (start, end) in tiles(data):
        assert start == reached
        assert end > start
        assert 1 <= kind <= 6
        reached = end
    assert reached == len(data)


@given(st.binary(max_size=200))
def test_runs_tile_any_bytes(data: bytes) -> None:
    assert_tiles(data)


@given(dump_like)
def test_runs_tile_what_looks_like_a_dump(data: bytes) -> None:
    assert_tiles(data)


@settings(max_examples=300)
@given(dump_like)
def test_every_rule_line_is_found_in_its_chain_once_and_in_order(data: bytes) -> None:
    sections = build_index(data).sections
    found = [{chain: lines_of(data, section, chain) for chain in section.runs} for section in sections]
    assert found == rules_line_by_line(data)


@given(dump_like)
def test_blocks_hold_exactly_the_rules_of_all_chains(data: bytes) -> None:
    for section in build_index(data).sections:
        in_blocks = b"".join(data[start:end] for start, end in section.blocks)
        spans = sorted(span for chain in section.runs for span in section.spans(chain))
        assert in_blocks == b"".join(data[start:end] for start, end in spans)


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


def test_many_rules_of_one_chain_are_one_run() -> None:
    rules = [f"[{number}:0] -A KUBE-SERVICES -s 10.0.0.0/8 -j X{number}" for number in range(50_000)]
    data, found = index("*nat", *rules, "COMMIT")
    (section,) = found.sections
    assert section.spans(b"KUBE-SERVICES") == [(len("*nat\n"), len(data) - len("COMMIT\n"))]
    assert len(tiles(data)) == 3


def test_a_table_that_stands_twice_is_two_sections() -> None:
    _, found = index("*nat", "-A A -j X", "COMMIT", "*nat", "-A B -j Y")
    assert [(one.name, list(one.runs), one.committed) for one in found.sections] == [
        ("nat", [b"A"], True),
        ("nat", [b"B"], False),
    ]


def test_a_table_that_begins_inside_another_ends_that_one_uncommitted() -> None:
    _, found = index("*nat", "-A A -j X", "*filter", "-A B -j Y", "COMMIT")
    assert [(one.name, list(one.runs), one.committed) for one in found.sections] == [
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
