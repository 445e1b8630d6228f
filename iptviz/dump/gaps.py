"""What reading a dump leaves open: lines of no use, missing ends, tables that stand twice."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from iptviz.dump.index import NOT_PART
from iptviz.errors import DumpError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.dump.index import Index, Stray
    from iptviz.dump.lines import Lines


_INCOMPATIBLE = re.compile(rb"^# Table .* (?:is|contains) incompatible", re.MULTILINE)
_QUOTED_TABLE = re.compile(rb"^[ \t>|]+\*(?:filter|nat|mangle|raw|security)\s*$", re.MULTILINE)


class Remark(NamedTuple):
    """Something to be said about a dump, and the line (counted from 1) it is about."""

    line: int
    text: str


def find_gaps(data: bytes, index: Index, lines: Lines) -> list[Remark]:
    """Return why the dump may lack something, in the order of its lines; empty means complete."""
    return sorted(
        [
            *_uncommitted(data, index, lines),
            *_repeated(index, lines),
            *_incompatible(data, index, lines),
            *_strays(index, lines),
        ]
    )


def no_table_error(data: bytes, source: str, index: Index, lines: Lines) -> DumpError:
    """Return the error for input without any table, which says what it holds instead."""
    quoted = _QUOTED_TABLE.search(data)
    if quoted:
        return DumpError(
            "a table begins here, but not at the beginning of its line",
            where=f"{source}:{lines.at(quoted.start())}",
            hint="the text is indented or quoted; take away what stands in front of every line",
        )
    stray: Stray | None = next((stray for stray in index.strays if stray.reason != NOT_PART), None)
    if stray:
        return DumpError(
            f"{stray.reason}: the line *nat or *filter that belongs above it is missing",
            where=f"{source}:{lines.at(stray.span[0])}",
            hint="give the whole output of iptables-save; grep loses the table headers",
        )
    return DumpError(
        "holds no iptables-save text: no line such as *nat or *filter",
        where=source,
        hint="make a dump with: iptables-save > FILE (as root, on the node)",
    )


def _uncommitted(data: bytes, index: Index, lines: Lines) -> Iterator[Remark]:
    for section in index.sections:
        if not section.committed:
            yield Remark(
                lines.at(section.start), f"table {section.name} has no COMMIT: its end may be missing"
            )
    if not index.sections[-1].committed and not data.endswith(b"\n"):
        yield Remark(lines.at(len(data) - 1), "the last line has no end: the dump may be cut there")


def _repeated(index: Index, lines: Lines) -> Iterator[Remark]:
    earlier: dict[str, int] = {}
    for section in index.sections:
        line = lines.at(section.start)
        if section.name in earlier:
            first = earlier[section.name]
            yield Remark(
                line, f"table {section.name} stands twice (first at line {first}): this later one is used"
            )
        earlier[section.name] = line


def _incompatible(data: bytes, index: Index, lines: Lines) -> Iterator[Remark]:
    """Find iptables-nft's word for tables that nft owns and iptables cannot show."""
    for start, end in index.comments:
        for found in _INCOMPATIBLE.finditer(data, start, end):
            what = "a table here is not shown: iptables cannot read it, nft list ruleset can"
            yield Remark(lines.at(found.start()), what)


def _strays(index: Index, lines: Lines) -> Iterator[Remark]:
    """Join neighbouring lines of the same reason into one remark."""
    start = end = -1
    reason = ""
    for stray in index.strays:
        if stray.span[0] == end and stray.reason == reason:
            end = stray.span[1]
            continue
        if reason:
            yield _stray(lines, start, end, reason)
        (start, end), reason = stray.span, stray.reason
    if reason:
        yield _stray(lines, start, end, reason)


def _stray(lines: Lines, start: int, end: int, reason: str) -> Remark:
    first, last = lines.at(start), lines.at(end - 1)
    return Remark(first, reason if first == last else f"{reason}, up to line {last}")
