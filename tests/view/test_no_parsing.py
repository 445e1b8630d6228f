"""Nothing reads a sentence that another part worded: what a format has to know is a field."""

from __future__ import annotations

import re

import pytest

from tests.conftest import ROOT

SOURCES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "iptviz").rglob("*.py")}
TEMPLATES = {path: path.read_text(encoding="utf-8") for path in (ROOT / "iptviz").rglob("*.jinja")}

EVERYWHERE = [
    r"partition\(\": when",
    r"startswith\(\"no match",
    r"in step\.effect",
    r"in effect\b",
    r"(?:split|partition)\(\" \(as line",
    r"replace\(\"every connection\"",
    r"label\.partition\(",
    r"asked\.split\(",
    r"endswith\(\"%\"\)",
    r"f\"Case \{letter\}\"",
]
"""What was read of sentences once: when a case comes about, what a step did, shares, what was asked."""

WHERE_SHOWN = [
    r"\.(?:text|label|heading|fate|line)\.(?:split|partition|rpartition|startswith|removeprefix)\(",
    r"cells\[\d\](?:\.text)?\.(?:split|partition|startswith|endswith|replace)\(",
    r"partition\(\": \"\)",
    r"\.split\(\"\\n\"\)",
    r"\" and \", ",
]
"""How a view or a format would read what another wrote."""

OF_RULES = {"rule.text.removeprefix(", "problem).split("}
"""Texts that nobody here worded: a rule as it stands, and an error's own lines."""


@pytest.mark.parametrize("pattern", EVERYWHERE)
def test_no_part_reads_a_sentence_of_another(pattern: str) -> None:
    found = [path.name for path, text in (SOURCES | TEMPLATES).items() if re.search(pattern, text)]
    assert found == []


@pytest.mark.parametrize("pattern", WHERE_SHOWN)
def test_views_and_formats_read_no_text(pattern: str) -> None:
    shown = {path: text for path, text in SOURCES.items() if path.parent.name in {"view", "render"}}
    lines = [
        line.strip() for text in shown.values() for line in text.splitlines() if re.search(pattern, line)
    ]
    assert [line for line in lines if not any(known in line for known in OF_RULES)] == []
    assert len(shown) > 20
