"""What every table has: base chains, checks, sets and maps without elements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.nftproxy.shapes import NAT

if TYPE_CHECKING:
    from tests.nftproxy.shapes import Shape
    from tests.nftproxy.table import Objects
    from tests.nftproxy.writer import Node

MARK = "meta mark set meta mark | 0x00004000"
_NAMES = {"-110": {"prerouting": "dstnat - 10"}, "0": dict.fromkeys(("input", "forward", "output"), "filter")}
_NAT_NAMES = {"prerouting": "dstnat", "postrouting": "srcnat"}


def write_plumbing(table: Objects, node: Node, shape: Shape) -> None:
    """Write the fixed part of a table."""
    _sets(table, node, shape)
    for name, kind, hook, priority in (*shape.bases, *NAT):
        shown = (
            _NAT_NAMES.get(hook, priority) if kind == "nat" else _NAMES.get(priority, {}).get(hook, priority)
        )
        table.chain(name, f"type {kind} hook {hook} priority {shown}; policy accept;")
    _filter(table, shape)
    table.chain("nat-prerouting", "jump services")
    table.chain("nat-output", "jump services")
    table.chain("nat-postrouting", "jump masquerading")
    _masquerading(table, node, shape)
    _checks(table, node, shape)
    _services(table, node, shape)


def _sets(table: Objects, node: Node, shape: Shape) -> None:
    address = node.address_type
    if shape.inline:
        table.add_set(
            "hairpin-connections", f"type {address} . {address} . inet_proto . inet_service",
            comment="service hairpin connections",
        )  # fmt: skip
    if shape.comments:
        table.add_set("cluster-ips", f"type {address}", comment="Active ClusterIPs")
    if not node.every_address:
        table.add_set("nodeport-ips", f"type {address}", comment="IPs that accept NodePort traffic")
        table.add("nodeport-ips", *node.node_port_addresses)
    if not shape.comments:
        table.add_set("firewall", f"type {address} . inet_proto . inet_service")
        table.add_set(
            "firewall-allow", f"type {address} . inet_proto . inet_service . {address}", "flags interval"
        )
    for name, key, comment in _MAPS:
        if name != "firewall-ips" or shape.comments:
            table.add_set(name, f"type {key.format(address)} : verdict", kind="map", comment=comment)


_VIRTUAL, _NODE_PORT = "{} . inet_proto . inet_service", "inet_proto . inet_service"
_MAPS = (
    ("no-endpoint-services", _VIRTUAL, "vmap to drop or reject packets to services with no endpoints"),
    (
        "no-endpoint-nodeports",
        _NODE_PORT,
        "vmap to drop or reject packets to service nodeports with no endpoints",
    ),
    ("firewall-ips", _VIRTUAL, "destinations that are subject to LoadBalancerSourceRanges"),
    ("service-ips", _VIRTUAL, "ClusterIP, ExternalIP and LoadBalancer IP traffic"),
    ("service-nodeports", _NODE_PORT, "NodePort traffic"),
)


def _filter(table: Objects, shape: Shape) -> None:
    for chain, checks in shape.checked.items():
        first, *others = (f"ct state new jump {check}" for check in checks)
        invalid = ["jump forward"] if chain == "filter-forward" and not shape.comments else []
        table.chain(chain, first, *invalid, *others)
    if not shape.comments:
        table.chain("forward", "ct state invalid drop")


def _masquerading(table: Objects, node: Node, shape: Shape) -> None:
    unmark = "meta mark set meta mark ^ 0x00004000"
    if shape.inline:
        table.chain(
            "masquerading",
            f"meta mark & 0x00004000 != 0x00000000 {unmark} masquerade fully-random",
            f"ct status dnat {node.ip} saddr . {node.ip} daddr . meta l4proto . th dport @hairpin-connections "
            "masquerade fully-random",
        )
        return
    table.chain("mark-for-masquerade", MARK)
    returned = "meta mark & 0x00004000 == 0x00000000 return"
    table.chain("masquerading", returned, unmark, "masquerade fully-random")


def _checks(table: Objects, node: Node, shape: Shape) -> None:
    ip = node.ip
    helper = 'comment "helper for @no-endpoint-services / @no-endpoint-nodeports"'
    table.chain("reject-chain", *([helper] if shape.comments else []), "reject")
    virtual = f"{ip} daddr . meta l4proto . th dport"
    of_services = f"{virtual} vmap @no-endpoint-services"
    of_node_ports = f"{node.to_node_ports} meta l4proto . th dport vmap @no-endpoint-nodeports"
    if not shape.comments:
        table.chain("endpoints-check", of_services, of_node_ports)
        table.chain("firewall-check", f"{virtual} @firewall jump firewall-allow-check")
        table.chain("firewall-allow-check", f"{virtual} . {ip} saddr @firewall-allow return", "drop")
        return
    table.chain("service-endpoints-check", of_services)
    table.chain("nodeport-endpoints-check", of_node_ports)
    table.chain("firewall-check", f"{virtual} vmap @firewall-ips")
    networks = node.service_networks
    named = networks[0] if len(networks) == 1 else f"{{ {', '.join(networks)} }}"
    table.chain(
        "cluster-ips-check",
        f'{ip} daddr @cluster-ips reject comment "Reject traffic to invalid ports of ClusterIPs"',
        f'{ip} daddr {named} drop comment "Drop traffic to unallocated ClusterIPs"',
    )


def _services(table: Objects, node: Node, shape: Shape) -> None:
    ip, everyone = node.ip, node.cluster.masquerade_all
    elsewhere = "" if everyone else node.from_elsewhere()
    if shape.inline and (everyone or elsewhere):
        note = ' comment "masquerade clusterIP traffic from outside cluster"' if elsewhere else ""
        table.chain("services", f"{ip} daddr @cluster-ips {elsewhere}{MARK}{note}")
    table.chain(
        "services",
        f"{ip} daddr . meta l4proto . th dport vmap @service-ips",
        f"{node.to_node_ports} meta l4proto . th dport vmap @service-nodeports",
    )
