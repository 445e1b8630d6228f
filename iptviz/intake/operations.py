"""What `-I`, `-D`, `-F`, `-X`, `-R` and `-E` in restore input do to the rules above them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.dialect import LineKind
from iptviz.intake.draft import BUILT_IN, Piece, chain_of
from iptviz.intake.remark import LineNote, add_note
from iptviz.intake.sequence import Sequence
from iptviz.intake.text import split_lines

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.intake.draft import Draft

_PLACE = re.compile(rb"(\d{1,9})(?:\s+|\Z)")


class Restore:
    """What iptables-restore makes of a table: its chains after every line so far was carried out."""

    def __init__(self, notes: list[LineNote]) -> None:
        self.declared: dict[bytes, tuple[bytes, int]] = {}
        self.rules: dict[bytes, Sequence] = {}
        self.notes = notes

    def carry_out(self, draft: Draft) -> None:
        """Carry out the lines of `draft`."""
        for piece in draft.pieces:
            for number, text in enumerate(split_lines(piece.text)):
                self._carry_out_line(piece.kind, text, piece.line + number)

    def pieces(self) -> list[Piece]:
        """Return what is there now."""
        declared = [Piece(LineKind.DECLARATION, *line) for line in self.declared.values()]
        return declared + [
            Piece(LineKind.RULE, *line) for chain, rules in self.rules.items() for line in rules.lines(chain)
        ]

    def _carry_out_line(self, kind: LineKind, text: bytes, line: int) -> None:
        if kind is LineKind.RULE:
            chain = chain_of(text)
            head, _, tail = text.partition(b"-A " + chain)
            self._rules_of(chain).append(head, tail, line)
        elif kind is LineKind.DECLARATION:
            self._declare(text, line)
        elif kind is LineKind.OPERATION:
            words = text.split(maxsplit=2)
            done = _OPERATIONS[words[0]](self, words[1] if len(words) > 1 else b"", b"".join(words[2:]), line)
            reason = _CARRIED_OUT[words[0]] if done else "changes-nothing"
            add_note(self.notes, line, reason, skipped=not done)

    def _rules_of(self, chain: bytes) -> Sequence:
        return self.rules.setdefault(chain, Sequence())

    def _declare(self, text: bytes, line: int) -> None:
        """Declare a chain; one that is there already is emptied, as iptables-restore does with user chains."""
        name = chain_of(text)
        self.declared[name] = (text, line)
        if name not in BUILT_IN and self.rules.pop(name, Sequence()):
            add_note(self.notes, line, "carried-out-declared-again", skipped=False)

    def _insert(self, chain: bytes, rest: bytes, line: int) -> bool:
        place, rule = _split_place(rest)
        self._rules_of(chain).insert(place or 1, b" " + (rule if place else rest), line)
        return True

    def _delete(self, chain: bytes, rest: bytes, _line: int) -> bool:
        place, rule = _split_place(rest)
        rules = self._rules_of(chain)
        return rules.delete(place) if place and not rule.strip() else rules.delete_like(rest)

    def _replace(self, chain: bytes, rest: bytes, line: int) -> bool:
        place, rule = _split_place(rest)
        return self._rules_of(chain).replace(place, b" " + rule, line)

    def _flush(self, chain: bytes, _rest: bytes, _line: int) -> bool:
        for name in [chain] if chain else list(self.rules):
            self.rules.pop(name, None)
        return True

    def _remove(self, chain: bytes, _rest: bytes, _line: int) -> bool:
        for name in [chain] if chain else [name for name in self.declared if name not in BUILT_IN]:
            self.rules.pop(name, None)
            self.declared.pop(name, None)
        return True

    def _rename(self, chain: bytes, rest: bytes, line: int) -> bool:
        new = rest.strip()
        if chain not in self.declared:
            return False
        del self.declared[chain]
        self.declared[new] = (b":%s - [0:0]\n" % new, line)
        self.rules[new] = self.rules.pop(chain, Sequence())
        return True

    def _zero(self, _chain: bytes, _rest: bytes, _line: int) -> bool:
        return True


def _split_place(rest: bytes) -> tuple[int, bytes]:
    """Split `2 -j ACCEPT` into the place and the rule; the place is 0 where none is given."""
    found = _PLACE.match(rest)
    return (int(found[1]), rest[found.end() :]) if found else (0, rest)


_OPERATIONS: dict[bytes, Callable[[Restore, bytes, bytes, int], bool]] = {
    b"-I": Restore._insert,
    b"-D": Restore._delete,
    b"-R": Restore._replace,
    b"-F": Restore._flush,
    b"-X": Restore._remove,
    b"-E": Restore._rename,
    b"-Z": Restore._zero,
}
_CARRIED_OUT = {
    b"-I": "carried-out-insert",
    b"-D": "carried-out-delete",
    b"-R": "carried-out-replace",
    b"-F": "carried-out-flush",
    b"-X": "carried-out-remove",
    b"-E": "carried-out-rename",
    b"-Z": "carried-out-zero",
}
