"""From TARGET to the frontends it names in nftables mode, and the endpoint that it names, if it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.find import Found, is_named
from iptviz.kube.frontends import FRONTEND_KINDS, is_loopback
from iptviz.kube.nftables.frontends import Frontends
from iptviz.kube.nftables.names import ENDPOINT, is_of_service, read_chain
from iptviz.kube.nftables.tracing import destination_of, nat_of
from iptviz.kube.spellings import KINDS
from iptviz.kube.target import (
    AddressTarget,
    ChainTarget,
    NameTarget,
    NodePortTarget,
    ParsedTarget,
)
from iptviz.rules.form import TARGET
from iptviz.rules.native.place import NftPlace
from iptviz.xtables.address import parse_network

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.kube.frontends import Frontend
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.rules.form import CompiledRule


def find(table: ProxyTable, target: ParsedTarget) -> Found:
    """Return what `target` names in kube-proxy's table; nothing found is an empty list."""
    return _Finding(table).of(target)


class _Finding:
    def __init__(self, table: ProxyTable) -> None:
        self._table = table
        self._frontends = Frontends(table)

    def of(self, target: ParsedTarget) -> Found:
        if isinstance(target, AddressTarget):
            return self._by_address(target)
        if isinstance(target, NodePortTarget):
            return Found(self._at_port(target.port, target.protocol))
        if isinstance(target, NameTarget):
            return Found(self._by_name(target))
        return self._by_chain(target) if isinstance(target, ChainTarget) else Found([])

    def _by_address(self, target: AddressTarget) -> Found:
        """Find the frontends of an address; where there are none, it may be an endpoint's, or the node's own."""
        if self._table.family != f"ipv{target.version}":
            return Found([])
        there = self._frontends.at_address(target.address)
        frontends = [one for one in there if target.port in {None, one.port} and _has(one, target.protocol)]
        if frontends:
            return Found(_by_kind(frontends))
        found = self._by_endpoint(target)
        is_other = any(one.kind == "cluster-ip" for one in there)
        if found.wanted or target.port is None or is_other:
            return found
        own = [one._replace(address=target.address) for one in self._at_port(target.port, target.protocol)]
        return Found(own, as_node=bool(own) and not is_loopback(target.address))

    def _at_port(self, port: int, protocol: str | None) -> list[Frontend]:
        return [one for one in self._frontends.at_port(port) if _has(one, protocol)]

    def _by_name(self, target: NameTarget) -> list[Frontend]:
        """Find a service by its name; what is no namespace may be what kubectl calls services, as `svc/web`."""
        found = self._named(target)
        if not found and target.namespace in KINDS:
            return self._named(target._replace(namespace=None))
        return found

    def _named(self, target: NameTarget) -> list[Frontend]:
        text = f"{target.namespace}/{target.name}" if target.namespace else target.name
        return _by_kind(one for one in self._frontends.with_text(text) if is_named(one, target))

    def _by_endpoint(self, target: AddressTarget) -> Found:
        """Find the rules that send connections to an address, and the frontends that lead to them."""
        wanted = frozenset(
            place
            for place, address, port, protocol in self._destinations(target.address)
            if address == target.address
            and target.port in {None, port}
            and (not protocol or target.protocol in {None, protocol})
        )
        chains = dict.fromkeys(place.chain for place in wanted)
        return Found(self._frontends.leading_to(chains) if chains else [], wanted)

    def _by_chain(self, target: ChainTarget) -> Found:
        chain = target.chain
        if chain not in self._table.nft.chains:
            return Found([])
        own = read_chain(chain)
        frontends = self._frontends.leading_to([chain])
        if own is None or own.kind != ENDPOINT:
            return Found(frontends)
        return Found(frontends, frozenset(place for place, *_ in self._destinations("", [chain])))

    def _destinations(
        self, text: str, chains: Iterable[str] | None = None
    ) -> Iterator[tuple[NftPlace, str, int | None, str]]:
        """Yield where rules of services' chains with a text send connections: address, port, protocol."""
        named = self._table.nft.chains if chains is None else chains
        for chain in filter(is_of_service, named):
            found = self._table.nft.chains[chain]
            if not found.may_say("dnat") or not found.may_say(text):
                continue
            own = read_chain(chain)
            for rule in found.rules:
                if text in rule.text and "dnat" in rule.text:
                    for made in _ends(self._table.compiled.rules_of(chain)[rule.number - 1]):
                        place = made.place
                        if isinstance(place, NftPlace) and (nat := nat_of(place)) is not None:
                            yield place, *destination_of(place, nat, None), own.protocol if own else ""


def _ends(rule: CompiledRule) -> Iterator[CompiledRule]:
    """Yield a rule that rewrites, or its parts that do."""
    if rule.action.kind == TARGET and rule.action.name == "DNAT":
        yield rule
    for part in rule.more.towards(None) if rule.more is not None else ():
        yield from _ends(part)


def _has(frontend: Frontend, protocol: str | None) -> bool:
    return protocol in {None, frontend.protocol}


def _by_kind(frontends: Iterable[Frontend]) -> list[Frontend]:
    return sorted(frontends, key=lambda one: (FRONTEND_KINDS.index(one.kind), _place(one)))


def _place(frontend: Frontend) -> tuple[object, ...]:
    network = parse_network(frontend.address) if frontend.address else None
    return network is None, network.value if network else 0, frontend.port or 0
