"""Every format of every question shows what others chose as text: exactly that, and nothing else of it is there.

A question is asked twice: of a dump with words that mean nothing, and of one with a hostile text in their places.
What a parser reads of the second answer must be what it reads of the first, with the text in the words' places.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest

from iptviz.render.dot import dot_text
from iptviz.render.formats import FORMATS
from iptviz.terminal import Style
from iptviz.view.blocks import Figure
from iptviz.view.registry import view_of
from iptviz.view.text import printable
from tests.conftest import EVERYTHING
from tests.render.hostile_texts import HARMFUL, LONG
from tests.render.questions import MARKS, OF_NO_DUMP, QUESTIONS, Words, hostile
from tests.render.readers import READERS, squeezed, unblanked
from tests.render.test_hostile import needs_dot

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BY_GRAPHVIZ = {"dot", "svg", "png", "pdf", "html", "zip"}
TOGETHER = {f"{start} of 3": " ".join(list(HARMFUL.values())[start::3]) for start in range(3)}
"""All texts in few: each by itself is tried where everything is wanted, and Graphviz draws no part of the format."""

ASCII = " ".join(text for text in HARMFUL.values() if text.isascii() and text.isprintable())[:300]
"""What every font has."""

CELLS = [(question, one.name) for one in FORMATS.values() for question in one.questions]
READABLE = [cell for cell in CELLS if cell[1] not in {"png", "pdf"} and cell[0] not in OF_NO_DUMP]
FORMULAS = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
CLIPPED = 950
"""What is longer stands under the mouse without its end."""


def test_every_question_and_every_format_is_here() -> None:
    assert set(QUESTIONS) == {question for question, _ in CELLS}
    assert set(READERS) == set(FORMATS)


def written(question: str, format_name: str, words: Words) -> Iterator[Any]:
    writer, style = FORMATS[format_name].writer(question), Style(width=1_000_000)
    return (writer(result, style, fold=False) for result in answers(question, words))


@cache
def answers(question: str, words: Words) -> list[Any]:
    return QUESTIONS[question](words)


def read(question: str, format_name: str, words: Words, *, most: int | None = CLIPPED) -> Counter[str]:
    """Return how often each text is read in the answers, of each as many signs as `most` says."""
    found = (text for one in written(question, format_name, words) for text in READERS[format_name](one))
    return Counter(squeezed(text)[:most] for text in found)


def filled(texts: Iterable[str], words: Words, format_name: str) -> Counter[str]:
    """Return texts with words instead of the marks in them, as that format is to show them."""
    places = {f'"{MARKS.comment}"': f'"{words.quoted}"'} | dict(zip(MARKS, words, strict=True))
    shown = {
        mark: word if format_name in {"json", "jsonl"} else printable(word) for mark, word in places.items()
    }
    marks = re.compile("|".join(map(re.escape, places)))
    done = (marks.sub(lambda found: shown[found[0]], text) for text in texts)
    spared = (f"'{one}" if format_name == "csv" and one.startswith(FORMULAS) else one for one in done)
    return Counter(squeezed(one)[:CLIPPED] for one in spared)


@needs_dot
@pytest.mark.parametrize(("question", "format_name"), READABLE)
def test_a_text_is_shown_as_it_is_and_changes_nothing_else(question: str, format_name: str) -> None:
    skeleton = read(question, format_name, MARKS, most=None)
    assert any(mark in text for text in skeleton for mark in MARKS)
    for name, text in (HARMFUL if EVERYTHING and format_name not in BY_GRAPHVIZ else TOGETHER).items():
        words = hostile(text)
        found, wanted = read(question, format_name, words), filled(skeleton.elements(), words, format_name)
        assert (name, found - wanted, wanted - found) == (name, Counter(), Counter())


@needs_dot
@pytest.mark.parametrize("question", FORMATS["pdf"].questions)
def test_a_page_to_print_has_the_texts_of_the_picture_and_no_others(question: str) -> None:
    words = hostile(ASCII)
    for result, page in zip(answers(question, words), written(question, "pdf", words), strict=True):
        (held,) = READERS["pdf"](page)
        (figure,) = view_of(result, fold=False).of(Figure)
        drawn = READERS["dot"](dot_text(figure.draw(), printed=True))
        texts = [unblanked(one.removeprefix("text: ")) for one in drawn if one.startswith("text: ")]
        assert [text for text in texts if text not in held] == []
        assert Counter(held) == Counter("".join(texts))


@needs_dot
@pytest.mark.parametrize(("question", "format_name"), [*READABLE, ("graph", "pdf"), ("graph", "png")])
def test_a_text_of_ten_thousand_signs_is_shown_or_clipped(question: str, format_name: str) -> None:
    found = READERS[format_name](next(written(question, format_name, hostile(LONG))))
    assert format_name == "png" or any(LONG[:59] in text for text in found)
    if format_name in {"tree", "table", "csv", "json", "jsonl", "html"}:
        whole = LONG[:4_096] if question == "sources" else LONG  # paths in a bundle are cut
        assert any(whole in text for text in found)
