"""Rules that were wrapped, or end in backslashes: joined where only together they are whole."""

from __future__ import annotations

import re

from iptviz.grammar.reader import take_apart
from iptviz.intake.mend import is_whole, quote_lost
from iptviz.intake.text import to_bytes, to_text
from iptviz.records import NamedTuple

_COUNTERS = re.compile(rb"\[\d+:\d+\] ")
_MOST, _MOST_BACKSLASHES = 4, 16


class Joined(NamedTuple):
    """A rule that is whole, and how many lines below its first it was made of."""

    text: bytes
    more: int


def most_wraps(last: bytes) -> int:
    """Return of how many more lines a rule may be made whose first line is `last`."""
    return _MOST_BACKSLASHES if _goes_on(to_text(last)) else _MOST


def join(last: bytes, following: list[bytes]) -> Joined | None:
    """Return `last` joined with as few of the following lines as make it whole; None where none do."""
    counters = _COUNTERS.match(last)
    text = to_text(last[counters.end() if counters else 0 :].rstrip(b"\r\n"))
    if _is_done(text, following[0]):
        return None
    for count, line in enumerate(following, 1):
        goes_on = _goes_on(text)
        text = text.rstrip().removesuffix("\\") if goes_on else text
        text += ("" if text.endswith(" ") else " ") + to_text(line)
        if _goes_on(text):
            continue
        whole = take_apart(text.strip())
        if whole.problem or whole.unknown:
            quoted = quote_lost(text)
            if quoted == text or not is_whole(quoted):
                continue
            text = quoted
        return Joined((counters[0] if counters else b"") + to_bytes(text) + b"\n", count)
    return None


def _goes_on(text: str) -> bool:
    return text.rstrip().endswith(" \\")


def _is_done(text: str, following: bytes) -> bool:
    """Whether a rule is whole already: only an option can belong to it."""
    if _goes_on(text) or following.startswith((b"-", b"!")):
        return False
    alone = take_apart(text.strip())
    return not alone.problem and not (alone.target is None and "--comment" in text)
