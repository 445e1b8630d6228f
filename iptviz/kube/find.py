"""From TARGET to the frontends it names, and the endpoint it names, if it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.kube.dispatching import dispatching_rules
from iptviz.kube.families import ENDPOINT_CHAIN, HASHED_CHAINS
from iptviz.kube.frontends import Frontend, frontends_among, frontends_leading_to
from iptviz.kube.names import SERVICE_PROTOCOLS, suffixes
from iptviz.kube.target import AddressTarget, ChainTarget, NameTarget, NodePortTarget, ParsedTarget
from iptviz.xtables.address import join_endpoint, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.supplied.service_names import Candidate


class Found(NamedTuple):
    """The frontends that TARGET names, or that lead to it; `wanted` holds the DNAT rules it names."""

    frontends: list[Frontend]
    wanted: frozenset[Rule] = frozenset()


def find(dump: Dump, target: ParsedTarget, candidates: Sequence[Candidate] = ()) -> Found:
    """Return what `target` names in `dump`; nothing found is an empty list.

    `candidates` are service ports that may be meant by a name whose comments the dump has lost.
    """
    if isinstance(target, AddressTarget):
        return _by_address(dump, target)
    if isinstance(target, NodePortTarget):
        return _by_node_port(dump, target)
    if isinstance(target, NameTarget):
        return _by_name(dump, target, candidates)
    return _by_chain(dump, target)


def _by_address(dump: Dump, target: AddressTarget) -> Found:
    """Find the frontends of an address; where there are none, it may be an endpoint's."""
    rules = dispatching_rules(dump, f"-d {target.address}")
    frontends = [frontend for frontend in frontends_among(rules) if _at(frontend, target)]
    return Found(frontends) if frontends else _by_endpoint(dump, target)


def _at(frontend: Frontend, target: AddressTarget) -> bool:
    return (
        frontend.address == target.address
        and target.port in {None, frontend.port}
        and target.protocol in {None, frontend.protocol}
    )


def _by_endpoint(dump: Dump, target: AddressTarget) -> Found:
    text = join_endpoint(target.address, target.port or 0).removesuffix("0" if target.port is None else "")
    nat = dump.tables.get("nat")
    rules = nat.rules_with(f"--to-destination {text.removesuffix(':')}") if nat else ()
    wanted = [rule for rule in rules if _rewrites_to(rule, target)]
    return Found(frontends_leading_to(dump, {rule.chain for rule in wanted}), frozenset(wanted))


def _rewrites_to(rule: Rule, target: AddressTarget) -> bool:
    destination = rule.target.value("--to-destination") if rule.target else None
    address, port = split_endpoint(destination or "")
    protocols = {option.values[0] for option in rule.parts.basics if option.name == "-p" and option.values}
    return (
        address == target.address
        and target.port in {None, port}
        and (target.protocol is None or protocols <= {target.protocol})
    )


def _by_node_port(dump: Dump, target: NodePortTarget) -> Found:
    frontends = frontends_among(dispatching_rules(dump, f"--dport {target.port} "))
    return Found(
        [
            frontend
            for frontend in frontends
            if frontend.kind == "node-port"
            and frontend.port == target.port
            and target.protocol in {None, frontend.protocol}
        ]
    )


def _by_name(dump: Dump, target: NameTarget, candidates: Sequence[Candidate]) -> Found:
    frontends = frontends_among(dispatching_rules(dump, f"{target.namespace or ''}/{target.name}"))
    named = [frontend for frontend in frontends if _is_named(frontend, target)]
    return Found(named or _by_hash(dump, target, candidates))


def _by_hash(dump: Dump, target: NameTarget, candidates: Sequence[Candidate]) -> list[Frontend]:
    """Find a service whose comments are lost by the hash that its chains bear."""
    nat = dump.tables.get("nat")
    if nat is None:
        return []
    chains = [
        prefix + suffix
        for name in _meant(target, candidates)
        for protocol in SERVICE_PROTOCOLS
        for suffix in suffixes(*name, protocol)
        for prefix in HASHED_CHAINS
    ]
    return frontends_leading_to(dump, [chain for chain in chains if nat.has_chain(chain)])


def _meant(target: NameTarget, candidates: Sequence[Candidate]) -> Iterator[tuple[str, str, str]]:
    """Yield the service ports that a name may mean: namespace, name, name of the port."""
    if target.namespace is not None:
        yield target.namespace, target.name, target.port_name or ""
    for candidate in candidates:
        fits = candidate.name == target.name and target.namespace in {None, candidate.namespace}
        if fits and target.port_name in {None, candidate.port_name or target.port_name}:
            yield candidate.namespace, candidate.name, candidate.port_name or target.port_name or ""


def _is_named(frontend: Frontend, target: NameTarget) -> bool:
    service = frontend.service
    return (
        service.name == target.name
        and target.namespace in {None, service.namespace}
        and target.port_name in {None, service.port_name}
    )


def _by_chain(dump: Dump, target: ChainTarget) -> Found:
    nat = dump.tables.get("nat")
    if nat is None or target.chain not in nat.chains:
        return Found([])
    frontends = frontends_leading_to(dump, [target.chain])
    if not target.chain.startswith(ENDPOINT_CHAIN):
        return Found(frontends)
    ends = (rule for rule in nat.chains[target.chain].rules if rule.target and rule.target.name == "DNAT")
    return Found(frontends, frozenset(ends))
