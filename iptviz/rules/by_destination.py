"""Which rules of a long chain may concern a destination: a search of bytes, no rule is taken apart.

kube-proxy's KUBE-SERVICES holds a rule for each address and port; all but a few name another destination.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.dump.rule import Rule
from iptviz.xtables.address import Network, full_mask, parse_network
from iptviz.xtables.values.addresses import show_address

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.table import Table

_BEFORE = rb"(?:\[[\d~]++:[\d~]++\] )?-A \S++ (?:(?:! )?-s \S++ )?-d "
_DESTINATION = re.compile(_BEFORE + rb"([0-9a-fA-F.:]++)(?:/32|/128)? ")
_BYTE = rb"(?:0|[1-9]\d{0,2})"
_ABOUT_OTHERS = (
    rb"(?:"
    + _BEFORE
    + rb"(?!%s(?:/32)? )"
    + _BYTE
    + rb"(?:\."
    + _BYTE
    + rb"){3}(?:/32)? [^\n]*+(?:\n|\Z)){0,999}"
)
"""Rules one after the other that begin with another single destination than %s, in its usual spelling."""

_FEW = 3
"""For so many destinations the chain is searched; who asks for more has all of its destinations sorted."""


class RulesByDestination:
    """The rules of one chain, by the single destination that stands first in their text, or after a source."""

    def __init__(self, table: Table, chain: str) -> None:
        self._table = table
        self._chain = chain
        self._searched = 0
        self._places: dict[bytes, list[int]] = {}
        self._others: list[int] = []
        self._rules: Sequence[Rule] = ()

    def towards(self, destination: Network) -> Sequence[Rule] | None:
        """Return the rules that may match a packet to `destination`, in order; None: all may."""
        if self._searched < _FEW and destination.version == 4 and destination.mask == full_mask(4):
            self._searched += 1
            return list(self._search(show_address(destination.value, 4).encode("ascii")))
        self._sort()
        if not self._places:
            return None
        places = self._others + [
            place
            for text, places in self._places.items()
            if (network := parse_network(text.decode("ascii"))) is None or network.meets(destination)
            for place in places
        ]
        return [self._rules[place] for place in sorted(places)]

    def _search(self, destination: bytes) -> Iterator[Rule]:
        others = re.compile(_ABOUT_OTHERS % re.escape(destination))
        return (Rule(self._table, span) for span in self._table.spans_between(self._chain, others))

    def _sort(self) -> None:
        if self._rules:
            return
        self._rules = self._table.rules_of(self._chain)
        for place, span in enumerate(self._table.spans_of(self._chain)):
            found = _DESTINATION.match(self._table.data, *span)
            if found:
                self._places.setdefault(found[1], []).append(place)
            else:
                self._others.append(place)
