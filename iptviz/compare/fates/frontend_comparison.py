"""Two nodes and the frontends of both: those that differ in names and addresses alone are compared once."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.compare.fates.connections import compared
from iptviz.compare.fates.two_nodes import SameLines, Side, hosts
from iptviz.engine.nodes import TooLargeError
from iptviz.errors import PacketError
from iptviz.kube.frontends import CHAIN
from iptviz.paths.alike import texts_beside_services
from iptviz.paths.clients import Asked
from iptviz.paths.shared import SharedPaths
from iptviz.paths.surroundings import DumpSurroundings, is_untracked, pod_networks
from iptviz.paths.survey import Survey
from iptviz.records import NamedTuple
from iptviz.rules.unprinted import AS_PRINTED
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.checks.examined import Examined
    from iptviz.compare.fates.connections import Compared
    from iptviz.engine.host import Host
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.names import ServiceName
    from iptviz.xtables.address import Network


class At(NamedTuple):
    """A frontend on one side, how it is answered there, and whose it is."""

    frontend: Frontend
    answer: FrontendAnswer
    service: ServiceName


Key = tuple[str | None, int | None, str]


def frontends_of(sides: Iterable[Examined]) -> list[Frontend]:
    """Return all frontends of dumps."""
    return [answer.frontend for each in sides for port in each.ports for answer in port.answers]


class _Node:
    """One side's dumps of a family, with its frontends by where they are asked."""

    def __init__(self, examined: Sequence[Examined], side: Side, both: Survey) -> None:
        self.side = side
        self._both = both
        self.shared = SharedPaths(both, _most_ports(examined).rules)
        self.at: dict[Key, At] = {}
        for each in examined:
            for port in each.ports:
                for answer in port.answers:
                    found = answer.frontend
                    if found.kind != CHAIN:
                        key = found.address, found.port, found.protocol
                        self.at.setdefault(key, At(found, answer, port.service))

    def form(self, key: Key, frontend: Frontend) -> tuple[object, tuple[str, ...]]:
        """Return what is equal for frontends that are answered alike, None for no other; and its addresses."""
        own = self.at.get(key)
        if own is not None:
            return self.shared.exact_form(own.answer)
        alike = self._both.alike(pod_networks(self.side.dump, ()))
        if self.shared.written(frontend) or not alike.is_known:
            return None, ()
        address = parse_network(frontend.address) if frontend.address else None
        return ("none", frontend.protocol, alike.frontend(address, frontend.port)), (frontend.address or "",)

    @cached_property
    def beside(self) -> object:
        """All rules but those of services alone, and the policies: what is equal where those decide alike."""
        return [
            (dump.backend, name, sorted(table.policies().items()), _by_chain(texts_beside_services(table)))
            for dump in self.side.evidence.dumps
            for name, table in sorted(dump.tables.items())
            if table.rule_count or "DROP" in table.policies().values()
        ]

    @property
    def is_printed(self) -> bool:
        """Whether rules are shown with all that they ask."""
        return not any(each.condition.kind == AS_PRINTED for each in self.side.granted)


def _most_ports(examined: Sequence[Examined]) -> Examined:
    return max(examined, key=lambda each: len(each.ports))


def _cluster_ips(sides: Sequence[Examined], host: Host) -> list[Network]:
    """Return the cluster IPs that are no addresses of a node, as those that a local DNS cache listens on are."""
    written = dict.fromkeys(each.address for each in frontends_of(sides) if each.kind == "cluster-ip")
    found = ((address, parse_network(address)) for address in written if address)
    return [
        network
        for address, network in found
        if network is not None
        and not host.is_local(network)
        and not any(is_untracked(each.dump, address) for each in sides)
    ]


_COUNTERS = re.compile(rb"^\[\d+:\d+\] ", re.MULTILINE)
_CHAIN_OF = re.compile(rb"-A (\S+)")


def _by_chain(texts: Iterable[bytes]) -> dict[bytes, list[bytes]]:
    """Return the rules of each chain in order, without counters."""
    chains: dict[bytes, list[bytes]] = {}
    for text in texts:
        for line in _COUNTERS.sub(b"", text).splitlines():
            found = _CHAIN_OF.match(line)
            chains.setdefault(found[1] if found else b"", []).append(line)
    return chains


class FrontendComparison:
    """Two sides of one family, and what was found of their frontends."""

    def __init__(self, old: Sequence[Examined], new: Sequence[Examined]) -> None:
        self.lines = SameLines()
        told = hosts(*(_most_ports(each).evidence.host for each in (old, new)))
        self.set_aside = told.set_aside
        services = _cluster_ips((*old, *new), told.old)
        sides = [
            Side(_most_ports(each).dump, _most_ports(each).evidence, host, self.lines, services)
            for each, host in ((old, told.old), (new, told.new))
        ]
        dumps = tuple(dump for side in sides for dump in side.evidence.dumps)
        self.lacks_lines = any(dump.lacks_lines for dump in dumps)
        """Whether what differs may be what a dump lacks."""
        both = self._survey = Survey(DumpSurroundings(sides[0].dump), sides[0].evidence._replace(dumps=dumps))
        self._nodes = tuple(_Node(each, side, both) for each, side in zip((old, new), sides, strict=True))
        self._alike_beside = told.are_same
        self._is_shared = all(sum(bool(each.ports) for each in side) <= 1 for side in (old, new))
        self._found: dict[object, tuple[Compared | TooLargeError | PacketError, Key]] = {}

    @property
    def keys(self) -> list[Key]:
        """Where the frontends of either side are asked."""
        return list(dict.fromkeys(key for node in self._nodes for key in node.at))

    def first(self, key: Key) -> At:
        """Return a frontend as the first side has it that has it."""
        return next(node.at[key] for node in self._nodes if key in node.at)

    @cached_property
    def is_printed(self) -> bool:
        """Whether both sides show all that rules ask."""
        return all(node.is_printed for node in self._nodes)

    @cached_property
    def _same_beside(self) -> bool:
        return self._alike_beside and self._nodes[0].beside == self._nodes[1].beside

    def compared(self, key: Key) -> tuple[Compared, Key]:
        """Return what is found of a frontend, and the first frontend of which the same was found.

        Raises:
            TooLargeError: there are too many cases.
            PacketError: connections cannot be followed.
        """
        frontend = self.first(key).frontend
        alike = self._alike_key(key, frontend)
        found = self._found.get(alike) if alike is not None else None
        if found is None:
            found = self._compare(key, frontend), key
            if alike is not None:
                self._found[alike] = found
        if not isinstance(found[0], tuple):
            raise found[0]
        return found[0], found[1]

    def _compare(self, key: Key, frontend: Frontend) -> Compared | TooLargeError | PacketError:
        old, new = self._nodes
        try:
            return compared(old.side, new.side, self._asked(key, frontend))
        except (TooLargeError, PacketError) as refused:
            return refused

    def _alike_key(self, key: Key, frontend: Frontend) -> object:
        """Return what is equal for frontends of which the same is found; None: for no other.

        Addresses are alike that the rules of neither side tell apart. Where several dumps of a side have
        services, the rules of one do not tell how a frontend is answered.
        """
        if not self._is_shared:
            return None
        if all(key in node.at for node in self._nodes):
            old, new = (node.shared.written(frontend) for node in self._nodes)
            if old == new and self._same_beside:
                return "same rules", frontend.kind, frontend.protocol
            if old == new:
                mine, _ = self._nodes[0].form(key, frontend)
                return mine and (mine, tuple(self._taken(frontend)))
        (mine, addresses), (theirs, others) = (node.form(key, frontend) for node in self._nodes)
        if mine is None or theirs is None:
            return None
        places = tuple(addresses.index(each) if each in addresses else -1 for each in others)
        return mine, theirs, places, tuple(self._taken(frontend))

    def _asked(self, key: Key, frontend: Frontend) -> Asked:
        dumps = [node.side.dump for node in self._nodes]
        chains = [(at.answer.chain,) if at and at.answer.chain else () for at in self._both(key)]
        networks = [net for each in zip(dumps, chains, strict=True) for net in pod_networks(*each)]
        local = self._is_untracked(frontend.address)
        host, taken = self._nodes[0].side.host, self._taken(frontend)
        family = dumps[0].family
        return Asked(frontend, family, list(dict.fromkeys(networks)), host, local, taken)

    def _both(self, key: Key) -> list[At | None]:
        return [node.at.get(key) for node in self._nodes]

    def _taken(self, frontend: Frontend) -> list[Network]:
        """Return services' addresses that are no addresses of the node, as far as rules tell them from others.

        Where a node port is asked, these are asked for another service.
        """
        if frontend.address is not None:
            return []
        return [*self._addresses.get((frontend.port, frontend.protocol), ()), *self._named]

    @cached_property
    def _addresses(self) -> dict[tuple[int | None, str], list[Network]]:
        """The addresses of services by port and protocol, but for those of the node itself."""
        host = self._nodes[0].side.host
        found: dict[tuple[int | None, str], list[Network]] = {}
        for address, port, protocol in self.keys:
            network = parse_network(address) if address else None
            if network is not None and host.is_local(network) is None and not self._is_untracked(address):
                found.setdefault((port, protocol), []).append(network)
        return found

    @cached_property
    def _named(self) -> tuple[Network, ...]:
        """The addresses of services that rules name which are not about one frontend alone."""
        found = (network for networks in self._addresses.values() for network in networks)
        return tuple(network for network in dict.fromkeys(found) if self._survey.alike(()).names(network))

    def _is_untracked(self, address: str | None) -> bool:
        return address is not None and any(is_untracked(node.side.dump, address) for node in self._nodes)
