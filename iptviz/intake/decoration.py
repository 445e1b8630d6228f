r"""What stands in front of a dump's lines when it was quoted, logged, numbered or indented.

A line is taken out of its decoration where the part of a dump in it is plain (`ANCHOR`) and what stands before
that is of known make: blanks, `>` and `|`, times and log headers, line numbers and file names of grep, HTML
tags, code marks. A prefix of unknown make counts too once many lines carry the same, digits aside.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from iptviz.records import NamedTuple

# The beginnings of what a dump, `iptables -S` or a listing consists of.
ANCHOR = re.compile(
    rb"""
    (?:\[\d+:\d+\]\ )?-[AI]\ [^-!\s]
  | :(?!\d+:|\S*::)[^:\s]\S*\ (?:ACCEPT|DROP|QUEUE|RETURN|-)(?:\ \[\d+:\d+\])?\s*(?:[<|`]|$)
  | \*(?:filter|nat|mangle|raw|security)\s*(?:[<|`]|$)
  | COMMIT\s*(?:[<|`]|$)
  | \#\ (?:Generated\ by|Completed\ on)\ \S
  | -[PN]\ \S | -[XF]\ \S
  | Chain\ \S+\ \(
  | (?:num\s+)?(?:pkts\s+bytes\s+)?target\s+prot
    """,
    re.VERBOSE,
)
_PIECE_OF_DECORATION = re.compile(
    rb"""
    [ \t\xc2\xa0]++ | [>|]++ | `{1,3}
  | \x1b\[[0-9;?]*[A-Za-z]
  | </?[A-Za-z][^<>]{0,200}>                                   # HTML
  | \d{4}[-/]\d\d[-/]\d\d[T\ ]\d\d:\d\d:\d\d[.,\d]*(?:Z|[+-]\d\d:?\d\d)?   # 2024-11-12T10:11:12.123Z
  | (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\ | (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\ +\d+
  | \d\d:\d\d:\d\d[.,\d]*
  | [IWEF]\d{4}\ \d\d:\d\d:\d\d\.\d+\ +\d+\ [\w.-]+:\d+\]        # klog
  | std(?:out|err)\ [FP]\                                       # container logs
  | \[[\w/.:@+-]{1,100}\]:?
  | [\w./@-]{1,200}\[\d+\]:
  | [LR]?\d+[:.)-]? | [-*+]\ | [\'"]                             # line numbers, bullets, quotes
  | \xe2\x94\x82 | \xe2\x95\x91 | \xe2\x94\x83                    # borders of tables and terminals
  | [\w./-]{1,200}:(?:\d+:)?
    """,
    re.VERBOSE,
)
_HOST_AFTER_TIME = re.compile(rb"(\d\d:\d\d:\d\d[.,\dZ:+-]* )[\w.-]+ (?=[\w./-]+(?:\[\d+\])?: )")
_MOST_CLOSINGS = 4
_DIGITS = re.compile(rb"\d+")
_TRAILER = re.compile(rb"(?:</?[A-Za-z][^<>]{0,200}>|\x1b\[[0-9;?]{0,200}[A-Za-z]|[`\s]{1,200}+)\Z")
_LONGEST_TRAILER = 204  # so that a long line is not searched again for each
_COMMAND = re.compile(
    rb"\bip6?tables\S*\s|\b(?:echo|grep|sed|awk)\b"
    rb"|\b(?:TRACE|EVENT): |\btrace id \b"  # one packet's way, or a change: no dump
    rb"|(?:^|[\s;|&(])(?:curl|wget|git|cp|ls|ps|ssh|diff|sort|find|kubectl|nft)\s++(?!\|)"
)
_DIFF_SIGNS = {b"+", b"-"}  # a rule in a comparison is not one that is there
_LINE_NUMBER = re.compile(rb"[ \t]*[LR]?\d{1,7}")
_ENDS_IN_CONTROL = re.compile(rb"\x1b\[[0-9;?]{0,20}[A-Za-z]\Z")
_BORDERS = (b"|", b"\xe2\x94\x82", b"\xe2\x95\x91", b"\xe2\x94\x83")
_CLOSING_QUOTE = {b'"': re.compile(rb'"[,;)]{0,2}\Z'), b"'": re.compile(rb"'[,;)]{0,2}\Z")}
_ALL_DIGITS_ZERO = bytes.maketrans(b"123456789", b"0" * 9)
_REMEMBERED = 1 << 10
_LONGEST = 400
_OFTEN = 3


class Undecorated(NamedTuple):
    """A line's dump part, and the prefix that stood before it."""

    core: bytes
    prefix: bytes


class Decorations:
    """Knows which prefixes of unknown make many lines carry."""

    def __init__(self, lines: list[bytes]) -> None:
        shapes = Counter(shape(prefix) for line in lines if (prefix := _prefix(line)) is not None)
        self._frequent = {shape for shape, count in shapes.items() if count >= _OFTEN}

    def strip(self, line: bytes) -> Undecorated | None:
        """Return the dump part of `line`, or None where there is none."""
        prefix = _prefix(line)
        if prefix is None or prefix in _DIFF_SIGNS:
            return None
        if not is_decoration(prefix) and shape(prefix) not in self._frequent:
            return None
        return Undecorated(without_trailer(line[len(prefix) :], prefix), prefix)


def shape(prefix: bytes) -> bytes:
    """Return `prefix` with every number as 0, so that times and line numbers look alike."""
    return _DIGITS.sub(b"0", prefix)


def is_decoration(prefix: bytes) -> bool:
    """Whether `prefix` consists of known decoration alone."""
    return _is_decoration(prefix.translate(_ALL_DIGITS_ZERO))


@lru_cache(_REMEMBERED)
def _is_decoration(prefix: bytes) -> bool:
    """Tell by a prefix whose digits are all 0: which one makes no difference, so a log has few of them."""
    rest = _HOST_AFTER_TIME.sub(rb"\1", prefix, count=1)
    while rest and (found := _PIECE_OF_DECORATION.match(rest)):
        rest = rest[found.end() :]
    return not rest


def without_trailer(core: bytes, prefix: bytes) -> bytes:
    """Take away what closes a decoration at the end of the line: tags, code marks, borders, quotes."""
    for _ in range(_MOST_CLOSINGS):
        before, core = core, _without_closing(core)
        for border in _BORDERS:
            if not core.endswith(border):
                continue
            _, there, inner = prefix.rpartition(border)
            if there and core.endswith(b" " + border if inner.startswith((b" ", b"\t")) else border):
                core = core[: -len(border)]
        for quote, closing in _CLOSING_QUOTE.items():
            if quote in prefix and core.count(quote) % 2:
                core = closing.sub(b"", core)
        if core == before:
            break
    return core


def _without_closing(core: bytes) -> bytes:
    """Take away tags, code marks and blanks at the end."""
    end = len(core)
    while found := _TRAILER.search(core, max(end - _LONGEST_TRAILER, 0), end):
        end = found.start()
    return core[:end]


def _prefix(line: bytes) -> bytes | None:
    """Return what stands before the first anchor, or None: no anchor, too far in, or a command's argument."""
    found = ANCHOR.search(line, 0, _LONGEST)
    if found is None:
        return None
    prefix = line[: found.start()]
    if prefix[-1:].isalnum() and not (_LINE_NUMBER.fullmatch(prefix) or _ENDS_IN_CONTROL.search(prefix)):
        return None
    return None if _COMMAND.search(prefix) else prefix
