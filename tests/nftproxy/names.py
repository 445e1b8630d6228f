"""The names that kube-proxy gives chains and sets."""

from __future__ import annotations

from base64 import b32encode
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Endpoint, Service


@cache
def hashed(name: str) -> str:
    """Return a name with its hash before it: `HASH8-shop/web/tcp/http`."""
    return f"{b32encode(sha256(name.encode()).digest()).decode()[:8]}-{name}"


def base_of(service: Service) -> str:
    """Return what the names of a service port's chains end in."""
    return f"{service.namespace}/{service.name}/{service.protocol}/{service.port_name}"


def service_chain(kind: str, service: Service) -> str:
    """Return the name of a chain of a service port; `kind` is service, local, external or firewall."""
    return f"{kind}-{hashed(base_of(service))}"


def endpoint_name(kind: str, service: Service, endpoint: Endpoint) -> str:
    """Return the name of an endpoint's chain (`endpoint`) or set (`affinity`)."""
    address, port = endpoint
    return f"{kind}-{hashed(f'{base_of(service)}__{address}/{port}'.replace(':', '.'))}"


def note_of(service: Service) -> str:
    """Return how comments of elements call a service port."""
    return f"{service.namespace}/{service.name}" + (f":{service.port_name}" if service.port_name else "")
