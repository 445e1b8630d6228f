"""What kube-proxy can be asked to write, one feature at a time: since which release, and a cluster that has it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from tests.kubeproxy.cluster import Cluster, Service, basics, numbered
from tests.kubeproxy.eras import ERAS, era

_EXTERNAL: dict[str, Any] = {
    "node_port": 30080,
    "external_ips": ("192.0.2.80",),
    "load_balancer_ips": ("203.0.113.10",),
}
_LOCAL = {**_EXTERNAL, "local_only": True}


@dataclass(frozen=True)
class Feature:
    """A feature: the first release that has it, the service's options, the cluster's.

    `endpoints` counts those of the service; `crowd` is how many other services there are beside it.
    """

    since: int = 1
    service: dict[str, Any] = field(default_factory=dict)
    cluster: dict[str, Any] = field(default_factory=dict)
    endpoints: int = 3
    crowd: int = 0
    loads: bool = True


FEATURES: dict[str, Feature] = {
    "cluster IP": Feature(),
    "one endpoint": Feature(endpoints=1),
    "seven endpoints": Feature(endpoints=7),
    "twelve endpoints, sorted as text or not": Feature(endpoints=12),
    "unnamed port": Feature(service={"port_name": ""}),
    "external IP": Feature(service={"external_ips": ("192.0.2.80", "192.0.2.81")}),
    "load balancer": Feature(service={"load_balancer_ips": ("203.0.113.10",)}),
    "two load balancers": Feature(service={"load_balancer_ips": ("203.0.113.10", "203.0.113.11")}),
    "node port": Feature(service={"node_port": 30080}),
    "all frontends": Feature(service=_EXTERNAL),
    "source ranges": Feature(4, {**_EXTERNAL, "source_ranges": ("198.51.100.0/24", "10.0.0.0/8")}),
    "source ranges that admit the node": Feature(
        4, {**_EXTERNAL, "source_ranges": ("192.168.0.0/16", "198.51.100.0/24")}
    ),
    "source ranges, policy Local": Feature(4, {**_LOCAL, "local": 1, "source_ranges": ("198.51.100.0/24",)}),
    "affinity": Feature(service={**_EXTERNAL, "affinity": 600}),
    "affinity, policy Local": Feature(4, {**_LOCAL, "local": 2, "affinity": 600}),
    "policy Local": Feature(4, {**_LOCAL, "local": 2}),
    "policy Local, all local": Feature(4, {**_LOCAL, "local": 3}),
    "policy Local, none local": Feature(4, {**_LOCAL}),
    "internal policy Local": Feature(22, {"internal_local": True, "local": 2}),
    "internal policy Local, none local": Feature(22, {"internal_local": True}),
    "internal policy Local, external Cluster": Feature(22, {**_EXTERNAL, "internal_local": True, "local": 2}),
    "both policies Local": Feature(22, {**_LOCAL, "internal_local": True, "local": 2}),
    "both policies Local, none local": Feature(22, {**_LOCAL, "internal_local": True}),
    "no endpoints": Feature(endpoints=0),
    "no endpoints, all frontends": Feature(service=_EXTERNAL, endpoints=0),
    "no endpoints, policy Local": Feature(4, _LOCAL, endpoints=0),
    "health check": Feature(21, {**_LOCAL, "local": 1, "health_check": 32000}),
    "pods told by a bridge": Feature(24, {**_LOCAL, "local": 1}, {"detect": "bridge"}),
    "pods told by a prefix of interfaces": Feature(24, {**_LOCAL, "local": 1}, {"detect": "prefix"}),
    "pods not told": Feature(4, {**_LOCAL, "local": 1}, {"detect": "none"}),
    "pods not told, policy Cluster": Feature(1, _EXTERNAL, {"detect": "none"}),
    "masquerade-all": Feature(2, _EXTERNAL, {"masquerade_all": True}),
    "masquerade-all, pods not told": Feature(2, _EXTERNAL, {"masquerade_all": True, "detect": "none"}),
    "large cluster": Feature(service=_EXTERNAL, crowd=101),
    "node ports at some addresses": Feature(
        10, {"node_port": 30080}, {"node_port_addresses": ("192.168.1.10", "10.9.0.1")}
    ),
    "no node ports on localhost": Feature(26, {"node_port": 30080}, {"localhost_node_ports": False}),
    "counted by nfacct": Feature(31, _EXTERNAL, {"nfacct": True}, loads=False),
    "udp": Feature(service={**_EXTERNAL, "protocol": "udp"}),
    "sctp": Feature(12, {**_EXTERNAL, "protocol": "sctp"}),
    "IPv6": Feature(9, {"node_port": 30080, "affinity": 600}, {"family": 6}),
    "IPv6, policy Local": Feature(9, {"node_port": 30080, "local_only": True, "local": 1}, {"family": 6}),
    "IPv6, no endpoints": Feature(9, {"node_port": 30080}, {"family": 6}, endpoints=0),
}

POSSIBLE = [
    (name, release) for name in FEATURES for release in ERAS if FEATURES[name].since <= era(release).minor
]


def cluster_with(name: str, release: str) -> tuple[Cluster, Service]:
    """Return a cluster that has a feature, and the service that shows it.

    Raises:
        LookupError: that release did not have the feature.
    """
    feature = FEATURES[name]
    if era(release).minor < feature.since:
        raise LookupError(f"{name} came with 1.{feature.since}")
    six = feature.cluster.get("family") == 6
    network = {"pod_cidr": "fd00:10:244::/48", "node_ip": "fd00:192:168:1::10"} if six else {}
    one = _service(feature, six=six)
    neighbours = (
        () if six else (*basics(), *_twin(one), *numbered(feature.crowd, 10, node_ports=False).services)
    )
    cluster = Cluster((*neighbours, one), release, **{**network, **feature.cluster})
    return cluster, one


def everything(release: str) -> list[Cluster]:
    """Return clusters that together have every feature that a kernel can load, in as few dumps as that takes."""
    names = [name for name, era_name in POSSIBLE if era_name == release and FEATURES[name].loads]
    shared = [name for name in names if not FEATURES[name].cluster and not FEATURES[name].crowd]
    together = Cluster((*basics(), *map(_apart, range(len(shared)), shared)), release)
    return [together, *(cluster_with(name, release)[0] for name in names if name not in shared)]


def _apart(number: int, name: str) -> Service:
    """Return the service that shows a feature, with addresses and a node port of its own."""
    one = _service(FEATURES[name], six=False)
    return replace(
        one,
        name=f"web-{number}",
        cluster_ip=f"10.97.30.{number}",
        node_port=one.node_port and 30100 + number,
        external_ips=tuple(f"192.0.{count}.{number}" for count, _ in enumerate(one.external_ips)),
        load_balancer_ips=tuple(f"203.0.{count}.{number}" for count, _ in enumerate(one.load_balancer_ips)),
        health_check=one.health_check and 32000 + number,
    )


def _service(feature: Feature, *, six: bool) -> Service:
    pods = "fd00:10:244:1::{}" if six else "10.244.1.{}"
    return Service(
        "web",
        "fd00:10:96::77" if six else "10.97.20.77",
        tuple((pods.format(number), 8080) for number in range(5, 5 + feature.endpoints)),
        **{"port_name": "http", "namespace": "shop", **feature.service},
    )


def _twin(one: Service) -> tuple[Service, ...]:
    """Return a port of the same numbers and another protocol: its rules must not be mixed up."""
    if one.protocol != "tcp":
        return ()
    pods = tuple((address, 9999) for address, _ in one.endpoints)
    return (replace(one, protocol="udp", port_name="other", endpoints=pods),)
