"""What reading says about lines, as data: left out, repaired, or missing. `iptviz.checks` has the words."""

from __future__ import annotations

from collections.abc import Hashable

from iptviz.records import NamedTuple

Values = tuple[tuple[str, Hashable], ...]
"""What a sentence is made from, each value by its name."""


class Remark(NamedTuple):
    """Something to be said: the line (counted from 1; 0: none) that it is about, what, and its values."""

    line: int
    id: str
    values: Values = ()


def remark(what: str, line: int = 0, /, **values: Hashable) -> Remark:
    """Return the remark whose id is `what`."""
    return Remark(line, what, tuple(values.items()))


class LineNote(NamedTuple):
    """Neighbouring lines, `first` to `last` counted from 1, that were skipped or repaired for one reason.

    `reason` is an id: `iptviz.checks.reading.LINES` has the words.
    """

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
