"""Objects as an API server has them, in few words."""

from __future__ import annotations

import hashlib
from ipaddress import ip_address
from typing import Any

Json = dict[str, Any]
Port = tuple[str, str, int]
"""Name, protocol in capitals, number."""

ZONES = {"node-1": "a", "node-2": "b", "node-3": "a", "node-4": "c"}
ADDRESSES = {node: f"192.168.1.{place}" for place, node in enumerate(ZONES, 10)}
_SINCE = "2026-11-23T12:00:00Z"


def metadata(namespace: str, name: str, **more: Any) -> Json:
    """Metadata with what nobody reads: kubectl leaves the managed fields out."""
    return {
        "name": name, "namespace": namespace, "creationTimestamp": _SINCE, "resourceVersion": "812",
        "uid": hashlib.md5(f"{namespace}/{name}".encode()).hexdigest(),
        "managedFields": [{"manager": "helm", "operation": "Update", "fieldsV1": {"f:spec": {}}}], **more,
    }  # fmt: skip


def service(
    name: str,
    *addresses: str,
    ports: tuple[Port, ...] = (("http", "TCP", 80),),
    namespace: str = "shop",
    node_ports: tuple[int, ...] = (),
    ingress: tuple[Json, ...] = (),
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
    **spec: Any,
) -> Json:
    """A service; `addresses` are its cluster IPs, and `None` of a headless one."""
    told = [
        {"name": port, "protocol": protocol, "port": number, "targetPort": port or number}
        for port, protocol, number in ports
    ]
    for port, node_port in zip(told, node_ports, strict=False):
        port["nodePort"] = node_port
    if not ports[0][0]:
        del told[0]["name"]
    families = ["IPv6" if ":" in address else "IPv4" for address in addresses if address != "None"]
    return {
        "apiVersion": "v1", "kind": "Service",
        "metadata": metadata(namespace, name, labels=labels or {"app": name}, annotations=annotations or {}),
        "spec": {
            "clusterIP": addresses[0] if addresses else "", "clusterIPs": list(addresses), "ipFamilies": families or ["IPv4"],
            "ipFamilyPolicy": "RequireDualStack" if len(families) > 1 else "SingleStack",
            "internalTrafficPolicy": "Cluster", "ports": told, "selector": {"app": name}, "sessionAffinity": "None",
            "type": "NodePort" if node_ports else "ClusterIP", **spec,
        },
        "status": {"loadBalancer": {"ingress": list(ingress)} if ingress else {}},
    }  # fmt: skip


def endpoint(
    address: str, node: str = "node-1", *, state: str = "ready", zones: str = "", nodes: tuple[str, ...] = ()
) -> Json:
    """An endpoint: a pod on a node, `ready`, `unready`, `draining` or `ended`; its hints are letters, and nodes."""
    hints = {
        "forZones": [{"name": zone} for zone in zones],
        "forNodes": [{"name": name} for name in nodes],
    }
    ready, serving, terminating = _STATES[state]
    return {
        "addresses": [address],
        "conditions": {"ready": ready, "serving": serving, "terminating": terminating},
        "hints": {kind: names for kind, names in hints.items() if names} or None,
        "nodeName": node,
        "targetRef": {"kind": "Pod", "name": pod_name(address), "namespace": "shop"},
        "zone": ZONES[node],
    }


_STATES = {
    "ready": (True, True, False), "unready": (False, False, False), "draining": (False, True, True),
    "ended": (False, False, True),
}  # fmt: skip


def slice_of(
    owner: str,
    *endpoints: Json,
    ports: tuple[Port, ...] = (("http", "TCP", 8080),),
    namespace: str = "shop",
    number: int = 1,
    family: str = "IPv4",
    controller: str = "endpointslice-controller.k8s.io",
) -> Json:
    """A slice as its controller writes it: without endpoints it has neither a list of them nor of ports."""
    labels = {"endpointslice.kubernetes.io/managed-by": controller, "kubernetes.io/service-name": owner}
    return {
        "addressType": family, "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "endpoints": [{key: value for key, value in one.items() if value is not None} for one in endpoints] or None,
        "metadata": metadata(namespace, f"{owner}-{family.lower()}{number}", labels=labels, generateName=f"{owner}-"),
        "ports": [{"name": name, "protocol": protocol, "port": port} for name, protocol, port in ports]
        if endpoints else None,
    }  # fmt: skip


def endpoints_of(slices: list[Json]) -> list[Json]:
    """The Endpoints of services that have slices: of one family, without what terminates, and 1,000 at most."""
    owners = {_owner(one): one for one in slices}
    return [_endpoints(owner, slices) for owner in owners]


def _owner(one: Json) -> tuple[str, str]:
    return one["metadata"]["namespace"], one["metadata"]["labels"]["kubernetes.io/service-name"]


def _endpoints(owner: tuple[str, str], slices: list[Json]) -> Json:
    own = [one for one in slices if _owner(one) == owner and one["addressType"] != "FQDN"]
    own = [one for one in own if one["addressType"] == own[0]["addressType"]]
    subsets, left = [], 1000
    for one in own:
        ready = [end for end in one["endpoints"] or () if end["conditions"]["ready"]][:left]
        left -= len(ready)
        waiting = [
            end
            for end in one["endpoints"] or ()
            if not end["conditions"]["ready"] and not end["conditions"]["terminating"]
        ]
        subset = {
            "addresses": _addresses(ready),
            "notReadyAddresses": _addresses(waiting),
            "ports": one["ports"],
        }
        if ready or waiting:
            subsets.append({key: value for key, value in subset.items() if value})
    more = sum(len(one["endpoints"] or ()) for one in own) > 1000
    annotations = {"endpoints.kubernetes.io/over-capacity": "truncated"} if more else {}
    made = {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": metadata(*owner, annotations=annotations),
    }
    return {**made, "subsets": subsets} if subsets else made


def _addresses(ends: list[Json]) -> list[Json]:
    return [
        {"ip": end["addresses"][0], "nodeName": end["nodeName"], "targetRef": end["targetRef"]}
        for end in ends
    ]


def pod_name(address: str) -> str:
    return f"pod-{int(ip_address(address)):x}"


def pods_of(slices: list[Json]) -> list[Json]:
    """The pods behind endpoints, with one address each, once each."""
    ends = {
        end["addresses"][0]: end
        for one in slices
        if one["addressType"] != "FQDN"
        for end in one["endpoints"] or ()
    }
    return [pod(end["targetRef"]["namespace"], address, end["nodeName"]) for address, end in ends.items()]


def pod(namespace: str, address: str, node: str) -> Json:
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": metadata(namespace, pod_name(address)),
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "x", "ports": [{"containerPort": 8080}]}]},
        "status": {"phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "hostIP": ADDRESSES[node]},
    }  # fmt: skip


def _without_namespace(item: Json) -> Json:
    del item["metadata"]["namespace"]
    return item


def nodes() -> list[Json]:
    return [
        _without_namespace({
            "apiVersion": "v1", "kind": "Node",
            "metadata": metadata("", name, labels={
                "kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}),
            "spec": {"podCIDR": f"10.244.{place}.0/24"},
            "status": {
                "addresses": [{"type": "InternalIP", "address": ADDRESSES[name]}, {"type": "Hostname", "address": name}],
                "nodeInfo": {"kubeletVersion": "v1.37.1", "osImage": "Debian GNU/Linux 12 (bookworm)",
                             "kernelVersion": "6.1.0-40-amd64", "containerRuntimeVersion": "containerd://2.1.4"},
            },
        })
        for place, (name, zone) in enumerate(ZONES.items())
    ]  # fmt: skip


def namespaces_of(items: list[Json]) -> list[Json]:
    names = sorted({item["metadata"]["namespace"] for item in items})
    return [
        _without_namespace({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata("", name)})
        for name in names
    ]
