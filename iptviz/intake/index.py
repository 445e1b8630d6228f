r"""One cheap pass over a dump's bytes: which table, which chain, from where to where.

A scanner cuts the bytes into runs without gaps: neighbouring rules of one chain are a run, neighbouring
declarations another. Rules are found here, not read. The scanner remembers next to nothing of its steps, so
330,000 rules cost a fraction of a second and little memory: single characters are repeated possessively, and
a run takes a thousand lines at most. Lines, which are groups, are not repeated possessively: Python before
3.11.5 matches that wrongly (https://github.com/python/cpython/issues/106052).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

# What goes on behind the thousandth line, is written in another way than the lines before, or has no line end,
# begins a run of its own: the index puts neighbouring runs together.
_RUN = re.compile(
    rb"""
    (?:-A\ |\[[\d~]++:[\d~]++\]\ -A\ )(\S++)[^\n]*+\n?+          # 1: rules of one chain, with counters or not
        (?:-A\ \1\ [^\n]*+\n){0,999}
        (?:\[[\d~]++:[\d~]++\]\ -A\ \1\ [^\n]*+\n){0,999}
  | (:(?!\d++\])[^\n]++\n?+(?::(?!\d++\])[^\n]++\n){0,999})   # 2: chain declarations, no second half of one
  | \*(filter|nat|mangle|raw|security)[ \t\r]*+(?:\n|\Z)      # 3: a table begins
  | (COMMIT)[ \t\r]*+(?:\n|\Z)                                # 4: a table ends
  | ((?:\#[^\n]*+\n?+|\n++|[ \t\r]++(?:\n|\Z)|\xef\xbb\xbf){1,1000})  # 5: comments, blanks, a byte order mark
  | ([^\n]++\n?+)                                             # 6: anything else
    """,
    re.VERBOSE,
)
TABLE_NAMES = ("filter", "nat", "mangle", "raw", "security")

RULES, DECLARATIONS, TABLE, COMMIT, COMMENT, NOISE = range(1, 7)
"""What a run is: the number of its group in the pattern."""

Span = tuple[int, int]
"""First byte and the byte after the last."""


class Stray(NamedTuple):
    """Bytes that are part of no table, and what kind of run they are."""

    span: Span
    kind: int


class Section:
    """One `*table ... COMMIT`: where it stands, its declarations, and where its rules stand.

    `runs` says where each chain's rules are, `blocks` where any rules are: unbroken stretches of them.
    """

    __slots__ = ("blocks", "committed", "declarations", "name", "runs", "start")

    def __init__(self, name: str, start: int) -> None:
        self.name = name
        self.start = start
        self.committed = False
        self.declarations: list[Span] = []
        self.runs: dict[bytes, Span | list[Span]] = {}
        self.blocks: list[Span] = []

    def add_run(self, chain: bytes, span: Span) -> None:
        """Note that `span` holds rules of `chain`; a chain's rules may stand in several places."""
        if self.blocks and self.blocks[-1][1] == span[0]:  # _join, of which 100,000 calls would be felt
            self.blocks[-1] = (self.blocks[-1][0], span[1])
        else:
            self.blocks.append(span)
        earlier = self.runs.get(chain)
        if earlier is None:
            self.runs[chain] = span
        else:
            spans = earlier if isinstance(earlier, list) else [earlier]
            _join(spans, span)
            self.runs[chain] = spans

    def spans(self, chain: bytes) -> list[Span]:
        """Return where the rules of `chain` stand, in the order of the text."""
        found = self.runs.get(chain, [])
        return found if isinstance(found, list) else [found]

    def each_run(self) -> Iterator[tuple[bytes, Span]]:
        """Yield each chain with each place where its rules stand."""
        for chain, found in self.runs.items():
            if isinstance(found, list):
                yield from ((chain, span) for span in found)
            else:
                yield chain, found


class Index(NamedTuple):
    """What one pass found: sections in order, comments, and what belongs to no table."""

    sections: list[Section]
    comments: list[Span]
    strays: list[Stray]


def _join(spans: list[Span], span: Span) -> None:
    """Add `span` to `spans`: to the last of them, where it goes on from there."""
    if spans and spans[-1][1] == span[0]:
        spans[-1] = (spans[-1][0], span[1])
    else:
        spans.append(span)


def runs(data: bytes) -> Iterator[re.Match[bytes]]:
    """Yield the matches of _RUN, each beginning where the one before ended."""
    # The scanner object is what re.finditer uses; its match() admits no gaps, finditer would skip them.
    return iter(_RUN.scanner(data).match, None)  # type: ignore[attr-defined]


def build_index(data: bytes) -> Index:
    """Cut `data` into sections; nothing is lost, and what fits nowhere is kept as stray."""
    index = Index([], [], [])
    section: Section | None = None
    for match in runs(data):
        kind = match.lastindex or 0
        if kind == RULES and section is not None:
            section.add_run(match[1], match.span())
        elif kind == DECLARATIONS and section is not None:
            _join(section.declarations, match.span())
        elif kind == TABLE:
            section = Section(match[3].decode("ascii"), match.start())
            index.sections.append(section)
        elif kind == COMMIT and section is not None:
            section.committed = True
            section = None
        elif kind == COMMENT:
            _join(index.comments, match.span())
        else:
            index.strays.append(Stray(match.span(), kind))
    return index
