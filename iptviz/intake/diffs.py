"""Comparisons of two dumps, as diff and git write them: one side is read; what stands between hunks is missing.

Lines keep their numbers: those of the other side, and those of the diff itself, become empty.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.embedded import BREAK
from iptviz.intake.plain import OLD
from iptviz.intake.quoted_diffs import take_out_diff
from iptviz.intake.remark import LineNote, add_note
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GAP = b"\x1e"
"""A line at which lines are missing: what follows may belong to another table than what stands above."""

_ROW = (
    rb"(?:\[\d+:\d+\] )?-[AI] [^-\s]|\*(?:nat|filter|mangle|raw|security)\s*$"
    rb"|:\S{1,200} (?:[A-Z]{1,10}|-) \[|COMMIT\s*$"
)
_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@")
_NORMAL = re.compile(rb"\d{1,9}(?:,\d{1,9})?[acd]\d{1,9}(?:,\d{1,9})?\s*$")
_HAS_HUNKS = re.compile(rb"^" + _HUNK.pattern, re.MULTILINE)
# A diff of more than two files, and one side by side.
_UNREADABLE = re.compile(rb"^(?:@@@ -\d|-A [^\t\n]{1,400}\t[ \t]*(?:[|<>]\t[ \t]*)?-A )", re.MULTILINE)
_LOOKS = re.compile(
    rb"^(?:@@@ -\d|-A [^\t\n]{1,400}\t|"
    + _HUNK.pattern
    + rb"|[-+](?:"
    + _ROW
    + rb")|[<>] (?:"
    + _ROW
    + rb")|[-+][ \t]+(?:"
    + _ROW
    + rb"))",
    re.MULTILINE,
)
_GLUED = re.compile(rb"^[-+](?:" + _ROW + rb")", re.MULTILINE)
_PLUS, _MINUS = (
    re.compile(rb"^" + sign + rb"[ \t]+(?:" + _ROW + rb")", re.MULTILINE) for sign in (rb"\+", b"-")
)
_SIGNED = re.compile(rb"([-+])[ \t]*(?:" + _ROW + rb"|#)")
_HAS_NORMAL = re.compile(rb"^\d{1,9}(?:,\d{1,9})?[acd]\d{1,9}(?:,\d{1,9})?\r?\n(?:[<>] |\Z)", re.MULTILINE)
_HEADER = re.compile(rb"(?:diff |index [0-9a-f]+\.\.|--- |\+\+\+ |Index: |={20}|\\ No newline)")
_LOOKED_AT = 1 << 20
_OTHER, _OF_DIFF = "diff-other-side", "diff-header"


class Side(NamedTuple):
    """One side of a diff; `cut` is the line at which lines are missing first, 0 where none are.

    `lines` are as many as the diff has.
    """

    data: bytes
    notes: list[LineNote]
    cut: int


def read_side(data: bytes, side: str) -> Side | None:
    """Return a side of the diff that a text is, None where it is none."""
    reader = _reader(data)
    if reader is None and (plain := take_out_diff(data)):
        data, reader = plain, _reader(plain)
    if reader is None:
        return None
    picked = reader(data.split(b"\n"), side)
    return Side(b"\n".join(picked.lines), picked.notes, picked.cut)


def _reader(data: bytes) -> Callable[[list[bytes], str], _Picked] | None:
    if not _LOOKS.search(data, 0, _LOOKED_AT):
        return None
    if _UNREADABLE.search(data, 0, _LOOKED_AT):
        return _none
    if _HAS_HUNKS.search(data):
        return _unified
    if _HAS_NORMAL.search(data):
        return _normal
    glued = _GLUED.search(data) or (_PLUS.search(data) and _MINUS.search(data))
    return _signed if glued else None


class _Picked:
    """The lines of a side as they are picked."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.notes: list[LineNote] = []
        self.cut = 0

    def keep(self, line: bytes) -> None:
        self.lines.append(line)

    def drop(self, reason: str, instead: bytes = b"") -> None:
        self.lines.append(instead)
        add_note(self.notes, len(self.lines), reason, skipped=True)

    def gap(self) -> None:
        """Leave out a line of the diff at which lines of the dump are missing."""
        self.drop(_OF_DIFF, GAP)
        self.cut = self.cut or len(self.lines)


# --- diff -u, git ------------------------------------------------------------------------------------------


class _Range(NamedTuple):
    """Where a hunk begins in both files, and how many of their lines it has."""

    old: int
    old_count: int
    new: int
    new_count: int


class _Hunk(NamedTuple):
    """A hunk: what its heading says, the place of that among the lines, and its lines."""

    range: _Range
    place: int
    body: list[bytes]


def _read_range(line: bytes) -> _Range | None:
    found = _HUNK.match(line)
    if found is None:
        return None
    old, old_count, new, new_count = (int(number or b"1") for number in found.groups())
    return _Range(old, old_count, new, new_count)


def _unified(lines: list[bytes], side: str) -> _Picked:
    picked = _Picked()
    hunks = list(_hunks(lines))
    whole = len(hunks) == 1 and _is_whole(hunks[0].range, hunks[0].body)
    at = 0
    for hunk in hunks:
        _pick_between(picked, lines[at : hunk.place], begun=at > 0)
        (picked.drop(_OF_DIFF) if whole else picked.gap())
        for line in hunk.body:
            _pick(picked, line, side)
        at = hunk.place + 1 + len(hunk.body)
    _pick_between(picked, lines[at:], begun=False)
    return picked


def _pick_between(picked: _Picked, lines: list[bytes], *, begun: bool) -> None:
    """Pick lines around hunks; where headings stand behind a hunk, another file begins."""
    for line in lines:
        if not _HEADER.match(line):
            picked.keep(line)
        elif begun and not line.startswith(b"\\"):
            picked.drop(_OF_DIFF, BREAK)
            begun = False
        else:
            picked.drop(_OF_DIFF)


def _hunks(lines: list[bytes]) -> Iterator[_Hunk]:
    """Yield each hunk, with as many lines as its heading says."""
    at = 0
    while at < len(lines):
        found = _read_range(lines[at])
        if found is None:
            at += 1
            continue
        body = _body(lines, at + 1, found)
        yield _Hunk(found, at, body)
        at += 1 + len(body)


def _body(lines: list[bytes], start: int, hunk: _Range) -> list[bytes]:
    old, new = hunk.old_count, hunk.new_count
    at = start
    while at < len(lines) and (old > 0 or new > 0 or lines[at].startswith(b"\\")):
        sign = lines[at][:1]
        if sign not in {b" ", b"+", b"-", b"\\", b"", b"\r"} or _HUNK.match(lines[at]):
            break
        old -= sign not in {b"+", b"\\"}
        new -= sign not in {b"-", b"\\"}
        at += 1
    return lines[start:at]


def _pick(picked: _Picked, line: bytes, side: str) -> None:
    sign = line[:1]
    if sign == (b"+" if side == OLD else b"-"):
        picked.drop(_OTHER)
    elif sign == b"\\":
        picked.drop(_OF_DIFF)
    else:
        picked.keep(line[1:])


def _is_whole(hunk: _Range, body: list[bytes]) -> bool:
    """Whether a hunk shows both files to their ends.

    Diff shows as many unchanged lines after a change as before it, unless the file ends there.
    """
    if hunk.old > 1 or hunk.new > 1:
        return False
    if len(body) < max(hunk.old_count, hunk.new_count):
        return False
    runs, length = [], 0
    for line in body:
        if line[:1] in {b"+", b"-"}:
            runs.append(length)
            length = 0
        else:
            length += not line.startswith(b"\\")
    known = max([*runs[:1], *((run + 1) // 2 for run in runs[1:])], default=0)
    return length < known


# --- diff without -u, and lines with signs alone -----------------------------------------------------------


def _none(lines: list[bytes], _side: str) -> _Picked:
    """Pick nothing of a diff whose sides cannot be told apart."""
    picked = _Picked()
    for _ in lines:
        picked.drop(_OF_DIFF)
    return picked


def _normal(lines: list[bytes], side: str) -> _Picked:
    picked = _Picked()
    mine = b"<" if side == OLD else b">"
    for line in lines:
        if _NORMAL.match(line):
            picked.gap()
        elif line[:2] in {b"< ", b"> "} or line.rstrip() in {b"<", b">"}:
            (picked.keep(line[2:]) if line[:1] == mine else picked.drop(_OTHER))
        elif line.rstrip() == b"---" or _HEADER.match(line):
            picked.drop(_OF_DIFF)
        else:
            picked.keep(line)
    return picked


def _signed(lines: list[bytes], side: str) -> _Picked:
    picked = _Picked()
    mine = b"-" if side == OLD else b"+"
    for line in lines:
        found = _SIGNED.match(line)
        if found is None:
            picked.keep(line)
            continue
        picked.cut = picked.cut or len(picked.lines) + 1
        (picked.keep(line[1:]) if found[1] == mine else picked.drop(_OTHER))
    return picked
