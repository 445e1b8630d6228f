"""Names of service ports, and the hashes of them in the names of kube-proxy's chains.

A hash confirms a name, it does not tell it. Source: pkg/proxy/iptables/proxier.go, portProtoHash and
servicePortEndpointChainName: the first 16 characters of the base32 of the SHA-256 of name, protocol and, for an
endpoint's chain, `ip:port`, one after the other. One suffix serves all chains of a service port.
"""

from __future__ import annotations

import re

from iptviz.kube.families import ENDPOINT_CHAIN, HASHED_CHAINS
from iptviz.records import NamedTuple

SERVICE_PROTOCOLS = ("tcp", "udp", "sctp")

_LABEL, _NAME = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?", r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_SERVICE_PORT = re.compile(rf"(?P<namespace>{_NAME})/(?P<name>{_NAME})(?::(?P<port>{_LABEL})?)?")
_SUFFIX = re.compile(r"[A-Z2-7]{16}")
_HASHED = frozenset((*HASHED_CHAINS, ENDPOINT_CHAIN))


class ServiceName(NamedTuple):
    """A service port; all fields are empty and `named_by` is `none` where no comment tells its name."""

    namespace: str
    name: str
    port_name: str
    named_by: str

    @property
    def text(self) -> str:
        """The name as people write it: `default/web:http`."""
        if self.named_by == "none":
            return ""
        return f"{self.namespace}/{self.name}" + (f":{self.port_name}" if self.port_name else "")


NAMELESS = ServiceName("", "", "", "none")


def read_service_name(text: str) -> ServiceName:
    """Return the service port that `text` names, `NAMELESS` where it names none.

    A single unnamed port is written `namespace/service:` up to Kubernetes 1.18 and `namespace/service` from 1.20
    on (pkg/proxy/types.go, ServicePortName.String).
    """
    found = _SERVICE_PORT.fullmatch(text)
    return (
        ServiceName(found["namespace"], found["name"], found["port"] or "", "comment") if found else NAMELESS
    )


def suffix_of(chain: str) -> str | None:
    """Return the hash in a chain's name, or None for a chain that has none."""
    family, hyphen, suffix = chain.rpartition("-")
    return suffix if family + hyphen in _HASHED and _SUFFIX.fullmatch(suffix) else None


def suffixes(namespace: str, name: str, port_name: str, protocol: str, endpoint: str = "") -> tuple[str, ...]:
    """Return the hashes that the chains of a service port may have, the newer spelling first.

    `endpoint` is `10.244.0.5:8080` or `[fd00::5]:8080`: then they are those of the endpoint's chain.
    """
    service = f"{namespace}/{name}"
    spellings = (f"{service}:{port_name}",) if port_name else (service, f"{service}:")
    return tuple(_suffix(f"{spelling}{protocol}{endpoint}") for spelling in spellings)


def _suffix(text: str) -> str:
    from base64 import b32encode  # a trace without hashes does not wait for these
    from hashlib import sha256

    return b32encode(sha256(text.encode()).digest()[:10]).decode("ascii")
