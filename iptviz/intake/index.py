r"""One cheap pass over a dump's bytes: which table, which chain, from where to where.

A scanner cuts the bytes into runs without gaps: neighbouring rules of one chain are a run, so are neighbouring
declarations, and rules in bulk, of whatever chains. Rules are found here, not read. The scanner remembers next to
nothing of its steps, so 330,000 rules cost a fraction of a second and little memory: single characters are
repeated possessively, and a run takes a thousand lines, or a thousand chains in bulk, at most. Lines, which are
groups, are not repeated possessively: Python before 3.11.5 matches that wrongly
(https://github.com/python/cpython/issues/106052).
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from iptviz.intake import bulk
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, KeysView, Mapping

# What goes on behind the thousandth line, is written in another way than the lines before, or has no line end,
# begins a run of its own: the index puts neighbouring runs together.
_RUN = re.compile(
    rb"""
    (%b)                                                        # 1: rules in bulk, of many chains
  | (?:-A\ |\[[\d~]++:[\d~]++\]\ -A\ )(\S++)[^\n]*+\n?+          # 4: rules of one chain, with counters or not
        (?:-A\ \4\ [^\n]*+\n){0,999}
        (?:\[[\d~]++:[\d~]++\]\ -A\ \4\ [^\n]*+\n){0,999}
  | (:(?!\d++\])[^\n]++\n?+(?::(?!\d++\])[^\n]++\n){0,999})   # 5: chain declarations, no second half of one
  | \*(filter|nat|mangle|raw|security)[ \t\r]*+(?:\n|\Z)      # 6: a table begins
  | (COMMIT)[ \t\r]*+(?:\n|\Z)                                # 7: a table ends
  | ((?:\#[^\n]*+\n?+|\n++|[ \t\r]++(?:\n|\Z)|\xef\xbb\xbf){1,1000})  # 8: comments, blanks, a byte order mark
  | ([^\n]++\n?+)                                             # 9: anything else
    """
    % bulk.STRETCH,
    re.VERBOSE,
)
TABLE_NAMES = ("filter", "nat", "mangle", "raw", "security")

RULES, DECLARATIONS, TABLE, COMMIT, COMMENT, NOISE = range(4, 10)
"""What a run is: the number of its group in the pattern; rules in bulk are rules, too."""

# An endpoint's rules are two, of which the first begins with `-s`.
_RUN_IN_BULK = re.compile(
    rb"(?:\[[\d:]++\] )?-A (\S++) "
    rb"(?:-s [^\n]*+\n[^\n]*+\n|[^\n]*+\n(?:(?:\[[\d:]++\] )?-A \1 [^\n]*+\n){0,999})"
)
_WORTH_INDEXING = 256

Span = tuple[int, int]
"""First byte and the byte after the last."""


class Stray(NamedTuple):
    """Bytes that are part of no table, and what kind of run they are."""

    span: Span
    kind: int


class Section:
    """One `*table ... COMMIT`: where it stands, its declarations, and where its rules stand.

    `blocks` says where any rules are: unbroken stretches of them. `rest` is where those are that are not in bulk;
    see `iptviz.intake.bulk`.
    """

    def __init__(self, name: str, start: int, data: bytes) -> None:
        self.name = name
        self.start = start
        self.committed = False
        self.declarations: list[Span] = []
        self.blocks: list[Span] = []
        self.rest: list[Span] = []
        self._data = data
        self._stretches: list[tuple[Span, bytes]] = []
        self._again: dict[bytes, list[int]] = {}
        self._together = False
        self._known: dict[bytes, list[Span]] = {}

    def add_rules(self, span: Span, chain: bytes = b"") -> None:
        """Note that `span` holds rules of `chain`, or rules in bulk; a chain's may stand in several places."""
        _join(self.blocks, span)
        if chain:
            _join(self.rest, span)
        self._stretches.append((span, chain))

    def parts(self) -> Iterator[tuple[Span, bool]]:
        """Yield where rules stand, in the order of the text, and whether these are in bulk."""
        for in_bulk, parts in groupby(self._stretches, lambda stretch: not stretch[1]):
            joined: list[Span] = []
            for span, _ in parts:
                _join(joined, span)
            yield from ((span, in_bulk) for span in joined)

    @property
    def chains(self) -> KeysView[bytes]:
        """The names of the chains that have rules, in the order of these."""
        return self._places.keys()

    @cached_property
    def _places(self) -> Mapping[bytes, int]:
        """For each chain the first stretch that has rules of it; `_again` has all, of those in several."""
        places: dict[bytes, int] = {}
        last, changes = b"", 0
        for number, (span, chain) in enumerate(self._stretches):
            names = (chain,) if chain else _RUN_IN_BULK.findall(self._data, *span)
            changes += sum(1 for _ in groupby(names)) - (names[0] == last)
            last = names[-1]
            found = dict.fromkeys(names, number)
            for name in found.keys() & places.keys():
                self._again.setdefault(name, [places[name]]).append(number)
                del found[name]
            places.update(found)
        self._together = changes == len(places)
        return places

    @property
    def together(self) -> bool:
        """Whether the rules of each chain stand together, with none of another chain between them."""
        return bool(self._places) and self._together

    def stretches(self) -> Iterator[tuple[Span, bytes]]:
        """Yield where rules stand, in the order of the text, and of which chain: none for rules in bulk."""
        return iter(self._stretches)

    def spans(self, chain: bytes) -> list[Span]:
        """Return where the rules of `chain` stand, in the order of the text.

        The first few chains are looked for; who asks for many has them all indexed.
        """
        if chain in self._known:
            return self._known[chain]
        if len(self._known) >= _WORTH_INDEXING:
            indexed = self._runs.get(chain, [])
            return indexed if isinstance(indexed, list) else [indexed]
        found = self._known[chain] = []
        first = self._places.get(chain)
        for place in () if first is None else self._again.get(chain, [first]):
            for span in self._spans_in(place, chain):
                _join(found, span)
        return found

    def _spans_in(self, place: int, chain: bytes) -> Iterator[Span]:
        """Yield where rules of a chain stand in a stretch; in bulk no word but a rule's first is `-A`."""
        (at, end), named = self._stretches[place]
        if named:
            yield at, end
            return
        while (at := self._data.find(b"-A %b " % chain, at, end)) >= 0:
            after = self._data.index(b"\n", at) + 1
            yield self._data.rfind(b"\n", 0, at) + 1, after
            at = after

    def each_run(self) -> Iterator[tuple[bytes, Span]]:
        """Yield each chain with each place where its rules stand."""
        for chain, found in self._runs.items():
            if isinstance(found, list):
                yield from ((chain, span) for span in found)
            else:
                yield chain, found

    def forget(self) -> None:
        """Drop which chains there are, and where their rules stand: found anew where somebody asks."""
        for found in ("_runs", "_places"):
            self.__dict__.pop(found, None)
        self._again = {}

    def rest_runs(self) -> Iterator[tuple[bytes, Span]]:
        """Yield the same of the rules that are not in bulk, as they stand in the text."""
        return ((chain, span) for span, chain in self._stretches if chain)

    @cached_property
    def _runs(self) -> Mapping[bytes, Span | list[Span]]:
        runs: dict[bytes, Span | list[Span]] = {}
        for stretch, named in self._stretches:
            parts = (
                [(named, stretch)]
                if named
                else [(run[1], run.span()) for run in _RUN_IN_BULK.finditer(self._data, *stretch)]
            )
            for chain, span in parts:
                earlier = runs.setdefault(chain, span)
                if earlier is not span:
                    spans = earlier if isinstance(earlier, list) else [earlier]
                    _join(spans, span)
                    runs[chain] = spans
        return runs


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


def kind_of(run: re.Match[bytes]) -> int:
    """Return what a match of `runs` is."""
    return max(run.lastindex or 0, RULES)


def build_index(data: bytes) -> Index:
    """Cut `data` into sections; nothing is lost, and what fits nowhere is kept as stray."""
    index = Index([], [], [])
    section: Section | None = None
    for match in runs(data):
        kind = kind_of(match)
        if kind == RULES and section is not None:
            section.add_rules(match.span(), match[RULES] or b"")
        elif kind == DECLARATIONS and section is not None:
            _join(section.declarations, match.span())
        elif kind == TABLE:
            section = Section(match[TABLE].decode("ascii"), match.start(), data)
            index.sections.append(section)
        elif kind == COMMIT and section is not None:
            section.committed = True
            section = None
        elif kind == COMMENT:
            _join(index.comments, match.span())
        else:
            index.strays.append(Stray(match.span(), kind))
    return index
