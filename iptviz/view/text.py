r"""Making untrusted text harmless: what a dump says must not steer a terminal or hide itself.

Control characters (with them escape sequences), line and paragraph separators, marks that reorder or hide
text, and bytes that are not UTF-8 become visible escapes such as `\x1b`.
"""

from __future__ import annotations

import re
from functools import cache

_HARMFUL = (
    "[\x00-\x1f\x7f-\x9f"  # C0 and C1 controls
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufe00-\ufe0f"  # invisible
    "\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible, reordering
    "\U000e0000-\U000e0fff\ud800-\udfff\ufdd0-\ufdef"  # tags, and what is no character at all
    + "".join(f"{chr(plane + 0xFFFE)}{chr(plane + 0xFFFF)}" for plane in range(0, 0x110000, 0x10000))
    + "]"
)
"""What does not simply print; most texts are of ASCII or Latin-1 that does, and need no pattern."""
_LAST_OF_LATIN = "\xff"
"""Up to here Python calls printable what is, and nothing else."""


def note_line(text: str) -> str:
    """Return a note as lines of text have it; a warning has its own word in front."""
    return text if text.startswith("WARNING ") else f"note: {text}"


def printable(text: str) -> str:
    """Return `text` with everything that does not simply print shown as an escape."""
    is_plain = text.isprintable() and (text.isascii() or max(text) <= _LAST_OF_LATIN)
    return text if is_plain else _harmful().sub(_escape, text)


@cache
def _harmful() -> re.Pattern[str]:
    return re.compile(_HARMFUL)


def wrapped(text: str, width: int = 80) -> list[str]:
    """Return a sentence as lines of at most `width` signs, if its words allow, later ones set in."""
    from textwrap import wrap  # a trace has notes at times

    return wrap(text, width, subsequent_indent="   ", break_long_words=False, break_on_hyphens=False)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
