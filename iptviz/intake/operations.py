"""What `-I`, `-D`, `-F`, `-X`, `-R` and `-E` in restore input do to the rules above them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.grammar.canonical import canonical_text
from iptviz.grammar.reader import take_apart
from iptviz.intake.dialect import Kind
from iptviz.intake.draft import BUILT_IN, Piece, chain_of
from iptviz.intake.remark import LineNote, add_note
from iptviz.intake.text import split_lines, to_text
from iptviz.xtables.saving import Saving

if TYPE_CHECKING:
    from collections.abc import Callable

    from iptviz.intake.draft import Draft

_SAVING = Saving("ipv4", "legacy")


class Played:
    """A table's chains as they are after every line so far was carried out."""

    def __init__(self, notes: list[LineNote]) -> None:
        self.declared: dict[bytes, tuple[bytes, int]] = {}
        self.rules: dict[bytes, list[tuple[bytes, int]]] = {}
        self.notes = notes

    def play(self, draft: Draft) -> None:
        """Carry out the lines of `draft`."""
        for piece in draft.pieces:
            for number, text in enumerate(split_lines(piece.text)):
                self._play_line(piece.kind, text, piece.line + number)

    def pieces(self) -> list[Piece]:
        """Return what is there now."""
        declared = [Piece(Kind.DECLARATION, *line) for line in self.declared.values()]
        return declared + [Piece(Kind.RULE, *line) for lines in self.rules.values() for line in lines]

    def _play_line(self, kind: Kind, text: bytes, line: int) -> None:
        if kind is Kind.RULE:
            self.rules.setdefault(chain_of(text), []).append((text, line))
        elif kind is Kind.DECLARATION:
            self._declare(text, line)
        elif kind is Kind.OPERATION:
            words = text.split(maxsplit=2)
            done = _OPERATIONS[words[0]](self, words[1] if len(words) > 1 else b"", words[2:], line)
            reason = f"carried out: {_MEANING[words[0]]}" if done else "changes something that is not here"
            add_note(self.notes, line, reason, skipped=not done)

    def _declare(self, text: bytes, line: int) -> None:
        """Declare a chain; one that is there already is emptied, as iptables-restore does with user chains."""
        name = chain_of(text)
        self.declared[name] = (text, line)
        if name not in BUILT_IN and self.rules.pop(name, []):
            add_note(self.notes, line, "carried out: a chain declared again is emptied", skipped=False)

    def _insert(self, chain: bytes, rest: list[bytes], line: int) -> bool:
        words = b"".join(rest).split(maxsplit=1)
        place = int(words[0]) if words and words[0].isdigit() and len(words[0]) < len("1000000000") else 0
        rule = (words[1] if len(words) > 1 else b"\n") if place else b"".join(rest)
        self.rules.setdefault(chain, []).insert(max(place - 1, 0), (b"-A %s %s" % (chain, rule), line))
        return True

    def _find(self, chain: bytes, rest: list[bytes]) -> int | None:
        """Return the index of the rule that `rest` names by number or by its words."""
        text = b"".join(rest).strip()
        there = self.rules.get(chain, [])
        if text.isdigit() and len(text) < len("1000000000"):
            return int(text) - 1 if 0 < int(text) <= len(there) else None
        wanted = _meaning(b"-A %s %s" % (chain, text))
        return next((at for at, (rule, _) in enumerate(there) if _meaning(rule) == wanted), None)

    def _delete(self, chain: bytes, rest: list[bytes], _line: int) -> bool:
        at = self._find(chain, rest)
        if at is not None:
            del self.rules[chain][at]
        return at is not None

    def _replace(self, chain: bytes, rest: list[bytes], line: int) -> bool:
        number, _, rule = b"".join(rest).partition(b" ")
        at = self._find(chain, [number])
        if at is not None:
            self.rules[chain][at] = (b"-A %s %s" % (chain, rule), line)
        return at is not None

    def _flush(self, chain: bytes, _rest: list[bytes], _line: int) -> bool:
        for name in [chain] if chain else list(self.rules):
            self.rules.pop(name, None)
        return True

    def _remove(self, chain: bytes, _rest: list[bytes], _line: int) -> bool:
        for name in [chain] if chain else [name for name in self.declared if name not in BUILT_IN]:
            self.rules.pop(name, None)
            self.declared.pop(name, None)
        return True

    def _rename(self, chain: bytes, rest: list[bytes], line: int) -> bool:
        new = b"".join(rest).strip()
        if chain not in self.declared:
            return False
        del self.declared[chain]
        self.declared[new] = (b":%s - [0:0]\n" % new, line)
        head = len(b"-A ") + len(chain)
        self.rules[new] = [(b"-A %s%s" % (new, text[head:]), at) for text, at in self.rules.pop(chain, [])]
        return True

    def _zero(self, _chain: bytes, _rest: list[bytes], _line: int) -> bool:
        return True


def _meaning(rule: bytes) -> str:
    text = to_text(rule).strip()
    text = text.partition("] ")[2] if text.startswith("[") else text
    return canonical_text(text, take_apart(text), _SAVING)


_OPERATIONS: dict[bytes, Callable[[Played, bytes, list[bytes], int], bool]] = {
    b"-I": Played._insert,
    b"-D": Played._delete,
    b"-R": Played._replace,
    b"-F": Played._flush,
    b"-X": Played._remove,
    b"-E": Played._rename,
    b"-Z": Played._zero,
}
_MEANING = {
    b"-I": "a rule is inserted above",
    b"-D": "a rule above is deleted",
    b"-R": "a rule above is replaced",
    b"-F": "a chain is emptied",
    b"-X": "a chain is deleted",
    b"-E": "a chain is renamed",
    b"-Z": "counters are set to zero",
}
