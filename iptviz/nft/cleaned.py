"""The text of nft as it was handed over, made plain: line ends, quotes before lines, messages of other programs.

All lines keep their numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.decode import decode
from iptviz.intake.decoration import is_decoration
from iptviz.intake.remark import add_note
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.intake.remark import LineNote, Remark

_COLOURS = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")
_MARK = b"\xef\xbb\xbf"


class Cleaned(NamedTuple):
    """A text with nothing around its lines, what was done to all of it, and to single lines.

    `managed` are the tables, by family and name, of which nft warned that iptables-nft made them.
    """

    text: str
    repairs: tuple[Remark, ...]
    notes: list[LineNote]
    managed: frozenset[tuple[str, str]]


_MANAGED = re.compile(rb"# Warning: table (\S{1,20}) (\S{1,80}) is managed by iptables-nft")
# What other programs say on lines of their own, in the middle of anything.
_MESSAGE = re.compile(
    rb"# Warning: table [^\n]{1,120}? is managed by iptables-nft, do not touch!"
    rb'|Defaulted container "[^\n]{1,2000}|Unable to use a TTY - input is not a terminal[^\n]{0,80}'
    rb"|modprobe: (?:FATAL|ERROR|WARNING): [^\n]{1,200}|sudo: unable to resolve host [^\n]{1,120}"
    rb"|warning: stmt ops \w{1,20} have no json callback"
)
_WORDS = (
    b" managed by ", b"Defaulted container ", b"Unable to use a TTY", b"modprobe: ", b"sudo: ", b"warning: stmt",
)  # fmt: skip


def clean(raw: bytes) -> Cleaned:
    """Return a text without what is around its lines."""
    data, repairs = decode(raw)
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
    data = data.removeprefix(_MARK)
    if b"\x1b" in data:
        data = _COLOURS.sub(b"", data)
    notes: list[LineNote] = []
    managed: frozenset[tuple[str, str]] = frozenset()
    data = _without_prefix(data, notes)
    if any(word in data for word in _WORDS):
        managed = frozenset((_text(found[1]), _text(found[2])) for found in _MANAGED.finditer(data))
        data = _without_messages(data, notes)
    data = _joined(data, notes)
    return Cleaned(_text(data), repairs, sorted(notes), managed)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _notes(data: bytes, places: list[int], reason: str, *, skipped: bool) -> list[LineNote]:
    """Return notes of the lines in which some places are, in their order."""
    notes: list[LineNote] = []
    line, before = 1, 0
    for place in places:
        line += data.count(b"\n", before, place)
        before = place
        add_note(notes, line, reason, skipped=skipped)
    return notes


def _without_messages(data: bytes, notes: list[LineNote]) -> bytes:
    """Take away what other programs say. A message ends its line: what it cut goes on in the next one."""
    parts: list[bytes] = []
    within: list[int] = []
    alone: list[int] = []
    at = size = 0
    for found in _MESSAGE.finditer(data):
        parts.append(data[at : found.start()])
        size += found.start() - at
        at = found.end()
        cut = found.start() > 0 and data[found.start() - 1 : found.start()] != b"\n"
        (within if cut and data[at : at + 1] == b"\n" else alone).append(size)
    data = b"".join([*parts, data[at:]])
    notes += _notes(data, within, "message-within", skipped=False)
    notes += _notes(data, alone, "message", skipped=True)
    return _with_joints(data, [(place, b"") for place in within])


# --- what stands before each line --------------------------------------------------------------------------

_FIRST = re.compile(
    rb"^([^\n]{0,200}?)(?:table[ \t]+(?:ip6?|inet|arp|bridge|netdev)|chain|set|map)[ \t]+\S+[ \t]*\{",
    re.MULTILINE,
)


def _without_prefix(data: bytes, notes: list[LineNote]) -> bytes:
    """Take away what stands before every line, such as `> `, a time or a number.

    The first line of a table, chain or set shows it; digits may differ from line to line.
    """
    found = _FIRST.search(data)
    prefix = found[1] if found else b""
    if not prefix.strip() or not is_decoration(prefix):
        return data
    pattern = _line_pattern(prefix)
    places = [found.start() for found in pattern.finditer(data)]
    notes += _notes(data, places, "taken-out-of-a-prefix", skipped=False)
    return pattern.sub(b"", data)


def _line_pattern(prefix: bytes) -> re.Pattern[bytes]:
    """Return a pattern of the prefixes that lines have, of which numbers may be longer and blanks fewer.

    `grep -n` writes `-` for `:` before lines of context.
    """
    bare = prefix.rstrip(b" \t")
    pattern = b"".join(map(_part_pattern, _PARTS.findall(bare)))
    if bare.endswith(b":"):
        pattern = pattern.removesuffix(b":") + b"[:-]"
    blank = prefix[len(bare) :]
    behind = b"(?:" + re.escape(blank) + b"|[ \t]*$)" if blank else b""
    return re.compile(b"^" + pattern + behind, re.MULTILINE)


_PARTS = re.compile(rb"\d+|[ \t]+|[^\d \t]+")


def _part_pattern(part: bytes) -> bytes:
    if part.isdigit():
        return rb"\d+"
    return b"[ \t]*" if part.isspace() else re.escape(part)


# --- lines that were cut in two ----------------------------------------------------------------------------

# nft begins each line within a table with a tab, unless it closes the table.
_CONTINUED = re.compile(rb"\n(?![ \t\n}#]|table |[^\s@]{1,60}@[^\n]{1,200}[#$]|\Z)")
_INDENTED = re.compile(rb"\n[ \t]+\S")
_EDGE = re.compile(rb"^(?:(table [^\n]*\{)[ \t]*(?:#[^\n]*)?$|\})", re.MULTILINE)
_LINE_END = re.compile(rb"\n")
_TAB = 8


def _joined(data: bytes, notes: list[LineNote]) -> bytes:
    """Join lines of a listing that a terminal or a mail cut; below each joined line are as many empty ones.

    What a terminal cuts ends at its last column, and nothing was there; mails are cut at a blank.
    """
    if _CONTINUED.search(data) is None:
        return data
    joints = [joint for start, end in _tables(data) for joint in _joints(data, start, end)]
    notes += _notes(data, [place + 1 for place, _ in joints], "joined", skipped=False)
    return _with_joints(data, joints) if joints else data


def _tables(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the lines within each table are."""
    start = -1
    for edge in _EDGE.finditer(data):
        if start >= 0:
            yield start, edge.start()
        start = edge.end() if edge[1] else -1
    if start >= 0:
        yield start, len(data)


def _joints(data: bytes, start: int, end: int) -> list[tuple[int, bytes]]:
    """Return the line ends within a table at which a line was cut, and what was there.

    Where no line is indented, nothing tells.
    """
    cuts = [found.start() for found in _CONTINUED.finditer(data, start, end)]
    if not cuts or len(cuts) > len(_INDENTED.findall(data, start, end)):
        return []
    ends = [found.start() for found in _LINE_END.finditer(data, start, end)]
    cut = set(cuts)
    widths = {place: _width(data, place) for place in ends}
    last = max(widths.values())
    if any(widths.get(place, 0) < last - 1 for place in cuts):
        return [
            (place, b" ") for place in cuts if widths.get(place, 0) + _word_behind(data, place) >= _NARROWEST
        ]
    whole = {place for place in ends if widths[place] == last and not _BEGINS_RULE.match(data, place)}
    return [
        (place, b"" if widths[place] == last else b" ") for place in ends if place in whole or place in cut
    ]


def _word_behind(data: bytes, place: int) -> int:
    """Return how long the first word of the next line is: it would not have gone on the line before."""
    found = _WORD.match(data, place + 1)
    return 0 if found is None else found.end() - place - 1


_WORD = re.compile(rb"\S*")
_NARROWEST = 60
"""No mail is cut before so many columns; shorter lines are those of people who indent nothing."""

_BEGINS_RULE = re.compile(rb"\n(?:\t| {8}|\}|\n|\Z)")


def _width(data: bytes, place: int) -> int:
    """Return how many columns the line takes that ends at a place."""
    begin = data.rfind(b"\n", 0, place) + 1
    return len(data[begin:place].expandtabs(_TAB))


def _with_joints(data: bytes, joints: list[tuple[int, bytes]]) -> bytes:
    parts: list[bytes] = []
    at = pending = 0
    for place, between in joints:
        end = data.find(b"\n", at, place)
        if end >= 0:
            parts += [data[at:end], b"\n" * pending]
            at, pending = end, 0
        parts += [data[at:place], between]
        at, pending = place + 1, pending + 1
    end = data.find(b"\n", at)
    end = len(data) if end < 0 else end
    return b"".join([*parts, data[at:end], b"\n" * pending, data[end:]])
