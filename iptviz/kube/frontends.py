"""Frontends: the (address, port, protocol) that lead into a service port, and the rules that say so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

from iptviz.dump.rule import Rule
from iptviz.engine.condition import Condition
from iptviz.kube.comments import read_comment, service_of_comment
from iptviz.kube.families import (
    DISPATCHERS,
    ENTRY_CHAINS,
    MARK_MASQUERADE,
    NODE_PORTS,
    SERVICE_CHAINS,
    family_of,
)
from iptviz.kube.limits import AddressLimit, node_port_limit
from iptviz.kube.names import NAMELESS, ServiceName, hash_in
from iptviz.kube.plain_rules import PlainRule, plain_rule
from iptviz.records import NamedTuple
from iptviz.rules.form import UNKNOWN_PORTS
from iptviz.rules.iptables import compiled, dump_rule
from iptviz.rules.unprinted import NODE_PORT, PORT
from iptviz.xtables.address import join_endpoint, parse_network
from iptviz.xtables.values.protocols import read_port

if TYPE_CHECKING:
    from collections.abc import Iterable

    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.rules.form import Place

SERVICE_KINDS = ("cluster-ip", "external-ip", "load-balancer-ip", "node-port")
"""The kinds of frontends that lead to a service."""

EXPOSED_KINDS = SERVICE_KINDS[1:]
"""Those that are there for clients outside the cluster."""

CHAIN = "chain"
"""The kind of what stands for the frontends of a service's chain that an excerpt does not show."""

VIRTUAL = "virtual-server"
"""The kind of a virtual server of IPVS where nothing tells which of a service's frontends it is."""

FRONTEND_KINDS = (*SERVICE_KINDS, VIRTUAL, "host-port", "published", "health-check", CHAIN)
"""All kinds of frontends, in the order in which they are listed."""


_HOST_NAME = re.compile(r"(?=.*[a-wyz])(?!.*\.\.)[a-z0-9_-][a-z0-9_.-]{0,252}")
"""A name as DNS has it; what people write in place of an address, `x.x.x.x` or `10.0..1`, is none."""


_PORT_OPTIONS = (" --dport", " --dports", " --ports")
"""Options by which a rule asks for ports, be it for others or for several."""


_LEADING = SERVICE_CHAINS + ENTRY_CHAINS
_REFUSING = {"REJECT", "DROP"}


class Frontend(NamedTuple):
    """One way into a service port, or to what else the node publishes at a port.

    `address` is None for a port of the node, which all its addresses have but for `addresses`; a question
    about one of them names it. `rule` is the rule that leads an outside client's traffic on, or refuses it; of
    kind `chain` one of the chain's own. `protocol` is empty where that chain does not tell it. `unprinted` is
    whose port it is, in a condition, where the dump does not print it; `port` is None then. `plain` is what the
    rule says, where that is told from its text alone. `kind_told`: in nftables mode its table tells of which kind
    it is.
    """

    kind: str
    address: str | None
    port: int | None
    protocol: str
    rule: Place
    addresses: AddressLimit | None = None
    unprinted: Condition | None = None
    plain: PlainRule | None = None
    kind_told: bool = True

    @property
    def kind_untold(self) -> bool:
        """Whether nothing tells its kind: an external IP may be a load balancer's, and what is refused either."""
        if not self.kind_told:
            return True
        if self.kind != "external-ip" or not isinstance(self.rule, Rule):
            return False
        comment = read_comment(self.rule.comment)  # in iptables mode these tell
        return comment is None or not comment.form.frontend

    @property
    def text(self) -> str:
        """The frontend as people write it: `10.96.0.1:443/tcp`, or `:30080/tcp` for a node port."""
        if self.kind == CHAIN:
            return self.rule.chain
        return f"{self.at}/{self.protocol}"

    @property
    def at(self) -> str:
        """Address and port: `10.96.0.1:443`, `:30080` for a node port, `10.96.0.1:?` where it is not printed."""
        return join_endpoint(self.address or "", UNKNOWN_PORTS if self.lacks_port else self.port)

    @property
    def lacks_port(self) -> bool:
        """Whether the rule of a service shows no port: kube-proxy always writes one."""
        if self.unprinted is not None or self.port is not None or self.kind not in SERVICE_KINDS:
            return self.unprinted is not None
        return not any(option in self.rule.text for option in _PORT_OPTIONS)

    @property
    def is_malformed(self) -> bool:
        """Whether what stands for its address is none, as where somebody made it unknown: `x.x.x.x`."""
        return self.address is not None and parse_network(self.address) is None and not self.host_name

    @property
    def leads_to(self) -> str:
        """The chain that the rule leads to; empty where it leads to none."""
        if self.plain is not None:
            return "" if self.plain.target in _REFUSING else self.plain.target
        return self.rule.chain if self.kind == CHAIN else dump_rule(self.rule).jump or ""

    @property
    def host_name(self) -> str:
        """The host's name that stands for an address in a listing without -n; empty for an address."""
        if not self.address or parse_network(self.address) is not None:
            return ""
        listed = cast("Table", dump_rule(self.rule).table).is_listed
        return self.address if listed and _HOST_NAME.fullmatch(self.address) else ""

    @property
    def suffix(self) -> str:
        """The hash of the service port in the chain that the rule leads to; empty where it leads to none."""
        return hash_in(self.leads_to)

    @property
    def is_refused(self) -> bool:
        """Whether the rule of a service refuses connections, instead of leading them on."""
        return self.kind in SERVICE_KINDS and not self.leads_to

    @property
    def claimant(self) -> str:
        """Whose frontend the rule says that it is: the service, or the chain that it leads to."""
        return self.service.text or self.leads_to

    @property
    def service(self) -> ServiceName:
        """The service port named by the rule's comment."""
        if self.plain is not None:
            return self.plain.service
        return service_of_comment(self.rule.comment) or NAMELESS


def frontend_of(rule: Rule) -> Frontend | None:
    """Return the frontend that `rule` dispatches or refuses, or None for any other rule."""
    return frontend_as_read(rule, plain_rule(rule))


def frontend_as_read(rule: Rule, plain: PlainRule | None) -> Frontend | None:
    """Return the same as `frontend_of` for a rule of which it is known what it says, if it is plain."""
    return _taken_apart(rule) if plain is None else _as_it_says(rule, plain)


def _as_it_says(rule: Rule, plain: PlainRule) -> Frontend | None:
    """Return the frontend that a plain rule dispatches or refuses."""
    table = rule.table.name
    leads_on = plain.target.startswith(_LEADING) if table == "nat" else plain.target in _REFUSING
    if not leads_on or plain.chain not in DISPATCHERS.get(table, ()):
        return None
    kind: str | None = plain.frontend
    if plain.address is None:
        is_node_port = plain.chain == NODE_PORTS if table == "nat" else plain.service is not NAMELESS
        kind = "node-port" if is_node_port else None
    elif not kind:
        family = family_of(plain.chain if table == "filter" else plain.target, table)
        kind = family.frontend if family else None
    if kind is None:
        return None
    return Frontend(kind, plain.address, plain.port, plain.protocol, rule, plain=plain)


def _taken_apart(rule: Rule) -> Frontend | None:
    if rule.table.name == "nat":
        chain = rule.jump or ""
        if not chain.startswith(_LEADING):
            return None
    elif rule.target is None or rule.target.name not in _REFUSING:
        return None
    kind = _kind(rule)
    if kind is None:
        return None
    address = None if kind == "node-port" else host_of(rule)
    protocol = value_of(rule, "-p")
    if protocol is None or (kind != "node-port" and address is None):
        return None
    return Frontend(kind, address, port_of(rule), protocol, rule, None, unprinted_port(rule))


def unprinted_port(rule: Rule) -> Condition | None:
    """Return whose port a rule asks for, where the dump does not print it."""
    if port_of(rule) is not None:
        return None
    kinds = (PORT, NODE_PORT)
    return next((Condition(one.kind, one.value) for one in compiled(rule).tests if one.kind in kinds), None)


def _kind(rule: Rule) -> str | None:
    """Return the kind of frontend by the chain that holds the rule, its comment, and where it jumps."""
    table = rule.table.name
    if rule.chain not in DISPATCHERS.get(table, ()):
        return None
    if table == "nat" and rule.chain == NODE_PORTS:
        return "node-port"
    if host_of(rule) is None:
        return "node-port" if table == "filter" and _is_about_node_port(rule) else None
    comment = read_comment(rule.comment)
    if comment and comment.form.frontend:
        return comment.form.frontend
    family = family_of(rule.chain if table == "filter" else rule.jump or "", table)
    return family.frontend if family else None


def _is_about_node_port(rule: Rule) -> bool:
    """Whether a rule without a destination refuses a port of the node, and not that of everything."""
    asked = (match.option("--dst-type") for match in rule.matches if match.name == "addrtype")
    is_for_node = any(
        option and tuple(option.values) == ("LOCAL",) and not option.negated for option in asked
    )
    has_port = port_of(rule) is not None or unprinted_port(rule) is not None
    return has_port and (is_for_node or service_of_comment(rule.comment) is not None)


def value_of(rule: Rule, name: str) -> str | None:
    """Return the value of a basic option that is not negated."""
    for option in rule.parts.basics:
        if option.name == name and not option.negated and option.values:
            return option.values[0]
    return None


def host_of(rule: Rule) -> str | None:
    """Return the single address that `-d` names; a network is no frontend."""
    address, slash, length = (value_of(rule, "-d") or "").partition("/")
    return address if address and (not slash or length in {"32", "128"}) else None


def port_of(rule: Rule) -> int | None:
    """Return the single destination port that the rule names, or None."""
    for match in rule.matches:
        option = match.option("--dport")
        if option and not option.negated and option.values:
            return read_port(option.values[0])
    return None


_FRONTEND_BASICS = {"-d", "-p"}
_FRONTEND_MATCHES = {"comment", "tcp", "udp", "sctp"}
CLIENT_CONDITIONS = {"-s": "source-cidr", "-i": "in-interface"}
"""What a rule that marks may ask of a client, and the kind of condition that this is."""


def asks_for_nothing_else(rule: Rule) -> bool:
    """Whether a rule tests nothing but destination, protocol and port, and where it marks also the source."""
    parts = rule.parts
    basics = {
        option.name for option in parts.basics if not (option.negated and option.name in CLIENT_CONDITIONS)
    }
    sources = len(parts.basics) - len([option for option in parts.basics if option.name in _FRONTEND_BASICS])
    options = [
        "! " * option.negated + option.name
        for match in parts.matches
        if match.name != "comment"
        for option in match.options
    ]
    return (
        basics <= _FRONTEND_BASICS
        and sources <= (rule.jump == MARK_MASQUERADE)
        and {match.name for match in parts.matches} <= _FRONTEND_MATCHES
        and options == ["--dport"]
        and not parts.unknown
        and not parts.problem
        and not (rule.target and rule.target.goto)
    )


def unique(frontends: Iterable[Frontend]) -> list[Frontend]:
    """Return the frontends without repetition: the split rules of old external IPs make one frontend.

    Two services that claim one address are two. What kube-proxy writes for the loopback alone, above the rule
    for everybody, stands for a frontend only where there is no other rule.
    """
    chosen: dict[tuple[object, ...], Frontend] = {}
    places = set()
    for frontend in frontends:
        place = frontend[1:4]
        key = (*place, frontend.suffix)
        if (key not in chosen and (frontend.suffix or place not in places)) or (
            key in chosen and _is_of_loopback(chosen[key]) and not _is_of_loopback(frontend)
        ):
            chosen[key] = frontend
        places.add(place)
    return list(chosen.values())


_LOOPBACK = ("127.", "::1")


def is_loopback(address: str) -> bool:
    """Whether an address or network is the loopback's."""
    return address.startswith(_LOOPBACK)


def _is_of_loopback(frontend: Frontend) -> bool:
    return is_loopback(value_of(dump_rule(frontend.rule), "-d") or "")


def frontends_among(rules: Iterable[Rule]) -> list[Frontend]:
    """Return the frontends that `rules` dispatch or refuse, without repetition."""
    return limited(told_apart(unique(frontend for rule in rules if (frontend := frontend_of(rule)))))


def limited(frontends: list[Frontend]) -> list[Frontend]:
    """Return the frontends with the addresses to which node ports are limited, if they are."""
    nat = next((dump_rule(one.rule).table for one in frontends if _is_dispatched_node_port(one)), None)
    limit = None if nat is None else node_port_limit(cast("Table", nat))
    if limit is None:
        return frontends
    return [one._replace(addresses=limit) if _is_dispatched_node_port(one) else one for one in frontends]


def _is_dispatched_node_port(frontend: Frontend) -> bool:
    return frontend.kind == "node-port" and frontend.rule.table.name == "nat"


def told_apart(found: list[Frontend]) -> list[Frontend]:
    """Tell refused external addresses from the cluster IP that they are refused with."""
    refused = next((frontend for frontend in found if _is_refused_cluster_ip(frontend)), None)
    if refused is None:
        return found
    firsts = _first_refused(dump_rule(refused.rule))
    return [
        frontend._replace(kind="external-ip")
        if _is_refused_cluster_ip(frontend) and firsts.get(frontend.rule.comment) != frontend.address
        else frontend
        for frontend in found
    ]


def _is_refused_cluster_ip(frontend: Frontend) -> bool:
    return (
        frontend.kind == "cluster-ip"
        and frontend.rule.table.name == "filter"
        and frontend.rule.comment is not None
    )


def _first_refused(rule: Rule) -> dict[str | None, str | None]:
    """Return the first address that each comment refuses: up to 1.18 external ones followed the cluster IP."""
    refusing = reversed(list(rule.table.rules_of(rule.chain)))
    return {rule.comment: host_of(rule) for rule in refusing}


def frontends_leading_to(dump: Dump, chains: Iterable[str]) -> list[Frontend]:
    """Return the frontends from which any of `chains` can be reached, following jumps upwards."""
    nat = dump.tables.get("nat")
    seen = set(chains)
    pending = list(seen)
    found: list[Rule] = []
    while pending and nat is not None:
        for rule in nat.rules_to(pending.pop()):
            if rule.chain in DISPATCHERS["nat"]:
                found.append(rule)
            elif rule.chain not in seen:
                seen.add(rule.chain)
                pending.append(rule.chain)
    frontends = frontends_among(sorted(found, key=lambda rule: rule.line))
    return sorted(frontends, key=lambda frontend: FRONTEND_KINDS.index(frontend.kind))
