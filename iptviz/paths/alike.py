"""Which addresses and ports no rule of a node tells apart: what becomes of one becomes of the others.

Rules name addresses, networks, ranges and ports. Between two of these in order all addresses are alike, but
for what questions call by their own address. The text of rules is searched for whatever looks like one,
which finds too many rather than too few.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.kube.families import ENDPOINT_CHAIN, HASHED_CHAINS
from iptviz.xtables.address import full_mask, parse_network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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
        self._named: dict[tuple[Table, bytes], tuple[set[int], set[int]]] = {}
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
        """Return the place of an address among those that what comes after nat tells apart."""
        return bisect_right(self._after_nat[0], address.value)

    def port(self, port: int | None) -> int:
        """Return the place of an endpoint's port among those that what comes after nat tells apart."""
        return -1 if port is None else bisect_right(self._after_nat[1], port)

    def frontend(self, address: Network | None, port: int | None) -> tuple[int, int]:
        """Return the places of an address and a port among those that rules tell apart.

        Left aside are rules that are about one frontend alone.
        """
        addresses, ports = self._beside_services
        return (
            -1 if address is None else bisect_right(addresses, address.value),
            -1 if port is None else bisect_right(ports, port),
        )

    def native_frontend(self, address: Network | None, port: int | None) -> tuple[int, int]:
        """Return the same for one of kube-proxy's table of nft: there what is about it alone is left aside."""
        addresses, ports = self._beside_native
        return (
            -1 if address is None else bisect_right(addresses, address.value),
            -1 if port is None else bisect_right(ports, port),
        )

    @cached_property
    def native_endpoints(self) -> Places:
        """The places of addresses among those that what comes after nat tells apart, but for hairpins of nft."""
        from iptviz.rules.native.named import Places  # dumps do without

        return Places(self._cuts({**_DISPATCHING, "filter": _NONE}, _native_after_nat)[0])

    def names(self, address: Network) -> bool:
        """Whether a rule that is not about one frontend alone may name an address."""
        addresses = self._beside_services[0]
        place = bisect_right(addresses, address.value)
        return place > 0 and addresses[place - 1] == address.value

    @cached_property
    def _after_nat(self) -> tuple[list[int], list[int]]:
        return self._cuts({**_DISPATCHING, "filter": _NONE}, _native_with_hairpins)

    @cached_property
    def _beside_services(self) -> tuple[list[int], list[int]]:
        return self._cuts(_DISPATCHING, lambda named: named.everywhere)

    @cached_property
    def _beside_native(self) -> tuple[list[int], list[int]]:
        return self._cuts({}, lambda named: named.beside_services)

    @cached_property
    def _native(self) -> NamedInListing:
        from iptviz.paths.native_alike import NamedInListing  # most nodes have no listing

        return NamedInListing(self._listing)

    def _cuts(
        self, skipped: dict[str, bytes], in_listing: Callable[[NamedInListing], Cuts]
    ) -> tuple[list[int], list[int]]:
        """Return where addresses and ports that rules name begin, and where they have ended."""
        addresses: set[int] = set()
        ports: set[int] = set()
        if self._listing is not None:
            named = in_listing(self._native)
            addresses |= named[0]
            ports |= named[1]
        for dump in self._dumps:
            for table in dump.tables.values():
                found = self._named_in(table, skipped.get(table.name, _NONE))
                addresses |= found[0]
                ports |= found[1]
        for network in self._known_networks():
            addresses.update((network.value, network.value + _size(network)))
        return sorted(addresses), sorted(ports)

    def _named_in(self, table: Table, skipped: bytes) -> tuple[set[int], set[int]]:
        """Return the same of the rules of a table that are not left aside."""
        key = table, skipped
        if key not in self._named:
            addresses: set[int] = set()
            ports: set[int] = set()
            for text in _texts(table, skipped):
                for found in _ADDRESS.finditer(text):
                    network, *bounds = _bounds(*found.groups())
                    self._holes |= network is not None and _has_holes(network)
                    addresses.update(bounds)
                for found in _PORTS.finditer(text):
                    ports.update(_port_bounds(found[1] or found[2] or b""))
            self._named[key] = addresses, ports
        return self._named[key]

    def _known_networks(self) -> Iterator[Network]:
        yield from self._networks
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


def _size(network: Network) -> int:
    """Return how many addresses lie between the first of a network and what comes after its last."""
    return (full_mask(network.version) & ~network.mask) + 1


def _has_holes(network: Network) -> bool:
    open_bits = full_mask(network.version) & ~network.mask
    return bool(open_bits & (open_bits + 1))


def _bounds(
    address: bytes, mask: bytes | None, last: bytes | None
) -> tuple[Network | None, *tuple[int, ...]]:
    """Return the network that a text names, and where it and what follows it begin."""
    text = address.decode("ascii")
    network = parse_network(f"{text}/{mask.decode('ascii')}" if mask else text)
    upper = parse_network(last.decode("ascii")) if last else None
    ends = () if upper is None else (upper.value + 1,)
    return (
        (None, *ends) if network is None else (network, network.value, network.value + _size(network), *ends)
    )


def _port_bounds(text: bytes) -> Iterator[int]:
    for number in map(int, re.findall(rb"\d+", text)):
        yield number
        yield number + 1
