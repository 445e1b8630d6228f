"""Where the parts of a text are: where a block ends, and the statements in it. Nothing is looked at twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

KINDS = "chain|set|map|meter|flowtable|counter|quota|limit|secmark|synproxy|ct (?:helper|timeout|expectation)"
"""What may stand in a table."""

NAME = r'(?:"[^"\n]*"|[^\s{};"#]+)'
"""What names consist of."""

_A_HEAD = rf"(?:table(?:[ \t]+(?:ip6?|inet|arp|bridge|netdev))?|{KINDS})[ \t]+{NAME}[ \t]*\{{"
HEAD = re.compile(
    rf"[ \t]*(?:(?:(?:add|create)[ \t]+)?(?P<table>table)"
    rf"(?:[ \t]+(?P<family>ip6?|inet|arp|bridge|netdev))?|(?P<kind>{KINDS}))"
    rf"[ \t]+(?P<name>{NAME})[ \t]*\{{(?:[ \t]*\#[ \t]*handle[ \t]+(?P<handle>\d{{1,19}}))?"
)
"""How a block begins."""

# Of a block that begins at the end of a line: the next line that closes it, or begins another one.
_STOP = re.compile(rf"\n[ \t]*(?:(\}})|{_A_HEAD})")
_REST_IS_EMPTY = re.compile(r"[ \t]*(?:#[^\n]*)?\n")
_BRACE = re.compile(rf'"[^"\n]*"?|\#[^\n]*|[{{}}]|\n[ \t]*(?:{_A_HEAD})')
_HIDDEN_BRACE = re.compile(r'["#][^"\n]*[{}]')


class Body(NamedTuple):
    """What stands between the braces of a block: where, where to go on, and whether its end is there."""

    start: int
    end: int
    behind: int
    closed: bool


def body_at(text: str, start: int, limit: int) -> Body:
    """Return the block whose inner begins at `start`."""
    if _REST_IS_EMPTY.match(text, start, limit):
        found = _STOP.search(text, start, limit)
        if found and found[1] and _is_plain(text, start, found.start()):
            return Body(start, found.start(), found.end(), closed=True)
    depth = 1
    for brace in _BRACE.finditer(text, start, limit):
        sign = brace[0]
        if sign == "{":
            depth += 1
        elif sign == "}":
            depth -= 1
            if not depth:
                return Body(start, brace.start(), brace.end(), closed=True)
        elif sign[0] == "\n":
            return Body(start, brace.start(), brace.start(), closed=False)
    return Body(start, limit, limit, closed=False)


def _is_plain(text: str, start: int, end: int) -> bool:
    """Whether all brackets that open there close there, and none is quoted."""
    if text.count("{", start, end) != text.count("}", start, end):
        return False
    return _HIDDEN_BRACE.search(text, start, end) is None


_SIGN = re.compile(r'"[^"\n]*"?|\#[^\n]*|[{};\n]')
_OPENS_RULES = re.compile(r"(?:jump|goto)\s*\Z")
_GOES_ON = re.compile(r"\s*[},]")


def statements_in(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield where the statements of a block are: lines, or what stands between semicolons."""
    at = start
    while at < end:
        stop = text.find("\n", at, end)
        stop = end if stop < 0 else stop
        if _is_simple(text, at, stop):
            yield at, stop
            at = stop + 1
        else:
            at = yield from _thorough(text, at, end)


def _is_simple(text: str, at: int, stop: int) -> bool:
    """Whether a line is one statement."""
    if text.find(";", at, stop) >= 0 or text.endswith("\\", at, stop):
        return False
    return text.count("{", at, stop) == text.count("}", at, stop)


def _thorough(text: str, start: int, end: int) -> Generator[tuple[int, int], None, int]:
    """Yield the statements up to the end of a line that is not within brackets; return what is behind it."""
    depth, begun, of_rules = 0, start, 0
    for found in _SIGN.finditer(text, start, end):
        sign, at = found[0], found.start()
        if sign == "{":
            depth += 1
            of_rules = of_rules or (depth if _OPENS_RULES.search(text, max(begun, at - _BEFORE), at) else 0)
        elif sign == "}":
            depth = max(depth - 1, 0)
            of_rules = 0 if depth < of_rules else of_rules
        elif sign == ";" and not depth:
            yield begun, at
            begun = at + 1
        elif sign == "\n" and not _continues(text, begun, at, end, depth, of_rules):
            yield begun, at
            return at + 1
    yield begun, end
    return end


_BEFORE = 32


def _continues(text: str, begun: int, at: int, end: int, depth: int, of_rules: int) -> bool:
    """Whether a statement goes on behind a line end."""
    if text.endswith("\\", begun, at) or of_rules:
        return True
    last = text[max(begun, at - _BEFORE) : at].rstrip()[-1:]
    return bool(depth) and (last in {"{", ","} or _GOES_ON.match(text, at, end) is not None)
