"""Endpoints as the API tells them: EndpointSlices, and Endpoints of services that have none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.records import NamedTuple
from iptviz.supplied.documents import JsonObject, number_of, object_of, objects_of, text_of, texts_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NO_HINTS: frozenset[str] = frozenset()
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


def endpoints_among(
    items: list[JsonObject], others: Mapping[Owner, JsonObject]
) -> dict[Port, list[ApiEndpoint]]:
    """Return the endpoints by port: of slices, and of Endpoints: the `others`, of services that have no slice."""
    found: dict[Port, dict[tuple[str, int], ApiEndpoint]] = {}
    for owner, item in _slices(items):
        for port, endpoint in _of_slice(item):
            found.setdefault((*owner, *port), {})[endpoint[:2]] = endpoint
    for owner, item in others.items():
        for port, endpoint in _of_endpoints(item):
            found.setdefault((*owner, *port), {})[endpoint[:2]] = endpoint
    return {port: list(endpoints.values()) for port, endpoints in found.items()}


def _slices(items: list[JsonObject]) -> Iterator[tuple[Owner, JsonObject]]:
    for item in (item for item in items if item.get("kind") == "EndpointSlice"):
        metadata = object_of(item, "metadata")
        service = text_of(object_of(metadata, "labels"), _SERVICE_OF_SLICE)
        yield (text_of(metadata, "namespace") or "default", service), item


def unsliced(items: list[JsonObject]) -> dict[Owner, JsonObject]:
    """Return the Endpoints of services without a slice."""
    found = {_owner(item): item for item in items if item.get("kind") == "Endpoints"}
    for owner, _ in _slices(items) if found else ():
        found.pop(owner, None)
    return found


def _owner(item: JsonObject) -> Owner:
    metadata = object_of(item, "metadata")
    return text_of(metadata, "namespace") or "default", text_of(metadata, "name")


def _of_slice(item: JsonObject) -> Iterator[tuple[tuple[str, str], ApiEndpoint]]:
    """Yield the endpoints of a slice. What conditions do not tell of `ready` and `serving` is taken for true.

    Source: newEndpointSliceInfo in pkg/proxy/endpointslicecache.go.
    """
    ports = [(_port_key(port), number_of(port, "port")) for port in objects_of(item, "ports")]
    for endpoint in objects_of(item, "endpoints"):
        address = next(iter(texts_of(endpoint, "addresses")), "")  # only the first is used
        if not address:
            continue
        conditions, hints = object_of(endpoint, "conditions"), object_of(endpoint, "hints")
        rest = (
            text_of(endpoint, "nodeName") or None,
            conditions.get("ready") is not False,
            conditions.get("serving") is not False,
            conditions.get("terminating") is True,
            _names(hints, "forZones") if hints else _NO_HINTS,
            _names(hints, "forNodes") if hints else _NO_HINTS,
            _pod(object_of(endpoint, "targetRef")),
        )
        for key, port in ports:
            if port is not None:
                yield key, ApiEndpoint(address, port, *rest)


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
    if target.get("kind") != "Pod":
        return ""
    return "/".join(filter(None, (text_of(target, "namespace"), text_of(target, "name"))))


def _names(item: JsonObject, key: str) -> frozenset[str]:
    return frozenset(filter(None, (text_of(hint, "name") for hint in objects_of(item, key))))


def _port_key(port: JsonObject) -> tuple[str, str]:
    return text_of(port, "name"), (text_of(port, "protocol") or "TCP").lower()
