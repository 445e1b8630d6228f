"""From the bytes of a file to bytes of UTF-8 lines: UTF-16, bare carriage returns, NUL bytes, grep's colours.

Nothing here adds or takes away lines, apart from line ends that were written as carriage returns.
"""

from __future__ import annotations

import re

from iptviz.intake.remark import Remark, remark
from iptviz.records import NamedTuple

_BYTE_ORDER_MARKS = (
    (b"\xff\xfe\x00\x00", "utf-32-le"),
    (b"\x00\x00\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)
_LOOKED_AT = 4096
# What `grep --color=always` writes around what it found; no iptables writes it.
_GREP_COLOR = b"\x1b[m\x1b[K"
_COLOR = re.compile(rb"\x1b\[[0-9;]*[mK]")


class Decoded(NamedTuple):
    """The text, and what was done to all of it, or nothing."""

    data: bytes
    repairs: tuple[Remark, ...]


def decode(raw: bytes) -> Decoded:
    """Return `raw` as UTF-8 text with line feeds at its line ends; bytes that are not UTF-8 stay."""
    repairs = []
    data = raw
    for wanted, repair, what in _STEPS:
        if wanted(data):
            data = repair(data)
            repairs.append(remark(what))
    return Decoded(data, tuple(repairs))


def _encoding(data: bytes) -> str | None:
    """Return the name of a two-byte or four-byte encoding, by its mark or by where its NUL bytes stand."""
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return name
    head = data[:_LOOKED_AT]
    half = len(head) // 2
    if half and head[1::2].count(0) > half * 0.9 and head[::2].count(0) < half * 0.1:
        return "utf-16-le"
    if half and head[::2].count(0) > half * 0.9 and head[1::2].count(0) < half * 0.1:
        return "utf-16-be"
    return None


def _is_wide(data: bytes) -> bool:
    return _encoding(data) is not None


def _from_wide(data: bytes) -> bytes:
    text = data.decode(_encoding(data) or "utf-16-le", "replace")
    return text.removeprefix("\ufeff").encode()


def _has_nul(data: bytes) -> bool:
    return b"\0" in data


def _without_nul(data: bytes) -> bytes:
    return data.replace(b"\0", b"")


def _has_bare_returns(data: bytes) -> bool:
    return b"\r" in data and b"\n" not in data


def _returns_to_feeds(data: bytes) -> bytes:
    return data.replace(b"\r", b"\n")


def _is_grep_colored(data: bytes) -> bool:
    return b"\x1b" in data and _GREP_COLOR in data  # one byte is looked for much faster than six


def _without_color(data: bytes) -> bytes:
    return _COLOR.sub(b"", data)


_STEPS = (
    (_is_wide, _from_wide, "wide-characters"),
    (_has_nul, _without_nul, "nul-bytes"),
    (_has_bare_returns, _returns_to_feeds, "carriage-returns"),
    (_is_grep_colored, _without_color, "grep-colours"),
)
