"""Which rules of a long chain may concern a destination: a search of bytes, no rule is taken apart.

kube-proxy's KUBE-SERVICES holds a rule for each address and port; all but a few name another destination.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.xtables.address import Network, parse_network

if TYPE_CHECKING:
    from collections.abc import Sequence

    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table

_DESTINATION = re.compile(rb"(?:\[[\d~]++:[\d~]++\] )?-A \S++ -d ([0-9a-fA-F.:]++)(?:/32|/128)? ")


class RulesByDestination:
    """The rules of one chain, by the single destination that their text begins with."""

    def __init__(self, table: Table, chain: str) -> None:
        self._rules = table.rules_of(chain)
        self._places: dict[bytes, list[int]] = {}
        self._others: list[int] = []
        for place, span in enumerate(table.spans_of(chain)):
            found = _DESTINATION.match(table.data, *span)
            if found:
                self._places.setdefault(found[1], []).append(place)
            else:
                self._others.append(place)

    def towards(self, destination: Network) -> Sequence[Rule] | None:
        """Return the rules that may match a packet to `destination`, in order; None: all may."""
        if not self._places:
            return None
        places = self._others + [
            place
            for text, places in self._places.items()
            if (network := parse_network(text.decode("ascii"))) is None or network.meets(destination)
            for place in places
        ]
        return [self._rules[place] for place in sorted(places)]
