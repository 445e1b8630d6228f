"""Random tables of kube-proxy in nftables mode, where services are alike but for little, and rules beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubeproxy.cluster import Cluster, Service
from tests.nftproxy import SHAPES, Node, listed

if TYPE_CHECKING:
    from random import Random

NODE = "192.168.1.10"
POD_CIDR = "10.244.0.0/16"
ALIKE = 3
"""So many services are made with each set of features."""


def listing(random: Random) -> str:
    """Return a listing of a node with rules that tell some of its services apart, and some that tell none."""
    cluster = _cluster(random)
    text = listed(Node(cluster), random.choice([*SHAPES]))
    for plant in random.sample(PLANTS, random.randrange(3)):
        text = plant(random, cluster, text)
    return text


def _cluster(random: Random) -> Cluster:
    services: list[Service] = []
    for kind in range(random.randint(1, 3)):
        made = _features(random)
        services += [_service(random, made, kind, kind * ALIKE + twin) for twin in range(ALIKE)]
    return Cluster(
        tuple(services), pod_cidr=POD_CIDR, detect=random.choice(["cidr", "cidr", "prefix", "none"]),
        masquerade_all=random.random() < 0.1,
        node_port_addresses=random.choice([(), (), (NODE,), (NODE, "10.0.0.5")]),
    )  # fmt: skip


def _features(random: Random) -> dict[str, object]:
    exposed = random.random() < 0.6
    return {
        "count": random.choice([0, 1, 2, 2, 3]),
        "local": random.choice([0, 0, 1, 2]),
        "node_port": exposed and random.random() < 0.7,
        "load_balancer": exposed and random.random() < 0.5,
        "ranges": random.random() < 0.4,
        "external": exposed and random.random() < 0.3,
        "local_only": exposed and random.random() < 0.4,
        "internal_local": random.random() < 0.2,
        "affinity": 10800 if random.random() < 0.25 else None,
        "protocol": random.choice(["tcp", "tcp", "udp"]),
        "odd": random.random() < 0.15,
    }


def _service(random: Random, made: dict[str, object], kind: int, number: int) -> Service:
    endpoints = [
        (f"10.244.{random.randrange(3)}.{number * 4 + place + 5}", 8080)
        for place in range(int(str(made["count"])))
    ]
    if made["odd"] and endpoints:
        odd = random.choice(
            [(NODE, 8080), (f"10.96.1.{number}", 80), (endpoints[0][0], 9090), ("10.244.9.9", 8080)]
        )
        endpoints[random.randrange(len(endpoints))] = odd
    local = min(int(str(made["local"])), len(endpoints))
    node_port = 30000 + number if made["node_port"] else None
    return Service(
        f"s{number}", f"10.96.{kind}.{number}", tuple(dict.fromkeys(endpoints)),
        port=random.choice([80, 80, 80, 443]), port_name="http", namespace="shop", protocol=str(made["protocol"]),
        node_port=node_port,
        external_ips=(f"198.51.100.{number}",) if made["external"] else (),
        load_balancer_ips=(f"203.0.113.{number}",) if made["load_balancer"] else (),
        source_ranges=("192.0.2.0/24", "10.244.1.0/24")[: random.randint(1, 2)]
        if made["ranges"] and made["load_balancer"] else (),
        affinity=made["affinity"],  # type: ignore[arg-type]
        local_only=bool(made["local_only"]), internal_local=bool(made["internal_local"]), local=local,
    )  # fmt: skip


# --- what others plant ---------------------------------------------------------------------------------------


def _address(random: Random, cluster: Cluster) -> str:
    one = random.choice(cluster.services)
    return random.choice([
        one.cluster_ip, *one.external_ips, *one.load_balancer_ips, *(address for address, _ in one.endpoints),
        "10.244.1.0/25", "10.244.0.0/24", NODE, "203.0.113.0/30",
    ])  # fmt: skip


def _other_table(random: Random, cluster: Cluster, text: str) -> str:
    """Add a table of somebody else's."""
    port = random.choice([80, 443, 8080, 30001, "30000-30002", "{ 80, 9090 }"])
    side, verdict = random.choice(["daddr", "saddr"]), random.choice(["drop", "reject", "accept"])
    address = _address(random, cluster)
    several = f"@some {verdict}" if random.random() < 0.3 else f"{address} {verdict}"
    rule = random.choice([
        f"ip {side} {several}", f"tcp dport {port} {verdict}", f"ip {side} {address} tcp dport {port} {verdict}",
        f"ip {side} != {address} {verdict}", f"ct state new ip {side} {address} counter {verdict}",
    ])  # fmt: skip
    hook = random.choice(["prerouting", "forward", "postrouting", "input"])
    named = "\tset some {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 10.244.0.7-10.244.2.9, 10.96.0.1 }\n\t}\n"
    return (
        f"{text}table inet other {{\n{named}\tchain all {{\n\t\ttype filter hook {hook} priority 5; policy accept;\n"
        f"\t\t{rule}\n\t}}\n}}\n"
    )


def _in_chain(random: Random, text: str, begins: str, rule: str, *, last: bool = False) -> str:
    """Add a rule to a chain whose name begins so, if there is one."""
    chains = [part for part in text.split("\n\n") if part.lstrip("\t").startswith(f"chain {begins}")]
    if not chains:
        return text
    chain = random.choice(chains)
    head, _, body = chain.partition("\n")
    if "\t\ttype " in body:
        first, _, body = body.partition("\n")
        head = f"{head}\n{first}"
    made = chain.replace("\t}", f"\t\t{rule}\n\t}}") if last else f"{head}\n\t\t{rule}\n{body}"
    return text.replace(chain, made, 1)


def _in_table(random: Random, cluster: Cluster, text: str) -> str:
    """Add a rule to a chain of kube-proxy's that belongs to no service."""
    address = _address(random, cluster)
    name, rule = random.choice([
        ("services", f"ip daddr {address} accept"), ("services", f"ip saddr {address} return"),
        ("filter-forward", f"ip daddr {address} drop"), ("filter-input", f"ip saddr {address} drop"),
        ("nat-postrouting", f"ip daddr {address} masquerade"), ("services", "tcp dport 443 return"),
        ("filter-forward", "jump services"), ("nat-postrouting", "jump services"),
    ])  # fmt: skip
    return _in_chain(random, text, name, rule)


def _in_service(random: Random, cluster: Cluster, text: str) -> str:
    """Add a rule to a chain of one service."""
    address = _address(random, cluster)
    rule = random.choice([
        f"ip saddr {address} drop", f"ip daddr {address} drop", "drop", "return", "counter",
        f"meta l4proto tcp dnat to {address.partition('/')[0]}:8080", 'ip saddr 10.244.0.0/24 reject comment "no"',
        f"meta l4proto tcp dnat to {address.partition('/')[0]}", "tcp dport 80 drop", "tcp dport { 443, 8080 } return",
        "ip daddr 203.0.113.0/30 drop", "ip saddr 10.244.1.0-10.244.1.12 drop",
    ])  # fmt: skip
    begins = random.choice(["service-", "external-", "local-", "endpoint-", "firewall-"])
    return _in_chain(random, text, begins, rule, last=random.random() < 0.3)


def _led_astray(random: Random, _cluster: Cluster, text: str) -> str:
    """Lead some to a chain of a service that is another's."""
    names = [part.split(" ")[1] for part in text.split("\n\n") if part.startswith("\tchain service-")]
    if not names:
        return text
    begins = random.choice(["services", "service-", "external-", "nat-prerouting"])
    asked = random.choice(["tcp dport 80 ", "", "ip daddr 10.96.0.0/24 "])
    return _in_chain(random, text, begins, f"{asked}goto {random.choice(names)}")


def _without_line(random: Random, _cluster: Cluster, text: str) -> str:
    """Take away an element or a rule of a service."""
    lines = text.split("\n")
    own = [place for place, line in enumerate(lines) if line.startswith("\t\t\t     ") and line.endswith(",")]
    own += [place for place, line in enumerate(lines) if line.startswith(("\t\tnumgen", "\t\tmeta l4proto"))]
    if own:
        del lines[random.choice(own)]
    return "\n".join(lines)


PLANTS = [_other_table, _other_table, _in_table, _in_service, _led_astray, _without_line]
