"""Dumps as people hand them over: decorations of a plain dump that know where every line went.

A decoration takes rows and returns rows; so they can be put into one another.
"""

from __future__ import annotations

import html
import textwrap
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

SKIPPED, REPAIRED = "skipped", "repaired"


class Row(NamedTuple):
    """A line; `of` is the line of the plain dump that begins here, or 0; `fate` is what a note says of it."""

    text: str
    of: int = 0
    fate: str = ""


Rows = list[Row]
Decoration = "Callable[[Rows], Rows]"


class Wild(NamedTuple):
    """A decorated dump: where each line of the plain one stands, and which lines notes must name."""

    data: bytes
    places: dict[int, int]
    fates: dict[int, str]


def plain(text: str) -> Rows:
    return [Row(line, number) for number, line in enumerate(text.splitlines(), 1)]


def decorate(
    text: str,
    *decorations: Callable[[Rows], Rows],
    end: str = "\n",
    last: bool = True,
    encode: Callable[[str], bytes] = str.encode,
) -> Wild:
    """Apply `decorations` in their order; without `last` the end of the last line is missing."""
    rows = plain(text)
    for decoration in decorations:
        rows = decoration(rows)
    joined = "".join(row.text + end for row in rows)
    data = encode(joined if last else joined.removesuffix(end))
    return Wild(
        data,
        {row.of: at for at, row in enumerate(rows, 1) if row.of},
        {at: row.fate for at, row in enumerate(rows, 1) if row.fate},
    )


def before(*lines: str) -> Callable[[Rows], Rows]:
    """Put lines on top that are no part of the dump."""
    return lambda rows: [*(noise(line) for line in lines), *rows]


def after(*lines: str) -> Callable[[Rows], Rows]:
    """Put lines at the end that are no part of the dump."""
    return lambda rows: [*rows, *(noise(line) for line in lines)]


def between(*lines: str, every: int = 1) -> Callable[[Rows], Rows]:
    """Put lines between the tables, after their `# Completed`; before the `every`th one alone if told."""

    def put(rows: Rows) -> Rows:
        seen = 0
        result: Rows = []
        for row in rows:
            seen += row.text.startswith("*")
            if row.text.startswith("# Generated") and seen == every:
                result += (noise(line) for line in lines)
            result.append(row)
        return result

    return put


def noise(line: str) -> Row:
    return Row(line, 0, SKIPPED if line.strip() else "")


def each(prefix: Callable[[int], str], suffix: str = "") -> Callable[[Rows], Rows]:
    """Put `prefix(number)` before every line, as a log, a quotation or grep does."""

    def put(rows: Rows) -> Rows:
        return [
            Row(
                prefix(number) + row.text + suffix,
                row.of,
                row.fate or (REPAIRED if row.text.strip() else SKIPPED),
            )
            for number, row in enumerate(rows)
        ]

    return put


def always(prefix: str, suffix: str = "") -> Callable[[Rows], Rows]:
    return each(lambda _: prefix, suffix)


def trailing(blanks: str) -> Callable[[Rows], Rows]:
    """Put blanks at line ends, which nobody needs to be told of."""
    return lambda rows: [row._replace(text=row.text + blanks) for row in rows]


def wrapped(width: int = 76) -> Callable[[Rows], Rows]:
    """Wrap rules as mail clients do: at blanks, the rest on lines of their own."""

    def wrap(rows: Rows) -> Rows:
        result: Rows = []
        for row in rows:
            if "-A " not in row.text[:40]:
                result.append(row)
                continue
            first, *more = textwrap.wrap(row.text, width, break_long_words=False, break_on_hyphens=False)
            result += [row._replace(text=first), *(Row(text, 0, REPAIRED) for text in more)]
        return result

    return wrap


def entities(rows: Rows) -> Rows:
    """Write signs as HTML does."""
    return [row._replace(text=html.escape(row.text)) for row in rows]


def without(*beginnings: str) -> Callable[[Rows], Rows]:
    """Leave out the lines that begin so."""
    return lambda rows: [row for row in rows if not row.text.startswith(beginnings)]


def counted(rows: Rows) -> Rows:
    """Put counters before rules as `iptables-save -c` does."""
    return [
        row._replace(text=f"[{row.of}:{row.of * 60}] {row.text}" if row.text.startswith("-A") else row.text)
        for row in rows
    ]


def utf16(encoding: str) -> Callable[[str], bytes]:
    """Encode with a byte order mark."""
    return lambda text: ("\ufeff" + text).encode(encoding)
