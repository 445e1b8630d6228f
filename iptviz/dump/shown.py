"""How much of a table a text shows: all of it, an excerpt, or what stands before a cut."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from iptviz.intake.text import to_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from iptviz.intake.index import Span

_RULE_CHAIN = re.compile(rb"(?:\[[\d~]++:[\d~]++\] )?-A (\S++)")


class Told(Protocol):
    """What is asked of a table. `shows_some_chains`: it is a listing of chains that somebody asked for."""

    data: bytes
    shows_some_chains: bool

    @property
    def beside(self) -> Mapping[str, Told]:
        """All tables of the dump by name."""

    @property
    def committed(self) -> bool:
        """Whether the table's COMMIT was read."""

    def blocks(self) -> Sequence[Span]:
        """Return where the rules stand: stretches of whole lines."""

    def undeclared(self) -> list[str]:
        """Return the names of the chains that have rules but no declaration."""

    def chain_names(self) -> list[str]:
        """Return the chains' names, the declared first."""


class Shown:
    """What a text shows of a table, as far as the text itself tells."""

    def __init__(self, table: Told) -> None:
        self._table = table

    @cached_property
    def is_whole(self) -> bool:
        """Whether nothing suggests that lines of the table are missing."""
        return self._table.committed and not self.is_excerpt

    @property
    def names_all(self) -> bool:
        """Whether the names of all chains are shown: the text is no excerpt, and not cut off among them."""
        return not self.is_excerpt and (self._table.committed or bool(self._table.blocks()))

    @cached_property
    def is_excerpt(self) -> bool:
        """Whether lines may be missing anywhere: some chain has no declaration, or no built-in one is shown."""
        return self._table.shows_some_chains or bool(self._table.undeclared()) or self._is_emptied

    @property
    def _is_emptied(self) -> bool:
        """Whether grep has left nothing of the table: a save declares the chains even of one without rules."""
        others = self._table.beside.values()
        return any(other.undeclared() for other in others) and not self._table.chain_names()

    def may_lack(self, chain: str) -> bool:
        """Whether rules of a chain may be missing; where the text is cut off, those at the cut and behind it.

        Of a chain that somebody had listed, none is.
        """
        if self._table.shows_some_chains and not self._table.undeclared() and chain in self._places:
            return False
        return self.is_excerpt or self.is_cut_at(chain)

    def is_cut_at(self, chain: str) -> bool:
        """Whether the text is cut off in the rules of a chain, or before it comes to them."""
        if self._table.committed or not self._table.blocks():
            return not self._table.committed
        return self._cut <= self._places.get(chain, len(self._places))

    @cached_property
    def _places(self) -> Mapping[str, int]:
        """The place of each chain in the order in which they are saved."""
        return {name: place for place, name in enumerate(self._table.chain_names())}

    @cached_property
    def _cut(self) -> int:
        """The place of the chain whose rule is the last that is shown."""
        data, end = self._table.data, self._table.blocks()[-1][1]
        found = _RULE_CHAIN.match(data, data.rfind(b"\n", 0, end - 1) + 1)
        return self._places.get(to_text(found[1]), 0) if found else 0
