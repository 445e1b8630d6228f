"""What surrounds services in nftables mode, as rules and maps of kube-proxy's table tell it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.nftables.frontends import Frontends
from iptviz.kube.nftables.names import is_of_service
from iptviz.kube.nftables.table import SERVICE_IPS
from iptviz.nft.expressions import AnonymousSet, Payload, network_of
from iptviz.nft.statements import Match
from iptviz.paths.surroundings import is_untracked
from iptviz.records import NamedTuple
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.nft.model import Rule
    from iptviz.xtables.address import Network

_SOURCES = (Payload("ip", "saddr"), Payload("ip6", "saddr"))


class NativeSurroundings(NamedTuple):
    """What kube-proxy's table tells, and dumps of the same node: `Surroundings`."""

    table: ProxyTable
    dumps: Sequence[Dump] = ()

    @property
    def family(self) -> str:
        """That of the packets."""
        return self.table.family

    def pod_networks(self, chains: Iterable[str]) -> list[Network]:
        """Return the networks from which rules of some chains masquerade nothing, else those of all services'."""
        own = (rule for name in chains for rule in self._rules(name))
        found = dict.fromkeys(network for rule in own for network in self._pods_of(rule))
        return list(found) or list(self._everywhere)

    @property
    def _everywhere(self) -> dict[Network, None]:
        """The networks of all services: up to 1.35 chains of services name them, and all of these the same."""
        found = dict.fromkeys(net for rule in self.table.dispatching for net in self._pods_of(rule))
        if found:
            return found
        chains = (name for name in self.table.nft.chains if is_of_service(name))
        rules = (rule for name in chains for rule in self._rules(name))
        return dict.fromkeys(next(filter(None, (tuple(self._pods_of(rule)) for rule in rules)), ()))

    def _rules(self, chain: str) -> Sequence[Rule]:
        found = self.table.nft.chains.get(chain)
        return found.rules if found is not None else ()

    def _pods_of(self, rule: Rule) -> Iterator[Network]:
        """Yield the networks that a rule excludes which marks what is to be masqueraded."""
        if not self.table.marks(rule):
            return
        for match in rule.statements:
            if isinstance(match, Match) and match.left in _SOURCES and match.operator == "!=":
                right = match.right
                keys = [one.key for one in right.elements] if isinstance(right, AnonymousSet) else [right]
                yield from filter(None, map(network_of, keys))

    def service_ips(self, own: Frontend) -> list[Network]:
        """Return those that the map of services has: it is asked before that of node ports."""
        if own.port is None:
            return []
        found = Frontends(self.table).with_text(f". {own.port}", SERVICE_IPS)
        same = [one for one in found if one.port == own.port and one.protocol == own.protocol]
        addresses = dict.fromkeys(one.address for one in same if one.address)
        return [network for address in addresses if (network := parse_network(address)) is not None]

    def is_untracked(self, address: str) -> bool:
        """Whether a rule of a dump says so."""
        return any(is_untracked(dump, address) for dump in self.dumps)
