"""From TARGET to the frontends it names, and the endpoint it names, if it is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.dispatching import dispatching_rules
from iptviz.kube.families import ENDPOINT_CHAIN, HASHED_CHAINS, MARK_MASQUERADE, NODE_PORTS
from iptviz.kube.frontends import (
    Frontend,
    frontend_of,
    frontends_among,
    frontends_leading_to,
    host_of,
    is_loopback,
)
from iptviz.kube.health_checks import health_checks
from iptviz.kube.names import SERVICE_PROTOCOLS, suffixes
from iptviz.kube.naming import COMMON_PORTS
from iptviz.kube.spellings import KINDS
from iptviz.kube.target import (
    AddressTarget,
    ChainTarget,
    NameTarget,
    NodePortTarget,
    ParsedTarget,
    WrittenTarget,
)
from iptviz.kube.unled import endpoints_alone, unled, unled_chains
from iptviz.records import NamedTuple
from iptviz.rules.iptables import compiled, rule_table
from iptviz.xtables.address import join_endpoint, parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.dump.table import Table
    from iptviz.kube.published import PublishedPort
    from iptviz.rules.form import Place, Rewriting
    from iptviz.supplied.service_names import Candidate


class Found(NamedTuple):
    """The frontends that TARGET names, or that lead to it; `wanted` holds the DNAT rules it names.

    `as_node`: TARGET's address is taken for one of this node, which alone has the port.
    """

    frontends: list[Frontend]
    wanted: frozenset[Place] = frozenset()
    as_node: bool = False


def find(dump: Dump, target: ParsedTarget, candidates: Sequence[Candidate] = ()) -> Found:
    """Return what `target` names in `dump`; nothing found is an empty list.

    `candidates` are service ports that may be meant by a name whose comments the dump has lost.
    """
    if isinstance(target, AddressTarget):
        return _by_address(dump, target)
    if isinstance(target, WrittenTarget):
        return _as_written(dump, target)
    if isinstance(target, NodePortTarget):
        return _by_node_port(dump, target)
    if isinstance(target, NameTarget):
        return _by_name(dump, target, candidates)
    return _by_chain(dump, target)


def _by_address(dump: Dump, target: AddressTarget) -> Found:
    """Find the frontends of an address; where there are none, it may be an endpoint's, or the node's own."""
    there = frontends_among(dispatching_rules(dump, f"-d {target.address}"))
    there = [frontend for frontend in there if frontend.address == target.address]
    frontends = [frontend for frontend in there if _at(frontend, target)]
    if frontends:
        return Found(frontends)
    if at_address := _published_at(dump, target):
        others = _at_this_node(dump, target, target.port).frontends if target.port else ()
        return Found([*at_address, *others])
    found = _by_endpoint(dump, target)
    is_other = any(one.kind == "cluster-ip" for one in there) or _is_pod(dump, target.address)
    if found.wanted or target.port is None or is_other:
        return found
    return _at_this_node(dump, target, target.port)


def _as_written(dump: Dump, target: WrittenTarget) -> Found:
    """Find the frontends of what stands in the dump where an address should."""
    there = frontends_among(dispatching_rules(dump, f"-d {target.address}"))
    return Found([frontend for frontend in there if _at(frontend, target)])


def _published_at(dump: Dump, target: AddressTarget) -> list[Frontend]:
    """Return what others than kube-proxy publish at an address that their rules name."""
    found = _published(dump, lambda port: port.single_ports if host_of(port.rule) == target.address else ())
    return [frontend for frontend in found if _at(frontend, target)]


def _published(dump: Dump, ports_of: Callable[[PublishedPort], Iterable[int]]) -> list[Frontend]:
    """Return the frontends that ports of others make: see `port_frontends`."""
    from iptviz.kube.published import port_frontends  # who asks for a service need not wait for it

    return port_frontends(dump, ports_of)


def _is_pod(dump: Dump, address: str) -> bool:
    """Whether an address is in the pod network that the dump names: what comes from elsewhere is masqueraded."""
    nat = dump.tables.get("nat")
    rules = nat.rules_with("! -s ") if nat else iter(())
    marking = next((rule for rule in rules if rule.jump == MARK_MASQUERADE), None)
    own, asked = parse_network(_source(marking) if marking else ""), parse_network(address)
    return own is not None and asked is not None and own.contains(asked)


def _source(rule: Rule) -> str:
    return next(
        (option.values[0] for option in rule.parts.basics if option.name == "-s" and option.values), ""
    )


def _at_this_node(dump: Dump, target: AddressTarget, port: int) -> Found:
    """Find what answers at a port of the node, at one of its addresses."""
    if dump.family != f"ipv{target.version}":
        return Found([])
    frontends = [
        frontend._replace(address=target.address, rule=_met_at(dump, frontend, target.address))
        for frontend in _at_port(dump, port, target.protocol)
        if frontend.address is None
    ]
    return Found(frontends, as_node=bool(frontends) and not is_loopback(target.address))


def _at(frontend: Frontend, target: AddressTarget | WrittenTarget) -> bool:
    return (
        frontend.address == target.address
        and (target.port in {None, frontend.port} or frontend.lacks_port)
        and target.protocol in {None, frontend.protocol}
    )


def _met_at(dump: Dump, frontend: Frontend, address: str) -> Place:
    """Return the rule that a client of one address of the node meets: the loopback may have one of its own."""
    if frontend.kind == "node-port" and frontend.port is not None and is_loopback(address):
        for rule in dispatching_rules(dump, f"--dport {frontend.port} ", ["nat"]):
            claim = frontend_of(rule)
            if claim and claim[2:4] == frontend[2:4] and claim.suffix == frontend.suffix:
                return rule
    return frontend.rule


def _by_endpoint(dump: Dump, target: AddressTarget) -> Found:
    text = join_endpoint(target.address, target.port or 0).removesuffix("0" if target.port is None else "")
    nat = dump.tables.get("nat")
    rules = nat.rules_with(f"--to-destination {text.removesuffix(':')}") if nat else ()
    wanted = frozenset(rule for rule in rules if _rewrites_to(rule, target))
    if nat and not wanted:
        lacking = rule_table(nat).unprinted.addresses()
        wanted = frozenset(rule for rule in lacking if _is_known_to_rewrite_to(rule, target))
    chains = dict.fromkeys(rule.chain for rule in wanted)
    led = frontends_leading_to(dump, chains) or _alone(nat, chains)
    published = _published(dump, lambda port: port.single_ports if port.rule in wanted else ())
    return Found([*led, *published], wanted)


def _alone(nat: Table | None, chains: Iterable[str]) -> list[Frontend]:
    """Return the chains of services that lead to some of `chains`, where an excerpt shows no more of the way."""
    found = (one for chain in chains for one in unled_chains(nat, chain)) if nat else ()
    return list(dict.fromkeys(found))


def _rewrites_to(rule: Rule, target: AddressTarget) -> bool:
    destination = rule.target.value("--to-destination") if rule.target else None
    address, port = split_endpoint(destination or "")
    protocols = {option.values[0] for option in rule.parts.basics if option.name == "-p" and option.values}
    return (
        address == target.address
        and target.port in {None, port}
        and (target.protocol is None or protocols <= {target.protocol})
    )


def _is_known_to_rewrite_to(rule: Rule, target: AddressTarget) -> bool:
    """Whether others tell where a DNAT rule sends that shows no address; its port may still be any."""
    sent: Rewriting = compiled(rule).action.operand
    return sent.addresses == target.address and (sent.port is None or target.port in {None, sent.port})


def _by_node_port(dump: Dump, target: NodePortTarget) -> Found:
    return Found(_at_port(dump, target.port, target.protocol))


def _at_port(dump: Dump, port: int, protocol: str | None) -> list[Frontend]:
    """Return what answers at a port of the node: node ports, published ports, health checks."""
    dispatched = frontends_among([*dispatching_rules(dump, f"--dport {port} "), *_without_port(dump)])
    found = [
        *(one for one in dispatched if one.kind == "node-port" and (one.port == port or one.lacks_port)),
        *_published(dump, lambda published: [port] if published.names(port) else ()),
        *health_checks(dump, port),
    ]
    return [frontend for frontend in found if protocol in {None, frontend.protocol}]


def _without_port(dump: Dump) -> list[Rule]:
    """Return the rules of services whose port the dump does not print: it may be any."""
    lost = [rule for table in dump.tables.values() for rule in rule_table(table).unprinted.ports]
    nat = dump.tables.get("nat")
    if lost or nat is None:
        return lost
    return [rule for rule in nat.rules_of(NODE_PORTS) if " --dport" not in rule.text]


def _by_name(dump: Dump, target: NameTarget, candidates: Sequence[Candidate]) -> Found:
    """Find a service by its name; what is no namespace may be what kubectl calls services, as in `svc/web`."""
    found = Found(_named(dump, target, candidates))
    if not found.frontends and target.namespace in KINDS:
        return Found(_named(dump, target._replace(namespace=None), candidates))
    return found


def _named(dump: Dump, target: NameTarget, candidates: Sequence[Candidate]) -> list[Frontend]:
    frontends = frontends_among(dispatching_rules(dump, f"{target.namespace or ''}/{target.name}"))
    named = [frontend for frontend in frontends if is_named(frontend, target)]
    return named or _by_hash(dump, target, candidates) or _by_chains_alone(dump, target)


def _by_chains_alone(dump: Dump, target: NameTarget) -> list[Frontend]:
    """Find the chains of a service to which an excerpt shows no way, or else those of its endpoints."""
    services = [frontend for frontend in unled(dump, ()) if is_named(frontend, target)]
    return services or [frontend for frontend in endpoints_alone(dump) if is_named(frontend, target)]


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
    led = frontends_leading_to(dump, [chain for chain in chains if nat.has_chain(chain)])
    return [frontend for frontend in led if _is_at_port(frontend, target)]


def _meant(target: NameTarget, candidates: Sequence[Candidate]) -> Iterator[tuple[str, str, str]]:
    """Yield the service ports that a name may mean: namespace, name, name of the port."""
    port_name = target.port_name if target.port is None else None
    if target.namespace is not None:
        yield target.namespace, target.name, port_name or ""
    for candidate in candidates:
        fits = candidate.name == target.name and target.namespace in {None, candidate.namespace}
        if fits and port_name in {None, candidate.port_name or port_name}:
            for name in _ports_meant(candidate.port_name, port_name):
                yield candidate.namespace, candidate.name, name


def _ports_meant(listed: str | None, asked: str | None) -> tuple[str, ...]:
    """Return the names of ports to try: without one in the list or the question, all that many services have."""
    told = listed if listed is not None else asked
    return ("", *COMMON_PORTS) if told is None else (told,)


def is_named(frontend: Frontend, target: NameTarget) -> bool:
    """Whether a frontend is one that a name means: of the service, and at its port where one was given."""
    service = frontend.service
    return (
        service.name == target.name
        and target.namespace in {None, service.namespace}
        and (target.port is not None or target.port_name in {None, service.port_name})
        and _is_at_port(frontend, target)
    )


def _is_at_port(frontend: Frontend, target: NameTarget) -> bool:
    """Whether a frontend has the protocol and the number of the port that a name was given with, if it was."""
    at_port = target.port in {None, frontend.port} or frontend.unprinted is not None
    return at_port and target.protocol in {None, frontend.protocol or target.protocol}


def _by_chain(dump: Dump, target: ChainTarget) -> Found:
    nat = dump.tables.get("nat")
    if nat is None or target.chain not in nat.chains:
        return Found([])
    frontends = frontends_leading_to(dump, [target.chain]) or unled_chains(nat, target.chain)
    if not target.chain.startswith(ENDPOINT_CHAIN):
        own = _published(dump, lambda port: port.single_ports if port.rule.chain == target.chain else ())
        return Found([*frontends, *own])
    ends = (rule for rule in nat.chains[target.chain].rules if rule.target and rule.target.name == "DNAT")
    return Found(frontends, frozenset(ends))
