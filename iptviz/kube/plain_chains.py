"""Chains in the very form that kube-proxy writes, read at once from the bytes of a dump.

A cluster has ten thousand services and a hundred thousand endpoints; to follow a packet through each of their
chains takes half a minute. Nearly all of them are alike: so these are read by one regular expression, and what
departs from the form in any line is left to the engine. Both say the same of a chain that has the form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING

from iptviz.engine.chance import CERTAIN, walked_cascade
from iptviz.engine.condition import Assumption, Condition
from iptviz.intake.text import to_bytes, to_text
from iptviz.kube.endpoint_form import AlikeEndpoints, PortShares
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


# The same of rules in bulk (`iptviz.intake.bulk`), which have few forms: these take a quarter of the time.
_ENDPOINT_IN_BULK = re.compile(rb"-A (KUBE-SEP-\S++) -p tcp -m tcp -j DNAT --to-destination (\S++)\n")
_BALANCING_IN_BULK = re.compile(
    rb"-A (KUBE-SVC-\S++) (?:"
    rb"(?:-m statistic --mode random --probability ([\d.]++) |)-j (KUBE-SEP-\S++)"
    rb"|(! -s \S++ -d ([^\s/]++)/(?:32|128) )-p tcp [^\n]*--dport (\d++) -j KUBE-MARK-MASQ"
    rb"|[^\n]*+)\n"
)


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

    endpoints: AlikeEndpoints
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
        self._port_shares: dict[tuple[tuple[int | None, ...], int], PortShares] = {}
        self._masks: dict[bytes, Needs] = {}
        self._known = known or {}
        self._balancing: dict[tuple[str, str], Balancing | None] = {**self._known}
        self._read: set[bytes] = set()

    @cached_property
    def _lines(self) -> _Lines:
        lines = _Lines()
        if self._known or not self._marks_alone:
            return lines
        for span, in_bulk in self._table.parts():
            if in_bulk:
                lines.add_bulk(self._table.data, span)
            else:
                self._add(lines, [span])
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
        destinations = list(map(lines.endpoints.get(protocol, _NOTHING).get, found.ways))
        if None in destinations:
            return None
        cascade, leftover, exact = shares
        endpoints = self._endpoints(to_text(b" ".join(filter(None, destinations))), cascade)
        return Balancing(
            endpoints,
            leftover,
            exact,
            tuple(map(self._mask, found.masks)),
            int(found.seconds[0]) if found.seconds else None,
            all(port is not None for port, _ in endpoints.shares),
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

    def _endpoints(self, destinations: str, cascade: tuple[Fraction, ...]) -> AlikeEndpoints:
        """Return endpoints by where their rules send connections, with blanks between, and by their shares."""
        joined, ports = _at_one_port(destinations, len(cascade)) or _at_any_ports(destinations)
        key = ports, id(cascade)  # shares are kept as long as this is, see `_shares_of`
        if key not in self._port_shares:
            self._port_shares[key] = PortShares(zip(ports, cascade, strict=True))
        return AlikeEndpoints(joined, range(len(ports)), self._port_shares[key])

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


_MOST_DIGITS = 5
"""So many a port has at most, as `split_endpoint` reads it."""


def _at_one_port(destinations: str, count: int) -> tuple[str, tuple[int | None, ...]] | None:
    """Return addresses and ports of destinations as nearly all are, of IPv4 and with one port; None of others."""
    port = destinations.rpartition(":")[2]
    joined = f"{destinations} ".replace(f":{port} ", " ")[:-1]
    is_so = destinations.count(":") == count and ":" not in joined and "[" not in joined
    return (
        (joined, (int(port),) * count) if is_so and port.isdecimal() and len(port) <= _MOST_DIGITS else None
    )


def _at_any_ports(destinations: str) -> tuple[str, tuple[int | None, ...]]:
    """Return the same of any destinations."""
    told = [split_endpoint(to) for to in destinations.split(" ")]
    return " ".join([address for address, _ in told]), tuple([port for _, port in told])


_NOTHING: dict[bytes, bytes] = {}


def _cascade(chances: tuple[bytes, ...]) -> _Shares | None:
    try:
        found = walked_cascade(random_chance(to_text(text)) if text else CERTAIN for text in chances)
    except ValueError:
        return None
    return found if all(found[0]) else None


class _Lines:
    """The lines of all such chains, by chain; where endpoints send connections by their protocol first."""

    def __init__(self) -> None:
        self.chains: dict[bytes, _Chain] = {}
        self.endpoints: dict[bytes, dict[bytes, bytes]] = {}
        self.externals: dict[bytes, list[tuple[bytes | None, bytes | None, bytes]]] = {}
        self.odd: set[bytes] = set()

    def add(self, found: re.Match[bytes]) -> None:
        """Put a line where it belongs."""
        if chain := found["balancing"]:
            self._add_balancing(chain, found)
        elif endpoint := found["endpoint"]:
            if self._is_endpoint(endpoint):
                self.odd.add(endpoint)
            self.endpoints.setdefault(found["protocol"], {})[endpoint] = found["destination"]
        elif external := found["external"]:
            self.externals.setdefault(external, []).append((found["client"], found["local"], found["onward"]))
        elif odd := found["odd"]:
            self.odd.add(odd)
        elif self._is_endpoint(found["hairpin"]):
            self.odd.add(found["hairpin"])  # a mark that comes too late

    def _is_endpoint(self, name: bytes) -> bool:
        return any(name in endpoints for endpoints in self.endpoints.values())

    def add_bulk(self, data: bytes, span: Span) -> None:
        """Put the lines of a stretch in bulk where they belong.

        Its endpoints come first: of their chains all rules stand side by side.
        """
        found = _ENDPOINT_IN_BULK.findall(data, *span)
        endpoints = dict(found)
        if len(endpoints) < len(found):
            self.odd.update(name for name, count in Counter(name for name, _ in found).items() if count > 1)
        self.odd.update(
            name for others in self.endpoints.values() for name in others.keys() & endpoints.keys()
        )
        self.endpoints.setdefault(b"tcp", {}).update(endpoints)
        name = b""
        for named, chance, way, mask, to, port in _BALANCING_IN_BULK.findall(data, *span):
            if named != name:
                name, chain = named, self._chain(named)
            if way:
                chain.chances.append(chance)
                chain.ways.append(way)
            elif mask:
                self._add_mask(name, (mask, to, port), b"tcp")
            else:
                self.odd.add(name)

    def _chain(self, name: bytes) -> _Chain:
        chain = self.chains.get(name)
        if chain is None:
            chain = self.chains[name] = _Chain([], [], [], [], set())
        return chain

    def _add_balancing(self, name: bytes, found: re.Match[bytes]) -> None:
        chain = self._chain(name)
        if found["way"]:
            chain.chances.append(found["chance"] or b"")
            chain.ways.append(found["way"])
        elif found["seconds"]:
            chain.seconds.append(found["seconds"])
        else:
            self._add_mask(name, (found["mask"], found["to"], found["port"]), found["masked"])

    def _add_mask(self, name: bytes, mask: tuple[bytes, bytes | None, bytes], protocol: bytes) -> None:
        chain = self.chains[name]
        chain.masks.append(mask)
        chain.masked.add(protocol)
        if chain.ways:
            self.odd.add(name)  # what an endpoint has taken is not marked below
