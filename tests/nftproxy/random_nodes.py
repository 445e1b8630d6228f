"""Nodes made at random: services of every kind, as kube-proxy of each shape writes them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from tests.kubeproxy.cluster import Cluster, Service
from tests.nftproxy.shapes import SHAPES
from tests.nftproxy.writer import Node

if TYPE_CHECKING:
    from typing import Any

PODS = {4: "10.244.0.0/16", 6: "fd00:10:244::/64"}
NODE = {4: ("192.168.1.10", "172.30.5.5"), 6: ("fd00:192:168:1::10", "fd00:172:30:5::5")}
"""The node's addresses, of which the first is the one that the cluster knows."""
NETWORKS = {4: ("10.96.0.0/12",), 6: ("fd00:10:96::/112",)}
_RANGES = {
    4: ("198.51.100.0/24", "192.168.1.0/24", "10.244.0.0/16", "100.64.9.8/32"),
    6: ("2001:db8:c633::/64", "fd00:192:168:1::/64", "fd00:10:244::/64", "2001:db8:6440::8/128"),
}
_ENDPOINTS = 8


class RandomNode(NamedTuple):
    """A node, the release whose shape its table has, and how many services are asked: the last ones."""

    node: Node
    release: str
    asked: int

    @property
    def services(self) -> tuple[Service, ...]:
        """The service ports that are asked."""
        return self.node.cluster.services[-self.asked :]

    def __str__(self) -> str:
        return f"{self.release} {self.node.cluster.detect} {self.services}"


def pods_of(family: int, *, here: bool) -> tuple[str, ...]:
    """Return pods that may be endpoints: those of this node, or those elsewhere."""
    first = 2 if here else 32
    numbers = range(first, first + 30)
    return tuple(f"10.244.1.{n}" if family == 4 else f"fd00:10:244::1{n:02x}" for n in numbers)


def random_node(seed: int, family: int) -> RandomNode:
    """Return what a seed says; each shape, and each way of telling pods, has its turn."""
    dice = random.Random(f"{seed} {family}")
    release = tuple(SHAPES)[seed % len(SHAPES)]
    asked = dice.randint(1, 2)
    ports = [one for number in range(asked + 1) for one in _service(dice, family, number)]
    some = dice.random()
    cluster = Cluster(
        tuple(ports), family=family, pod_cidr=PODS[family], node_ip=NODE[family][0],
        detect=dice.choice(["cidr", "cidr", "cidr", "bridge", "prefix", "none"]),
        masquerade_all=dice.random() < 0.1, node_port_addresses=NODE[family] if some < 0.15 else (),
    )  # fmt: skip
    return RandomNode(Node(cluster, NETWORKS[family], every_address=some > 0.7), release, asked)


def _service(dice: random.Random, family: int, number: int) -> list[Service]:
    """Return a service's ports: at times it has another of the same number and another protocol."""
    policies: dict[str, Any] = {
        "local_only": dice.random() < 0.35, "internal_local": dice.random() < 0.2,
        "affinity": 600 if dice.random() < 0.15 else None,
    }  # fmt: skip
    count = dice.choice([0, 1, 1, 2, 3, 4, 7])
    local = dice.choice([0, 0, count, dice.randint(0, count)])
    pods = [
        *dice.sample(pods_of(family, here=True), local),
        *dice.sample(pods_of(family, here=False), count - local),
    ]
    if local and dice.random() < 0.15:
        pods[0] = NODE[family][0]  # in the network of the host
    one = Service(
        f"web-{number}", _address(family, "10.96.20.{}", "fd00:10:96::{}", 10 + number),
        tuple((pod, 8080) for pod in pods), port=dice.choice([80, 443]), namespace="shop", local=local,
        port_name=dice.choice(["", "http"]), protocol=dice.choice(["tcp", "tcp", "udp", "udp", "sctp"]),
        **policies, **_external(dice, family, number),
    )  # fmt: skip
    if dice.random() > 0.15:
        return [one]
    other: dict[str, Any] = {"port_name": "other", "protocol": "udp" if one.protocol == "tcp" else "tcp"}
    endpoints = tuple((pod, 8081) for pod, _ in one.endpoints)
    return [
        Service(**{
            **vars(one), **other, "endpoints": endpoints, "node_port": one.node_port and one.node_port + 100
        }),
        one,
    ]  # fmt: skip


def _external(dice: random.Random, family: int, number: int) -> dict[str, Any]:
    """Return what leads to a service from outside."""
    if dice.random() < 0.2:
        return {}
    external = range(dice.choice([0, 1, 1, 2]))
    balancers = range(dice.choice([0, 1, 1, 2]))
    ranges = dice.sample(_RANGES[family], dice.randint(1, 3)) if dice.random() < 0.35 else ()
    return {
        "node_port": 30080 + number if dice.random() < 0.8 else None,
        "external_ips": tuple(
            _address(family, "192.0.2.{}", "2001:db8:2::{}", 80 + 2 * number + n) for n in external
        ),
        "load_balancer_ips": tuple(
            _address(family, "203.0.113.{}", "2001:db8:113::{}", 10 + 2 * number + n) for n in balancers
        ),
        "source_ranges": tuple(ranges),
    }


def _address(family: int, four: str, six: str, number: int) -> str:
    return (four if family == 4 else six).format(number)
