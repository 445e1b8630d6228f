"""Untrusted text made harmless: nothing in it steers a terminal, reorders it, or hides."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iptviz.view.text import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\nb", r"a\x0ab"),
        ("a\rb\tc\x00d\x08e", r"a\x0db\x09c\x00d\x08e"),
        ("\x7f", r"\x7f"),
        ("\x80\x9b31m\x9f", r"\x80\x9b31m\x9f"),  # C1: 9b is ESC [ in one byte
        ("\x85", r"\x85"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\u202eevil\u202c", r"\u202eevil\u202c"),  # right to left, and back
        ("\u2066\u2067\u2068\u2069", r"\u2066\u2067\u2068\u2069"),
        ("\u200e\u200f\u061c", r"\u200e\u200f\u061c"),
        ("a\u200bb\u200cc\u200dd\ufeff", r"a\u200bb\u200cc\u200dd\ufeff"),  # zero width
        ("soft\u00adhyphen", r"soft\xadhyphen"),
        ("\u2060\u2061\u2064", r"\u2060\u2061\u2064"),
        ("\ufff9\ufffa\ufffb", r"\ufff9\ufffa\ufffb"),
        (b"caf\xe9 \xff\xfe".decode("utf-8", "surrogateescape"), r"caf\xe9 \xff\xfe"),
        ("\ud800\udfff", r"\ud800\udfff"),
        ("\ufdd0\ufffe\uffff\U0010ffff", r"\ufdd0\ufffe\uffff\U0010ffff"),  # XML has no such characters
    ],
)
def test_what_does_not_simply_print_is_shown_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("hidden", ["\u180e", "\U000e0041", "\U000e0100", "\u034f", "\u3164"])
def test_characters_that_nobody_sees_are_made_visible(hidden: str) -> None:
    shown = printable(f"a{hidden}b")
    assert hidden not in shown
    assert shown.isascii()


def test_escapes_beyond_the_first_plane_can_be_read_back() -> None:
    assert printable("\U000e0041").encode("ascii").decode("unicode_escape") == "\U000e0041"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "default/httpd-service",
        "[bold]x[/bold] :key: <b>x</b> \"'`|\\ -> a:b \\N \\l",
        "Grüße, 你好, привет, שלום, مرحبا, ñ, é",
        "😀 ✓ █",
        "no-break\u00a0space is a space",
    ],
)
def test_everything_else_stays(text: str) -> None:
    assert printable(text) == text


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_no_control_character_and_no_surrogate_gets_out(text: str) -> None:
    categories = {unicodedata.category(character) for character in printable(text)}
    assert categories.isdisjoint({"Cc", "Cs", "Zl", "Zp"})


@given(st.text(st.characters(exclude_categories=()), max_size=40))
def test_it_is_done_once_for_all(text: str) -> None:
    assert printable(printable(text)) == printable(text)


@given(st.binary(max_size=40))
def test_any_bytes_can_be_written_to_any_terminal(data: bytes) -> None:
    shown = printable(data.decode("utf-8", "surrogateescape"))
    assert shown.encode("utf-8").decode("utf-8") == shown
