"""The algebra of marks, against the kernel's own expression on numbers."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

import iptviz
from iptviz.engine.marks import UNKNOWN_MARK, Mark, Origin, known_mark
from iptviz.engine.targets.marking import operation_text
from iptviz.xtables.values.numbers import ALL_BITS, read_mark

BITS = st.integers(0, ALL_BITS)
FEW = st.sampled_from([0, 1, 0x4000, 0xC000, ALL_BITS])


def number(mark: Mark, origin: int) -> int:
    """The mark where the unknown one was `origin`."""
    return (origin & mark.keep) ^ mark.value


@given(BITS | FEW, st.lists(st.tuples(BITS | FEW, BITS | FEW), max_size=4), BITS | FEW, BITS | FEW)
def test_a_partly_known_mark_behaves_as_every_mark_it_may_be(
    origin: int, operations: list[tuple[int, int]], value: int, mask: int
) -> None:
    mark, plain = UNKNOWN_MARK, origin
    for set_value, set_mask in operations:
        mark, plain = mark.set_xmark(set_value, set_mask), (plain & ~set_mask & ALL_BITS) ^ set_value
    assert number(mark, origin) == plain
    truth = mark.equals(value, mask)
    if isinstance(truth, tuple):
        truth = origin & truth[1] == truth[0]
    assert truth == (plain & mask == value)


@given(BITS, BITS, BITS, BITS)
def test_restoring_combines_two_marks(mark: int, connmark: int, nfmask: int, ctmask: int) -> None:
    kept = known_mark(mark).masked(~nfmask & ALL_BITS)
    restored = kept.combined(known_mark(connmark).masked(ctmask), Origin("mark", since=1))
    assert restored.known == (mark & ~nfmask) ^ (connmark & ctmask)


def test_what_two_unknown_marks_make_is_unknown_anew() -> None:
    low, high = UNKNOWN_MARK.masked(0xFF), Mark(Origin("connmark"), 0xFF00, 0)
    assert low.combined(high, Origin("mark", since=1)) == Mark(Origin("mark", since=1), 0xFFFF, 0)
    assert UNKNOWN_MARK.masked(0).combined(high, Origin("x")) == high


@pytest.mark.parametrize(
    ("mark", "text"),
    [
        (known_mark(0), "0x0"),
        (UNKNOWN_MARK, None),
        (Mark(Origin("connmark"), ALL_BITS, 0), None),
        (UNKNOWN_MARK.set_xmark(0x4000, 0), "mark ^ 0x4000"),
        (UNKNOWN_MARK.set_xmark(0, 0xFF), "mark & 0xffffff00"),
        (UNKNOWN_MARK.set_xmark(0x4000, 0x4000), "mark | 0x4000"),
        (UNKNOWN_MARK.set_xmark(0x4001, 0x4000), "(mark & 0xffffbfff) ^ 0x4001"),
        (UNKNOWN_MARK.set_xmark(0x4000, 0xC000), "(mark & 0xffff3fff) ^ 0x4000"),
        (Mark(Origin("connmark", since=3), 0xFF, 0), "connmark (as line 3 left it) & 0xff"),
    ],
)
def test_a_mark_in_words_has_no_more_operations_than_it_takes(mark: Mark, text: str | None) -> None:
    assert mark.text == text


@given(BITS | FEW, BITS | FEW, BITS | FEW)
def test_a_mark_in_words_comes_to_the_mark(origin: int, value: int, mask: int) -> None:
    mark = UNKNOWN_MARK.set_xmark(value, mask)
    if mark.text is not None:
        assert eval(mark.text, {"mark": origin}) == number(mark, origin)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0x1", (1, ALL_BITS)), ("1/0xff", (1, 255)), ("010", (8, ALL_BITS)), ("", None), ("0x1/", None),
     ("0x100000000", None), ("x", None)],
)  # fmt: skip
def test_marks_are_read_as_iptables_reads_them(text: str, expected: tuple[int, int] | None) -> None:
    assert read_mark(text) == expected


def done(text: str, mark: int) -> int:
    """The mark of a packet when that was done to it which the words say."""
    for said in text.split(", "):
        what, value, mask = re.fullmatch(r"(or|xor|and|set to|unchanged) ?(\w*)/?(\w*)", said).groups()  # type: ignore[union-attr]
        number, bits = int(value or "0", 16), int(mask or "0", 16)
        mark = {
            "or": mark | number,
            "xor": mark ^ number,
            "and": mark & number,
            "set to": (mark & ~bits) | number,
            "unchanged": mark,
        }[what]
    return mark


@given(BITS | FEW, BITS | FEW, BITS | FEW)
def test_the_words_of_an_operation_say_what_the_kernel_computes(mark: int, value: int, mask: int) -> None:
    assert done(operation_text(value, mask), mark) == (mark & ~mask & ALL_BITS) ^ value


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("--set-xmark 0x4000/0x4000", "mark or 0x4000"),
        ("--set-xmark 0x4000/0x0", "mark xor 0x4000"),
        ("--set-xmark 0x0/0x4000", "mark and 0xffffbfff"),
        ("--set-xmark 0x1/0xf", "mark set to 0x1/0xf"),
        ("--set-xmark 0x4001/0xf", "mark set to 0x1/0xf, xor 0x4000"),
        ("--set-xmark 0x4001/0x1", "mark or 0x1, xor 0x4000"),
        ("--set-xmark 0x4000/0xf", "mark and 0xfffffff0, xor 0x4000"),
        ("--set-xmark 0x0/0x0", "mark unchanged"),
        ("--set-mark 0x7", "mark 0x7"),
        ("--set-mark 0x1/0x1", "mark or 0x1"),
        ("--or-mark 0x4", "mark or 0x4"),
        ("--and-mark 0xfffffffb", "mark and 0xfffffffb"),
        ("--xor-mark 0x4", "mark xor 0x4"),
    ],
)
def test_a_step_says_what_becomes_of_a_mark(rule: str, text: str) -> None:
    dump = iptviz.load(f"*mangle\n:PREROUTING ACCEPT\n-A PREROUTING -j MARK {rule}\nCOMMIT\n".encode())
    steps = [step for one in iptviz.packet(dump).to_dict()["outcomes"] for step in one["path"]]
    assert next(step["effect"] for step in steps if step["rule"]) == text
