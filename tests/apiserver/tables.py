"""Objects as rows of a Table, in the columns that Kubernetes prints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
_NONE = "<none>"


def table(kind: str, items: list[Json], metadata: Json) -> Json:
    """Return the Table of objects of one kind; with less of the objects themselves than their metadata."""
    names, wide, cells = _COLUMNS[kind]
    columns = [_column(name, 0) for name in names] + [_column(name, 1) for name in wide]
    rows = [{"cells": cells(item), "object": _partial(item)} for item in items]
    return {
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": metadata, "columnDefinitions": columns, "rows": rows,
    }  # fmt: skip


def _column(name: str, priority: int) -> Json:
    return {
        "name": name, "type": "string", "format": "name" if name == "Name" else "",
        "description": "", "priority": priority,
    }  # fmt: skip


def _partial(item: Json) -> Json:
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": item["metadata"],
    }


def _service(item: Json) -> list[str]:
    spec = item["spec"]
    named = spec["type"] == "ExternalName"
    ports = ",".join(_port(port) for port in spec.get("ports", ()))
    selector = ",".join(f"{key}={value}" for key, value in spec.get("selector", {}).items())
    return [
        item["metadata"]["name"], spec["type"], spec.get("clusterIP") or _NONE,
        spec["externalName"] if named else ",".join(_external(item)) or _NONE, ports or _NONE, "3d", selector or _NONE,
    ]  # fmt: skip


def _external(item: Json) -> list[str]:
    ingress = item["status"].get("loadBalancer", {}).get("ingress", ())
    return [*(one.get("ip") or one["hostname"] for one in ingress), *item["spec"].get("externalIPs", ())]


def _port(port: Json) -> str:
    node = f":{port['nodePort']}" if port.get("nodePort") else ""
    return f"{port['port']}{node}/{port['protocol']}"


def _pod(item: Json) -> list[str]:
    status = item["status"]
    ready = f"{int(status['phase'] == 'Running')}/1"
    return [
        item["metadata"]["name"], ready, {"Succeeded": "Completed"}.get(status["phase"], status["phase"]), "0", "3d",
        status.get("podIP") or _NONE, item["spec"].get("nodeName") or _NONE, _NONE, _NONE,
    ]  # fmt: skip


def _node(item: Json) -> list[str]:
    info = item["status"]["nodeInfo"]
    (address,) = (one["address"] for one in item["status"]["addresses"] if one["type"] == "InternalIP")
    return [
        item["metadata"]["name"], "Ready", _NONE, "9d", info["kubeletVersion"],
        address, _NONE, info["osImage"], info["kernelVersion"], info["containerRuntimeVersion"],
    ]  # fmt: skip


def _slice(item: Json) -> list[str]:
    ports = ",".join(str(port["port"]) for port in item["ports"] or ()) or "<unset>"
    ends = [address for end in item["endpoints"] or () for address in end["addresses"]]
    return [item["metadata"]["name"], item["addressType"], ports, _few(ends, "<unset>"), "3d"]


def _endpoints(item: Json) -> list[str]:
    ends = [
        f"{address['ip']}:{port['port']}"
        for subset in item.get("subsets", ())
        for port in subset.get("ports", ())
        for address in subset.get("addresses", ())
    ]
    return [item["metadata"]["name"], _few(ends, _NONE), "3d"]


def _few(texts: list[str], nothing: str) -> str:
    more = f" + {len(texts) - 3} more..." if len(texts) > 3 else ""
    return ",".join(texts[:3]) + more if texts else nothing


_COLUMNS: dict[str, tuple[tuple[str, ...], tuple[str, ...], Callable[[Json], list[str]]]] = {
    "Service": (("Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age"), ("Selector",), _service),
    "Pod": (("Name", "Ready", "Status", "Restarts", "Age"),
            ("IP", "Node", "Nominated Node", "Readiness Gates"), _pod),
    "Node": (("Name", "Status", "Roles", "Age", "Version"),
             ("Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"), _node),
    "EndpointSlice": (("Name", "AddressType", "Ports", "Endpoints", "Age"), (), _slice),
    "Endpoints": (("Name", "Endpoints", "Age"), (), _endpoints),
}  # fmt: skip
"""The columns that are always shown, those of `-o wide`, and the cells of both; from pkg/printers/internalversion."""
