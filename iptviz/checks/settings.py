"""What answers depend on beside the rules: settings of the kernel, and rules of routing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import listed
from iptviz.engine.settings import Settings
from iptviz.kube.bridges import Bridge, bridges
from iptviz.kube.families import MARK_MASQUERADE, NODE_PORTS
from iptviz.kube.loopback import through_loopback
from iptviz.kube.marks import Marks
from iptviz.kube.preempt import hooks_without_services
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint, parse_network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined, ExaminedTable
    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.dump.table import Table
    from iptviz.paths.fares import Reached
    from iptviz.rules.form import Place
    from iptviz.supplied.routing_rules import RoutingRule

_MOST_NAMED = 3
_FORWARDING = {"ipv4": "net.ipv4.ip_forward", "ipv6": "net.ipv6.conf.all.forwarding"}
_LOCALNET = "net.ipv4.conf.all.route_localnet"
_BRIDGED = {
    "ipv4": "net.bridge.bridge-nf-call-iptables",
    "ipv6": "net.bridge.bridge-nf-call-ip6tables",
}
_LOOPBACK = "127.0.0.1"
_SAME = {"main", "local", "default", ""}
"""Tables that packets are asked in anyway, or none."""


def check(node: Examined) -> Iterator[Finding]:
    """Yield what settings of the node make of its rules, known or not."""
    nat = node.dump.tables.get("nat")
    if nat is not None:
        yield from _unforwarded(node)
        yield from _localnet(node, nat)
        yield from _bridged(node)
        yield from _routed_by_mark(node, nat)


def check_table(node: ExaminedTable) -> Iterator[Finding]:
    """Yield what they make of kube-proxy's table in nftables mode."""
    yield from _unforwarded(node)


# --- ip_forward ------------------------------------------------------------------------------------------------


def _unforwarded(node: Examined | ExaminedTable) -> Iterator[Finding]:
    """Yield that the kernel forwards nothing, where services lose connections by its routing."""
    setting = _FORWARDING[node.family]
    if Settings(node.evidence.host).value(setting) != 0:
        return
    suffering = [
        port for port, each in zip(node.ports, node.reached, strict=True) if any(map(_ends_in_routing, each))
    ]
    if suffering:
        rules = [port.usual.frontend.rule for port in suffering]
        yield found(forwarding_off, rules, setting=setting, services=tuple(port.name for port in suffering),
            total=len(node.ports),
        )  # fmt: skip


def _ends_in_routing(reached: Reached) -> bool:
    """Whether the kernel ends connections between the rules."""
    causes = (failure.cause for fare in reached.fares if fare.fails for failure in fare.failures)
    return any(cause.by is not None and not cause.by.table for cause in causes)


# --- route_localnet --------------------------------------------------------------------------------------------


def _localnet(node: Examined, nat: Table) -> Iterator[Finding]:
    """Yield that rules send from or to 127.0.0.0/8 what the kernel routes if route_localnet is 1 alone."""
    state = _localnet_state(node)
    if node.dump.family != "ipv4" or state is None:
        return
    ports = _ports_at_loopback(node, nat)
    # The plug-in that publishes host ports sets it for its own bridge.
    others = through_loopback(nat, host_ports=state == "off")
    if ports or others:
        rules = [*(nat.rules_to(NODE_PORTS) if ports else ()), *others]
        yield found(route_localnet, rules, line=rules[0].line if rules else 0, state=state,
            known=state == "off", each=bool(_of_interfaces(node)), ports=ports,
            others=tuple(rule.line for rule in others),
        )  # fmt: skip


def _localnet_state(node: Examined) -> str | None:
    """Return whether the setting is off or not known; None where it is on, for some interface at least."""
    settings = Settings(node.evidence.host)
    every = settings.value(_LOCALNET)
    if every or any(_of_interfaces(node)):
        return None
    return "off" if every is not None else "unknown"


def _of_interfaces(node: Examined) -> list[int]:
    return list(Settings(node.evidence.host).of_interfaces("route_localnet").values())


def _ports_at_loopback(node: Examined, nat: Table) -> tuple[str, ...]:
    """Return the node ports that have endpoints and that rules lead on at 127.0.0.1."""
    if "OUTPUT" in hooks_without_services(nat):
        return ()
    frontends = (answer.frontend for port in node.ports for answer in port.answers if answer.endpoints)
    return tuple(
        frontend.text
        for frontend in frontends
        if frontend.kind == "node-port"
        and frontend.port is not None
        and (frontend.addresses is None or frontend.addresses.admits(_LOOPBACK))
    )


# --- bridges ---------------------------------------------------------------------------------------------------


def _bridged(node: Examined) -> Iterator[Finding]:
    """Yield that the answers of endpoints on a bridge do not meet the rules, or may not."""
    setting = _BRIDGED[node.dump.family]
    value = Settings(node.evidence.host).value(setting)
    if value:
        return
    for bridge in bridges(node.dump, node.evidence.host.routes):
        endpoint = _endpoint_on(node, bridge)
        if endpoint is not None:
            rules, state = (
                [*filter(None, [bridge.rule]), endpoint.rule],
                "unknown" if value is None else "off",
            )
            yield found(bridge_nf_call, rules, state=state,
                known=value is not None, setting=setting, bridge=bridge.name, endpoint=endpoint.text,
            )  # fmt: skip
            return


class _Endpoint(NamedTuple):
    """An endpoint in words, and the rule of its service's frontend."""

    text: str
    rule: Place


def _endpoint_on(node: Examined, bridge: Bridge) -> _Endpoint | None:
    """Return an endpoint on a bridge, of a cluster IP that keeps the addresses of pods as they are."""
    for port in node.ports:
        usual = port.usual
        if usual.frontend.kind == "cluster-ip" and () not in usual.masquerade:
            for end in usual.endpoints:
                address = parse_network(end.address) if end.share else None
                if address is not None and bridge.network.contains(address):
                    text = f"{join_endpoint(end.address, end.port)} ({port.name})"
                    return _Endpoint(text, usual.frontend.rule)
    return None


# --- rules of routing ------------------------------------------------------------------------------------------


def _routed_by_mark(node: Examined, nat: Table) -> Iterator[Finding]:
    """Yield the rules of routing that choose another table for packets that kube-proxy has marked."""
    bits = Marks(nat).masquerade_bits
    marking = [rule for rule in nat.rules_of(MARK_MASQUERADE) if rule.target and rule.target.name == "MARK"]
    host = node.evidence.host
    rules = host.routes.rules if host.routes else node.node.routing_rules
    choosing = [rule for rule in rules if _tells_apart(rule, bits)] if marking else []
    if choosing and node.dump is _first_marking(node):
        yield found(mark_routed, marking, line=marking[0].line, by=tuple(rule.text for rule in choosing))


def _first_marking(node: Examined) -> Dump | None:
    """Return the first dump with kube-proxy's mark: the rules of routing are those of the node, not of a dump."""
    found = (
        dump for dump in node.node.dumps if (nat := dump.tables.get("nat")) and nat.has_chain(MARK_MASQUERADE)
    )
    return next(found, None)


def _tells_apart(rule: RoutingRule, bits: int) -> bool:
    """Whether a rule selects just one of two packets of which one bears the mark alone, the other none."""
    if rule.mark is None or rule.does != "lookup" or rule.leads_to in _SAME:
        return False
    value, mask = rule.mark
    return (bits & mask == value & mask) != (value & mask == 0)


# --- the words -------------------------------------------------------------------------------------------------


@diagnosis("critical")
def forwarding_off(*, setting: str, services: tuple[str, ...], total: int) -> str:
    """The kernel of this node forwards no packets, so that no connection gets to an endpoint in a pod.

    Only what the node itself sends, and endpoints at the node's own addresses, are not concerned.

    Why: net.ipv4.ip_forward=0, or net.ipv6.conf.all.forwarding=0, makes the kernel drop all that is for another
    address than its own: connections of pods and from outside are rewritten to an endpoint, and then time out.

    Do: Set it to 1 (sysctl -w net.ipv4.ip_forward=1), make it lasting in /etc/sysctl.d, and find out what sets
    it to 0: a security baseline, a reload of sysctls, a program that manages the network.
    """
    names = listed(services, _MOST_NAMED)
    to = f"{len(services):,} of {total:,} service ports ({names})" if total > 1 else names
    return f"{setting} is 0: what pods and others send to endpoints of {to} is not forwarded"


@diagnosis({"off": "high", "unknown": "info"}, reference="k/k#57922")
def route_localnet(*, known: bool, each: bool, ports: tuple[str, ...], others: tuple[int, ...]) -> str:
    """Rules rewrite connections of 127.0.0.0/8, which the kernel routes only if route_localnet is 1.

    Why: With net.ipv4.conf.all.route_localnet=0, the kernel's default, it drops what leaves the node with a
    loopback address, and what a rule sends to one from outside: connections time out. kube-proxy sets it to 1
    where it serves node ports at 127.0.0.1; a security baseline, or a reload of sysctls, sets it back.

    Do: Ask the node: sysctl net.ipv4.conf.all.route_localnet. Use another address of the node for its node
    ports, or set it to 1 and find out who sets it to 0.
    """
    what = " and ".join(filter(None, (_at_loopback(ports), _rewritten(others))))
    if known:
        return f"{_LOCALNET} is 0: {what} fail" + ("" if each else ", unless it is 1 for their interface")
    return f"{what} work only if route_localnet is 1, which is not known"


def _at_loopback(ports: tuple[str, ...]) -> str:
    return f"node ports at {_LOOPBACK} ({listed(ports, _MOST_NAMED)})" if ports else ""


def _rewritten(lines: tuple[int, ...]) -> str:
    numbers = listed(list(map(str, lines)), _MOST_NAMED)
    return (
        ""
        if not lines
        else f"connections that {f'line {numbers} rewrites' if len(lines) == 1 else f'lines {numbers} rewrite'}"
    )


@diagnosis({"off": "high", "unknown": "info"}, reference="flannel-io/flannel#1734")
def bridge_nf_call(*, known: bool, setting: str, bridge: str, endpoint: str) -> str:
    """Pods share a bridge with endpoints of services, and bridged packets may not meet the rules.

    Why: Without net.bridge.bridge-nf-call-iptables=1 the answer of an endpoint on the client's own bridge goes to
    the client as it is, from an address that the client never contacted: connections to services time out, but
    only those between pods of one node.

    Do: Load br_netfilter (modprobe br_netfilter), set net.bridge.bridge-nf-call-iptables=1, and make both lasting
    (/etc/modules-load.d, /etc/sysctl.d).
    """
    where = f"{endpoint} is on {bridge}"
    if known:
        return f"{setting} is 0 and {where}: pods of this node do not get its answers through a service"
    what = "pods of this node get its answers through a service"
    return f"{where}: {what} only if {setting} is 1, which is not known"


@diagnosis("high")
def mark_routed(*, by: tuple[str, ...]) -> str:
    """A routing rule (ip rule) matches the mark by which kube-proxy masquerades.

    Why: Only the first packet of a connection gets the mark, in nat: it is routed by another table than all later
    packets, which leave by another interface and get lost.

    Do: Give the routing rule another bit, or a mask without this one; or start kube-proxy with another
    --iptables-masquerade-bit.
    """
    return f"routing rules match the masquerade mark: {listed(by, _MOST_NAMED)}"
