"""Diffs that are quoted, indented, numbered or logged: taken out of what stands before each of their lines.

Were they taken out line by line like any dump, both sides of the diff would be read as one.
"""

from __future__ import annotations

import re

from iptviz.intake.decoration import is_decoration, without_trailer

_RANGE = rb"\d{1,9}(?:,\d{1,9})?"
_ROW = (
    rb"(?:(?:\[\d+:\d+\] )?-[AI] [^-\s]|\*(?:nat|filter|mangle|raw|security)\s*$"
    rb"|:\S{1,200} (?:[A-Z]{1,10}|-) \[)"
)
_HUNK = re.compile(rb"^([^\n]{1,120}?)@@@? -" + _RANGE + rb" ", re.MULTILINE)
_NORMAL = re.compile(
    rb"^([^\n]{1,120}?)" + _RANGE + rb"[acd]" + _RANGE + rb"\r?\n(?=[^\n]{0,120}[<>] )", re.MULTILINE
)
# Behind a number, a sign is one of grep.
_SIGNED = re.compile(rb"^([^\n]{0,120}?[ \t>|])[-+]" + _ROW, re.MULTILINE)
_QUOTE = rb"^([ \t>|]{1,40}?)"
_PLUS, _MINUS = (re.compile(_QUOTE + sign + rb"[ \t]+" + _ROW, re.MULTILINE) for sign in (rb"\+", b"-"))
# What is found fast where there may be such lines, and what all must be found then.
_FORMS: tuple[tuple[tuple[bytes, ...], tuple[re.Pattern[bytes], ...]], ...] = (
    ((b"@@ -",), (_HUNK,)),
    ((b"< -A ", b"> -A ", b"< [", b"> ["), (_NORMAL,)),
    ((b"+-A ", b"--A ", b"+[", b"-["), (_SIGNED,)),
    ((b"+ -A ", b"+\t-A ", b"+ ["), (_PLUS, _MINUS)),
)
_NUMBER = re.compile(rb"[ \t]*\d+")
_LOOKED_AT = 1 << 20
_MOST = 100


def take_out_diff(data: bytes) -> bytes | None:
    """Return the text without what stands before the lines of a diff in it; None where there is no such diff."""
    prefix = _prefix(data)
    if not prefix:
        return None
    before = re.compile(_any_numbers(prefix))
    return b"\n".join(_without(line, before, prefix) for line in data.split(b"\n"))


def _prefix(data: bytes) -> bytes | None:
    """Return what stands before the first line that only a diff has."""
    for signs, patterns in _FORMS:
        if any(data.find(sign, 0, _LOOKED_AT) >= 0 for sign in signs):
            prefixes = [_first(pattern, data) for pattern in patterns]
            if all(prefixes):
                return prefixes[0]
    return None


def _first(pattern: re.Pattern[bytes], data: bytes) -> bytes | None:
    prefixes = (
        found[1] for found, _ in zip(pattern.finditer(data, 0, _LOOKED_AT), range(_MOST), strict=False)
    )
    return next(filter(is_decoration, prefixes), None)


def _any_numbers(prefix: bytes) -> bytes:
    """Return a pattern of prefixes that differ in numbers alone, which may be aligned."""
    words = map(re.escape, _NUMBER.split(prefix))
    return rb"[ \t]*+\d++".join(words)


def _without(line: bytes, before: re.Pattern[bytes], prefix: bytes) -> bytes:
    """Return a line of the diff without its prefix; of an empty one, the blanks at the end may be cut."""
    found = before.match(line)
    if found:
        return without_trailer(line[found.end() :], prefix)
    return b"" if before.match(line.rstrip() + b" ") else line
