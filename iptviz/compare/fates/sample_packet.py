"""One packet of a case: a value for each field, a usual one where any will do."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

from iptviz.engine.chance import CERTAIN, times, total
from iptviz.engine.condition import Assumption, Condition
from iptviz.engine.fields import FIELD_KINDS, YES, Field, all_values
from iptviz.engine.nodes import LEAF, MIX
from iptviz.engine.regions import Region, common
from iptviz.engine.words import told
from iptviz.xtables.address import Network, full_mask, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from fractions import Fraction

    from iptviz.engine.unknowns import Unknowns
    from iptviz.paths.clients import Client

USUAL: Mapping[str, Sequence[Any]] = {
    "source-port": (40_000, 1_024),
    "destination-port": (80,),
    "ttl": (64, 128, 255),
    "length": (60, 52, 40, 80, 1_500),
    "in-interface": ("eth0", "eth1", "ens3"),
}
"""By the kind of a field values that packets often have, the usual one first."""

_ADDRESSES = {
    4: ("198.51.100.7", "203.0.113.7", "10.244.0.9", "192.168.1.7"),
    6: ("2001:db8::7", "fd00:10:244::9"),
}
_NO_HOSTS = {
    4: tuple(map(parse_network, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"))),
    6: tuple(map(parse_network, ("::/127", "ff00::/8", "fe80::/10"))),
}
_ATTRIBUTES = {"source_port": ("source-port", 40_000), "ttl": ("ttl", 64), "length": ("length", 60)}
_OWNERS = ((0, 0), (1000, 1000), (65_534, 65_534))
_BYTES = ("-m tos ", "-m dscp ", "-m owner ")
"""What is asked of a packet in words that are no region of a field, of which values are tried."""


class SamplePacket:
    """A packet of a case: `regions` are the values of fields, by their ranks, `preferred` sources of packets."""

    def __init__(
        self, unknowns: Unknowns, regions: Mapping[int, Region], preferred: Iterable[str] = ()
    ) -> None:
        self._unknowns = unknowns
        self.regions = regions
        usual = (*preferred, *_ADDRESSES[unknowns.version])
        self._usual = [network.value for network in map(parse_network, usual) if network is not None]
        self._values: dict[Field, Any] = {}

    def field(self, kind: str) -> Any:
        """Return the value that the packet has in a field as it came; None where any will do."""
        field = Field(kind)
        rank = next((rank for rank, other in self._unknowns.fields.items() if other == field), None)
        asked = rank in self.regions or self._unknowns.known(field) != all_values(field)
        return self._value(field) if asked else None

    def value(self, rank: int) -> Any:
        """Return the value of a field."""
        return self._value(self._unknowns.fields[rank])

    def _value(self, field: Field) -> Any:
        if field not in self._values:
            self._values[field] = self._choose(field)
        return self._values[field]

    def _choose(self, field: Field) -> Any:
        rank = next((rank for rank, other in self._unknowns.fields.items() if other == field), -1)
        region = common(self.regions.get(rank, all_values(field)), self._unknowns.known(field))
        if field.kind not in FIELD_KINDS:
            own = common(region, self._unknowns.unnamed(rank)) if rank >= 0 else ()
            return (own or region)[0][0]
        if field.kind in {"source", "destination"}:
            return self._address(region)
        usual = [each for each in USUAL.get(field.kind, ()) if holds(region, each)]
        if field.kind == "ttl" and not usual:
            return (region[-1][1] or 0x100) - 1  # the more is left of it, the less expires on the way
        if rank >= 0 and not usual and rank not in self.regions:
            region = common(region, self._unknowns.unnamed(rank)) or region
        return usual[0] if usual else _first(region)

    def _address(self, region: Region) -> int:
        version = self._unknowns.version
        found = [*self._usual, *_ends_of(region, full_mask(version))]
        inside = [value for value in found if holds(region, value)]
        return next((value for value in inside if _is_host(value, version)), inside[0])

    def clients(self, client: Client) -> Iterator[Client]:
        """Yield a client with all that a packet tells; several where several may be as is asked of their bytes.

        An address of the node stays open where nobody knows it.
        """
        packet, version = client.packet, self._unknowns.version
        known: dict[str, Any] = {
            name: default if self.field(kind) is None else self.field(kind)
            for name, (kind, default) in _ATTRIBUTES.items()
        }
        if packet.in_interface is None:
            known["in_interface"] = self.field("in-interface")
        own = {"source"} if client.hook == "output" else set[str]()
        own |= {"destination"} if packet.destination is None else set()
        for side in ("source", "destination"):
            if getattr(packet, side) is None and (side not in own or self._unknowns.host.local is not None):
                value = self._value(Field(side))
                known[side] = Network(version, value, full_mask(version))
        quoted = {word for each in self._quoted() for word in _BYTES if word in each}
        tried = {"tos": range(0, 256, 2) if {"-m tos ", "-m dscp "} & quoted else (0,)}
        owners = _OWNERS if "-m owner " in quoted else _OWNERS[:1]
        for tos, owner in product(tried["tos"], owners if client.hook == "output" else (None,)):
            yield client._replace(packet=packet._replace(**known, tos=tos, owner=owner))

    def _quoted(self) -> list[str]:
        fields = (self._unknowns.fields[rank] for rank in self.regions)
        return [field.value for field in fields if field.kind == "match"]

    def when(self) -> Iterator[Assumption]:
        """Yield what makes the packet one of the case, in conditions, and what else its ways were asked."""
        for rank, region in self.regions.items():
            field = self._unknowns.fields[rank]
            if field.kind not in FIELD_KINDS:
                yield Assumption(Condition(*field), holds=common(region, YES) == region)
            else:
                yield from self._told(rank, region)
        of_case = {self._unknowns.fields[rank] for rank in self.regions}
        for field, value in self._values.items():
            if field.kind not in FIELD_KINDS and field not in of_case:
                yield Assumption(Condition(*field), holds=holds(YES, value))

    def _told(self, rank: int, region: Region) -> Iterator[Assumption]:
        value = self.value(rank)
        for conditions, part in told(self._unknowns, rank, region):
            if holds(part, value):
                yield from conditions

    def ends(self, number: int) -> dict[int, Fraction]:
        """Return the leaves of a diagram that the packet comes to, each with its share (in (0, 1])."""
        diagrams = self._unknowns.diagrams
        shares: dict[int, list[Fraction]] = {}
        pending = [(number, CERTAIN)]
        while pending:
            current, share = pending.pop()
            node = diagrams.nodes[current]
            if node.rank == LEAF:
                shares.setdefault(current, []).append(share)
            elif node.rank == MIX:
                pending += [
                    (way, times(share, chance)) for chance, way in zip(node.cuts, node.ways, strict=True)
                ]
            else:
                rank = diagrams.asks(current)
                way = node.ways[0] if rank is None else diagrams.at(current, rank, self.value(rank))
                pending.append((way, share))
        return {leaf: total(found) for leaf, found in shares.items()}


def holds(region: Region, value: Any) -> bool:
    """Whether a region holds a value."""
    return any(first <= value and (after is None or value < after) for first, after in region)


def _first(region: Region) -> Any:
    """Return a value of a region; of names one that an interface may have."""
    first, _ = region[0]
    if not isinstance(first, str):
        return first or next((each for each in (1, region[-1][0]) if holds(region, each)), first)
    ends = (name for first, after in region for name in (f"{first}0", first.rstrip("\0") + "0", first))
    return next((name for name in ends if name and "\0" not in name and holds(region, name)), first)


def _ends_of(region: Region, most: int) -> Iterator[int]:
    """Yield addresses of each stretch of a region: one in the middle, its first and last."""
    for first, after in region:
        last = most if after is None else after - 1
        yield from ((first + last) // 2, first, last)


def _is_host(value: int, version: int) -> bool:
    address = Network(version, value, full_mask(version))
    return not any(network is not None and network.contains(address) for network in _NO_HOSTS[version])
