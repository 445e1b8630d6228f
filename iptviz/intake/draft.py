"""A table while it is put together from lines of any form."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.dialect import LineKind
from iptviz.intake.plain import DumpForm
from iptviz.intake.text import split_lines
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.intake.dialect import Command
    from iptviz.intake.remark import Remark

_CHAIN = re.compile(rb"(?:\[[^\]]*\] )?(?:-A |:)(\S+)")
BUILT_IN = frozenset((b"INPUT", b"FORWARD", b"OUTPUT", b"PREROUTING", b"POSTROUTING"))


# The order of the hooks, in which iptables prints them.
HOOK_ORDER = (b"PREROUTING", b"INPUT", b"FORWARD", b"OUTPUT", b"POSTROUTING")


class Piece(NamedTuple):
    """One or several lines, each with its line end, and the line (counted from 1) where they stood."""

    kind: LineKind
    text: bytes
    line: int


class Draft:
    """A table's pieces in order; `table` is None until it is found out."""

    def __init__(self, table: str | None, form: str, line: int, command: Command | None = None) -> None:
        self.table = table
        self.form = form
        self.line = line
        self.command = command
        self.pieces: list[Piece] = []
        self.names: set[bytes] = set()  # of the chains that are declared
        self.gaps: list[Remark] = []
        self.committed = form != DumpForm.SAVE
        self.has_rules = False
        self.has_operations = False
        self.tool: bytes | None = None
        self.ended_by_commit = False
        self.family: str | None = None  # where its rows tell
        self.of_rules = False  # made of the lines of `iptables -S`, which never names the table
        self.of_diff = False  # stands below a place where a diff leaves out lines
        self.inner = 0  # which of the texts within a text it is from

    def begin_like(self, line: int) -> Draft:
        """Return an empty table, of the same text and command, that begins at `line`."""
        other = Draft(None, self.form, line, self.command)
        other.tool, other.of_rules, other.of_diff, other.inner = (
            self.tool,
            self.of_rules,
            self.of_diff,
            self.inner,
        )
        return other

    def add(self, piece: Piece) -> None:
        """Append a piece."""
        self.pieces.append(piece)
        if piece.kind is LineKind.DECLARATION:
            names = {chain_of(line) for line in split_lines(piece.text)}
            # After rules, a chain that is declared again is emptied: an operation like any other.
            self.has_operations = self.has_operations or (self.has_rules and not names.isdisjoint(self.names))
            self.names |= names
        self.has_rules = self.has_rules or piece.kind is LineKind.RULE
        self.has_operations = self.has_operations or piece.kind is LineKind.OPERATION

    def lines(self, kind: LineKind) -> list[tuple[bytes, int]]:
        """Return the single lines of all pieces of `kind`, each with its number."""
        return [
            (text, piece.line + number)
            for piece in self.pieces
            if piece.kind is kind
            for number, text in enumerate(split_lines(piece.text))
        ]

    @property
    def is_part(self) -> bool:
        """Whether this is input of `iptables-restore --noflush`, which adds to what is there already."""
        return self.form == DumpForm.SAVE and self.tool is None and not self.names & BUILT_IN


def chain_of(line: bytes) -> bytes:
    """Return the chain that a rule or a declaration is about."""
    found = _CHAIN.match(line)
    return found[1] if found else b""
