"""A table of one of two dumps that are compared, and which chains of both are not the same byte for byte."""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.compare.chains.texts import lines_of, same_but_for_digits
from iptviz.compare.chains.unlike import unlike_declarations
from iptviz.compare.chains.untold import Untold
from iptviz.intake.draft import HOOK_ORDER
from iptviz.intake.infer import HOOKS_OF
from iptviz.intake.text import to_bytes, to_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from iptviz.compare.chains.forms import Why
    from iptviz.dump.model import Dump
    from iptviz.intake.index import Span

    Unlike = frozenset[bytes] | None
    """The chains of which a rule may differ; None: of most one does."""


_BROKEN = "last-line-cut"
_CHAIN = re.compile(rb"(?:\[[^\]\n]*+\] )?(?:-A |:)(\S*+)")


class TableSide:
    """A table of one dump, or that there is none: then it has no rules."""

    def __init__(self, dump: Dump, name: str) -> None:
        self.dump = dump
        self.table = dump.tables.get(name)
        self.hooks = list(map(to_text, sorted(HOOKS_OF[name], key=HOOK_ORDER.index)))
        self.untold = Untold(dump, self.table) if self.table else None

    @cached_property
    def runs(self) -> Mapping[bytes, Span]:
        """Where the rules of each chain stand; of one with several places, which are `scattered`, the last."""
        return dict(self._all_runs)

    @cached_property
    def scattered(self) -> set[bytes]:
        """The chains whose rules stand in several places."""
        if len(self.runs) == len(self._all_runs):
            return set()
        return {chain for chain, count in Counter(chain for chain, _ in self._all_runs).items() if count > 1}

    @cached_property
    def _all_runs(self) -> Sequence[tuple[bytes, Span]]:
        return list(self.table.each_run()) if self.table else ()

    @property
    def data(self) -> bytes:
        """The text of the dump."""
        return self.table.data if self.table else b""

    def lines(self, chain: bytes) -> bytes:
        """Return the lines of a chain without counters, and without one within which the text breaks off."""
        spans = self.table.runs_of(to_text(chain)) if self.table else ()
        whole = [(start, min(end, self._end)) for start, end in spans if start < self._end]
        return lines_of(self.data, whole)

    def all_lines(self, chain: bytes) -> bytes:
        """Return the lines of a chain without counters, be they whole or not."""
        return lines_of(self.data, self.table.runs_of(to_text(chain))) if self.table else b""

    @cached_property
    def _end(self) -> int:
        """Where the last whole line ends: what stands behind it breaks off within a word, or may do."""
        if self.table is None or self.table.committed or all(gap.id != _BROKEN for gap in self.dump.gaps):
            return len(self.data)
        return self.data.rfind(b"\n", 0, len(self.data.rstrip(b"\n"))) + 1

    @property
    def blocks(self) -> Sequence[Span]:
        """Where its rules stand."""
        return self.table.blocks() if self.table else ()

    @property
    def declarations(self) -> Sequence[Span]:
        """Where its chains are declared."""
        return self.table.declared_at() if self.table else ()

    @cached_property
    def policies(self) -> Mapping[str, str | None]:
        """The policy of each built-in chain: ACCEPT where no chain is shown, None where that may be missing."""
        table = self.table
        if table is None:
            return dict.fromkeys(self.hooks, "ACCEPT")
        told = table.policies()
        missing = "ACCEPT" if table.shown.names_all else None
        return {name: told.get(name, None if table.has_chain(name) else missing) for name in self.hooks}

    @cached_property
    def names(self) -> set[bytes]:
        """The chains that are declared or have rules, in whole lines."""
        if self.table is None:
            return set()
        broken = _CHAIN.match(self.data, self._end)
        return self.table.names() - ({broken[1]} if broken and not self._is_whole(broken[1]) else set())

    def has(self, chain: bytes) -> bool:
        """Whether a chain is among the `names`, which are not all looked for."""
        if self.table is None or not self.table.has_chain(to_text(chain)):
            return False
        broken = _CHAIN.match(self.data, self._end)
        return broken is None or broken[1] != chain or self._is_whole(chain)

    def _is_whole(self, chain: bytes) -> bool:
        """Whether a chain is declared or has a rule in a whole line."""
        found = self.table.declaration(to_text(chain)) if self.table else None
        return (found is not None and found.start() < self._end) or self.lines(chain) != b""

    def lacks(self, chain: str) -> bool:
        """Whether rules of a chain may be missing.

        iptables-save writes them in the order of the declarations; a text that is cut need not be its own.
        """
        if self.table is None:
            return False
        is_unseen = not self.table.committed and not self.lines(to_bytes(chain))
        return is_unseen or self.table.shown.may_lack(chain)

    @property
    def missing(self) -> Why | None:
        """Return why some of the table may be missing, None where nothing is."""
        if self.table is None or self.table.shown.is_whole:
            return None
        return "excerpt" if self.table.shown.is_excerpt else "cut"

    def may_have(self, chain: str) -> bool:
        """Whether a chain may be there that is not shown."""
        hides = self.table is not None and not self.table.shown.names_all
        return hides and not self.has(to_bytes(chain))

    def line(self, chain: str) -> int | None:
        """Return where a chain begins."""
        return self.table.chains[chain].line if self.table and chain in self.table.chains else None

    def is_led_to(self, chain: str) -> bool:
        """Whether some rule leads to a chain."""
        return self.table is not None and next(self.table.rules_to(chain), None) is not None


def odd_chains(old: TableSide, new: TableSide, unlike: Unlike) -> Iterator[bytes]:
    """Yield the chains whose lines differ, counters and the digits of kube-proxy's probabilities apart."""
    if unlike is None:
        yield from _odd_among_all(old, new)
        return
    for chain in unlike:
        if not same_but_for_digits(old.all_lines(chain), new.all_lines(chain)):
            yield chain


def lone_chains(old: TableSide, new: TableSide, unlike: Unlike) -> Iterator[bytes]:
    """Yield the chains that are on one side alone."""
    declared = unlike_declarations((old.data, old.declarations), (new.data, new.declarations))
    if unlike is None or declared is None:
        yield from old.names ^ new.names
        return
    for chain in unlike | declared:
        if old.has(chain) != new.has(chain):
            yield chain


def _odd_among_all(old: TableSide, new: TableSide) -> Iterator[bytes]:
    same = old.runs.keys() & new.runs.keys()
    yield from old.runs.keys() ^ new.runs.keys()
    for chain in same:
        (start, end), (first, after) = old.runs[chain], new.runs[chain]
        if old.data[start:end] != new.data[first:after] and not _same(old, new, chain):
            yield chain
    # Of those that stand in several places, one alone was looked at.
    yield from (old.scattered | new.scattered) & same


def _same(old: TableSide, new: TableSide, chain: bytes) -> bool:
    if chain in old.scattered or chain in new.scattered:
        return True  # it is told below
    spans = (old.runs[chain],), (new.runs[chain],)
    return same_but_for_digits(lines_of(old.data, spans[0]), lines_of(new.data, spans[1]))
