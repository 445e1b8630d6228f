"""Services and endpoints as the API tells them, read with care: what has not the expected type is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.errors import DumpError
from iptviz.records import NamedTuple
from iptviz.supplied.documents import JsonObject, object_of, objects_of, read_items, text_of
from iptviz.supplied.kubectl import answer_of
from iptviz.supplied.pods import pods_among

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.supplied.pods import Pod

HINT = "pass the output of `kubectl get services,endpointslices -A -o json` (Endpoints or YAML work, too)"
_DEFAULT_AFFINITY = 10800
_SERVICE_OF_SLICE = "kubernetes.io/service-name"
_ZONE = "topology.kubernetes.io/zone"
_TOPOLOGY = ("service.kubernetes.io/topology-mode", "service.kubernetes.io/topology-aware-hints")
_NO_TOPOLOGY = {"", "disabled"}
_CAPACITY, _CUT = "endpoints.kubernetes.io/over-capacity", "truncated"
_PROXY_NAME, _HEADLESS = "service.kubernetes.io/service-proxy-name", "service.kubernetes.io/headless"


class ApiPort(NamedTuple):
    """A port of a service; `node_port` is None where it has none."""

    name: str
    protocol: str
    port: int
    node_port: int | None


class ApiService(NamedTuple):
    """A service. `ignored` says why kube-proxy writes nothing for it, and is empty where it does.

    `near`: it asks for hints, by which nodes use endpoints near them. `by_endpoints`: only its Endpoints tell its
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
    by_endpoints: bool = False
    endpoints_cut: bool = False


class ApiEndpoint(NamedTuple):
    """An endpoint of one port of a service; `pod` is its pod as people write it, empty where that is not told."""

    address: str
    port: int
    node: str | None
    ready: bool
    serving: bool
    terminating: bool
    zone_hints: frozenset[str] = frozenset()
    node_hints: frozenset[str] = frozenset()
    pod: str = ""


Port = tuple[str, str, str, str]
"""Namespace, name, name of the port, protocol."""


class ApiCluster(NamedTuple):
    """All services, the endpoints of each of their ports, and the zones of nodes as far as they are told.

    `tells_endpoints`: EndpointSlices or Endpoints were given, so that a port without any has none. `nodes` are
    the names of Node objects, `pods` the Pod objects that have an address.
    """

    services: tuple[ApiService, ...]
    endpoints: dict[Port, list[ApiEndpoint]]
    zones: dict[str, str]
    tells_endpoints: bool = True
    nodes: frozenset[str] = frozenset()
    pods: tuple[Pod, ...] = ()

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
    unsliced = dict(_unsliced(items))
    services = tuple(_told_by(_service(item), unsliced) for item in items if item.get("kind") == "Service")
    if not services:
        raise DumpError("no Service in it", where=", ".join(sources), hint=HINT)
    tells_endpoints = any(item.get("kind") in ("EndpointSlice", "Endpoints") for item in items)
    nodes = frozenset(
        text_of(object_of(item, "metadata"), "name") for item in items if item.get("kind") == "Node"
    )
    zones, pods = dict(_zones(items)), tuple(pods_among(items))
    return ApiCluster(services, _endpoints(items), zones, tells_endpoints, nodes - {""}, pods)


# --- services ------------------------------------------------------------------------------------------------


def _service(item: JsonObject) -> ApiService:
    metadata, spec = object_of(item, "metadata"), object_of(item, "spec")
    affinity = object_of(object_of(spec, "sessionAffinityConfig"), "clientIP")
    sticky = spec.get("sessionAffinity") == "ClientIP"
    return ApiService(
        namespace=text_of(metadata, "namespace") or "default",
        name=text_of(metadata, "name"),
        ignored=_ignored(metadata, spec),
        cluster_ips=_texts(spec, "clusterIPs") or tuple(filter(None, [text_of(spec, "clusterIP")])),
        external_ips=_texts(spec, "externalIPs"),
        load_balancer_ips=tuple(_load_balancer_ips(item)),
        source_ranges=_texts(spec, "loadBalancerSourceRanges"),
        internal_policy=text_of(spec, "internalTrafficPolicy") or "Cluster",
        external_policy=text_of(spec, "externalTrafficPolicy") or "Cluster",
        affinity=(_number(affinity, "timeoutSeconds") or _DEFAULT_AFFINITY) if sticky else None,
        health_check=_number(spec, "healthCheckNodePort"),
        ports=tuple(_ports(spec)),
        near=_asks_for_hints(metadata, spec),
    )


def _asks_for_hints(metadata: JsonObject, spec: JsonObject) -> bool:
    annotations = object_of(metadata, "annotations")
    asked = (text_of(annotations, name).lower() not in _NO_TOPOLOGY for name in _TOPOLOGY)
    return bool(text_of(spec, "trafficDistribution")) or any(asked)


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
        if ingress.get("ipMode", "VIP") == "VIP" and text_of(ingress, "ip"):
            yield text_of(ingress, "ip")


def _ports(spec: JsonObject) -> Iterator[ApiPort]:
    for port in objects_of(spec, "ports"):
        number = _number(port, "port")
        if number is not None:
            protocol = (text_of(port, "protocol") or "TCP").lower()
            yield ApiPort(text_of(port, "name"), protocol, number, _number(port, "nodePort") or None)


# --- endpoints -----------------------------------------------------------------------------------------------


def _endpoints(items: list[JsonObject]) -> dict[Port, list[ApiEndpoint]]:
    """Return the endpoints by port: of slices, and of Endpoints where a service has no slice."""
    found: dict[Port, dict[tuple[str, int], ApiEndpoint]] = {}
    for owner, item in _slices(items):
        for port, endpoint in _of_slice(item):
            found.setdefault((*owner, *port), {})[endpoint[:2]] = endpoint
    for owner, item in _unsliced(items):
        for port, endpoint in _of_endpoints(item):
            found.setdefault((*owner, *port), {})[endpoint[:2]] = endpoint
    return {port: list(endpoints.values()) for port, endpoints in found.items()}


_Owner = tuple[str, str]
"""Namespace and name of the service that objects belong to."""


def _slices(items: list[JsonObject]) -> Iterator[tuple[_Owner, JsonObject]]:
    for item in (item for item in items if item.get("kind") == "EndpointSlice"):
        metadata = object_of(item, "metadata")
        service = text_of(object_of(metadata, "labels"), _SERVICE_OF_SLICE)
        yield (text_of(metadata, "namespace") or "default", service), item


def _unsliced(items: list[JsonObject]) -> Iterator[tuple[_Owner, JsonObject]]:
    """Yield the Endpoints of services without a slice."""
    sliced = {owner for owner, _ in _slices(items)}
    for item in (item for item in items if item.get("kind") == "Endpoints"):
        metadata = object_of(item, "metadata")
        owner = text_of(metadata, "namespace") or "default", text_of(metadata, "name")
        if owner not in sliced:
            yield owner, item


def _told_by(service: ApiService, unsliced: dict[_Owner, JsonObject]) -> ApiService:
    """Say of a service what Endpoints leave open: since 1.22 they hold 1,000, and a mark where there are more."""
    item = unsliced.get((service.namespace, service.name))
    if item is None:
        return service
    annotations = object_of(object_of(item, "metadata"), "annotations")
    return service._replace(by_endpoints=True, endpoints_cut=text_of(annotations, _CAPACITY) == _CUT)


def _of_slice(item: JsonObject) -> Iterator[tuple[tuple[str, str], ApiEndpoint]]:
    """Yield the endpoints of a slice. What conditions do not tell of `ready` and `serving` is taken for true.

    Source: newEndpointSliceInfo in pkg/proxy/endpointslicecache.go.
    """
    ports = [(_port_key(port), _number(port, "port")) for port in objects_of(item, "ports")]
    for endpoint in objects_of(item, "endpoints"):
        conditions = object_of(endpoint, "conditions")
        portless = ApiEndpoint(
            address=next(iter(_texts(endpoint, "addresses")), ""),  # only the first is used
            port=0,
            node=text_of(endpoint, "nodeName") or None,
            ready=conditions.get("ready") is not False,
            serving=conditions.get("serving") is not False,
            terminating=conditions.get("terminating") is True,
            zone_hints=_names(object_of(endpoint, "hints"), "forZones"),
            node_hints=_names(object_of(endpoint, "hints"), "forNodes"),
            pod=_pod(object_of(endpoint, "targetRef")),
        )
        yield from (
            (key, portless._replace(port=port))
            for key, port in ports
            if port is not None and portless.address
        )


def _of_endpoints(item: JsonObject) -> Iterator[tuple[tuple[str, str], ApiEndpoint]]:
    for subset in objects_of(item, "subsets"):
        for port in objects_of(subset, "ports"):
            number = _number(port, "port")
            for address in objects_of(subset, "addresses") if number is not None else ():
                node = text_of(address, "nodeName") or None
                end = ApiEndpoint(
                    text_of(address, "ip"), number or 0, node, ready=True, serving=True, terminating=False,
                    pod=_pod(object_of(address, "targetRef")),
                )  # fmt: skip
                yield _port_key(port), end


def _pod(target: JsonObject) -> str:
    """Return the pod that an endpoint stands for, as people write it."""
    names = text_of(target, "namespace"), text_of(target, "name")
    return "/".join(filter(None, names)) if target.get("kind") == "Pod" else ""


def _names(item: JsonObject, key: str) -> frozenset[str]:
    return frozenset(filter(None, (text_of(hint, "name") for hint in objects_of(item, key))))


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


def _port_key(port: JsonObject) -> tuple[str, str]:
    return text_of(port, "name"), (text_of(port, "protocol") or "TCP").lower()


# --- what is there -------------------------------------------------------------------------------------------


def _texts(item: JsonObject, key: str) -> tuple[str, ...]:
    value = item.get(key)
    return tuple(entry for entry in value if isinstance(entry, str)) if isinstance(value, list) else ()


def _number(item: JsonObject, key: str) -> int | None:
    value = item.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None
