"""In what kube-proxy's nftables mode differs from its iptables mode by intention, as far as two nodes show it.

Each is looked for in both nodes and told where it is so there. Source: pkg/proxy/nftables/proxier.go and its
README.md ("changes from iptables mode"), KEP-3866, and pkg/proxy/iptables/proxier.go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.intake.remark import remark
from iptviz.kube.nftables.table import CLUSTER_IPS
from iptviz.nft.expressions import AnonymousSet, Payload, SetReference
from iptviz.nft.statements import Match, Nat, Reject, Verdict
from iptviz.records import NamedTuple
from iptviz.rules.native.words import words_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.compare.modes.ports import Meant
    from iptviz.compare.ports.differences import ChangedPort, Value
    from iptviz.dump.model import Dump
    from iptviz.dump.rule import Rule
    from iptviz.intake.remark import Remark
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.nft.model import Rule as NftRule


class Modes(NamedTuple):
    """Two nodes, one in each mode, of one family.

    `meant` has the differences of service ports that were set aside; `sticky` counts those with session affinity.
    """

    dump: Dump
    table: ProxyTable
    meant: dict[Meant, list[tuple[ChangedPort, Value, Value]]]
    sticky: int = 0


def expected(modes: Modes) -> tuple[Remark, ...]:
    """Return what the modes mean to do otherwise, as far as these nodes show it."""
    return tuple(found for look in _LOOKING for found in look(modes))


# --- frontends -------------------------------------------------------------------------------------------------


def _node_ports(modes: Modes) -> Iterator[Remark]:
    """--nodeport-addresses is `primary` by default, in iptables mode all addresses (KEP-3866)."""
    by_value: dict[tuple[str, ...], int] = {}
    for _, _, few in modes.meant.get("node port addresses", ()):
        networks = tuple(map(str, few[1])) if isinstance(few, tuple) and len(few) == 2 else ()
        by_value[networks] = by_value.get(networks, 0) + 1
    for addresses, count in by_value.items():
        yield remark("mode-node-port-addresses", networks=addresses, count=count)


def _at_loopback(modes: Modes) -> Iterator[Remark]:
    """There is no route_localnet in nftables mode, and no rule for node ports at 127.0.0.0/8 (KEP-3866)."""
    if count := len(modes.meant.get("loopback", ())):
        yield remark("mode-node-ports-at-loopback", count=count)


def _health_checks(modes: Modes) -> Iterator[Remark]:
    """An accept in one table keeps no other from dropping: KUBE-NODEPORTS' rules have no counterpart."""
    if count := len(modes.meant.get("health checks", ())):
        yield remark("mode-health-checks", count=count)


def _refused_from_node(modes: Modes) -> Iterator[Remark]:
    """Chain filter-output asks service-endpoints-check; OUTPUT asks no KUBE-EXTERNAL-SERVICES."""
    if count := len({port.new.key for port, *_ in modes.meant.get("refused from node", ())}):
        yield remark("mode-refused-from-node", count=count)


def _affinity(modes: Modes) -> Iterator[Remark]:
    """Which client keeps which endpoint is in sets, or in lists of -m recent: neither is taken over."""
    if modes.sticky:
        yield remark("mode-affinity-state", count=modes.sticky)


# --- rules of kube-proxy that are no service's ------------------------------------------------------------------

_DESTINATIONS = (Payload("ip", "daddr"), Payload("ip6", "daddr"))


def _closed_ports(modes: Modes) -> Iterator[Remark]:
    """Chain cluster-ips-check, since 1.30: ports of cluster IPs that no service has are rejected."""
    if any(_asks_set(rule, CLUSTER_IPS) and _does(rule, Reject) for rule in modes.table.dispatching):
        yield remark("mode-closed-ports")


def _unallocated(modes: Modes) -> Iterator[Remark]:
    """Chain cluster-ips-check, since 1.30: addresses of the service networks that no service has are dropped."""
    for rule in modes.table.dispatching:
        if rule.chain == "cluster-ips-check" and any(map(_drops, rule.statements)):
            networks = tuple(_networks(rule))
            if networks:
                yield remark("mode-unallocated", networks=networks)


def _random_ports(modes: Modes) -> Iterator[Remark]:
    """Nftables mode always masquerades with fully-random; iptables mode where the iptables has --random-fully."""
    nat = modes.dump.tables.get("nat")
    plain = [
        rule
        for rule in _rules(nat, " -j MASQUERADE", "KUBE-POSTROUTING")
        if "--random-fully" not in rule.text
    ]
    if plain and any(_is_fully_random(rule) for rule in modes.table.dispatching):
        yield remark("mode-masquerade-random", at=plain[0].line)


def _invalid(modes: Modes) -> Iterator[Remark]:
    """KUBE-FORWARD drops packets of no valid state; nftables mode does not since 1.30 (pull request 122663)."""
    dropped = list(_rules(modes.dump.tables.get("filter"), "INVALID", "KUBE-FORWARD"))
    if dropped and not any("invalid" in rule.text for rule in modes.table.dispatching):
        yield remark("mode-invalid-packets", at=dropped[0].line)


def _accepted(modes: Modes) -> Iterator[Remark]:
    """KUBE-FORWARD accepts before rules behind it can drop; in nftables no accept does that for other tables."""
    accepting = list(_rules(modes.dump.tables.get("filter"), " -j ACCEPT", "KUBE-FORWARD"))
    if accepting:
        yield remark("mode-forward-accept", at=accepting[0].line)


def _host_ports(modes: Modes) -> Iterator[Remark]:
    """Host ports are the container runtime's or CNI plug-in's: kube-proxy's mode changes nothing of them."""
    nat = modes.dump.tables.get("nat")
    found = [name for name in _HOST_PORTS if nat is not None and nat.has_chain(name)]
    yield from (remark("mode-host-ports", chain=name) for name in found[:1])


_HOST_PORTS = ("CNI-HOSTPORT-DNAT", "KUBE-HOSTPORTS")


def _rules(table: object, text: str, chain: str) -> Iterator[Rule]:
    """Yield the rules of a chain of a dump that have a text; none of a table that is not there."""
    if table is not None:
        yield from table.rules_with(text, chain)  # type: ignore[attr-defined]


def _asks_set(rule: NftRule, name: str) -> bool:
    asked = (one for one in rule.statements if isinstance(one, Match) and one.left in _DESTINATIONS)
    return any(isinstance(one.right, SetReference) and one.right.name == name for one in asked)


def _does(rule: NftRule, what: type) -> bool:
    return any(isinstance(one, what) for one in rule.statements)


def _drops(statement: object) -> bool:
    return isinstance(statement, Verdict) and statement.kind == "drop"


def _is_fully_random(rule: NftRule) -> bool:
    return any(
        isinstance(one, Nat) and one.kind == "masquerade" and "fully-random" in one.flags
        for one in rule.statements
    )


def _networks(rule: NftRule) -> Iterator[str]:
    """Yield the networks that a rule asks of destinations."""
    for one in rule.statements:
        if isinstance(one, Match) and one.left in _DESTINATIONS and one.operator == "==":
            keys = (
                [each.key for each in one.right.elements]
                if isinstance(one.right, AnonymousSet)
                else [one.right]
            )
            yield from map(words_of, keys)


_LOOKING: tuple[Callable[[Modes], Iterator[Remark]], ...] = (
    _node_ports, _at_loopback, _closed_ports, _unallocated, _refused_from_node, _health_checks, _accepted,
    _invalid, _random_ports, _affinity, _host_ports,
)  # fmt: skip
"""What is looked for, in the order in which it is told: what clients notice first."""
