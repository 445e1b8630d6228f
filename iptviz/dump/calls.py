"""Which chain of a table leads to which, and who uses which target, told by one search of its text.

No rule is taken apart, so that a hundred thousand chains take a fraction of a second. A word of a comment may be
among what is found, as in `--comment "-j DROP"`: whoever speaks of a rule looks at it first.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import cached_property
from itertools import chain as joined
from itertools import filterfalse
from typing import TYPE_CHECKING, Protocol

from iptviz.intake.text import to_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from iptviz.intake.index import Span

    Words = tuple[bytes, ...]

_WORD = re.compile(rb" -(?:[jg] ?|-(?:jump|goto)[ =])\"?([^\s\"]++)")


class Searched(Protocol):
    """What is asked of a table."""

    data: bytes

    def names(self) -> set[bytes]:
        """Return the names of all chains."""

    def each_run(self) -> Iterator[tuple[bytes, Span]]:
        """Yield each chain that has rules, and where they stand."""

    def runs_of(self, chain: str) -> Sequence[Span]:
        """Return where the rules of a chain stand."""


class Calls:
    """The calls of a table; names are bytes, as they stand in the text.

    Attributes:
        leads: the chains that a chain leads to, in the order of its rules.
        users: for a word that is no chain of the table, a target or a missing chain, the chains that use it.
    """

    def __init__(self, table: Searched) -> None:
        self._table = table
        self.leads: dict[bytes, Words] = {}
        self.users: dict[bytes, list[bytes]] = {}
        self._caller: dict[bytes, Span] = {}
        self._called_again: set[bytes] = set()
        self._starts: dict[Span, dict[bytes, int]] = {}
        self._reached: dict[Words, set[bytes]] = {}
        chains = table.names()
        # Endpoints' chains, by far the most, have the same words: what these mean is told once.
        shapes: dict[Words, tuple[Words, list[list[bytes]]]] = {}
        words_in, data, leads = _WORD.findall, table.data, self.leads
        for chain, run in table.each_run():
            words = tuple(words_in(data, *run))
            shape = shapes.get(words)
            if shape is None:
                distinct = dict.fromkeys(words)
                callees = tuple(filter(chains.__contains__, distinct))
                targets = filterfalse(chains.__contains__, distinct)
                users = [self.users.setdefault(word, []) for word in targets]
                shapes[words] = callees, users
                self._note_caller(words, run)
            else:
                callees, users = shape
                self._called_again.update(callees)
            if callees:
                leads[chain] = tuple(dict.fromkeys(leads[chain] + callees)) if chain in leads else callees
            for each in users:
                each.append(chain)

    def _note_caller(self, words: Words, run: Span) -> None:
        """Note for each word of a run that this is where it stands, or that it stands more than once."""
        for word in words:
            if word in self._caller:
                self._called_again.add(word)
            else:
                self._caller[word] = run

    def only_jump(self, chain: bytes) -> int | None:
        """Return where in the text the only jump to a chain stands; None where there is none, or another."""
        if chain in self._called_again or chain not in self._caller:
            return None
        run = self._caller[chain]
        if run not in self._starts:
            self._starts[run] = {word[1]: word.start() for word in _WORD.finditer(self._table.data, *run)}
        return self._starts[run][chain]

    @cached_property
    def places(self) -> Mapping[bytes, list[int]]:
        """Where in the text the jumps to each chain, and the rules with each target, stand."""
        found: dict[bytes, list[int]] = {}
        for _, run in self._table.each_run():
            for word in _WORD.finditer(self._table.data, *run):
                found.setdefault(word[1], []).append(word.start())
        return found

    def uses(self, word: bytes) -> Iterator[int]:
        """Yield where in the text each chain first uses a word that is no chain of the table."""
        for chain in self.users.get(word, ()):
            yield next(
                found.start()
                for run in self._table.runs_of(to_text(chain))
                for found in _WORD.finditer(self._table.data, *run)
                if found[1] == word
            )

    def reached(self, *hooks: bytes) -> set[bytes]:
        """Return the chains that built-in chains lead to, and themselves."""
        if hooks not in self._reached:
            seen, further = {*hooks}, {*hooks}
            while further:
                # Endpoints' chains, by far the most, lead to the same.
                ways = set(filter(None, map(self.leads.get, further)))
                further = set(joined.from_iterable(ways)) - seen
                seen |= further
            self._reached[hooks] = seen
        return self._reached[hooks]

    def are_shallow(self, most: int) -> bool:
        """Whether no way is longer than `most` jumps; then there is no loop either."""
        rest: Mapping[bytes, Words] = self.leads
        for _ in range(most):
            # What leads to chains alone that lead nowhere is at its end one jump further.
            rest = {chain: callees for chain, callees in rest.items() if not rest.keys().isdisjoint(callees)}
        return not rest

    @cached_property
    def _order(self) -> tuple[list[bytes], Mapping[bytes, int]]:
        """The chains with those that lead to them first, and what is left over: what loops lead to."""
        open_calls = Counter(joined.from_iterable(self.leads.values()))
        order: list[bytes] = []
        ready = [chain for chain in self.leads if chain not in open_calls]
        while ready:
            order += ready
            answered = Counter(joined.from_iterable(filter(None, map(self.leads.get, ready))))
            ready = []
            for chain, count in answered.items():
                open_calls[chain] -= count
                if not open_calls[chain]:
                    del open_calls[chain]
                    ready.append(chain)
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
