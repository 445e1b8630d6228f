"""How clients fare at frontends of other nodes: the same where only what is a node's own differs.

The rules of kube-proxy on two nodes of a cluster differ in the network of the node's own pods, and in which
services have endpoints there. Where all other rules are the same, and lie the same way around that network, what
endpoints of some kinds get on one node they get on the other.
"""

from __future__ import annotations

import re
from functools import cached_property
from hashlib import blake2b
from typing import TYPE_CHECKING

from iptviz.engine.host import FIXED_TYPES, Host
from iptviz.intake.text import to_bytes
from iptviz.kube.families import ENDPOINT_CHAIN, HASHED_CHAINS
from iptviz.paths.alike import stretch_of, texts_beside_ports
from iptviz.rules.unprinted import AS_PRINTED
from iptviz.xtables.values.addresses import show_network

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.table import Table
    from iptviz.kube.outcome import Needs
    from iptviz.paths.alike import Alike
    from iptviz.paths.endpoints_alike import Company, Kind
    from iptviz.paths.survey import Survey
    from iptviz.xtables.address import Network

_COUNTERS = re.compile(rb"^\[[\d~]+:[\d~]+\] ", re.MULTILINE)
_CHAIN = re.compile(rb"-A (\S+)")
_OF_SERVICES = tuple(map(to_bytes, (*HASHED_CHAINS, ENDPOINT_CHAIN)))
_NAMES_ONE = re.compile(b"|".join(map(re.escape, _OF_SERVICES)))


class Beside:
    """What decides on a node beside services' own rules, in words that are the same on other nodes."""

    def __init__(self, survey: Survey, networks: Sequence[Network]) -> None:
        self._survey = survey
        self._alike: Alike = survey.alike(networks)
        self._networks = networks
        self._own = {show_network(network): f"pods {place}" for place, network in enumerate(networks)}

    def of(self, company: Company) -> object:
        """Return what is equal for frontends of nodes that fare alike; None where that cannot be told."""
        kinds, others = self._kinds(company.kinds), company.others
        if self._rules is None or kinds is None:
            return None
        if others is not None:
            all_kinds = self._kinds(others.kinds)
            if all_kinds is None:
                return None
            ways = tuple((self._called(clients), local, chain) for clients, local, chain in others.ways)
            named = self._named(others.masquerade)
            others = others._replace(ways=ways, masquerade=named, kinds=all_kinds)
        named = self._named(company.masquerade)
        return self._rules, company._replace(networks=(), masquerade=named, kinds=kinds, others=others)

    def _kinds(self, own: frozenset[Kind]) -> frozenset[Kind] | None:
        """Return kinds of endpoints by what rules tell apart that are not about one frontend; None: not known."""
        kinds: dict[tuple[int, int], bool] = {}
        for own_place, own_port, alone in own:
            place, port = self._alike.endpoint_beside(own_place), self._alike.port_beside(own_port)
            if place is None or port is None:
                return None
            kinds[place, port] = alone and (place, port) not in kinds
        return frozenset((*kind, alone) for kind, alone in kinds.items())

    def _called(self, clients: str) -> str:
        """Return an option and its value, with what a network of pods is called on all nodes."""
        option, _, value = clients.partition(" ")
        return f"{option} {self._own.get(value, value)}"

    def _named(self, masquerade: tuple[Needs, ...]) -> tuple[Needs, ...]:
        return tuple(
            tuple(
                need._replace(
                    condition=need.condition._replace(
                        value=self._own.get(need.condition.value, need.condition.value)
                    )
                )
                for need in needs
            )
            for needs in masquerade
        )

    @cached_property
    def _rules(self) -> bytes | None:
        """All of it, in brief; None where more decides than what dumps say, or where these lack something."""
        evidence = self._survey.evidence
        version = evidence.host.version
        if evidence.listing is not None or evidence.host != Host(addresses={}, version=version):
            return None
        if any(dump.gaps or dump.is_excerpt for dump in evidence.dumps):
            return None
        if any(need.condition.kind == AS_PRINTED for need in self._survey.granted):
            return None
        tables = [
            (dump.backend, name, sorted(table.policies().items()), self._chains(table))
            for dump in evidence.dumps
            for name, table in sorted(dump.tables.items())
        ]
        lines = (line for *_, chains in tables for chain in chains.values() for line in chain)
        if any(map(_NAMES_ONE.search, lines)):
            return None
        all_of_it = (
            version, self._survey.by_decider, evidence.unseen, evidence.beyond, evidence.given, tables,
            list(self._bounds(version)), self._alike.ports_beside,
        )  # fmt: skip
        return blake2b(repr(all_of_it).encode(), digest_size=16).digest()

    def _chains(self, table: Table) -> dict[bytes, list[bytes]]:
        """Return the rules of each chain, but for services' own and those about one frontend alone."""
        chains: dict[bytes, list[bytes]] = {
            name: [] for name in sorted(table.names()) if not name.startswith(_OF_SERVICES)
        }
        for text in texts_beside_ports(table):
            for line in self._renamed(_COUNTERS.sub(b"", text)).splitlines():
                found = _CHAIN.match(line)
                chains.setdefault(found[1] if found else b"", []).append(line)
        return chains

    def _renamed(self, text: bytes) -> bytes:
        """Return a text in which the network of the node's pods is called as it is on all nodes."""
        for network, name in self._own.items():
            written = rb"(?<![\w.:/-])" + re.escape(to_bytes(network)) + rb"(?![\w.:/-])"
            text = re.sub(written, to_bytes(name), text)
        return text

    def _bounds(self, version: int) -> Iterator[object]:
        """Yield what begins or has ended, address by address: the network of pods by its name."""
        named = set(self._alike.named_beside)
        named.update(*(stretch_of(network) for _, network in FIXED_TYPES if network.version == version))
        own: dict[int, list[object]] = {}
        for place, network in enumerate(self._networks):
            for end, bound in enumerate(stretch_of(network)):
                own.setdefault(bound, []).append((place, end))
        for bound in sorted({*named, *own}):
            yield bound if bound in named else None, own.get(bound)
