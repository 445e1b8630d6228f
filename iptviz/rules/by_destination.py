"""Which rules of a long chain may concern a destination: a search of bytes, no rule is taken apart.

kube-proxy's KUBE-SERVICES holds a rule for each address and port; all but a few name another destination. Of a
packet whose address is not known the port may be: KUBE-NODEPORTS has a rule for each.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from iptviz.dump.rule import Rule
from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, full_mask, parse_network
from iptviz.xtables.values.addresses import show_address

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from iptviz.dump.table import Table

_BEFORE = rb"(?:\[[\d~]++:[\d~]++\] )?-A \S++ (?:(?:! )?-s \S++ )?"
_BYTE = rb"(?:0|[1-9]\d{0,2})"
_UP_TO_PORT = (
    _BEFORE
    + rb'(?:-d \S++ )?-p \w++ (?:-m comment --comment (?:"[^"\\\n]*+"|[^"\s]++) )?-m (?:tcp|udp|sctp) --dport '
)
_END = rb"[^\n]*+(?:\n|\Z)"


class _Literal(NamedTuple):
    """A part of rules that names one destination.

    `own` finds it in a rule, as its first group; `others` matches rules one after the other that begin with
    another one than %s, in its usual spelling.
    """

    own: re.Pattern[bytes]
    others: bytes


_ADDRESS = _Literal(
    re.compile(_BEFORE + rb"-d ([0-9a-fA-F.:]++)(?:/32|/128)? "),
    rb"(?:"
    + _BEFORE
    + rb"-d (?!%s(?:/32)? )"
    + _BYTE
    + rb"(?:\."
    + _BYTE
    + rb"){3}(?:/32)? "
    + _END
    + rb"){0,999}",
)
_PORT = _Literal(
    re.compile(_UP_TO_PORT + rb"(\d++) "),
    rb"(?:" + _UP_TO_PORT + rb"(?!0*%s )\d++ " + _END + rb"){0,999}",
)

_FEW = 3
"""For so many destinations the chain is searched; who asks for more has all of its destinations sorted."""


class RulesByDestination:
    """The rules of one chain, by the address that stands first in their text, or after a source, or by port."""

    def __init__(self, table: Table, chain: str) -> None:
        self._addresses = _Sorted(table, chain, _ADDRESS)
        self._ports = _Sorted(table, chain, _PORT)

    def towards(self, destination: Network) -> Sequence[Rule] | None:
        """Return the rules that may match a packet to `destination`, in order; None: all may."""

        def meets(text: bytes) -> bool:
            network = parse_network(text.decode("ascii"))
            return network is None or network.meets(destination)

        plain = destination.version == 4 and destination.mask == full_mask(4)
        shown = show_address(destination.value, 4).encode("ascii") if plain else None
        return self._addresses.about(shown, meets)

    def at_port(self, port: int) -> Sequence[Rule] | None:
        """Return the rules that may match a packet to `port`, in order; None: all may."""
        return self._ports.about(b"%d" % port, lambda text: int(text) == port)


class _Sorted:
    """The rules of a chain by one literal of theirs."""

    def __init__(self, table: Table, chain: str, literal: _Literal) -> None:
        self._table = table
        self._chain = chain
        self._literal = literal
        self._searched = 0
        self._places: dict[bytes, list[int]] = {}
        self._others: list[int] = []
        self._rules: Sequence[Rule] = ()

    def about(self, plain: bytes | None, meets: Callable[[bytes], bool]) -> Sequence[Rule] | None:
        """Return the rules whose literal `meets`, or that have none; `plain` is how it is spelt, if only so."""
        if plain is not None and self._searched < _FEW:
            self._searched += 1
            return list(self._search(plain))
        self._sort()
        if not self._places:
            return None
        places = self._others + [
            place for text, places in self._places.items() if meets(text) for place in places
        ]
        return [self._rules[place] for place in sorted(places)]

    def _search(self, plain: bytes) -> Iterator[Rule]:
        others = re.compile(self._literal.others % re.escape(plain))
        return (Rule(self._table, span) for span in self._table.spans_between(self._chain, others))

    def _sort(self) -> None:
        if self._rules:
            return
        self._rules = self._table.rules_of(self._chain)
        for place, span in enumerate(self._table.spans_of(self._chain)):
            found = self._literal.own.match(self._table.data, *span)
            if found:
                self._places.setdefault(found[1], []).append(place)
            else:
                self._others.append(place)
