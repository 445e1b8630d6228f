r"""One cheap pass over a dump's bytes: which table, which chain, from where to where.

A scanner cuts the bytes into runs without gaps: all neighbouring rules of one chain are one run, all
neighbouring declarations another. Rules are found here, not read. Possessive quantifiers keep the
scanner from remembering its steps, so 330,000 rules cost a fraction of a second and little memory.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_RUN = re.compile(
    rb"""
    (?:\[[\d~]++:[\d~]++\]\ )?+-A\ (\S++)[^\n]*+\n?+                # 1: rules of one chain, with counters or not
        (?:(?:\[[\d~]++:[\d~]++\]\ )?+-A\ \1(?!\S)[^\n]*+\n?+)*+
  | ((?::[^\n]++\n?+)++)                                      # 2: chain declarations
  | \*(filter|nat|mangle|raw|security)[ \t\r]*+(?:\n|\Z)      # 3: a table begins
  | (COMMIT)[ \t\r]*+(?:\n|\Z)                                # 4: a table ends
  | ((?:\#[^\n]*+\n?+|[ \t\r]*+\n|[ \t\r]++\Z|\xef\xbb\xbf)++)  # 5: comments, blanks, a byte order mark
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
        if self.blocks and self.blocks[-1][1] == span[0]:
            self.blocks[-1] = (self.blocks[-1][0], span[1])
        else:
            self.blocks.append(span)
        earlier = self.runs.get(chain)
        if earlier is None:
            self.runs[chain] = span
        elif isinstance(earlier, list):
            earlier.append(span)
        else:
            self.runs[chain] = [earlier, span]

    def spans(self, chain: bytes) -> list[Span]:
        """Return where the rules of `chain` stand, in the order of the text."""
        found = self.runs.get(chain, [])
        return found if isinstance(found, list) else [found]


class Index(NamedTuple):
    """What one pass found: sections in order, comments, and what belongs to no table."""

    sections: list[Section]
    comments: list[Span]
    strays: list[Stray]


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
            section.declarations.append(match.span())
        elif kind == TABLE:
            section = Section(match[3].decode("ascii"), match.start())
            index.sections.append(section)
        elif kind == COMMIT and section is not None:
            section.committed = True
            section = None
        elif kind == COMMENT:
            index.comments.append(match.span())
        else:
            index.strays.append(Stray(match.span(), kind))
    return index
