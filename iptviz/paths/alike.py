"""Which addresses and ports no rule of a node tells apart: what becomes of one becomes of the others.

Rules name addresses, networks, ranges and ports. Between two of these in order all addresses are alike, but
for what questions call by their own address. The text of rules is searched for whatever looks like one,
which finds too many rather than too few.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.kube.families import ENDPOINT_CHAIN, HASHED_CHAINS
from iptviz.records import NamedTuple
from iptviz.xtables.address import full_mask, parse_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from collections.abc import Set as AbstractSet

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.engine.host import Host
    from iptviz.node.listing import NftListing
    from iptviz.paths.native_alike import Cuts, NamedInListing
    from iptviz.rules.native.named import Places
    from iptviz.xtables.address import Network

_OF_SERVICES = "|".join(re.escape(name) for name in (*HASHED_CHAINS, ENDPOINT_CHAIN)).encode()
_ONE = rb"(?:(?:! )?-s \S++ )?-d [0-9a-fA-F.:]++(?:/32|/128)? "
_DISPATCHING = {
    "nat": rb"KUBE-SERVICES " + _ONE + rb"|KUBE-NODEPORTS -p \w++ [^\n]*?--dport \d++ ",
    "filter": rb"(?:KUBE-SERVICES|KUBE-EXTERNAL-SERVICES|KUBE-PROXY-FIREWALL) " + _ONE,
}
"""Rules about one frontend alone, by table."""
_REFUSING = ("KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES")
_REFUSED = (
    rb"(?:KUBE-SERVICES|KUBE-EXTERNAL-SERVICES) -p \w++ "
    rb"(?:-m comment --comment (?:\"[^\"\\\n]*+\"|[^\"\s]\S*+) )?"
    rb"-m addrtype --dst-type LOCAL -m \w++ --dport (\d++) -j "
)
"""The rule of filter that refuses a node port: it names no address, and that one port."""
_ABOUT_ONE = {**_DISPATCHING, "filter": _DISPATCHING["filter"] + b"|" + _REFUSED}
_REFUSED_PORT = re.compile(rb"-A " + _REFUSED)
_NONE = b"(?!)"

_ADDRESS = re.compile(
    rb"(?<![\w.:-])(\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*:[0-9a-fA-F.]*)"
    rb"(?:/(\d+(?:\.\d+){3}|[0-9a-fA-F:]+)|-([0-9a-fA-F.:]+))?"
)
_PORTS = re.compile(rb"--\S*port\S* (?:! )?([\d:,-]+)|--to-destination \S+|dpts?:([\d:]+)")


def _rules_but(skipped: bytes) -> re.Pattern[bytes]:
    """Return what matches rules one after the other that are of services' own chains, or of `skipped`."""
    return re.compile(
        rb"(?:(?:\[[\d~]++:[\d~]++\] )?-A (?:(?:"
        + _OF_SERVICES
        + rb")\S|"
        + skipped
        + rb")[^\n]*+(?:\n|\Z)){0,999}"
    )


_Stretch = tuple[int, int]
"""Where neighbouring addresses begin, and what comes after the last."""


class _Cuts(NamedTuple):
    """Where `addresses` and `ports` that are named begin, and where they have ended, in order.

    `named` are those addresses where more begins or ends than networks of pods. `rejoined` has places, counted by
    what of `addresses` lies below, that are as good as another one.
    """

    addresses: list[int]
    ports: list[int]
    named: AbstractSet[int]
    rejoined: dict[int, int]


class Alike:
    """What the rules of a node, in dumps of one family, tell apart; `networks` are told apart besides."""

    def __init__(
        self,
        dumps: Sequence[Dump],
        host: Host,
        networks: Iterable[Network] = (),
        *,
        listing: NftListing | None = None,
    ) -> None:
        self._dumps = dumps
        self._listing = listing
        self._host = host
        self._networks = tuple(networks)
        self._named: dict[tuple[Table, bytes], tuple[set[_Stretch], set[int]]] = {}
        self._holes = False

    @property
    def is_known(self) -> bool:
        """Whether rules look up stretches of addresses alone: sets, and masks with holes, are none."""
        known = not self._host.sets and (self._listing is None or self._native.is_known)
        return known and bool(self._after_nat) and not self._holes

    @property
    def is_searched(self) -> bool:
        """Whether the rules have been searched already: what else is asked takes no time."""
        return "_after_nat" in self.__dict__

    def endpoint(self, address: Network) -> int:
        """Return the place of an address among those that what comes after nat tells apart.

        What lies before a network of pods and what comes after it has one place, where nothing else is named.
        """
        cuts = self._after_nat
        place = bisect_right(cuts.addresses, address.value)
        return cuts.rejoined.get(place, place)

    def is_one(self, first: Network, last: Network) -> bool:
        """Whether all addresses between two have one place."""
        addresses = self._after_nat.addresses
        return bisect_right(addresses, first.value) == bisect_right(addresses, last.value)

    def port(self, port: int | None) -> int:
        """Return the place of an endpoint's port among those that what comes after nat tells apart."""
        return -1 if port is None else bisect_right(self._after_nat.ports, port)

    def frontend(self, address: Network | None, port: int | None) -> tuple[int, int]:
        """Return the places of an address and a port among those that rules tell apart.

        Left aside are rules that are about one frontend alone; a port that they refuse is alike no other.
        """
        cuts = self._beside_services
        return (
            -1 if address is None else bisect_right(cuts.addresses, address.value),
            -1 if port is None else -2 - port if port in self._refused else bisect_right(cuts.ports, port),
        )

    def native_frontend(self, address: Network | None, port: int | None) -> tuple[int, int]:
        """Return the same for one of kube-proxy's table of nft: there what is about it alone is left aside."""
        cuts = self._beside_native
        return (
            -1 if address is None else bisect_right(cuts.addresses, address.value),
            -1 if port is None else bisect_right(cuts.ports, port),
        )

    def endpoint_beside(self, place: int) -> int | None:
        """Return the place of addresses by rules that are not about one frontend alone, of that by all of them.

        None where a rule about one frontend names the address.
        """
        inner, outer = self._after_nat, self._beside_services
        first = inner.addresses[place - 1] if place else -1
        found = bisect_right(outer.addresses, first)
        is_named = inner.addresses[place - 1 : place + 1] == [first, first + 1]
        if is_named and outer.addresses[found - 1 : found + 1] != [first, first + 1]:
            return None
        return outer.rejoined.get(found, found)

    def port_beside(self, place: int) -> int | None:
        """Return the same of the place of an endpoint's port: None for one that is refused as a node port."""
        first = self._after_nat.ports[place - 1] if place > 0 else place
        return None if first in self._refused else bisect_right(self._beside_services.ports, first)

    @property
    def ports_beside(self) -> Sequence[int]:
        """Where ports begin, and where they have ended, that rules name which are not about one frontend."""
        return self._beside_services.ports

    @property
    def named_beside(self) -> AbstractSet[int]:
        """The same of addresses, but for those of `networks`."""
        return self._beside_services.named

    @cached_property
    def native_endpoints(self) -> Places:
        """The places of addresses among those that what comes after nat tells apart, but for hairpins of nft."""
        from iptviz.rules.native.named import Places  # dumps do without

        return Places(self._cuts({**_DISPATCHING, "filter": _NONE}, _native_after_nat).addresses)

    def names(self, address: Network) -> bool:
        """Whether a rule that is not about one frontend alone may name an address."""
        addresses = self._beside_services.addresses
        place = bisect_right(addresses, address.value)
        return place > 0 and addresses[place - 1] == address.value

    @cached_property
    def _after_nat(self) -> _Cuts:
        return self._cuts({**_DISPATCHING, "filter": _NONE}, _native_with_hairpins)

    @cached_property
    def _beside_services(self) -> _Cuts:
        return self._cuts(_ABOUT_ONE, lambda named: named.everywhere)

    @cached_property
    def _refused(self) -> frozenset[int]:
        """The node ports that rules of filter about one frontend alone refuse."""
        filters = (dump.tables["filter"] for dump in self._dumps if "filter" in dump.tables)
        runs = ((table, run) for table in filters for chain in _REFUSING for run in table.runs_of(chain))
        found = (
            port for table, (start, end) in runs for port in _REFUSED_PORT.findall(table.data, start, end)
        )
        return frozenset(map(int, found))

    @cached_property
    def _beside_native(self) -> _Cuts:
        return self._cuts({}, lambda named: named.beside_services)

    @cached_property
    def _native(self) -> NamedInListing:
        from iptviz.paths.native_alike import NamedInListing  # most nodes have no listing

        return NamedInListing(self._listing)

    def _cuts(self, skipped: dict[str, bytes], in_listing: Callable[[NamedInListing], Cuts]) -> _Cuts:
        """Return where addresses and ports that rules name begin, and where they have ended."""
        bounds: set[int] = set()
        ports: set[int] = set()
        if self._listing is not None:
            named = in_listing(self._native)
            bounds |= named[0]
            ports |= named[1]
        stretches = set(map(stretch_of, self._known_networks()))
        for dump in self._dumps:
            for table in dump.tables.values():
                found = self._named_in(table, skipped.get(table.name, _NONE))
                stretches |= found[0]
                ports |= found[1]
        own = set(map(stretch_of, self._networks))
        addresses = sorted(bounds.union(*stretches, *own))
        bounds.update(*(stretches - own))
        return _Cuts(addresses, sorted(ports), bounds, _rejoined(addresses, bounds, own))

    def _named_in(self, table: Table, skipped: bytes) -> tuple[set[_Stretch], set[int]]:
        """Return the same of the rules of a table that are not left aside: addresses as stretches."""
        key = table, skipped
        if key not in self._named:
            addresses: set[_Stretch] = set()
            ports: set[int] = set()
            for text in _texts(table, skipped):
                for found in _ADDRESS.finditer(text):
                    self._add_stretches(addresses, *found.groups())
                for found in _PORTS.finditer(text):
                    ports.update(_port_bounds(found[1] or found[2] or b""))
            self._named[key] = addresses, ports
        return self._named[key]

    def _add_stretches(
        self, found: set[_Stretch], address: bytes, mask: bytes | None, last: bytes | None
    ) -> None:
        """Add the network that a text names, or the addresses of a range and the first of them."""
        text = address.decode("ascii")
        network = parse_network(f"{text}/{mask.decode('ascii')}" if mask else text)
        upper = parse_network(last.decode("ascii")) if last else None
        if network is not None:
            self._holes |= _has_holes(network)
            found.add(stretch_of(network))
        if upper is not None:
            found.add((upper.value if network is None else network.value, upper.value + 1))

    def _known_networks(self) -> Iterator[Network]:
        """Yield what is known beside rules: the addresses of the node, and what its routes are about."""
        yield from self._host.local or ()
        if self._host.routes is not None:
            yield from (route.network for route in self._host.routes.routes)


def _native_after_nat(named: NamedInListing) -> Cuts:
    return named.after_nat, frozenset()


def _native_with_hairpins(named: NamedInListing) -> Cuts:
    return named.after_nat | named.hairpins, frozenset()


def _texts(table: Table, skipped: bytes) -> Iterator[bytes]:
    """Yield the rules of a table that are not left aside: in bulk are services' own chains alone."""
    others = _rules_but(skipped)
    for stretch in table.rest():
        for start, end in table.lines_between(stretch, others):
            yield table.data[start:end]


def texts_beside_services(table: Table) -> Iterator[bytes]:
    """Yield the rules of a table but for those about one frontend alone, and those of services' own chains."""
    return _texts(table, _DISPATCHING.get(table.name, _NONE))


def texts_beside_ports(table: Table) -> Iterator[bytes]:
    """Yield the same but for those that refuse one node port, too."""
    return _texts(table, _ABOUT_ONE.get(table.name, _NONE))


def stretch_of(network: Network) -> _Stretch:
    """Return where a network begins, and what comes after its last address."""
    return network.value, network.value + (full_mask(network.version) & ~network.mask) + 1


def _rejoined(addresses: Sequence[int], named: AbstractSet[int], own: set[_Stretch]) -> dict[int, int]:
    """Return by the place of what comes after a stretch of `own` that of what comes before it.

    So it is where nothing that is `named` begins or ends there or within, nor another one of `own`.
    """
    places: dict[int, int] = {}
    for first, after in sorted(own):
        before, behind = bisect_left(addresses, first), bisect_right(addresses, after)
        others = set().union(named, *(own - {(first, after)}))
        if behind == before + 2 and not others & {first, after}:
            places[behind] = places.get(before, before)
    return places


def _has_holes(network: Network) -> bool:
    open_bits = full_mask(network.version) & ~network.mask
    return bool(open_bits & (open_bits + 1))


def _port_bounds(text: bytes) -> Iterator[int]:
    for number in map(int, re.findall(rb"\d+", text)):
        yield number
        yield number + 1
