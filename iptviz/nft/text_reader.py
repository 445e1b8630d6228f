"""The tables of a text: what is where. Chains, sets and objects are found by their braces, and read later."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.remark import LineNote, remark
from iptviz.nft.commands import COMMAND, obey
from iptviz.nft.drafts import Drafts
from iptviz.nft.model import Ruleset
from iptviz.nft.positions import Numbered
from iptviz.nft.spans import HEAD, NAME, body_at

if TYPE_CHECKING:
    from iptviz.nft.model import Table
    from iptviz.nft.text_model import Span

# A chain as nft prints it, found by its indentation.
_PRINTED = re.compile(
    rf"(?<=\n\t)chain ({NAME}) \{{(?: # handle (\d{{1,19}}))?\n((?:\t\t[^\n]*\n)*)\t\}}\n(?:[ \t\n;]|#[^\n]*)*"
)
_BLANK = re.compile(r"(?:[ \t\n;]|#[^\n]*)*")
_PLACE = re.compile(
    r"^[ \t]*(?:table|chain|set|map|add|create|insert|delete|destroy|flush|nft)[ \t]", re.MULTILINE
)
_WITHIN = re.compile(
    r"^[ \t]*(?:\}|(?:table|chain|set|map|flowtable|counter|quota|limit|ct)[ \t])", re.MULTILINE
)
_OF_TABLE = re.compile(r"(?P<word>flags|comment)[ \t]+(?P<value>[^\n;}]*)")


class TextReader:
    """Finds the tables of one text; `left_out` is what else it holds, `unended` a line that lacks its end."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.size = len(text)
        self.source = Numbered(text)
        self.ruleset = Ruleset()
        self.drafts = Drafts(self.ruleset, self.source)
        self.left_out: list[Span] = []
        self.unended: Span | None = None

    def read(self) -> Ruleset:
        """Return all tables."""
        at = self._blank(0)
        while at < self.size:
            at = self._blank(self._top(at))
        self._note()
        return self.ruleset

    def _blank(self, at: int) -> int:
        """Return where something stands again, behind blanks and comments."""
        found = _BLANK.match(self.text, at)
        return found.end() if found else at

    def _top(self, at: int) -> int:
        found = HEAD.match(self.text, at)
        if found and found["table"]:
            return self._table(found)
        if found:
            return self._entry(self.drafts.table("", "", at), found)
        command = COMMAND.match(self.text, at)
        behind = obey(self.drafts, command) if command else None
        return self._leave_out(at, _PLACE) if behind is None else behind

    def _table(self, found: re.Match[str]) -> int:
        table = self.drafts.table(found["family"] or "ip", found["name"], found.start("table"))
        table.handle = int(found["handle"]) if found["handle"] else table.handle
        at = self._printed(table, self._blank(found.end()))
        while at < self.size:
            if self.text.startswith("}", at):
                return at + 1
            inner = HEAD.match(self.text, at)
            if inner and inner["table"]:
                break
            at = self._entry(table, inner) if inner else self._said(table, at)
            at = self._printed(table, self._blank(at))
        self._open("table", found)
        return at

    def _printed(self, table: Table, at: int) -> int:
        """Take chains that look as nft prints them, as most are; return where something else begins."""
        while found := _PRINTED.match(self.text, at):
            name, handle = found.group(1, 2)
            place, span = found.start(1), found.span(3)
            self.drafts.printed(table, name, place, span, int(handle) if handle else None)
            at = found.end()
        return at

    def _said(self, table: Table, at: int) -> int:
        """Read what a table says of itself: flags, a comment."""
        found = _OF_TABLE.match(self.text, at)
        if found is None:
            return self._leave_out(at, _WITHIN)
        self.drafts.say(table, found["word"], found["value"])
        return found.end()

    def _entry(self, table: Table, found: re.Match[str]) -> int:
        body = body_at(self.text, found.end(), self.size)
        handle = int(found["handle"]) if found["handle"] else None
        end = body.end if body.closed else self._end_of_lines(body.start, body.end)
        self.drafts.add(table, found["kind"], found["name"], found.start("kind"), (body.start, end), handle)
        if not body.closed:
            self._open(found["kind"], found)
        return body.behind

    def _end_of_lines(self, start: int, end: int) -> int:
        """Return where the last whole line of a block ends that is cut: the next may end in half of a port."""
        if end < self.size or self.text.endswith("\n"):
            return end
        whole = max(start, self.text.rfind("\n", start, end))
        if self.text[whole:].strip():
            self.unended = whole, end
        return whole

    def _open(self, kind: str, found: re.Match[str]) -> None:
        """Say that the end of a block is missing: so may be what else was in it."""
        line = self.source.line_of(found.start("name"))
        self.ruleset.remarks.append(remark("nft-block-open", line, kind=kind, name=found["name"]))

    def _leave_out(self, at: int, until: re.Pattern[str]) -> int:
        """Go on at the next line that may be read."""
        line_end = self.text.find("\n", at)
        found = until.search(self.text, line_end + 1) if line_end >= 0 else None
        stop = found.start() if found else self.size
        self.left_out.append((at, stop))
        return stop

    def _note(self) -> None:
        for start, stop in self.left_out:
            last = self.text[start:stop].rstrip()
            first = self.source.line_of(start)
            line = self.source.line_of(start + len(last) - 1)
            self.ruleset.notes.append(LineNote(first, line, "not-nft", skipped=True))
        if self.unended is not None:
            line = self.source.line_of(self.size - 1)
            self.ruleset.notes.append(LineNote(line, line, "line-unended", skipped=True))
