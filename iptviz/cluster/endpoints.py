"""Endpoints as the API tells them: EndpointSlices, and Endpoints of services that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.supplied.documents import JsonObject, number_of, object_of, objects_of, text_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_SERVICE_OF_SLICE = "kubernetes.io/service-name"


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


Owner = tuple[str, str]
"""Namespace and name of the service that objects belong to."""


def endpoints_among(items: list[JsonObject]) -> dict[Port, list[ApiEndpoint]]:
    """Return the endpoints by port: of slices, and of Endpoints where a service has no slice."""
    found: dict[Port, dict[tuple[str, int], ApiEndpoint]] = {}
    for owner, item in _slices(items):
        for port, endpoint in _of_slice(item):
            found.setdefault((*owner, *port), {})[endpoint[:2]] = endpoint
    for owner, item in unsliced(items):
        for port, endpoint in _of_endpoints(item):
            found.setdefault((*owner, *port), {})[endpoint[:2]] = endpoint
    return {port: list(endpoints.values()) for port, endpoints in found.items()}


def _slices(items: list[JsonObject]) -> Iterator[tuple[Owner, JsonObject]]:
    for item in (item for item in items if item.get("kind") == "EndpointSlice"):
        metadata = object_of(item, "metadata")
        service = text_of(object_of(metadata, "labels"), _SERVICE_OF_SLICE)
        yield (text_of(metadata, "namespace") or "default", service), item


def unsliced(items: list[JsonObject]) -> Iterator[tuple[Owner, JsonObject]]:
    """Yield the Endpoints of services without a slice."""
    sliced = {owner for owner, _ in _slices(items)}
    for item in (item for item in items if item.get("kind") == "Endpoints"):
        metadata = object_of(item, "metadata")
        owner = text_of(metadata, "namespace") or "default", text_of(metadata, "name")
        if owner not in sliced:
            yield owner, item


def _of_slice(item: JsonObject) -> Iterator[tuple[tuple[str, str], ApiEndpoint]]:
    """Yield the endpoints of a slice. What conditions do not tell of `ready` and `serving` is taken for true.

    Source: newEndpointSliceInfo in pkg/proxy/endpointslicecache.go.
    """
    ports = [(_port_key(port), number_of(port, "port")) for port in objects_of(item, "ports")]
    for endpoint in objects_of(item, "endpoints"):
        conditions = object_of(endpoint, "conditions")
        portless = ApiEndpoint(
            address=next(iter(texts_of(endpoint, "addresses")), ""),  # only the first is used
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
            number = number_of(port, "port")
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


def _port_key(port: JsonObject) -> tuple[str, str]:
    return text_of(port, "name"), (text_of(port, "protocol") or "TCP").lower()
