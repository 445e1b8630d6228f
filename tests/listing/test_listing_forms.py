"""Every match and target as releases from 1.4 on print them, one by one and behind each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.listing import words as listing_words
from iptviz.listing.matches import LISTED_MATCHES
from iptviz.listing.rows import ListedColumns, read_row
from iptviz.listing.targets import LISTED_TARGETS
from iptviz.xtables.words import quote_word, split_words
from tests.conftest import part_of

if TYPE_CHECKING:
    import re

FORMS = Path(__file__).with_name("listing_forms.txt")
PLAIN = ListedColumns(numbered=False, counted=False, interfaces=False)


def forms() -> list[tuple[str, str]]:
    """What is printed after the addresses, and what iptables-save writes for it."""
    lines = [line for line in FORMS.read_text(encoding="utf-8").splitlines() if not line.startswith("## ")]
    return list(zip(lines[::2], [line.strip() for line in lines[1::2]], strict=True))


def row_of(printed: str, saved: str) -> str:
    words = split_words(saved)
    target = words[words.index("-j") + 1] if "-j" in words else ""
    return f"{target} all -- anywhere anywhere {printed} "


@pytest.mark.parametrize(("printed", "saved"), forms())
def test_forms(printed: str, saved: str) -> None:
    assert read_row("X", row_of(printed, saved), PLAIN) == f"-A X {saved}"


def test_every_row_of_the_tables_is_among_the_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    used = set()
    fill = listing_words._fill

    def record(form: str, found: re.Match[str]) -> str:
        used.add((found.re.pattern, form))
        return fill(form, found)

    monkeypatch.setattr(listing_words, "_fill", record)
    for printed, saved in forms():
        read_row("X", row_of(printed, saved), PLAIN)
    of_matches = [row for section in LISTED_MATCHES for row in (section.head, *section.options)]
    of_targets = [row for rows in LISTED_TARGETS.values() for row in rows]
    assert {(row.pattern.pattern, row.form) for row in (*of_matches, *of_targets)} == used


def known_forms() -> list[tuple[str, str]]:
    return [(printed, saved) for printed, saved in forms() if "-m listing" not in saved]


def forms_from(first: int) -> list[tuple[str, str]]:
    """Return all of them, that one first."""
    every = known_forms()
    return [*every[first:], *every[:first]]


@pytest.mark.unmeasured
def test_what_follows_a_match_is_not_taken_for_a_part_of_it() -> None:
    """Every match before every fifth form, and every match and target after every fifth match; or before and after all."""
    matches = [(printed, saved) for printed, saved in known_forms() if "-j" not in saved.split()]
    for number, (printed, saved) in enumerate(matches):
        for other, its in part_of(forms_from(number % 5), 5):
            if its.split()[:2] != saved.split()[:2]:  # the same one twice may be one with more options
                row = row_of(f"{printed} {other}", its)
                assert read_row("X", row, PLAIN) == f"-A X {saved} {its}"


@pytest.mark.parametrize(
    "unknown", ["ndpi", "ndpi 7", "! ndpi", "NDPI match 0x7", "to: x", 'n "d" p', "src,dst", "-x"]
)
def test_nothing_unknown_is_taken_for_a_part_of_a_match(unknown: str) -> None:
    kept = f"-m listing --text {quote_word(unknown)}"
    for printed, saved in known_forms():
        matches, _, target = saved.partition("-j ")
        assert read_row("X", row_of(f"{unknown} {printed}", ""), PLAIN) == (
            f"-A X -m listing --text {quote_word(f'{unknown} {printed}')}"
        )
        if not target:
            assert read_row("X", row_of(f"{printed} {unknown}", ""), PLAIN) == f"-A X {matches} {kept}"


ANY_WORDS = st.lists(st.sampled_from([word for form in forms() for word in form[0].split(" ")]), max_size=12)


@given(ANY_WORDS, st.integers(0, 200), st.text(max_size=2), st.sampled_from(["", *LISTED_TARGETS]))
def test_words_in_disorder_are_one_rule(words: list[str], place: int, dirt: str, target: str) -> None:
    tail = " ".join(words)
    rule = read_row("X", f"{target} all -- anywhere anywhere {tail[:place]}{dirt}{tail[place:]}", PLAIN)
    assert rule is None or split_words(rule)[:2] == ["-A", "X"]
