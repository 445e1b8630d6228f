"""Frontends in nftables mode: the elements of maps that lead to services' chains, or refuse what comes.

A map does not tell an external IP from a load balancer's: that is told where source ranges are asked of it. What
gets no endpoint is not told from a cluster IP but by the set of these, which 1.29 has not.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from iptviz.kube.frontends import FRONTEND_KINDS, Frontend
from iptviz.kube.limits import AddressLimit
from iptviz.kube.names import NAMELESS, read_service_name
from iptviz.kube.nftables.names import LOCAL, SERVICE, OwnChain, read_chain
from iptviz.kube.nftables.table import (
    ADMITTED,
    ASKED_FOR_RANGES,
    ASKED_IN_SET,
    CLUSTER_IPS,
    NO_ENDPOINTS,
    NO_ENDPOINTS_AT_PORTS,
    NODE_PORTS,
    SERVICE_IPS,
    SOURCE_RANGES,
)
from iptviz.kube.plain_rules import PlainRule
from iptviz.nft.expressions import AnonymousSet, Concatenation, Payload, SetReference, Value, network_of
from iptviz.nft.statements import Match, Verdict
from iptviz.xtables.address import full_mask
from iptviz.xtables.values.addresses import show_address, show_host, show_network
from iptviz.xtables.values.protocols import protocol_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from iptviz.kube.names import ServiceName
    from iptviz.kube.nftables.table import AskedMap, ProxyTable
    from iptviz.nft.expressions import Element, Expression
    from iptviz.rules.native.place import NftPlace
    from iptviz.xtables.address import Network

_LEADING, _REFUSING = (SERVICE_IPS, NODE_PORTS), (NO_ENDPOINTS, NO_ENDPOINTS_AT_PORTS)
_DESTINATIONS = (Payload("ip", "daddr"), Payload("ip6", "daddr"))
_SOURCES = (Payload("ip", "saddr"), Payload("ip6", "saddr"))
_VERSIONS = {"ipv4_addr": 4, "ipv6_addr": 6}


class Frontends:
    """Finds the frontends of kube-proxy's table."""

    def __init__(self, table: ProxyTable) -> None:
        self._table = table
        self._limit: tuple[AddressLimit | None] | None = None

    def all(self) -> list[Frontend]:
        """Return every frontend, in the order of the maps; what is led on stands for what is refused besides."""
        return self._distinct(chain.from_iterable(self._of(name) for name in (*_LEADING, *_REFUSING)))

    def at_address(self, address: str) -> list[Frontend]:
        """Return the frontends of an address."""
        found = (self._of(name, address) for name in (SERVICE_IPS, NO_ENDPOINTS))
        return [one for one in self._distinct(chain.from_iterable(found)) if one.address == address]

    def at_port(self, port: int) -> list[Frontend]:
        """Return the node ports of a number."""
        found = (self._of(name, str(port)) for name in (NODE_PORTS, NO_ENDPOINTS_AT_PORTS))
        return [one for one in self._distinct(chain.from_iterable(found)) if one.port == port]

    def with_text(self, text: str, *maps: str) -> list[Frontend]:
        """Return the frontends in whose elements a text stands: of some maps, or of all."""
        found = (self._of(name, text) for name in maps or (*_LEADING, *_REFUSING))
        return self._distinct(chain.from_iterable(found))

    def leading_to(self, chains: Iterable[str]) -> list[Frontend]:
        """Return the frontends of the service ports that chains belong to, by kind."""
        suffixes = dict.fromkeys(own.suffix for name in chains if (own := read_chain(name)))
        found = [one for suffix in suffixes for one in self.with_text(suffix) if one.suffix == suffix]
        return sorted(found, key=lambda one: FRONTEND_KINDS.index(one.kind))

    def _distinct(self, found: Iterable[Frontend]) -> list[Frontend]:
        """Return frontends once: an address may be led on for some clients and refused for the others."""
        kept: dict[tuple[object, ...], Frontend] = {}
        for one in found:
            kept.setdefault(one[1:4], one)
        return list(kept.values())

    def _of(self, name: str, word: str = "") -> Iterator[Frontend]:
        """Yield the frontends that a map has, those with a word, or all."""
        asked = self._table.asked(name)
        for line, element in self._table.elements(name, word) if asked else ():
            if asked and (made := self._frontend(asked, line, element)) is not None:
                yield made

    def _frontend(self, asked: AskedMap, line: int, element: Element) -> Frontend | None:
        key = element.key
        parts = key.parts if isinstance(key, Concatenation) else ()
        if not isinstance(element.data, Verdict) or not all(isinstance(part, Value) for part in parts):
            return None
        *before, protocol, port = (part.data for part in parts if isinstance(part, Value))
        address = None
        if before:
            version = _VERSIONS.get(parts[0].type) if isinstance(parts[0], Value) else None
            if version is None or not isinstance(before[0], int):
                return None
            address = show_address(before[0], version)
        if not isinstance(port, int):
            return None
        place = self._table.place(asked.rule, element, line)
        return self._made(place, element.data, element.comment, address, port, protocol_name(str(protocol)))

    def _made(
        self, place: NftPlace, verdict: Verdict, comment: str | None, address: str | None, port: int,
        protocol: str,
    ) -> Frontend:  # fmt: skip
        own = read_chain(verdict.chain) if verdict.chain else None
        service = own.service if own else _named(comment)
        kind = "node-port" if address is None else self._kind(own, address)
        target = verdict.chain if own else self._refusal(verdict)
        plain = PlainRule(place.chain, None, address, port, protocol, target, service, kind)
        limit = self._node_port_limit if address is None else None
        told = self._tells_kind(kind, refused=own is None)
        return Frontend(kind, address, port, protocol, place, limit, plain=plain, kind_told=told)

    def _kind(self, own: OwnChain | None, address: str) -> str:
        if own is not None and own.kind in {SERVICE, LOCAL}:
            return "cluster-ip"
        if own is None and (self._is_cluster_ip(address) is not False):
            return "cluster-ip"
        return "load-balancer-ip" if self._has_ranges(address) else "external-ip"

    def _tells_kind(self, kind: str, *, refused: bool) -> bool:
        """Whether the table tells that a frontend is of this kind: an external IP may be a load balancer's."""
        if kind == "cluster-ip" and refused:
            return CLUSTER_IPS in self._table.nft.sets
        return kind != "external-ip"

    def _is_cluster_ip(self, address: str) -> bool | None:
        """Whether an address is a cluster IP; None where the table does not tell them from others."""
        if CLUSTER_IPS not in self._table.nft.sets:
            return None
        found = self._table.elements(CLUSTER_IPS, address)
        return any(_address(element) == address for _, element in found)

    def _has_ranges(self, address: str) -> bool:
        """Whether source ranges are asked of who comes to an address: a load balancer's alone has such."""
        found = (element for name in ASKED_FOR_RANGES for _, element in self._table.elements(name, address))
        return any(_address(element) == address for element in found)

    def _refusal(self, verdict: Verdict) -> str:
        """Return what an element without a service's chain does: REJECT or DROP, as its chain does."""
        if verdict.kind == "drop":
            return "DROP"
        found = self._table.nft.chains.get(verdict.chain)
        rules = found.rules if found else ()
        kinds = [type(one).__name__.lower() for rule in rules for one in rule.statements]
        return "REJECT" if "reject" in kinds else "DROP"

    def source_ranges(self, frontend: Frontend) -> tuple[str, ...]:
        """Return the source ranges of a load balancer; none where all are admitted.

        Where the node itself is admitted, so are all addresses of the service's load balancers, which nft makes
        one network where they are neighbours: those are no ranges of the service.
        """
        chains = self._asked_of_sources(frontend)
        own = {address for chain in chains for address in self._asked_by(chain)}
        own |= {address for _, one in self._table.elements(ASKED_IN_SET) if (address := _address(one))}
        admitted = dict.fromkeys(self.admitted(frontend))
        return tuple(show_network(network) for network in admitted if not _is_among(network, own))

    def _asked_of_sources(self, frontend: Frontend) -> list[str]:
        """Return the chains that ask for the source of what comes to a load balancer."""
        found = self._of_frontend(SOURCE_RANGES, frontend)
        return [element.data.chain for element in found if isinstance(element.data, Verdict)]

    def _asked_by(self, chain: str) -> Iterator[str]:
        """Yield the addresses of which a chain asks who comes."""
        for _, element in self._table.elements(SOURCE_RANGES, chain):
            address = _address(element)
            if isinstance(element.data, Verdict) and element.data.chain == chain and address:
                yield address

    def admitted(self, frontend: Frontend) -> list[Network]:
        """Return the networks that a load balancer's source ranges admit; none where all are admitted."""
        rules = (
            rule
            for name in self._asked_of_sources(frontend)
            if name in self._table.nft.chains
            for rule in self._table.nft.chains[name].rules
        )
        asked = (
            one.right
            for rule in rules
            for one in rule.statements
            if isinstance(one, Match) and one.left in _SOURCES and one.operator == "!="
        )
        listed = (_last(element) for element in self._of_frontend(ADMITTED, frontend))
        return [*(network for one in asked for network in self._networks(one)), *filter(None, listed)]

    def _of_frontend(self, name: str, frontend: Frontend) -> Iterator[Element]:
        """Yield the elements of a set or map that begin with the address, protocol and port of a frontend."""
        key = frontend.address, frontend.protocol, frontend.port
        for _, element in self._table.elements(name, frontend.address) if frontend.address else ():
            parts = element.key.parts if isinstance(element.key, Concatenation) else ()
            told = [part.data for part in parts[1:3] if isinstance(part, Value)]
            if len(told) == 2 and (_address(element), protocol_name(str(told[0])), told[1]) == key:
                yield element

    # --- addresses of the node --------------------------------------------------------------------------------

    @property
    def _node_port_limit(self) -> AddressLimit | None:
        if self._limit is None:
            self._limit = (self._limited(),)
        return self._limit[0]

    def _limited(self) -> AddressLimit | None:
        """Return the addresses at which node ports answer: those for which their rule asks, or all but some."""
        asked = self._table.asked(NODE_PORTS)
        for match in asked.rule.statements if asked else ():
            if isinstance(match, Match) and match.left in _DESTINATIONS and asked:
                networks = tuple(map(show_host, self._networks(match.right)))
                if networks:
                    only = match.operator == "=="
                    return AddressLimit(only, networks, (self._table.place(asked.rule),))
        return None

    def _networks(self, asked: Expression) -> Iterator[Network]:
        """Yield the addresses of a set or constant with which a destination is compared."""
        if isinstance(asked, SetReference):
            keys = [element.key for _, element in self._table.elements(asked.name)]
        else:
            keys = [element.key for element in asked.elements] if isinstance(asked, AnonymousSet) else [asked]
        yield from filter(None, map(network_of, keys))


def _last(element: Element) -> Network | None:
    """Return the addresses with which a key ends."""
    return network_of(element.key.parts[-1]) if isinstance(element.key, Concatenation) else None


def _named(comment: str | None) -> ServiceName:
    return NAMELESS if comment is None else read_service_name(comment)


def _is_among(network: Network, addresses: Collection[str]) -> bool:
    """Whether a network has none but some addresses."""
    size = (full_mask(network.version) ^ network.mask) + 1
    hosts = (show_address(network.value + number, network.version) for number in range(size))
    return size <= len(addresses) and all(host in addresses for host in hosts)


def _address(element: Element) -> str | None:
    """Return the single address with which a key begins."""
    key = element.key.parts[0] if isinstance(element.key, Concatenation) else element.key
    if not isinstance(key, Value) or isinstance(key.data, str) or key.type not in _VERSIONS:
        return None
    return show_address(key.data, _VERSIONS[key.type])
