"""Services and endpoints as the API tells them, read with care: what has not the expected type is not there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from iptviz.cluster.endpoints import endpoints_among, unsliced
from iptviz.errors import DumpError
from iptviz.records import NamedTuple
from iptviz.supplied.documents import (
    JsonObject,
    number_of,
    object_of,
    objects_of,
    read_items,
    text_of,
    texts_of,
)
from iptviz.supplied.kubectl import answer_of
from iptviz.supplied.pods import pods_among

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.cluster.endpoints import ApiEndpoint, Owner, Port
    from iptviz.supplied.pods import Pod

HINT = "pass the output of `kubectl get services,endpointslices -A -o json` (Endpoints or YAML work, too)"
_DEFAULT_AFFINITY = 10800
_CHUNK = 500
"""So many objects kubectl asks for at a time (--chunk-size)."""

_COUNTED = ("Service", "EndpointSlice", "Endpoints")
_ZONE = "topology.kubernetes.io/zone"
_HINTS, _MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_AUTO, _NO_HINTS = {"Auto", "auto"}, {"", "Disabled", "disabled"}
_CAPACITY, _CUT = "endpoints.kubernetes.io/over-capacity", "truncated"
_PROXY_NAME, _HEADLESS = "service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"


HintsAnnotation = Literal["none", "auto", "other"]
"""What annotations say of hints: `auto` as each kube-proxy minds it, `other` as those since 1.27 do."""


class ApiPort(NamedTuple):
    """A port of a service; `node_port` is None where it has none."""

    name: str
    protocol: str
    port: int
    node_port: int | None


class ApiService(NamedTuple):
    """A service. `ignored` says why kube-proxy writes nothing for it, and is empty where it does.

    `near`: it asks for hints, by which nodes use endpoints near them; `hints` are its annotations, without which
    older kube-proxies mind none. `by_endpoints`: only its Endpoints tell its
    endpoints: those of one family, without hints, and without those that terminate, which serve where none is
    ready. `endpoints_cut`: and they hold the first 1,000 of more.
    """

    namespace: str
    name: str
    ignored: str
    cluster_ips: tuple[str, ...]
    external_ips: tuple[str, ...]
    load_balancer_ips: tuple[str, ...]
    source_ranges: tuple[str, ...]
    internal_policy: str
    external_policy: str
    affinity: int | None
    health_check: int | None
    ports: tuple[ApiPort, ...]
    near: bool = False
    hints: HintsAnnotation = "none"
    by_endpoints: bool = False
    endpoints_cut: bool = False

    @property
    def keys(self) -> list[Port]:
        """The keys of its ports, as those of their endpoints."""
        return [(self.namespace, self.name, port.name, port.protocol) for port in self.ports]


class ApiCluster(NamedTuple):
    """All services, the endpoints of each of their ports, and the zones of nodes as far as they are told.

    `tells_endpoints`: EndpointSlices or Endpoints were given, so that a port without any has none. `nodes` are
    the names of Node objects, `pods` the Pod objects that have an address. `full_chunks`: the kinds of which
    there are as many as kubectl gets in some requests, and their numbers: a further request may have failed.
    """

    services: tuple[ApiService, ...]
    endpoints: dict[Port, list[ApiEndpoint]]
    zones: dict[str, str]
    tells_endpoints: bool = True
    nodes: frozenset[str] = frozenset()
    pods: tuple[Pod, ...] = ()
    full_chunks: tuple[tuple[str, int], ...] = ()

    @property
    def node_names(self) -> frozenset[str]:
        """The nodes that are known by name: of Node objects, and of endpoints."""
        ends = (end for ends in self.endpoints.values() for end in ends)
        return self.nodes | {end.node for end in ends if end.node}


def read_cluster(texts: Iterable[tuple[str, str]]) -> ApiCluster:
    """Read texts, each with the name of its source.

    Raises:
        DumpError: one is neither JSON nor YAML of objects, or there is no service in any.
    """
    items: list[JsonObject] = []
    sources = []
    for text, source in texts:
        sources.append(source)
        items += read_items(answer_of(text, source, HINT), source, HINT)
    items = _latest(items)
    told = unsliced(items)
    services = tuple(_told_by(_service(item), told) for item in items if item.get("kind") == "Service")
    if not services:
        raise DumpError("no Service in it", where=", ".join(sources), hint=HINT)
    tells_endpoints = any(item.get("kind") in ("EndpointSlice", "Endpoints") for item in items)
    nodes = frozenset(
        text_of(object_of(item, "metadata"), "name") for item in items if item.get("kind") == "Node"
    )
    zones, pods = dict(_zones(items)), tuple(pods_among(items))
    ends, chunks = endpoints_among(items, told), tuple(_full_chunks(items))
    return ApiCluster(services, ends, zones, tells_endpoints, nodes - {""}, pods, chunks)


def _latest(items: Iterable[JsonObject]) -> list[JsonObject]:
    """Return the objects, of those that come twice the later one: several commands may have printed it."""
    found: dict[object, JsonObject] = {}
    for place, item in enumerate(items):
        metadata = object_of(item, "metadata")
        name = text_of(metadata, "name")
        found[(str(item.get("kind")), text_of(metadata, "namespace"), name) if name else place] = item
    return list(found.values())


def _full_chunks(items: Iterable[JsonObject]) -> Iterator[tuple[str, int]]:
    counts = Counter(str(item.get("kind")) for item in items)
    for kind in _COUNTED:
        if counts[kind] and not counts[kind] % _CHUNK:
            yield kind, counts[kind]


# --- services ------------------------------------------------------------------------------------------------


def _service(item: JsonObject) -> ApiService:
    metadata, spec = object_of(item, "metadata"), object_of(item, "spec")
    hints = _hints(object_of(metadata, "annotations"))
    affinity = object_of(object_of(spec, "sessionAffinityConfig"), "clientIP")
    sticky = spec.get("sessionAffinity") == "ClientIP"
    return ApiService(
        namespace=text_of(metadata, "namespace") or "default",
        name=text_of(metadata, "name"),
        ignored=_ignored(metadata, spec),
        cluster_ips=texts_of(spec, "clusterIPs") or tuple(filter(None, [text_of(spec, "clusterIP")])),
        external_ips=texts_of(spec, "externalIPs"),
        load_balancer_ips=tuple(_load_balancer_ips(item)),
        source_ranges=texts_of(spec, "loadBalancerSourceRanges"),
        internal_policy=text_of(spec, "internalTrafficPolicy") or "Cluster",
        external_policy=text_of(spec, "externalTrafficPolicy") or "Cluster",
        affinity=(number_of(affinity, "timeoutSeconds") or _DEFAULT_AFFINITY) if sticky else None,
        health_check=number_of(spec, "healthCheckNodePort"),
        ports=tuple(_ports(spec)),
        near=hints != "none" or bool(text_of(spec, "trafficDistribution")),
        hints=hints,
    )


def _hints(annotations: JsonObject) -> HintsAnnotation:
    """Return what annotations say of hints.

    The older one goes before the newer one, which is there since 1.27: then it is that any value counts.
    Source: newBaseServiceInfo in pkg/proxy/serviceport.go, canUseTopology in pkg/proxy/topology.go, both of 1.29
    and of 1.26.
    """
    if not annotations:
        return "none"
    if text_of(annotations, _HINTS) in _AUTO:
        return "auto"
    return (
        "none" if text_of(annotations, _HINTS if _HINTS in annotations else _MODE) in _NO_HINTS else "other"
    )


def _ignored(metadata: JsonObject, spec: JsonObject) -> str:
    labels = object_of(metadata, "labels")
    if spec.get("type") == "ExternalName":
        return "ExternalName"
    if text_of(spec, "clusterIP") in {"None", ""}:
        return "headless"
    if _PROXY_NAME in labels:
        return f"left to the proxy {text_of(labels, _PROXY_NAME)}"
    return f"label {_HEADLESS}" if _HEADLESS in labels else ""


def _load_balancer_ips(item: JsonObject) -> Iterator[str]:
    """Yield the addresses of load balancers that kube-proxy takes over: not those in mode Proxy."""
    balancer = object_of(object_of(item, "status"), "loadBalancer")
    for ingress in objects_of(balancer, "ingress"):
        if ingress.get("ipMode") in (None, "VIP") and text_of(ingress, "ip"):
            yield text_of(ingress, "ip")


def _ports(spec: JsonObject) -> Iterable[ApiPort]:
    """Return the ports; of those with one name and protocol, which the API refuses, kube-proxy takes the last."""
    found: dict[tuple[str, str], ApiPort] = {}
    for port in objects_of(spec, "ports"):
        number = number_of(port, "port")
        if number is not None:
            key = text_of(port, "name"), (text_of(port, "protocol") or "TCP").lower()
            found[key] = ApiPort(*key, number, number_of(port, "nodePort") or None)
    return found.values()


# --- what belongs to them -----------------------------------------------------------------------------------


def _told_by(service: ApiService, told: dict[Owner, JsonObject]) -> ApiService:
    """Say of a service what Endpoints leave open: since 1.22 they hold 1,000, and a mark where there are more."""
    item = told.get((service.namespace, service.name))
    if item is None:
        return service
    annotations = object_of(object_of(item, "metadata"), "annotations")
    return service._replace(by_endpoints=True, endpoints_cut=text_of(annotations, _CAPACITY) == _CUT)


def _zones(items: list[JsonObject]) -> Iterator[tuple[str, str]]:
    """Yield nodes and their zones: of Node objects, and of nodes that have endpoints."""
    for item in items:
        metadata = object_of(item, "metadata")
        zones = [(text_of(metadata, "name"), text_of(object_of(metadata, "labels"), _ZONE))]
        if item.get("kind") == "EndpointSlice":
            zones = [
                (text_of(end, "nodeName"), text_of(end, "zone")) for end in objects_of(item, "endpoints")
            ]
        elif item.get("kind") != "Node":
            continue
        yield from ((node, zone) for node, zone in zones if node and zone)
