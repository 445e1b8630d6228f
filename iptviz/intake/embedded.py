r"""Dumps inside the strings of JSON, YAML or Python, and dumps whose line ends are written as `\n`.

Ansible, container runtimes, the journal and many collectors write a program's output as a string, or as one
string a line. What stands in such strings takes the place of the lines that they stand on.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

BREAK = b"\x1d"
"""A line that ends a text within a text: what follows belongs to no dump above it."""

_TABLES = rb"(?:nat|filter|mangle|raw|security)"
_ROW = (
    rb"(?:(?:\[\d+:\d+\] )?-A [^-\s]|\*" + _TABLES + rb"(?:[\\\"\s]|\Z)|-[PN] \S|Chain \S+ \("
    rb"|:[^:\s]\S{0,200} (?:[A-Z]{1,10}|-) \[\d|COMMIT(?:[\\\"\s]|\Z)|# (?:Generated|Completed) )"
)
# What is decorated stands further in.
_STARTS = rb"(?:(?<![A-Za-z_-])|(?<=[0-9\[][mK])|(?<=\\t))"
_BEGIN = rb"(?:[^\n\"\\]|\\u[0-9a-f]{4}|\\t){0,120}?" + _STARTS
_ROWS = re.compile(_STARTS + _ROW)
_LOOSE = re.compile(_STARTS + rb"(?!:[\"'])(?:-A[<&\\]|" + _ROW + rb")")  # with tags in it
# Where a string or an escaped line end stands before a row, the text is looked at.
_INSIDE = re.compile(rb'(?:"|\\[nr])(?:' + _BEGIN + rb")?" + _ROW)
_SIGNS = (b"\\", b'"-A ', b'"[', b'": "', b'":"')
_ESCAPED_ROW = re.compile(rb"\\n(?:" + _BEGIN + rb")?" + _ROW)
# What stands within quotes, a thousand escapes at a time. Within a cell of CSV, quotes stand twice.
_WITHIN = {
    b'"': re.compile(rb'[^"\\\n]*+(?:(?:\\.|"")[^"\\\n]*+){0,999}', re.DOTALL),
    b"'": re.compile(rb"[^'\\\n]*+(?:\\.[^'\\\n]*+){0,999}", re.DOTALL),
}
_IN_PYTHON = re.compile(rb"[\[,:] ?b?'(?:" + _BEGIN + rb")?" + _ROW)
_BEFORE = re.compile(rb"[\[{,:]\s*\Z")
_ALONE = re.compile(rb"(?:\A|\n)[ \t]*\Z")
_AFTER = re.compile(rb"[ \t\r]*(?:[\]},:\n]|\Z)")
_YAML_KEY = re.compile(rb"([\w.-]{1,60}):[ \t]*\Z")
_NOT_OUTPUT = re.compile(rb"(?:std_?err|cmd|command|invocation)", re.IGNORECASE)
_STDERR_LINE = re.compile(rb'"stream":[ \t]*"stderr"')
_LOOKED_BACK = 80

_ESCAPE = re.compile(rb"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|\n[ \t]*|(.))", re.DOTALL)
_MEANINGS = {
    b"n": b"\n", b"r": b"\r", b"t": b"\t", b"b": b"", b"f": b"", b"0": b"", b"e": b"\x1b",
}  # fmt: skip


class Unpacked(NamedTuple):
    """A text with what stood in its strings, and whether lines are numbered otherwise than in the file."""

    data: bytes
    renumbered: bool


class _Quoted(NamedTuple):
    """What stands between quotes, and where it stands with them."""

    start: int
    end: int
    text: bytes


class _Found(NamedTuple):
    """A string: where it stands, what it says, its key, the list that it is of, whether it has rules."""

    start: int
    end: int
    text: bytes
    key: bytes
    stretch: int
    has_rows: bool
    is_output: bool

    @property
    def is_line(self) -> bool:
        """Whether it is a line of a list or a log, not a text of its own."""
        return b"\n" not in self.text.rstrip(b"\r\n")


def unpack(data: bytes) -> Unpacked | None:
    """Return the text with what its strings hold in their place; None where they hold no dump."""
    if any(sign in data for sign in _SIGNS) and _INSIDE.search(data):
        return _unpack(data, list(_strings(data, b'"')))
    if b"'-A " in data and _IN_PYTHON.search(data):
        return _unpack(data, list(_strings(data, b"'")))
    return None


def _unpack(data: bytes, strings: list[_Found]) -> Unpacked | None:
    found = [one for one in strings if one.is_output]
    keys = {one.key for one in found if one.has_rows}
    found = [one for one in found if one.has_rows or (one.is_line and one.key in keys)]
    if found:
        return _in_place(data, found, _loose_rows(data, strings))
    if any(one.has_rows for one in strings) or not _ESCAPED_ROW.search(data):
        return None
    return Unpacked(b"".join(_unescaped_lines(data)), renumbered=True)


def _quoted(data: bytes, quote: bytes) -> Iterator[_Quoted]:
    """Yield what stands between quotes; one that is never closed takes the rest of its line."""
    within = _WITHIN[quote]
    start = data.find(quote)
    while start >= 0:
        end = start + 1
        while (found := within.match(data, end)) and found.end() > end:
            end = found.end()
        if data[end : end + 1] == quote:
            begin = start - 1 if quote == b"'" and data[start - 1 : start] == b"b" else start
            yield _Quoted(begin, end + 1, data[start + 1 : end])
        start = data.find(quote, end + 1)


def _strings(data: bytes, quote: bytes) -> Iterator[_Found]:
    """Yield the strings that are values; those with commands, or from standard error, are no output."""
    key, stretch, end = b"", 0, 0
    for one in _quoted(data, quote):
        between = data[end : one.start]
        stretch += b"]" in between
        end = one.end
        after = _AFTER.match(data, end)
        if after is None:
            continue
        if after[0].endswith(b":"):
            key = one.text
            continue
        if named := _YAML_KEY.search(between):
            key = named[1]
        if not _is_value(data, one):
            continue
        text = _unescape(one.text)
        is_output = not (_NOT_OUTPUT.match(key) or _STDERR_LINE.search(_line_at(data, one.start, end)))
        yield _Found(one.start, end, text, key, stretch, _ROWS.search(text) is not None, is_output)


def _is_value(data: bytes, string: _Quoted) -> bool:
    """Whether a string stands where JSON has values; one that stands alone may be a cell of CSV."""
    before = data[max(string.start - _LOOKED_BACK, 0) : string.start]
    return bool(_BEFORE.search(before) or (b"\\n" in string.text and _ALONE.search(before)))


def _line_at(data: bytes, start: int, end: int) -> bytes:
    """Return what stands around a string on its line, up to some length: one line may hold megabytes."""
    ends = data.find(b"\n", end)
    ends = len(data) if ends < 0 else ends
    begins = data.rfind(b"\n", 0, start) + 1
    return data[max(begins, start - 500) : start] + data[end : min(ends, end + 500)]


def _loose_rows(data: bytes, strings: list[_Found]) -> list[int]:
    """Return where rows stand in no string that was read: in one whose quotes are not escaped, or in none."""
    starts = [one.start for one in strings]
    rows = ((at := found.start(), bisect_right(starts, at) - 1) for found in _LOOSE.finditer(data))
    return [at for at, above in rows if above < 0 or strings[above].end <= at]


def _unescape(text: bytes) -> bytes:
    if b'""' in text:
        return text.replace(b'""', b'"')
    return _ESCAPE.sub(_meaning, text) if b"\\" in text else text


def _meaning(found: re.Match[bytes]) -> bytes:
    if found[2]:
        return bytes.fromhex(found[2].decode()).replace(b"\0", b"")
    if found[1]:
        return chr(int(found[1], 16)).replace("\0", "").encode("utf-8", "replace")
    return _MEANINGS.get(found[3], found[3]) if found[3] else b""


def _in_place(data: bytes, found: Iterable[_Found], loose: list[int]) -> Unpacked:
    """Put each string in the place of the lines that it stands on; a text that stands there twice counts once.

    Lines stay where rows stand in no string, as `loose` tells.
    """
    parts: list[bytes] = []
    renumbered = False
    at = read = 0
    seen: set[bytes] = set()
    for text in _texts(found):
        first, last = text[0].start, text[-1].end
        begins = data.rfind(b"\n", at, first) + 1 or at
        beside = _beside(data, max(begins, read), first, loose)
        parts += [data[at:begins], beside]
        at, read = data.find(b"\n", last) + 1 or len(data), last
        whole = b"".join(_with_line_ends(data, text, loose))
        same_lines = whole.count(b"\n") == data.count(b"\n", begins, at)
        if whole.strip() in seen:
            renumbered = True
            continue
        renumbered = renumbered or not same_lines or bool(seen or beside)
        parts += [BREAK + b"\n", whole] if seen else [whole]
        seen.add(whole.strip())
    beside = _beside(data, read, at, loose)
    return Unpacked(b"".join([*parts, beside, data[at:]]), renumbered or bool(beside))


def _beside(data: bytes, start: int, end: int, loose: list[int]) -> bytes:
    """Return what stands on a line beside strings, as a line of its own, where rows are in it."""
    if bisect_left(loose, start) == bisect_left(loose, end):
        return b""
    return data[start:end].strip(b"\r\n") + b"\n"


def _with_line_ends(data: bytes, text: list[_Found], loose: list[int]) -> Iterator[bytes]:
    """Yield the strings as lines; where lines without rows stand between them, empty ones do."""
    above = text[0]
    for one in text:
        begun, *between = data[above.end : one.start].split(b"\n")
        if bisect_left(loose, above.end) < bisect_left(loose, one.start):
            yield b"".join(line + b"\n" for line in between[:-1] or [begun])
        else:
            yield b"\n" * (len(between) - 1)
        yield one.text.rstrip(b"\r\n") + b"\n"
        above = one


def _texts(found: Iterable[_Found]) -> Iterator[list[_Found]]:
    """Yield the strings that make up a text: one, or the lines of one list or one log."""
    text: list[_Found] = []
    for one in found:
        if text and not (
            one.is_line and text[-1].is_line and (one.key, one.stretch) == (text[-1].key, text[-1].stretch)
        ):
            yield text
            text = []
        text.append(one)
    if text:
        yield text


def _unescaped_lines(data: bytes) -> Iterator[bytes]:
    """Yield lines, those with escaped line ends in them as the lines that they stand for."""
    for line in data.split(b"\n"):
        if _ESCAPED_ROW.search(line):
            yield _unescape(line.strip(b" \t\r").strip(b"\"'")) + b"\n"
        else:
            yield line + b"\n"
