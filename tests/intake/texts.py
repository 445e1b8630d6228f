"""What tests of reading ask a text for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.reading import LINES
from iptviz.dump.model import Dump
from iptviz.intake.read import read_text
from iptviz.source.origin import Source

if TYPE_CHECKING:
    from iptviz.intake.remark import LineNote


def joined(*lines: str) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def dumps(*lines: str) -> list[Dump]:
    """All dumps of a text."""
    text = read_text(joined(*lines))
    return [Dump.of(text, plain, Source("<bytes>", "", text.raw)) for plain in text.dumps]


def dump(*lines: str) -> Dump:
    """The one dump of a text."""
    (one,) = dumps(*lines)
    return one


def rules(of: Dump) -> dict[str, list[tuple[int, str]]]:
    """Each table's rules, with the lines where they stand."""
    return {name: [(rule.line, rule.text) for rule in table.rules()] for name, table in of.tables.items()}


def texts(of: Dump, table: str = "nat") -> list[str]:
    return [text for _, text in rules(of)[table]]


def notes(of: Dump) -> list[tuple[str, bool, str]]:
    return [told(note) for note in of.line_notes]


def told(note: LineNote) -> tuple[str, bool, str]:
    return note.places(), note.skipped, LINES[note.reason]
