"""The lines of a text, whatever their form, put into tables; every line is used or noted.

The scanner's runs that are plain iptables-save pass as they are; single lines between them are taken out of
their decoration, and put into the words of iptables-save where they mean a part of a dump.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake import index
from iptviz.intake.decoration import Decorations, shape, without_trailer
from iptviz.intake.dialect import (
    COMMAND_LINE,
    NO_PART,
    OF_RULES,
    SEPARATOR,
    Line,
    LineKind,
    classify,
    read_command,
    reason_to_skip,
)
from iptviz.intake.diffs import GAP
from iptviz.intake.draft import Draft, Piece
from iptviz.intake.embedded import BREAK
from iptviz.intake.header import read_tool
from iptviz.intake.listed import Listings
from iptviz.intake.mended import mend_one, mend_rules, without_odd_signs
from iptviz.intake.plain import DumpForm
from iptviz.intake.remark import LineNote, add_note, remark
from iptviz.intake.text import split_lines
from iptviz.intake.units import Unit, units_of
from iptviz.intake.wrapped import join, most_wraps
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.intake.dialect import Command


# A rule in a string or a list that could not be taken out of its line; prose mentions rules otherwise.
_QUOTED_RULE = re.compile(rb"[\"',\[] ?(?:\[\d+:\d+\] )?-A [A-Za-z]\S* ")


class Assembled(NamedTuple):
    """Tables in the order of the text, comments that stand between them, and what happened to lines."""

    drafts: list[Draft]
    notes: list[LineNote]


def assemble(data: bytes, command: bytes = b"", *, saved: bool = False) -> Assembled:
    """Put the lines of `data` into tables; `command` is what wrote them, where that is known.

    `saved` is whether all of it looks as if iptables-save wrote it.
    """
    return _Assembler(list(units_of(data)), read_command(command), data if saved else b"").run()


class _Assembler:
    """Goes through the units once; `draft` is the table that is open."""

    def __init__(self, units: list[Unit], command: Command | None, saved: bytes) -> None:
        self.units = units
        self.saved = saved
        self.at = 0
        self.decorations = Decorations([unit.text for unit in units if unit.kind == index.NOISE])
        self.notes: list[LineNote] = []
        self.drafts: list[Draft] = []
        self.draft: Draft | None = None
        self.lead: list[Piece] = []
        self.command = command
        self.tool: bytes | None = None
        self.rule_end = 0
        self.prefix = b""
        self.listings = Listings(self.notes, self._open)
        self.inner = 0
        self.of_diff = False

    def run(self) -> Assembled:
        while self.at < len(self.units):
            unit = self.units[self.at]
            self.at += 1
            if unit.kind == index.NOISE:
                self._noise(unit)
            elif unit.kind == index.RULES:
                self._use(LineKind.RULE, self._mended(unit) if unit.odd else unit.text, unit.line)
            else:
                self._use(_KINDS[unit.kind], unit.text, unit.line)
        if self.lead and self.drafts:
            self.drafts[-1].pieces += self.lead
        return Assembled(self.drafts, self.notes)

    def _mended(self, unit: Unit) -> bytes:
        """Return the rules of the unit before the next one, repaired."""
        goes_on = self.at < len(self.units) and self.units[self.at].kind == index.NOISE
        return mend_rules(unit.text, unit.line, self.notes, self.saved, goes_on=goes_on)

    # --- lines of a dump ---

    def _use(self, kind: LineKind, text: bytes, line: int) -> None:
        """Put a part of a dump where it belongs; `text` ends with a line end, or the whole text ends."""
        text = text if text.endswith(b"\n") else text + b"\n"
        if kind is LineKind.TABLE:
            self._open(text.strip()[1:].decode(), DumpForm.SAVE, line)
        elif kind is LineKind.COMMIT:
            self._commit(line)
        elif kind is LineKind.COMMENT:
            self._comment(text, line)
        else:
            self._opened(line).add(Piece(kind, text, line))
            self.rule_end = line + text.count(b"\n") - 1

    def _open(self, table: str | None, form: str, line: int) -> Draft:
        draft = Draft(table, form, line, self.command)
        draft.tool, self.tool = self.tool, None
        draft.pieces, self.lead = self.lead, []
        draft.inner, draft.of_diff = self.inner, self.of_diff
        self.drafts.append(draft)
        self.draft = draft
        self.listings.end()
        return draft

    def _commit(self, line: int) -> None:
        if self.draft is None:
            add_note(self.notes, line, "commit-outside", skipped=True)
            return
        self.draft.committed = self.draft.ended_by_commit = True
        self.draft = None

    def _comment(self, text: bytes, line: int) -> None:
        tool = read_tool(text)
        commands = [read_command(comment) for comment in split_lines(text) if b"tables" in text]
        for command in filter(None, commands):
            self._obey(command)
        if tool or any(commands) or not text.strip():
            self.listings.end()  # a message of a program may stand between rows
        if self.draft is not None and not (tool and self.draft.form != DumpForm.SAVE):
            self.draft.add(Piece(LineKind.COMMENT, text, line))
            return
        self.draft = None
        self.tool = tool or self.tool
        self.lead.append(Piece(LineKind.COMMENT, text, line))

    def _opened(self, line: int) -> Draft:
        """Return the open table, a new one for lines that no header stands above."""
        if self.draft is None or self.draft.form == DumpForm.LISTING:
            return self._open(None, DumpForm.RULES, line)
        return self.draft

    def _obey(self, command: Command) -> None:
        """A command stands above its output: the tables that follow are of its kind."""
        self.command = command
        self.listings.obey(command)
        if self.draft is None or self.draft.form != DumpForm.SAVE:
            self.draft = None

    # --- lines that the scanner did not know ---

    def _noise(self, unit: Unit) -> None:
        text = unit.text.rstrip(b"\r\n")
        if text in {GAP, BREAK}:
            self._part(text)
            return
        if self._listing(text, unit.line):
            return
        line = self._read(text, unit.line, odd=unit.odd)
        if line.kind is LineKind.COMMAND:
            self._command(line, unit.line)
        elif line.kind is not LineKind.OTHER:
            self._repaired(line, unit.line)
        elif not self._joined(line.text, unit.line):
            self._skip(text, unit.line)

    def _part(self, sign: bytes) -> None:
        """What follows is not joined to the lines above: others are missing, or another text begins."""
        self.draft = None
        self.listings.end()
        self.inner += sign == BREAK
        self.of_diff = sign == GAP

    def _read(self, text: bytes, number: int, *, odd: bool) -> Line:
        """Return what a line is once it is taken out of its decoration and its odd signs."""
        line = classify(text.rstrip(b" \t"))
        if line.kind in _UNREAD:
            line = self._undecorated(text, number)
        if not odd:
            return line
        if line.kind is LineKind.OTHER and (plain := without_odd_signs(text)) != text:
            other = self._undecorated(plain, number)
            line = other._replace(reason="signs-odd") if other.kind not in _UNREAD else line
        return mend_one(line)

    def _undecorated(self, text: bytes, number: int) -> Line:
        """Return the line without what stands before it; a listing's heading is dealt with at once."""
        found = self.decorations.strip(text)
        if found is None:
            return classify(self._without_known_prefix(text).strip())
        self.prefix = found.prefix
        if self._listing(found.core, number):
            return Line(LineKind.COMMENT, b"#")
        line = classify(found.core)
        return line._replace(reason=line.reason or _decoration_of(found.prefix))

    def _without_known_prefix(self, text: bytes) -> bytes:
        """Take away a prefix like that of the line before."""
        prefix = text[: len(self.prefix)]
        if not self.prefix or shape(prefix) != shape(self.prefix):
            return text
        return without_trailer(text[len(self.prefix) :], prefix)

    def _repaired(self, line: Line, number: int) -> None:
        if line.text == b"#":
            return
        if line.reason and line.reason != OF_RULES:
            add_note(self.notes, number, line.reason, skipped=False)
        if line.kind is LineKind.DECLARATION and line.reason == OF_RULES:
            self._begin_rules_again(number)
        self._use(line.kind, line.text + b"\n", number)
        if self.draft is not None and line.reason == OF_RULES:
            self.draft.of_rules = True

    def _begin_rules_again(self, line: int) -> None:
        """`iptables -S` prints its declarations first: one after a rule begins another table."""
        if self.draft is not None and self.draft.form == DumpForm.RULES and self.draft.has_rules:
            self._open(None, DumpForm.RULES, line)

    def _command(self, line: Line, number: int) -> None:
        command = read_command(line.text)
        if command:
            self._obey(command)
        add_note(self.notes, number, COMMAND_LINE, skipped=True)

    def _skip(self, text: bytes, number: int) -> None:
        reason = reason_to_skip(self._without_known_prefix(text).strip())
        add_note(self.notes, number, reason, skipped=True)
        if self.draft is None:
            return
        if reason == SEPARATOR:
            self.draft.gaps.append(remark("lines-grepped", number))
        elif reason == NO_PART and self.listings.is_lost_row(text):
            self.draft.gaps.append(remark("row-unread", number))
        elif reason == NO_PART and _QUOTED_RULE.search(text):
            self.draft.gaps.append(remark("rules-unread", number))
        elif reason == NO_PART and self.draft.form == DumpForm.SAVE:
            self.draft.gaps.append(remark("line-within-table", number, table=self.draft.table))

    # --- wrapped lines ---

    def _joined(self, text: bytes, number: int) -> bool:
        """Undo a wrap: join lines to the rule above them if only together they make a whole rule."""
        draft = self.draft
        piece = draft.pieces[-1] if draft is not None and draft.pieces else None
        if draft is None or piece is None or piece.kind is not LineKind.RULE or self.rule_end + 1 != number:
            return False
        *before, last = split_lines(piece.text)
        joined = join(last, [text, *self._noise_ahead(most_wraps(last) - 1)])
        if joined is None:
            return False
        draft.pieces[-1:] = [piece._replace(text=b"".join(before))] if before else []
        draft.pieces.append(Piece(LineKind.RULE, joined.text, piece.line + len(before)))
        for at in range(joined.more):
            add_note(self.notes, number + at, "joined", skipped=False)
        self.at += joined.more - 1
        self.rule_end = number + joined.more - 1
        return True

    def _noise_ahead(self, most: int) -> list[bytes]:
        ahead = self.units[self.at : self.at + most]
        texts = []
        for unit in ahead:
            if unit.kind != index.NOISE:
                break
            texts.append(self._without_known_prefix(unit.text.rstrip(b"\r\n")).strip())
        return texts

    def _listing(self, text: bytes, number: int) -> bool:
        """Use a line of `iptables -L`: a chain's heading, the columns, a row."""
        return self.listings.begin(text, number, self.draft) or self.listings.read(
            self._without_known_prefix(text), number, self.draft
        )


def _decoration_of(prefix: bytes) -> str:
    """Return the id of what a line was taken out of, by what its prefix is made of."""
    if prefix.isspace():
        return "taken-out-of-indentation"
    return "taken-out-of-quoting" if not prefix.strip(b"> |\t") else "taken-out-of-a-prefix"


_UNREAD = {LineKind.OTHER, LineKind.COMMAND}
_KINDS = {
    index.DECLARATIONS: LineKind.DECLARATION,
    index.TABLE: LineKind.TABLE,
    index.COMMIT: LineKind.COMMIT,
    index.COMMENT: LineKind.COMMENT,
}
