"""What reading says about lines: left out, repaired, or missing."""

from __future__ import annotations

from typing import NamedTuple


class Remark(NamedTuple):
    """Something to be said about a dump, and the line (counted from 1) it is about."""

    line: int
    text: str


class LineNote(NamedTuple):
    """Neighbouring lines, `first` to `last` counted from 1, that were skipped or repaired for one reason."""

    first: int
    last: int
    reason: str
    skipped: bool

    @property
    def size(self) -> int:
        """How many lines."""
        return self.last - self.first + 1

    def places(self) -> str:
        """Return `7` or `7-9`."""
        return f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"


def add_note(notes: list[LineNote], line: int, reason: str, *, skipped: bool) -> None:
    """Add a line to `notes`, joined with the line before it where the reason is the same."""
    if notes:
        before = notes[-1]
        if before.last + 1 == line and (before.reason, before.skipped) == (reason, skipped):
            notes[-1] = before._replace(last=line)
            return
    notes.append(LineNote(line, line, reason, skipped))
