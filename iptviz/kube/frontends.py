"""Frontends: the (address, port, protocol) that lead into a service port, and the rules that say so."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from iptviz.kube.names import (
    ENTRY_CHAINS,
    EXTERNAL_SERVICES,
    NAMELESS,
    NODE_PORTS,
    PROXY_FIREWALL,
    SERVICE_CHAINS,
    SERVICES,
    ServiceName,
    service_of_comment,
)
from iptviz.xtables.address import join_endpoint, parse_number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule

_KIND_OF_COMMENT = {
    " cluster IP": "cluster-ip",
    " external IP": "external-ip",
    " loadbalancer IP": "load-balancer-ip",
}
# For rules whose comment is lost: what the chain that they lead to is for.
_KIND_OF_CHAIN = {"KUBE-FW-": "load-balancer-ip", "KUBE-EXT-": "external-ip", "KUBE-XLB-": "external-ip"}


KINDS = (*_KIND_OF_COMMENT.values(), "node-port")
"""All kinds of frontends, in the order in which they are listed."""


class Frontend(NamedTuple):
    """One way into a service port; `address` is None for a node port, which every address of the node has.

    `rule` is the first rule that leads the frontend's traffic on, or refuses it.
    """

    kind: str
    address: str | None
    port: int | None
    protocol: str
    rule: Rule

    @property
    def text(self) -> str:
        """The frontend as people write it: `10.96.0.1:443/tcp`, or `:30080/tcp` for a node port."""
        return f"{join_endpoint(self.address or '', self.port)}/{self.protocol}"

    @property
    def service(self) -> ServiceName:
        """The service port named by the rule's comment."""
        return service_of_comment(self.rule.comment) or NAMELESS


def frontend_of(rule: Rule) -> Frontend | None:
    """Return the frontend that `rule` dispatches or refuses, or None for any other rule."""
    if rule.table.name == "nat":
        chain = rule.jump or ""
        if not chain.startswith(SERVICE_CHAINS + ENTRY_CHAINS):
            return None
    elif rule.target is None or rule.target.name not in {"REJECT", "DROP"}:
        return None
    kind = _kind(rule)
    if kind is None:
        return None
    address = None if kind == "node-port" else _host(rule)
    protocol = _value(rule, "-p")
    if protocol is None or (kind != "node-port" and address is None):
        return None
    return Frontend(kind, address, _port(rule), protocol, rule)


def _kind(rule: Rule) -> str | None:
    """Return the kind of frontend by the chain that holds the rule, its comment, and where it jumps."""
    if rule.chain == NODE_PORTS and rule.table.name == "nat":
        return "node-port"
    if rule.chain not in {SERVICES, EXTERNAL_SERVICES, PROXY_FIREWALL}:
        return None
    if _host(rule) is None:
        return "node-port" if rule.table.name == "filter" else None
    for ending, kind in _KIND_OF_COMMENT.items():
        if (rule.comment or "").endswith(ending):
            return kind
    if rule.table.name == "filter":
        return {SERVICES: "cluster-ip", EXTERNAL_SERVICES: "external-ip"}.get(rule.chain, "load-balancer-ip")
    prefix = next((prefix for prefix in _KIND_OF_CHAIN if (rule.jump or "").startswith(prefix)), "")
    return _KIND_OF_CHAIN.get(prefix, "cluster-ip")


def _value(rule: Rule, name: str) -> str | None:
    """Return the value of a basic option that is not negated."""
    for option in rule.parts.basics:
        if option.name == name and not option.negated and option.values:
            return option.values[0]
    return None


def _host(rule: Rule) -> str | None:
    """Return the single address that `-d` names; a network is no frontend."""
    address, slash, length = (_value(rule, "-d") or "").partition("/")
    return address if address and (not slash or length in {"32", "128"}) else None


def _port(rule: Rule) -> int | None:
    for match in rule.matches:
        option = match.option("--dport")
        if option and not option.negated and option.values:
            return parse_number(option.values[0])
    return None


def unique(frontends: Iterable[Frontend]) -> list[Frontend]:
    """Return the frontends without repetition: the split rules of old external IPs make one frontend."""
    return list({frontend[1:4]: frontend for frontend in reversed(list(frontends))}.values())[::-1]


def frontends_among(rules: Iterable[Rule]) -> list[Frontend]:
    """Return the frontends that `rules` dispatch or refuse, without repetition."""
    return unique(frontend for rule in rules if (frontend := frontend_of(rule)))


_DISPATCHERS = {
    "nat": (SERVICES, NODE_PORTS),
    "filter": (SERVICES, EXTERNAL_SERVICES, PROXY_FIREWALL),
}


def dispatching_rules(
    dump: Dump, text: str = "", tables: Iterable[str] = ("nat", "filter")
) -> Iterator[Rule]:
    """Yield the rules with `text` of the chains that dispatch or refuse a service's traffic."""
    for name in tables:
        table = dump.tables.get(name)
        if table is None:
            continue
        for chain in _DISPATCHERS[name]:
            yield from table.rules_with(text, chain) if text else table.rules_of(chain)


def rules_about(dump: Dump, frontend: Frontend, table: str) -> list[Rule]:
    """Return the rules of `table` that may speak of the frontend's traffic, in order."""
    if frontend.address is not None:
        return list(dispatching_rules(dump, f"-d {frontend.address}", [table]))
    rules = dispatching_rules(dump, f"--dport {frontend.port}", [table])
    # Outside the node ports' own chain, a rule with a destination speaks of some service's address.
    return [rule for rule in rules if rule.chain == NODE_PORTS or (table == "filter" and _host(rule) is None)]


def all_frontends(dump: Dump) -> list[Frontend]:
    """Return every frontend of the dump; this takes all dispatching rules apart."""
    return frontends_among(dispatching_rules(dump))


def frontends_leading_to(dump: Dump, chains: Iterable[str]) -> list[Frontend]:
    """Return the frontends from which any of `chains` can be reached, following jumps upwards."""
    nat = dump.tables.get("nat")
    seen = set(chains)
    pending = list(seen)
    found: list[Rule] = []
    while pending and nat is not None:
        for rule in nat.rules_to(pending.pop()):
            if rule.chain in _DISPATCHERS["nat"]:
                found.append(rule)
            elif rule.chain not in seen:
                seen.add(rule.chain)
                pending.append(rule.chain)
    frontends = frontends_among(sorted(found, key=lambda rule: rule.line))
    return sorted(frontends, key=lambda frontend: KINDS.index(frontend.kind))
