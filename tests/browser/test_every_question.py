"""Every page and every flowchart in the programs that readers use, with hostile texts: nothing else changes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from iptviz.render.formats import FORMATS
from iptviz.render.mermaid import mermaid
from iptviz.view.picture import Box, Link, Picture
from iptviz.view.text import printable
from tests.render.hostile_texts import HARMFUL
from tests.render.questions import MARKS, Words, hostile
from tests.render.readers import squeezed
from tests.render.test_every_format import CLIPPED, TOGETHER, filled, written

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Draw = Callable[[str], dict[str, Any]]

_HELD = """() => {
    const found = [];
    for (const one of document.querySelectorAll(':not(text)')) {
        found.push('<' + one.localName + '>');
        for (const name of ['href', 'aria-label', 'title', 'value'])
            if (one.hasAttribute(name)) found.push(name + '=' + one.getAttribute(name));
        if (['script', 'style'].includes(one.localName)) continue;
        for (const child of one.childNodes)
            if (child.nodeType === Node.TEXT_NODE) found.push(child.data);
        const lines = [...one.children].filter((child) => child.localName === 'text');
        found.push(lines.map((line) => line.textContent).join(' '));
    }
    return found;
}"""


def shown(browser: Any, folder: Path, question: str, words: Words) -> Counter[str]:
    """Return the elements and texts of the pages, once their scripts have run, with a chain looked at."""
    found: Counter[str] = Counter()
    page = browser.new_page()
    wrong: list[str] = []
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    for number, text in enumerate(written(question, "html", words)):
        file = folder / f"{number}-{len(text)}.html"
        file.write_text(text, encoding="utf-8")
        page.goto(f"{file.as_uri()}#chain=nat/KUBE-SVC-A")
        lines = (squeezed(unquote(line)) for held in page.evaluate(_HELD) for line in held.split("\n"))
        found.update(line[:CLIPPED] for line in lines if line)
    page.close()
    assert wrong == []
    return found


@pytest.mark.parametrize("question", FORMATS["html"].questions)
def test_a_page_shows_texts_and_nothing_else(browser: Any, tmp_path: Path, question: str) -> None:
    skeleton = shown(browser, tmp_path, question, MARKS)
    assert any(mark in text for text in skeleton for mark in MARKS)
    for name, text in list(TOGETHER.items())[:: 1 if question == "report" else 2]:
        words = hostile(text)
        found, wanted = shown(browser, tmp_path, question, words), filled(skeleton.elements(), words, "html")
        assert (name, found - wanted, wanted - found) == (name, Counter(), Counter())


def drawn(draw: Draw, question: str, words: Words) -> Counter[str]:
    """Return the lines of all labels that Mermaid draws, and how much of it is no label."""
    found: Counter[str] = Counter()
    for text in written(question, "mermaid", words):
        picture = draw(text)
        found.update(squeezed(label)[:CLIPPED] for label in picture["texts"])
        found.update({"foreign": picture["foreign"], "links": picture["links"]})
    return found


@pytest.mark.parametrize("question", FORMATS["mermaid"].questions)
def test_a_flowchart_shows_texts_and_nothing_else(draw: Draw, question: str) -> None:
    skeleton = drawn(draw, question, MARKS)
    for name, text in TOGETHER.items():
        words = hostile(text)
        found, wanted = drawn(draw, question, words), filled(skeleton.elements(), words, "mermaid")
        assert (name, found - wanted, wanted - found) == (name, Counter(), Counter())


def test_mermaid_takes_no_text_for_anything_else(draw: Draw) -> None:
    texts = {name: printable(text) for name, text in HARMFUL.items()}
    boxes = [Box(name, "chain", (text,)) for name, text in texts.items()]
    links = [Link(name, name, (text,), "jump", 0.5) for name, text in texts.items()]
    picture = draw(mermaid(Picture("title", tuple(boxes), tuple(links), ())))
    found = Counter(map(squeezed, picture["texts"]))
    wanted = Counter(squeezed(text) for text in texts.values())
    assert [text for text, count in wanted.items() if found[text] < 2 * count] == []
    assert not picture["foreign"]
