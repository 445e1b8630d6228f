"""What rules tell of what surrounds services: networks of pods, others' addresses, what is not tracked."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Protocol
from weakref import WeakKeyDictionary

from iptviz.kube.families import MARK_MASQUERADE, SERVICES
from iptviz.kube.frontends import frontend_of
from iptviz.records import NamedTuple
from iptviz.xtables.address import Network, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.kube.frontends import Frontend


class Surroundings(Protocol):
    """What the rules of one source tell of this."""

    @property
    def family(self) -> str:
        """Either `ipv4` or `ipv6`."""

    def pod_networks(self, chains: Iterable[str]) -> list[Network]:
        """Return the networks of pods that rules of some chains name, else what any rule names."""

    def service_ips(self, own: Frontend) -> list[Network]:
        """Return the addresses of services that have the port of a frontend without an address."""

    def is_untracked(self, address: str) -> bool:
        """Whether rules keep what goes to an address from being tracked, as those of a DNS cache do."""


class DumpSurroundings(NamedTuple):
    """What the rules of a dump tell: `Surroundings`."""

    dump: Dump

    @property
    def family(self) -> str:
        """That of the dump."""
        return self.dump.family

    def pod_networks(self, chains: Iterable[str]) -> list[Network]:
        """Return the networks that rules of some chains name, else that of the first rule of any."""
        return pod_networks(self.dump, chains)

    def service_ips(self, own: Frontend) -> list[Network]:
        """Return those that KUBE-SERVICES has."""
        return service_ips(self.dump, own)

    def is_untracked(self, address: str) -> bool:
        """Whether a rule of raw says so."""
        return is_untracked(self.dump, address)


def is_untracked(dump: Dump, address: str) -> bool:
    """Whether rules keep what goes to an address from being tracked, as those of a DNS cache do."""
    raw = dump.tables.get("raw")
    rules = raw.rules_with(f" -d {address}/") if raw else ()
    return any(rule.target is not None and rule.target.name in {"NOTRACK", "CT"} for rule in rules)


def service_ips(dump: Dump, own: Frontend) -> list[Network]:
    """Return the addresses of services that have the port of a frontend without an address.

    Those that a local DNS cache listens on are the node's, too.
    """
    nat = dump.tables.get("nat")
    rules = nat.rules_with(f"--dport {own.port} ", SERVICES) if nat and own.port else ()
    found = {
        frontend.address: None
        for frontend in map(frontend_of, rules)
        if frontend and frontend.address and frontend.protocol == own.protocol
    }
    return [
        network
        for address in found
        if (network := parse_network(address)) is not None and not is_untracked(dump, address)
    ]


def pod_networks(dump: Dump, chains: Iterable[str]) -> list[Network]:
    """Return the networks of pods that rules of some chains name, else that of the first rule of any.

    A rule that masquerades what does not come from a network (`! -s CIDR`) takes it for that of the pods.
    """
    nat = dump.tables.get("nat")
    if nat is None:
        return []
    own = (
        network for chain in chains for rule in nat.rules_with(" ! -s ", chain) for network in _pods_of(rule)
    )
    return list(dict.fromkeys(own)) or _first_of_pods(nat)


_LOOKED_AT = 64
_FIRST: WeakKeyDictionary[Table, list[Network]] = WeakKeyDictionary()


def _first_of_pods(nat: Table) -> list[Network]:
    """Return the network of pods that the first rule names, if one does, which is found out once."""
    if nat not in _FIRST:
        rules = islice(nat.rules_with(" ! -s "), _LOOKED_AT)
        _FIRST[nat] = list(islice((network for rule in rules for network in _pods_of(rule)), 1))
    return list(_FIRST[nat])


def _pods_of(rule: Rule) -> Iterator[Network]:
    if rule.jump == MARK_MASQUERADE or (rule.target is not None and rule.target.name == "MASQUERADE"):
        for option in rule.parts.basics:
            if option.name == "-s" and option.negated:
                yield from filter(None, map(parse_network, option.values))
