"""A cluster as of 1.37: what its API has, and beside it, by hand, what kube-proxy on node-1 (zone a) has written."""

from __future__ import annotations

from typing import NamedTuple

from tests.cluster.objects import (
    Json,
    endpoint,
    endpoints_of,
    namespaces_of,
    nodes,
    pods_of,
    service,
    slice_of,
)
from tests.kubeproxy import Cluster, Service, saved

NODE = "node-1"
_A, _B, _C = (f"10.244.1.{number}" for number in (11, 12, 13))  # wherever the objects put them
_SIX = tuple(f"fd00:10:244::{number}" for number in (11, 12, 13))
_DNS = (("dns", "UDP", 53), ("dns-tcp", "TCP", 53), ("metrics", "TCP", 9153))
_MIRRORING = "endpointslicemirroring-controller.k8s.io"


class Part(NamedTuple):
    """A service's objects without Endpoints and pods, and what it makes kube-proxy write, IPv4 and IPv6."""

    items: tuple[Json, ...]
    written: tuple[Service, ...] = ()
    written6: tuple[Service, ...] = ()


def shop(name: str, address: str, *pods: str, **options: object) -> Service:
    """A service port that was written: in the namespace shop, port 80 named http, as most are here."""
    usual = {"port_name": "http", "namespace": "shop"}
    return Service(name, address, tuple((pod, 8080) for pod in pods), **{**usual, **options})  # type: ignore[arg-type]


def _dns() -> Part:
    ends = [endpoint("10.244.0.2"), endpoint("10.244.0.3", "node-2")]
    written = [
        Service("kube-dns", "10.96.0.10", (("10.244.0.2", port), ("10.244.0.3", port)), port=port, port_name=name,
                namespace="kube-system", protocol=protocol.lower())
        for name, protocol, port in _DNS
    ]  # fmt: skip
    return Part(
        (
            service("kube-dns", "10.96.0.10", ports=_DNS, namespace="kube-system"),
            slice_of("kube-dns", *ends, ports=_DNS, namespace="kube-system"),
        ),
        tuple(written),
    )


def _api() -> Part:
    name = ("https", "TCP", 443)
    return Part(
        (service("kubernetes", "10.96.0.1", ports=(name,), namespace="default"),
         slice_of("kubernetes", endpoint("192.168.1.10"), ports=(("https", "TCP", 6443),), namespace="default")),
        (Service("kubernetes", "10.96.0.1", (("192.168.1.10", 6443),), port=443, port_name="https"),),
    )  # fmt: skip


def dual() -> Part:
    places = ("node-1", "node-2", "node-3")
    return Part(
        (service("web", "10.97.0.1", "fd00:10:97::1", node_ports=(30080,)),
         slice_of("web", *map(endpoint, (_A, _B, _C), places)),
         slice_of("web", *map(endpoint, _SIX, places), family="IPv6")),
        (shop("web", "10.97.0.1", _A, _B, _C, node_port=30080),),
        (shop("web", "fd00:10:97::1", *_SIX, node_port=30080),),
    )  # fmt: skip


def _other_ports() -> Part:
    """Pods of two releases call different numbers by the name of the port: a slice for each number."""
    return Part(
        (service("named", "10.97.0.2"),
         slice_of("named", endpoint(_A), ports=(("http", "TCP", 8080),)),
         slice_of("named", endpoint(_B), ports=(("http", "TCP", 9090),), number=2)),
        (Service("named", "10.97.0.2", ((_A, 8080), (_B, 9090)), port_name="http", namespace="shop"),),
    )  # fmt: skip


def _states() -> Part:
    """What terminates serves only where nothing is ready, what has ended or is not ready never."""
    return Part(
        (service("rolling", "10.97.0.3"),
         slice_of("rolling", endpoint(_A), endpoint(_B, state="draining"), endpoint(_C, state="unready")),
         service("draining", "10.97.0.4"),
         slice_of("draining", endpoint(_A, state="draining"), endpoint(_B, state="ended"),
                  endpoint(_C, state="unready")),
         service("ended", "10.97.0.5"),
         slice_of("ended", endpoint(_A, state="ended"))),
        (shop("rolling", "10.97.0.3", _A), shop("draining", "10.97.0.4", _A), shop("ended", "10.97.0.5")),
    )  # fmt: skip


def _ignored() -> Part:
    return Part((
        service("headless", "None"), slice_of("headless", endpoint(_A)),
        service("elsewhere", type="ExternalName", externalName="db.example.com"),
        service("mine", "10.97.0.6", labels={"service.kubernetes.io/service-proxy-name": "cilium"}),
        slice_of("mine", endpoint(_A)),
        service("unserved", "10.97.0.7", labels={"service.kubernetes.io/headless": ""}),
        slice_of("unserved", endpoint(_A)),
    ))  # fmt: skip


def _near() -> Part:
    """Hints: some are for zone a; some for node-1; none for zone a; one endpoint lacks them."""

    def hinted(zones: str, node: str = "", state: str = "ready") -> list[Json]:
        return [
            endpoint(address, place, zones=zone, nodes=(place,) if node else (), state=state)
            for address, place, zone in zip((_A, _B, _C), ("node-1", "node-2", "node-3"), zones, strict=True)
        ]  # fmt: skip

    partly = [*hinted("aba")[:2], endpoint(_C, "node-3")]
    return Part(
        (service("zone", "10.97.1.1", trafficDistribution="PreferSameZone"), slice_of("zone", *hinted("aba")),
         service("close", "10.97.1.2", trafficDistribution="PreferClose"), slice_of("close", *hinted("aba")),
         service("node", "10.97.1.3", trafficDistribution="PreferSameNode"), slice_of("node", *hinted("aba", "yes")),
         service("far", "10.97.1.4", trafficDistribution="PreferSameZone"), slice_of("far", *hinted("bbb")),
         service("partly", "10.97.1.5", annotations={"service.kubernetes.io/topology-mode": "Auto"}),
         slice_of("partly", *partly)),
        (shop("zone", "10.97.1.1", _A, _C), shop("close", "10.97.1.2", _A, _C), shop("node", "10.97.1.3", _A),
         shop("far", "10.97.1.4", _A, _B, _C), shop("partly", "10.97.1.5", _A, _B, _C)),
    )  # fmt: skip


def _without_selector() -> Part:
    """Endpoints by hand and their mirror, without conditions but readiness; and a name, which kube-proxy does not use."""
    by_hand = endpoint("203.0.113.7")
    mirrored = {**by_hand, "conditions": {"ready": True}, "hints": None}
    named = {**by_hand, "addresses": ["db.example.com"], "hints": None}
    return Part(
        (service("manual", "10.97.2.1"), slice_of("manual", mirrored, controller=_MIRRORING),
         service("by-name", "10.97.2.2"), slice_of("by-name", named, family="FQDN", controller="ours"),
         service("empty", "10.97.2.3"), slice_of("empty")),
        (shop("manual", "10.97.2.1", "203.0.113.7"), shop("by-name", "10.97.2.2"), shop("empty", "10.97.2.3")),
    )  # fmt: skip


def _front() -> Part:
    vip, other = {"ip": "203.0.113.10", "ipMode": "VIP"}, {"ip": "203.0.113.11", "ipMode": "Proxy"}
    ranges = ["198.51.100.0/24", "fd00:5::/32"]
    return Part(
        (service("front", "10.97.3.1", node_ports=(30443,), ingress=(vip, other, {"hostname": "lb.example.com"}),
                 type="LoadBalancer", externalTrafficPolicy="Local", healthCheckNodePort=32000,
                 loadBalancerSourceRanges=ranges, externalIPs=["192.0.2.10"], sessionAffinity="ClientIP",
                 sessionAffinityConfig={"clientIP": {"timeoutSeconds": 600}}),
         slice_of("front", endpoint(_A), endpoint(_B, "node-2")),
         service("portless", "10.97.3.2", ingress=({"ip": "203.0.113.12"},), type="LoadBalancer",
                 allocateLoadBalancerNodePorts=False),
         slice_of("portless", endpoint(_A))),
        (shop("front", "10.97.3.1", _A, _B, node_port=30443, external_ips=("192.0.2.10",), local_only=True, local=1,
              load_balancer_ips=("203.0.113.10",), source_ranges=("198.51.100.0/24",), affinity=600, health_check=32000),
         shop("portless", "10.97.3.2", _A, load_balancer_ips=("203.0.113.12",))),
    )  # fmt: skip


def _policies() -> Part:
    away = [endpoint(_B, "node-2"), endpoint(_C, "node-3")]
    return Part(
        (service("inner", "10.97.4.1", internalTrafficPolicy="Local"), slice_of("inner", endpoint(_A), *away),
         service("inner-away", "10.97.4.2", internalTrafficPolicy="Local"), slice_of("inner-away", *away),
         service("outer-away", "10.97.4.3", node_ports=(30303,), externalTrafficPolicy="Local"), slice_of("outer-away", *away)),
        (shop("inner", "10.97.4.1", _A, _B, _C, internal_local=True, local=1),
         shop("inner-away", "10.97.4.2", _B, _C, internal_local=True),
         shop("outer-away", "10.97.4.3", _B, _C, node_port=30303, local_only=True)),
    )  # fmt: skip


def _odd_names() -> Part:
    """Names that YAML would take for something else; an address of which it would make a number."""
    found = Part(())
    for place, namespace in enumerate(("1e3", "0755", "null", "2001-01-01", "0x1f", "true")):
        port, address, six = "on", f"10.97.5.{place}", f"2001:10:20:30:40:50:1:{place + 1}"
        pod6 = "2001:10:20:30:40:50:2:1"
        found = Part(
            (*found.items,
             service("y", address, six, ports=((port, "TCP", 80),), namespace=namespace),
             slice_of("y", endpoint(_A), ports=((port, "TCP", 8080),), namespace=namespace),
             slice_of("y", endpoint(pod6), ports=((port, "TCP", 8080),), namespace=namespace, family="IPv6")),
            (*found.written, shop("y", address, _A, namespace=namespace, port_name=port)),
            (*found.written6, shop("y", six, pod6, namespace=namespace, port_name=port)),
        )  # fmt: skip
    return found


def _unnamed() -> Part:
    port = ("", "TCP", 80)
    return Part(
        (service("unnamed", "10.97.6.1", ports=(port,)), slice_of("unnamed", endpoint(_A), ports=(("", "TCP", 8080),)),
         service("six", "fd00:10:97::6"), slice_of("six", endpoint(_SIX[0]), family="IPv6")),
        (shop("unnamed", "10.97.6.1", _A, port_name=""),),
        (shop("six", "fd00:10:97::6", _SIX[0]),),
    )  # fmt: skip


def crowd(count: int = 1050) -> Part:
    """More endpoints than one Endpoints object holds, in slices of 100."""
    addresses = [f"10.244.{2 + number // 200}.{1 + number % 200}" for number in range(count)]
    slices = [
        slice_of("crowd", *(endpoint(address, "node-2") for address in addresses[begin : begin + 100]), number=begin)
        for begin in range(0, count, 100)
    ]  # fmt: skip
    return Part((service("crowd", "10.97.7.1"), *slices), (shop("crowd", "10.97.7.1", *addresses),))


class World(NamedTuple):
    """All objects of a cluster, and what is on node-1."""

    items: list[Json]
    written: tuple[Service, ...]
    written6: tuple[Service, ...]

    @property
    def dump(self) -> str:
        """What iptables-save and ip6tables-save say there, one after the other."""
        return self.dump_of(37)

    def dump_of(self, minor: int) -> str:
        """The same with the kube-proxy of another minor release: since 1.31 they write the same."""
        era = f"1.{min(minor, _NEWEST)}"
        written = tuple(_OLDER.get(one.name, {}).get(minor, one) for one in self.written)
        six = Cluster(self.written6, era, 6, "fd00:10:244::/48", node_ip="fd00:192:168:1::10")
        return saved(Cluster(written, era)) + saved(six)


_NEWEST = 31
_OLDER = {
    "draining": {24: shop("draining", "10.97.0.4")},  # what terminates serves since 1.26 (KEP-1669)
    # no hints of nodes before 1.34, and before 1.31 none at all without an annotation
    **{name: {minor: shop(name, f"10.97.1.{place}", _A, _B, _C) for minor in (24, 30)}
       for place, name in enumerate(("zone", "close", "node"), 1)},
}  # fmt: skip
"""What older releases made of services here."""


def world(*parts: Part) -> World:
    """Return the cluster of some parts; of all but the crowd where none is given."""
    chosen = parts or (
        _api(), _dns(), dual(), _other_ports(), _states(), _ignored(), _near(), _without_selector(), _front(),
        _policies(), _odd_names(), _unnamed(),
    )  # fmt: skip
    items = [item for part in chosen for item in part.items]
    slices = [item for item in items if item["kind"] == "EndpointSlice"]
    return World(
        [*items, *endpoints_of(slices), *pods_of(slices), *nodes(), *namespaces_of(items)],
        tuple(one for part in chosen for one in part.written),
        tuple(one for part in chosen for one in part.written6),
    )
