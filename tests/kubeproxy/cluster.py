"""What there is to write: services, and the cluster and node that they are on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from ipaddress import ip_address
from itertools import accumulate
from typing import TYPE_CHECKING

from tests.kubeproxy.eras import NEW, era

if TYPE_CHECKING:
    from fractions import Fraction

Endpoint = tuple[str, int]


@dataclass(frozen=True)
class Service:
    """One service port. `local` counts how many of the first endpoints are on this node."""

    name: str
    cluster_ip: str
    endpoints: tuple[Endpoint, ...]
    port: int = 80
    port_name: str = ""
    namespace: str = "default"
    protocol: str = "tcp"
    node_port: int | None = None
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    affinity: int | None = None
    local_only: bool = False
    internal_local: bool = False
    health_check: int | None = None
    local: int = 0

    @property
    def external(self) -> bool:
        return bool(self.node_port or self.external_ips or self.load_balancer_ips)


@dataclass
class Cluster:
    """What to write: the services, the era, the family, and how this node's kube-proxy is set up.

    `detect` says how a pod of this node is told: by its network (`cidr`), by the interface that it came in
    (`bridge`, `prefix`), or not at all (`none`). `node_port_addresses` have node ports, all addresses if empty.
    """

    services: tuple[Service, ...]
    era: str = NEW
    family: int = 4
    pod_cidr: str = "10.244.0.0/16"
    detect: str = "cidr"
    masquerade_all: bool = False
    node_port_addresses: tuple[str, ...] = ()
    localhost_node_ports: bool = True
    nfacct: bool = False
    node_ip: str = "192.168.1.10"

    @property
    def truth(self) -> dict[tuple[str, str], list[tuple[str, Fraction]]]:
        """The shares that an ordinary outside client's connections come to, by frontend and protocol."""
        from tests.kubeproxy.truth import outside_shares

        return outside_shares(self)

    def usable(self, service: Service) -> tuple[list[Endpoint], list[Endpoint]]:
        """The endpoints of a service and those on this node, in the order in which they are written."""
        release = era(self.era)
        every, local = list(service.endpoints), list(service.endpoints[: service.local])
        picked = release.has("internal policy picks the endpoints")
        if picked and service.internal_local and not service.local_only:
            every = local
        if release.has("endpoints sorted as text"):
            return sorted(every, key=_text), sorted(local, key=_text)
        return every, local

    @property
    def large(self) -> bool:
        """Whether comments of single endpoints are left out."""
        counts = accumulate(len(service.endpoints) for service in self.services)
        return era(self.era).has("large clusters lose comments") and any(count > 1000 for count in counts)


def _text(endpoint: Endpoint) -> str:
    return f"{endpoint[0]}:{endpoint[1]}"


def basics(
    node: str = "192.168.1.10", dns: tuple[str, ...] = ("10.244.0.2", "10.244.0.3")
) -> tuple[Service, ...]:
    """Services that every cluster has."""
    dns_ports = (("dns", "udp", 53, 53), ("dns-tcp", "tcp", 53, 53), ("metrics", "tcp", 9153, 9153))
    return (
        Service("kubernetes", "10.96.0.1", ((node, 6443),), port=443, port_name="https"),
        *(
            Service(
                "kube-dns", "10.96.0.10", tuple((pod, target) for pod in dns), port=port, port_name=name,
                namespace="kube-system", protocol=protocol,
            )
            for name, protocol, port, target in dns_ports
        ),
    )  # fmt: skip


def numbered(
    count: int, endpoints: int, *, era: str = NEW, node_ports: bool = True, **options: object
) -> Cluster:
    """Return a cluster of `count` services with `endpoints` endpoints each, addresses counted up."""

    def service(number: int) -> Service:
        pods = range(number * endpoints, (number + 1) * endpoints)
        made = Service(
            f"service-{number}",
            str(ip_address("10.96.0.0") + 256 + number),
            tuple((str(ip_address("10.128.0.0") + 256 + pod), 8080) for pod in pods),
            port_name="http",
            namespace=f"team-{number % 50}",
            node_port=30000 + number if node_ports and number < 2768 else None,
        )
        return replace(made, **options)  # type: ignore[arg-type]

    return Cluster(tuple(map(service, range(count))), era=era, pod_cidr="10.128.0.0/9")
