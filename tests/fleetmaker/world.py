"""What there is in a cluster: machines in zones, pods on machines, service ports in front of pods."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from tests.kubeproxy.cluster import Service, basics

if TYPE_CHECKING:
    from typing import Any

    from tests.kubeproxy.cluster import Endpoint

ZONES = "abc"


class Machine(NamedTuple):
    """A node: its number, counted from 1, and its zone."""

    number: int
    zone: str

    @property
    def name(self) -> str:
        return f"node-{self.number:03}"

    def network(self, family: int) -> str:
        """The network of its pods."""
        return f"10.244.{self.number}.0/24" if family == 4 else f"fd00:10:244:{self.number:x}::/64"

    def address(self, family: int) -> str:
        return f"192.168.1.{self.number}" if family == 4 else f"fd00:192:168:1::{self.number:x}"


class Pod(NamedTuple):
    """A pod: the number of its machine, and its own there."""

    machine: int
    number: int

    def address(self, family: int) -> str:
        if family == 4:
            return f"10.244.{self.machine}.{self.number}"
        return f"fd00:10:244:{self.machine:x}::{self.number:x}"


@dataclass(frozen=True)
class Spec:
    """A port of a service, for every family. Two ports of one service share name, number and pods.

    `balancer`, `node_port` and `external` say whether it has such frontends; `near`: clients get endpoints of their
    zone, if there are any (topology hints by the zone of the endpoint, trafficDistribution PreferClose).
    """

    name: str
    number: int
    pods: tuple[Pod, ...]
    port: int = 80
    port_name: str = "http"
    protocol: str = "tcp"
    target: int = 8080
    node_port: bool = False
    balancer: bool = False
    external: bool = False
    ranges: tuple[str, ...] = ()
    affinity: int | None = None
    local_only: bool = False
    internal_local: bool = False
    near: bool = False

    @property
    def text(self) -> str:
        """The name as answers have it."""
        return f"shop/{self.name}:{self.port_name}" if self.port_name else f"shop/{self.name}"

    @property
    def hides_endpoints(self) -> bool:
        """Whether no frontend has the same endpoints on all healthy nodes."""
        return self.near or self.internal_local

    def endpoints(self, family: int) -> list[str]:
        """Return the endpoints as answers have them."""
        form = "{}:{}" if family == 4 else "[{}]:{}"
        return [form.format(pod.address(family), self.target) for pod in self.pods]

    def usable(self, machine: Machine, zones: dict[int, str]) -> tuple[list[Pod], list[Pod]]:
        """Return the pods that clients on a machine get, first those on it, and these alone."""
        near = [pod for pod in self.pods if zones[pod.machine] == machine.zone] if self.near else []
        pods = sorted(near or self.pods, key=lambda pod: pod.machine != machine.number)
        return pods, [pod for pod in pods if pod.machine == machine.number]

    def service(self, machine: Machine, zones: dict[int, str], family: int) -> Service:
        """Return the service port as kube-proxy of a machine sees it."""
        pods, local = self.usable(machine, zones)
        ends: tuple[Endpoint, ...] = tuple((pod.address(family), self.target) for pod in pods)
        ip, public, bought = (
            ("10.96.20.{}", "203.0.113.{}", "198.51.100.{}")
            if family == 4
            else ("fd00:10:96::{:x}", "2001:db8:113::{:x}", "2001:db8:51::{:x}")
        )
        is_open = self.node_port or self.balancer
        return Service(
            self.name, ip.format(self.number), ends, self.port, self.port_name, "shop", self.protocol,
            node_port=30000 + 10 * self.number + self.port % 10 if is_open else None,
            external_ips=(bought.format(self.number),) if self.external else (),
            load_balancer_ips=(public.format(self.number),) if self.balancer else (),
            source_ranges=tuple(source for source in self.ranges if (":" in source) == (family == 6)),
            affinity=self.affinity, local_only=self.local_only, internal_local=self.internal_local,
            health_check=32000 + self.number if self.local_only and self.balancer else None, local=len(local),
        )  # fmt: skip


@dataclass(frozen=True)
class World:
    """A cluster at one moment."""

    machines: tuple[Machine, ...]
    specs: tuple[Spec, ...]

    def seen(self, machine: Machine, family: int) -> tuple[Service, ...]:
        """Return all service ports as kube-proxy of a machine sees them."""
        zones = _zones(self.machines)
        own = (spec.service(machine, zones, family) for spec in self.specs)
        return (*(basics("192.168.1.250") if family == 4 else ()), *own)

    def named(self, name: str) -> list[Spec]:
        """Return the ports of a service."""
        return [spec for spec in self.specs if spec.name == name]

    def with_ports(self, name: str, ports: list[Spec]) -> World:
        """Return the same with other ports of one service: without any, where the list is empty."""
        kept = [spec for spec in self.specs if spec.name != name]
        return replace(self, specs=(*kept, *ports))


@cache
def _zones(machines: tuple[Machine, ...]) -> dict[int, str]:
    return {machine.number: machine.zone for machine in machines}


ADMITTED = ("198.18.0.0/15", "203.0.112.0/24", "2001:db8:c633::/64", "2001:db8:c634::/64")
"""Networks that may come to load balancers: none has an address of a machine, whose rules would be others."""

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "wide": {},
    "open": {"node_port": True},
    "bought": {"external": True, "node_port": True},
    "balanced": {"balancer": True},
    "admitting": {"balancer": True, "ranges": ADMITTED},
    "sticky": {"affinity": 10800},
    "local": {"node_port": True, "local_only": True},
    "local-balanced": {"balancer": True, "local_only": True},
    "inside": {"internal_local": True},
    "inside-open": {"internal_local": True, "node_port": True},
    "near": {"near": True},
    "near-spread": {"near": True},
    "near-spread-too": {"near": True, "port": 8443, "port_name": ""},
    "near-open": {"near": True, "node_port": True},
    "empty": {"node_port": True},
    "double": {},
    "datagrams": {"protocol": "udp", "port": 53, "port_name": "dns", "target": 5353},
    "unnamed": {"port_name": ""},
}
"""What services there are, by the first word of their names."""


def world(seed: int, machines: int, services: int = len(KINDS)) -> World:
    """Return a cluster: each kind of service has its turn, pods stand where the seed says."""
    dice = random.Random(f"world {seed}")
    nodes = tuple(Machine(number + 1, ZONES[number % len(ZONES)]) for number in range(machines))
    free = pods_of(machines)
    dice.shuffle(free)
    kinds = list(KINDS)
    specs = [
        spec for number in range(services) for spec in _specs(dice, kinds[number % len(kinds)], number, free)
    ]
    return World(nodes, tuple(specs))


def pods_of(machines: int) -> list[Pod]:
    """Return all pods that may be there; those from 200 on are free for what comes later."""
    return [Pod(machine, number) for machine in range(1, machines + 1) for number in range(2, 60)]


SPREAD = "near-spread"
"""Kinds of this name have a pod in each zone, and another one: some services must tell zones, or nobody can."""


def _specs(dice: random.Random, kind: str, number: int, free: list[Pod]) -> list[Spec]:
    counts = {"empty": 0, "wide": dice.randint(5, 9)}
    pods = tuple(free.pop() for _ in range(counts.get(kind, dice.randint(2, 5))))
    if kind.startswith(SPREAD):
        pods = tuple(_taken_in(place, free) for place in (0, 1, 2, dice.randrange(len(ZONES))))
    first = Spec(f"{kind}-{number}", number + 1, pods, **KINDS[kind])
    return [first, replace(first, port=81, port_name="admin", target=9090)] if kind == "double" else [first]


def _taken_in(zone: int, free: list[Pod]) -> Pod:
    """Take a free pod of a zone."""
    found = next(pod for pod in free if (pod.machine - 1) % len(ZONES) == zone)
    free.remove(found)
    return found
