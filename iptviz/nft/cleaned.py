"""The text of nft as it was handed over, made plain: line ends, quotes before lines, messages of other programs.

All lines keep their numbers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.intake.decode import decode
from iptviz.intake.decoration import is_decoration
from iptviz.intake.spliced import take_out
from iptviz.records import NamedTuple

if TYPE_CHECKING:
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
    rb"^(?:# Warning: table [^\n]{1,120} is managed by iptables-nft, do not touch!"
    rb'|Defaulted container "[^\n]{1,2000}|Unable to use a TTY - [^\n]{0,80}'
    rb"|modprobe: (?:FATAL|ERROR|WARNING): [^\n]{1,200}|sudo: unable to resolve host [^\n]{1,120}"
    rb"|warning: stmt ops \w{1,20} have no json callback)[ \t]*$",
    re.MULTILINE,
)
_WORDS = (
    b" managed by ",
    b"Defaulted container ",
    b"Unable to use a TTY",
    b"modprobe: ",
    b"sudo: ",
    b"warning: stmt",
)


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
    if any(word in data for word in _WORDS):
        managed = frozenset((_text(found[1]), _text(found[2])) for found in _MANAGED.finditer(data))
        data, notes = take_out(data)
        data = _MESSAGE.sub(b"", data)
    data = _without_prefix(data)
    return Cleaned(_text(_joined(data)), repairs, notes, managed)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


# --- what stands before each line --------------------------------------------------------------------------

_FIRST = re.compile(
    rb"^([^\n]{0,200}?)(?:table[ \t]+(?:ip6?|inet|arp|bridge|netdev)|chain|set|map)[ \t]+\S+[ \t]*\{",
    re.MULTILINE,
)
_DIGITS = re.compile(rb"\d+")


def _without_prefix(data: bytes) -> bytes:
    """Take away what stands before every line, such as `> `, a time or a number.

    The first line of a table, chain or set shows it; digits may differ from line to line.
    """
    found = _FIRST.search(data)
    prefix = found[1] if found else b""
    if not prefix.strip() or not is_decoration(prefix):
        return data
    pattern = _line_pattern(prefix)
    return b"\n".join(_inner(line, pattern) for line in data.split(b"\n"))


def _line_pattern(prefix: bytes) -> re.Pattern[bytes]:
    """Return a pattern of the prefixes that lines have: of grep -n, which has `-` where `:` matched, either."""
    parts = [re.escape(part) for part in _DIGITS.split(prefix.rstrip(b" \t"))]
    pattern = rb"\d+".join(parts)
    if pattern.endswith((b":", rb"\-")):
        pattern = pattern.removesuffix(rb"\-").removesuffix(b":") + b"[:-]"
    blank = prefix[len(prefix.rstrip(b" \t")) :]
    return re.compile(pattern + (b"(?:" + re.escape(blank) + b"|[ \t]*$)" if blank else b""))


def _inner(line: bytes, pattern: re.Pattern[bytes]) -> bytes:
    found = pattern.match(line)
    return line[found.end() :] if found else line


# --- lines that were cut in two ----------------------------------------------------------------------------


def _joined(data: bytes) -> bytes:
    return data
