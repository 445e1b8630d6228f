"""What kubectl writes beside its answer, where both went into one file: warnings, its log, errors."""

from __future__ import annotations

import re

from iptviz.errors import quoted
from iptviz.supplied.lines import SourceLine

_LOGGED = r"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d+ +\d+ \S+:\d+\] "
_FAILED = r"Error from server|error: |Unable to connect to the server: |The connection to the server "
_MESSAGE = re.compile(
    rf"^(?:(?P<failed>{_FAILED})|Warning: |Flag --|No resources found|{_LOGGED})[^\r\n]*", re.MULTILINE
)
"""Lines that begin so are no part of an object: what it says of itself is indented, or has no blank."""


def answer_of(text: str, source: str, hint: str) -> str:
    """Return a text without kubectl's messages, of as many lines.

    Raises:
        DumpError: one of them is an error. What kubectl had until then it prints as if that were all.
    """
    messages = list(_MESSAGE.finditer(text))
    for message in messages:
        if message["failed"]:
            place = SourceLine(source, text.count("\n", 0, message.start()) + 1)
            raise place.error(f"kubectl failed, and may not have listed all: {quoted(message[0])}", hint)
    return _MESSAGE.sub("", text) if messages else text
