"""Texts in DOT that Graphviz takes for more than text, or does not take at all: escapes, and what is long."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest

from iptviz.render.dot import dot_text
from iptviz.render.drawn import svg
from iptviz.view.nodes import Bar
from iptviz.view.picture import Box, Link, Picture
from tests.render.test_hostile import needs_dot, svg_of

ESCAPES = "\\N \\G \\E \\T \\H \\L \\n \\l \\r \\ \\\\ &#92;N &lt;"


@needs_dot
def test_what_stands_under_the_mouse_is_no_escape() -> None:
    boxes = (Box("a", "chain", ("x",), (ESCAPES, ESCAPES)), Box("b", "chain", ("x",)))
    drawn = svg(Picture("title", boxes, (Link("a", "b", ("x",), "jump", 0.5, (ESCAPES,)),), ()))
    titles = [one.text for one in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}title")]
    assert {f"{ESCAPES}\n{ESCAPES}", ESCAPES} <= set(titles)


@needs_dot
@pytest.mark.parametrize("bar", [None, Bar(0.25)])
@pytest.mark.parametrize("sign", ["x", " x", "&", "\\", '"', "\N{SNOWMAN}", "<"])
def test_graphviz_reads_labels_of_any_length(sign: str, bar: Bar | None) -> None:
    text = sign * 20_000
    groups = svg_of(dot_text(Picture(text, (Box("b", "endpoint", (text,), (), bar),), (), ())))
    assert groups["b"] == [text]
    assert text in groups["iptviz"]
