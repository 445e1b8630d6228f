"""Chains in the very form that kube-proxy writes, read at once from the bytes of a dump.

A cluster has ten thousand services and a hundred thousand endpoints; to follow a packet through each of their
chains takes half a minute. Nearly all of them are alike: so these are read by one regular expression, and what
departs from the form in any line is left to the engine. Both say the same of a chain that has the form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, walked_cascade
from iptviz.engine.condition import Assumption, Condition
from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.endpoint_form import EndpointForm
from iptviz.kube.families import MARK_MASQUERADE
from iptviz.records import NamedTuple
from iptviz.rules.reading.chances import random_chance
from iptviz.xtables.address import split_endpoint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from fractions import Fraction

    from iptviz.dump.table import Table
    from iptviz.intake.index import Span
    from iptviz.kube.outcome import Needs

    _Shares = tuple[tuple[Fraction, ...], Fraction, bool]

# What may be missing is written `(?:...|)`: that takes less time than `(?:...)?`.
_COMMENT = rb'(?:-m comment --comment (?:"[^"\\\n]*+"|[^"\s]++) |)'
_LINE = (
    rb"(?m)^(?:\[\d++:\d++\] |)-A (?:"
    rb"(?P<balancing>KUBE-SV[CL]-\S++) "
    rb"(?:" + _COMMENT + rb"(?:-m statistic --mode random --probability (?P<chance>[\d.]++) |)"
    rb"-j (?P<way>KUBE-SEP-\S++)"
    rb"|"
    + _COMMENT
    + rb"-m recent --rcheck --seconds (?P<seconds>\d++) --reap --name (?P<list>KUBE-SEP-\S++) "
    rb"--mask \S++ --rsource -j (?P=list)"
    rb"|(?P<mask>(?:! -[si] \S++ |)(?:-d (?P<to>[^\s/]++)/(?:32|128) |)(?:! -i \S++ |))-p (?P<masked>\w++) "
    + _COMMENT
    + rb"-m \w++ --dport (?P<port>\d++) -j KUBE-MARK-MASQ)"
    rb"|(?P<endpoint>KUBE-SEP-\S++) (?:-s \S++ "
    + _COMMENT
    + rb"-j KUBE-MARK-MASQ\n(?:\[\d++:\d++\] |)-A (?P=endpoint) |)-p (?P<protocol>\w++) "
    + _COMMENT
    + rb"(?:-m recent --set --name \S++ --mask \S++ "
    rb"--rsource |)-m \w++ -j DNAT --to-destination (?P<destination>[0-9a-fA-F.:\[\]]++)"
    rb"|(?P<hairpin>KUBE-SEP-\S++) -s \S++ " + _COMMENT + rb"-j KUBE-MARK-MASQ"
    rb"|(?P<external>KUBE-EXT-\S++) (?P<client>-[si] \S++ )?"
    + _COMMENT
    + rb"(?P<local>-m addrtype --src-type LOCAL )?"
    rb"-j (?P<onward>KUBE-\S++)"
    rb"|(?P<odd>KUBE-(?:SV[CL]|SEP|EXT)-\S++).*+"
    rb")$"
)


@cache
def _in_form() -> re.Pattern[bytes]:
    """Return what finds them, for who reads many chains: to compile it takes as long as a chain or two."""
    return re.compile(_LINE)


_SOURCE_OR_INTERFACE = re.compile(rb"! -([si]) (\S+)")
_KINDS = {b"s": "source-cidr", b"i": "in-interface"}


class Mask(NamedTuple):
    """A rule that masquerades what goes to `address` (None: any) and `port` where all of `needs` hold."""

    needs: Needs
    address: str | None
    port: int


class Balancing(NamedTuple):
    """What a chain of endpoints does: shares and leftover sum to 1, `exact` or not; `affinity` is in seconds.

    The port of an endpoint is None where its DNAT names none, as it does in all where it `names_ports`.
    """

    endpoints: tuple[EndpointForm, ...]
    leftover: Fraction
    exact: bool
    masks: tuple[Mask, ...]
    affinity: int | None
    names_ports: bool


class External(NamedTuple):
    """What a KUBE-EXT chain does with an outside client: the chain it goes to, None where it is refused.

    `local_only` says that pods and the node itself go elsewhere: the external policy is Local. `ways` are its
    rules in order: of which clients, whether of the node's own alone, and where to, without the service's hash.
    """

    chain: str | None
    masquerade: bool = False
    local_only: bool = False
    ways: tuple[tuple[str, bool, str], ...] = ()


class _Chain(NamedTuple):
    chances: list[bytes]
    ways: list[bytes]
    masks: list[tuple[bytes, bytes | None, bytes]]
    seconds: list[bytes]
    masked: set[bytes]


KnownChains = Mapping[tuple[str, str], Balancing]
"""What is known of chains of endpoints, by chain and protocol."""


class PlainChains:
    """The chains of one nat table that have kube-proxy's form.

    Where many are `known`, as they are the same in another table, others are read one by one.
    """

    def __init__(self, table: Table, known: KnownChains | None = None) -> None:
        self._table = table
        self._shares: dict[tuple[bytes, ...], _Shares | None] = {}
        self._masks: dict[bytes, Needs] = {}
        self._known = known or {}
        self._balancing: dict[tuple[str, str], Balancing | None] = {**self._known}
        self._read: set[bytes] = set()

    @cached_property
    def _lines(self) -> _Lines:
        lines = _Lines()
        if not self._known:
            self._add(lines, self._table.blocks())
        return lines

    @cached_property
    def _marks_alone(self) -> bool:
        """Whether a jump to the chain that marks does no more than that."""
        marking = self._table.rules_of(MARK_MASQUERADE)
        return all(rule.target is not None and rule.target.name == "MARK" for rule in marking)

    def _add(self, lines: _Lines, spans: Iterable[Span]) -> None:
        if self._marks_alone:
            for start, end in spans:
                for found in _in_form().finditer(self._table.data, start, end):
                    lines.add(found)

    def _lines_with(self, *chains: bytes) -> _Lines:
        """Return the lines that were read, those of some chains among them."""
        for chain in chains if self._known else ():
            if chain not in self._read:
                self._read.add(chain)
                self._add(self._lines, self._table.runs_of(to_text(chain)))
        return self._lines

    def same_in(self, unlike: Collection[bytes]) -> KnownChains:
        """Return what another table has as well, in which the rules of some chains alone are `unlike`."""
        if MARK_MASQUERADE.encode() in unlike:
            return {}
        return {
            key: balancing
            for key, balancing in self._balancing.items()
            if balancing and self._is_among(to_bytes(key[0]), unlike)
        }

    def _is_among(self, chain: bytes, unlike: Collection[bytes]) -> bool:
        """Whether neither a chain nor one of its endpoints' is `unlike`."""
        return chain not in unlike and not any(map(unlike.__contains__, self._lines.chains[chain].ways))

    def balancing(self, chain: str, protocol: str) -> Balancing | None:
        """Return what a KUBE-SVC or KUBE-SVL chain does with connections of `protocol`; None if not plain."""
        key = chain, protocol
        if key not in self._balancing:
            self._balancing[key] = self._balanced(to_bytes(chain), to_bytes(protocol))
        return self._balancing[key]

    def _balanced(self, name: bytes, protocol: bytes) -> Balancing | None:
        lines = self._lines_with(name)
        found = lines.chains.get(name)
        if found is None or name in lines.odd or not found.ways or found.masked - {protocol}:
            return None
        self._lines_with(*found.ways)
        shares = self._shares_of(tuple(found.chances))
        if shares is None or not lines.odd.isdisjoint(found.ways):
            return None
        if len(set(found.ways)) < len(found.ways):
            return None  # two ways to one endpoint: rare enough to be left to the engine
        ends = [lines.endpoints.get(way) for way in found.ways]
        if not all(end is not None and end[0] == protocol for end in ends):
            return None
        each, leftover, exact = shares
        told = (split_endpoint(to_text(end[1])) for end in ends if end)
        endpoints = tuple(EndpointForm(*end, share) for end, share in zip(told, each, strict=True))
        return Balancing(
            endpoints,
            leftover,
            exact,
            tuple(map(self._mask, found.masks)),
            int(found.seconds[0]) if found.seconds else None,
            all(end.port is not None for end in endpoints),
        )

    def external(self, chain: str) -> External | None:
        """Return what a KUBE-EXT chain does; None if not plain."""
        name = to_bytes(chain)
        lines = self._lines_with(name)
        if name in lines.odd or name not in lines.externals:
            return None
        onward = masquerade = local_only = None
        for client, local, target in lines.externals[name]:
            special = client or local
            if target == b"KUBE-MARK-MASQ" and onward is not None:
                return None  # what has been led on is not marked below
            if target == b"KUBE-MARK-MASQ":
                masquerade = masquerade or not special
            elif special:
                local_only = True
            elif onward is None:
                onward = to_text(target)
        ways = tuple(
            (
                to_text(client or b"").strip(),
                bool(local),
                to_text(target).removesuffix(chain.rpartition("-")[2]),
            )
            for client, local, target in lines.externals[name]
        )
        return External(onward, bool(masquerade), bool(local_only), ways)

    def _shares_of(self, chances: tuple[bytes, ...]) -> _Shares | None:
        """Return the shares of a cascade, what it leaves, and whether they are exact; clusters have few of them.

        None where a chance is no number, or where nothing reaches a way: that is no endpoint to the engine, or a
        fault that it tells.
        """
        if chances not in self._shares:
            self._shares[chances] = _cascade(chances)
        return self._shares[chances]

    def _mask(self, found: tuple[bytes, bytes | None, bytes]) -> Mask:
        mask, address, port = found
        return Mask(self._needs(mask), None if address is None else to_text(address), int(port))

    def _needs(self, mask: bytes) -> Needs:
        match = _SOURCE_OR_INTERFACE.search(mask)
        if match is None:
            return ()
        if match[0] not in self._masks:
            condition = Condition(_KINDS[match[1]], to_text(match[2]))
            self._masks[match[0]] = (Assumption(condition, holds=False),)
        return self._masks[match[0]]


def _cascade(chances: tuple[bytes, ...]) -> _Shares | None:
    try:
        found = walked_cascade(random_chance(to_text(text)) if text else CERTAIN for text in chances)
    except ValueError:
        return None
    return found if all(found[0]) else None


class _Lines:
    """The lines of all such chains, by chain."""

    def __init__(self) -> None:
        self.chains: dict[bytes, _Chain] = {}
        self.endpoints: dict[bytes, tuple[bytes, bytes]] = {}
        self.externals: dict[bytes, list[tuple[bytes | None, bytes | None, bytes]]] = {}
        self.odd: set[bytes] = set()

    def add(self, found: re.Match[bytes]) -> None:
        """Put a line where it belongs."""
        if chain := found["balancing"]:
            self._add_balancing(chain, found)
        elif endpoint := found["endpoint"]:
            if endpoint in self.endpoints:
                self.odd.add(endpoint)
            self.endpoints[endpoint] = found["protocol"], found["destination"]
        elif external := found["external"]:
            self.externals.setdefault(external, []).append((found["client"], found["local"], found["onward"]))
        elif odd := found["odd"]:
            self.odd.add(odd)
        elif found["hairpin"] in self.endpoints:
            self.odd.add(found["hairpin"])  # a mark that comes too late

    def _add_balancing(self, name: bytes, found: re.Match[bytes]) -> None:
        chain = self.chains.get(name)
        if chain is None:
            chain = self.chains[name] = _Chain([], [], [], [], set())
        if found["way"]:
            chain.chances.append(found["chance"] or b"")
            chain.ways.append(found["way"])
        elif found["seconds"]:
            chain.seconds.append(found["seconds"])
        else:
            chain.masks.append((found["mask"], found["to"], found["port"]))
            chain.masked.add(found["masked"])
            if chain.ways:
                self.odd.add(name)  # what an endpoint has taken is not marked below
