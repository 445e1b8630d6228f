"""The rules of one chain while lines insert, delete and replace them: quick even where 50,000 lines do so."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from iptviz.grammar.canonical import canonical_text
from iptviz.grammar.reader import take_apart
from iptviz.intake.text import to_text
from iptviz.xtables.option import Saving

if TYPE_CHECKING:
    from collections.abc import Iterator

_SAVING = Saving("ipv4", "legacy")


class _PlacedRule:
    """A rule: what stands before and after `-A CHAIN` in it, its line, and whether it was deleted."""

    __slots__ = ("alive", "head", "line", "tail")

    def __init__(self, head: bytes, tail: bytes, line: int) -> None:
        self.head = head
        self.tail = tail
        self.line = line
        self.alive = True


class Sequence:
    """Rules in order. What is deleted by its words stays as a gap until a place is counted."""

    def __init__(self) -> None:
        self._entries: list[_PlacedRule] = []
        self._gaps = False
        # The rules by meaning, each in order; made when one is first deleted by its words.
        self._same: dict[str, deque[_PlacedRule]] | None = None

    def __bool__(self) -> bool:
        return any(entry.alive for entry in self._entries)

    def lines(self, chain: bytes) -> Iterator[tuple[bytes, int]]:
        """Yield each rule, as one of `chain`, with a line end, and its line."""
        return (
            (b"%s-A %s%s\n" % (entry.head, chain, entry.tail.rstrip(b"\n")), entry.line)
            for entry in self._entries
            if entry.alive
        )

    def append(self, head: bytes, tail: bytes, line: int) -> None:
        """Add a rule at the end."""
        entry = _PlacedRule(head, tail, line)
        self._entries.append(entry)
        if self._same is not None:
            self._same.setdefault(_meaning(tail), deque()).append(entry)

    def insert(self, place: int, tail: bytes, line: int) -> None:
        """Add a rule at `place`, counted from 1."""
        entry = _PlacedRule(b"", tail, line)
        if place > 1:
            self._close_gaps()
            self._same = None
        elif self._same is not None:
            self._same.setdefault(_meaning(tail), deque()).appendleft(entry)
        self._entries.insert(place - 1, entry)

    def delete(self, place: int) -> bool:
        """Delete the rule at `place`; whether there was one."""
        self._close_gaps()
        there = 0 < place <= len(self._entries)
        if there:
            self._entries.pop(place - 1).alive = False
        return there

    def delete_like(self, tail: bytes) -> bool:
        """Delete the first rule that means what `tail` does; whether there was one."""
        if self._same is None:
            self._close_gaps()
            self._same = {}
            for entry in self._entries:
                self._same.setdefault(_meaning(entry.tail), deque()).append(entry)
        found = self._same.get(_meaning(tail), deque())
        while found:
            entry = found.popleft()
            if entry.alive:
                entry.alive = False
                self._gaps = True
                return True
        return False

    def replace(self, place: int, tail: bytes, line: int) -> bool:
        """Put another rule at `place`; whether there was one."""
        there = self.delete(place)
        if there:
            self._entries.insert(place - 1, _PlacedRule(b"", tail, line))
            self._same = None
        return there

    def _close_gaps(self) -> None:
        if self._gaps:
            self._entries = [entry for entry in self._entries if entry.alive]
            self._gaps = False


def _meaning(tail: bytes) -> str:
    """Return the rule as iptables would print it: the same for all spellings."""
    text = "-A A " + to_text(tail).strip()
    return canonical_text(text, take_apart(text), _SAVING)
