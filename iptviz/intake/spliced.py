"""Messages of programs that stand within a line, taken out of it.

A collector that merges standard error into standard output gets a message wherever a block of output ended: in
the middle of a rule. A message ends with its own line end, so the line is its two halves. The message is put on
the next line, where its line end was: it stays for those who read it, and all other lines keep their numbers.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

from iptviz.intake.decoration import is_decoration, shape
from iptviz.intake.remark import add_note

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.intake.remark import LineNote

_ERROR = (
    rb"ip6?tables(?:-\w{1,10}){0,3} v\d[\d.]{1,20} \(\w{1,20}\): [^\n]{1,200}"
    rb"(?:\r?\nPerhaps ip6?tables or [^\n]{1,80})?"
)
# What is written to standard error while a dump is made, and a part of it that is found fast: by iptables
# (nft-shared.c, xtables-save.c, xshared.c, iptables-save.c, xtables.c), by nft, and by what runs before them.
_MESSAGES: tuple[tuple[bytes, bytes], ...] = (
    (b"-legacy tables present", rb"# Warning: \w{2,3}tables-legacy tables present, use \S{1,40} to see them"),
    (b" managed by ", rb"# Warning: table \S{1,20} \S{1,40} is managed by iptables-nft, do not touch!"),
    (b" incompatible", rb"# Table `\w{1,20}' (?:is|contains) incompatible[^\n]{1,60}"),
    (
        b" kernel module?",
        rb"Warning: Extension \S{1,40} [a-z\d ]{2,20} not supported, missing kernel module\?",
    ),
    (b"the xtables lock", rb"Another app is currently holding the xtables lock[^\n]{1,120}"),
    (b" table names in ", rb"Failed to list table names in \S{1,80}: [^\n]{1,80}"),
    (b" (nf_tables): ", _ERROR),
    (b" (legacy): ", _ERROR),
    (b"modprobe: ", rb"modprobe: (?:FATAL|ERROR|WARNING): [^\n]{1,200}"),
    (b"sudo: ", rb"sudo: unable to resolve host [^\n]{1,120}"),
    (b"Defaulted container ", rb'Defaulted container "[^"\n]{1,253}" out of: [^\n]{1,2000}'),
    (b"Unable to use a TTY", rb"Unable to use a TTY - input is not a terminal[^\n]{0,80}"),
)
_LONGEST = 4096
_MESSAGE = re.compile(rb"(?:(?:" + b"|".join(dict.fromkeys(row[1] for row in _MESSAGES)) + rb")\r?\n){1,16}")
# Of what may stand before whole lines, these may be first halves, too: counters of a rule, or of a listing's row.
_HALF_OF_COUNTERS = re.compile(rb"[\d \t]*|\[\d+:\d+\] ?")


def take_out(data: bytes) -> tuple[bytes, list[LineNote]]:
    """Return the text with each message below the line in which it stood, and notes of those lines."""
    notes: list[LineNote] = []
    parts: list[bytes] = []
    at, line = 0, 1
    spans = sorted({span for word, _ in _MESSAGES for span in _messages(data, word)})
    for number, (start, end) in enumerate(spans):
        begin = data.rfind(b"\n", at, start) + 1 or at
        if start >= at and _is_within(data[begin:start], data[end : _next_line(data, end)]):
            cuts = _in_one_line(data, spans[number:])
            rest = _next_line(data, cuts[-1][1])
            line += data.count(b"\n", at, start)
            add_note(notes, line, "message-within", skipped=False)
            line += data.count(b"\n", start, rest)
            halves = [data[one[1] : other[0]] for one, other in pairwise([*cuts, (rest, rest)])]
            messages = [data[slice(*cut)] for cut in cuts]
            parts += [data[at:start], b"".join(halves).removesuffix(b"\n"), b"\n", *messages]
            at = rest
    return b"".join([*parts, data[at:]]), notes


def _next_line(data: bytes, at: int) -> int:
    return data.find(b"\n", at) + 1 or len(data)


def _in_one_line(data: bytes, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the first of some messages, and those that follow in the line which it cuts."""
    cuts = spans[:1]
    for span in spans[1:]:
        if span[0] >= _next_line(data, cuts[-1][1]):
            break
        cuts += [span] if span[0] > cuts[-1][1] else []
    return cuts


def _messages(data: bytes, word: bytes) -> Iterator[tuple[int, int]]:
    """Yield where messages with a word in them stand."""
    at = data.find(word)
    while at >= 0:
        begin = max(data.rfind(b"\n", max(at - _LONGEST, 0), at) + 1, at - _LONGEST, 0)
        found = _MESSAGE.search(data, begin, at + _LONGEST)
        if found and found.start() <= at:
            yield found.span()
        at = data.find(word, at + len(word))


def _is_within(before: bytes, following: bytes) -> bool:
    """Whether what stands before a message is the first half of a line, and not what stands before every line."""
    if not before or shape(following).startswith(shape(before)):
        return False
    return not is_decoration(before) or _HALF_OF_COUNTERS.fullmatch(before) is not None
