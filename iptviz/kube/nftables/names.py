"""Names of chains in nftables mode: they tell the service port and the endpoint, and bear a hash of both.

Source: pkg/proxy/nftables/proxier.go, servicePortChainNameBase and hashAndTruncate: the kind, the first 8
characters of the base32 of the SHA-256 of what follows, and `namespace/name/protocol/port`, with `__ip/port` for
an endpoint, where a dot stands for the colon of IPv6. What is longer than 240 characters is cut, with `...`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from sys import intern

from iptviz.kube.names import NAMELESS, ServiceName, base32
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint

SERVICE, LOCAL, EXTERNAL, FIREWALL, ENDPOINT = "service", "local", "external", "firewall", "endpoint"
"""Kinds of chains: those that share out among all endpoints, or this node's; in front of these; an endpoint's."""

_NAME = re.compile(
    r"(?P<kind>service|local|external|firewall|endpoint|affinity)-(?P<hash>[A-Z2-7]{8})-(?P<hashed>"
    r"(?:(?P<namespace>[^/\s]+)/(?P<name>[^/\s]+)/(?P<protocol>[a-z]+)/(?P<port>[a-z0-9-]*)"
    r"(?:__(?P<host>[^/\s]+)/(?P<number>\d+))?|\S*/\S*\.\.\.))"
)


class OwnChain(NamedTuple):
    """What the name of a chain of a service port tells.

    `service` is NAMELESS and `protocol` empty where the name was cut. `endpoint` is that of an endpoint's chain.
    """

    kind: str
    suffix: str
    service: ServiceName
    protocol: str
    endpoint: str = ""


def is_of_service(chain: str) -> bool:
    """Whether a chain of kube-proxy's table belongs to a service: kube-proxy itself asks for the slash."""
    return "/" in chain


@lru_cache(maxsize=1 << 10)
def read_chain(name: str) -> OwnChain | None:
    """Return what the name of a chain, or of a set of clients, tells; None for any other."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    if found["name"] is None:
        return OwnChain(found["kind"], found["hash"], NAMELESS, "")
    by = "hash" if hash_of(found["hashed"]) == found["hash"] else "chain"
    # Of ten thousand services most have the namespace, the port's name and the protocol of others.
    namespace, port, protocol = map(intern, found.group("namespace", "port", "protocol"))
    service = ServiceName(namespace, found["name"], port, by)
    host = found["host"]
    if host is None:
        return OwnChain(found["kind"], found["hash"], service, protocol)
    address = host if _IPV4.fullmatch(host) else host.replace(".", ":")
    endpoint = join_endpoint(address, int(found["number"]))
    return OwnChain(found["kind"], found["hash"], service, protocol, endpoint)


_IPV4 = re.compile(r"\d+(?:\.\d+){3}")


def hash_of(hashed: str) -> str:
    """Return the hash of what stands behind it in a name."""
    from hashlib import sha256  # a list of chains does without

    return base32(sha256(hashed.encode("utf-8", "surrogateescape")).digest())[:8]
