"""Which chain of a table leads to which, and who uses which target, told by one search of its text.

No rule is taken apart, so that a hundred thousand chains take a fraction of a second. A word of a comment may be
among what is found, as in `--comment "-j DROP"`: whoever speaks of a rule looks at it first.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from iptviz.intake.index import Span

_WORD = re.compile(rb"(?: -[jg] ?| --(?:jump|goto)[ =])\"?([^\s\"]+)")


class CallingTable(Protocol):
    """What is needed of a table to search it."""

    data: bytes

    def names(self) -> Collection[bytes]:
        """Return the chains of the table."""

    def each_run(self) -> Iterator[tuple[bytes, Span]]:
        """Yield each chain that has rules, as often as these stand apart, and where they stand: whole lines."""


class Calls:
    """The calls of a table; names are bytes, as they stand in the text.

    Attributes:
        leads: the chains that a chain leads to, in the order of its rules.
        places: where in the text the jumps to a chain stand.
        users: for a word that is no chain of the table, a target or a missing chain, the chains whose rules use
            it, and where in the text each does so first.
    """

    def __init__(self, table: CallingTable) -> None:
        self.leads: dict[bytes, dict[bytes, None]] = {}
        self.places: dict[bytes, list[int]] = {}
        self.users: dict[bytes, dict[bytes, int]] = {}
        self._reached: dict[bytes, set[bytes]] = {}
        chains = table.names()
        for chain, run in table.each_run():
            for found in _WORD.finditer(table.data, *run):
                word = found[1]
                if word in chains:
                    self.leads.setdefault(chain, {})[word] = None
                    self.places.setdefault(word, []).append(found.start())
                else:
                    self.users.setdefault(word, {}).setdefault(chain, found.start())

    def reached(self, hook: bytes) -> set[bytes]:
        """Return the chains that a built-in chain leads to, and itself."""
        if hook not in self._reached:
            seen, pending = {hook}, [hook]
            while pending:
                for chain in self.leads.get(pending.pop(), ()):
                    if chain not in seen:
                        seen.add(chain)
                        pending.append(chain)
            self._reached[hook] = seen
        return self._reached[hook]

    @cached_property
    def _order(self) -> tuple[list[bytes], Mapping[bytes, int]]:
        """The chains with those that lead to them first, and what is left over: what loops lead to."""
        open_calls: dict[bytes, int] = {}
        for called in self.leads.values():
            for chain in called:
                open_calls[chain] = open_calls.get(chain, 0) + 1
        order = [chain for chain in self.leads if chain not in open_calls]
        for chain in order:
            for callee in self.leads.get(chain, ()):
                open_calls[callee] -= 1
                if not open_calls[callee]:
                    del open_calls[callee]
                    order.append(callee)
        return order, open_calls

    @property
    def maybe_looped(self) -> Mapping[bytes, int]:
        """The chains that stand in a loop, or that one leads to; empty as in every table that a node runs."""
        return self._order[1]

    def deepest(self, hooks: Iterable[bytes]) -> list[bytes]:
        """Return the longest way of jumps from one of `hooks`, chain by chain; empty where there is a loop."""
        order, looped = self._order
        if looped:
            return []
        ways: dict[bytes, tuple[int, bytes]] = {hook: (0, b"") for hook in hooks if hook in self.leads}
        for chain in order:
            if chain not in ways:
                continue
            further = ways[chain][0] + 1
            for callee in self.leads.get(chain, ()):
                if ways.get(callee, (0, b""))[0] < further:
                    ways[callee] = further, chain
        if not ways:
            return []
        way = [max(ways, key=lambda chain: ways[chain][0])]
        while ways[way[-1]][1]:
            way.append(ways[way[-1]][1])
        return way[::-1]
