"""Names of service ports, and the hashes of them in the names of kube-proxy's chains.

A hash confirms a name, it does not tell it. Source: pkg/proxy/iptables/proxier.go, portProtoHash and
servicePortEndpointChainName: the first 16 characters of the base32 of the SHA-256 of name, protocol and, for an
endpoint's chain, `ip:port`, one after the other. One suffix serves all chains of a service port.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import Any

from iptviz.intake.text import to_bytes
from iptviz.kube.families import ENDPOINT_CHAIN, HASHED_CHAINS
from iptviz.records import NamedTuple

SERVICE_PROTOCOLS = ("tcp", "udp", "sctp")

_LABEL, _NAME = r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?", r"[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?"
_SERVICE_PORT = re.compile(rf"(?P<namespace>{_NAME})/(?P<name>{_NAME})(?::(?P<port>{_LABEL})?)?")
_SUFFIX = re.compile(r"[A-Z2-7]{16}")
_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
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


def hash_in(chain: str) -> str:
    """Return the hash of a service port in the name of its chain, in either mode; empty without one.

    The chains of nftables mode have the name of the service port behind it: `service-ULMVA6XW-a/b/tcp/`.
    """
    if "/" not in chain:
        return chain.rpartition("-")[2]
    _, _, rest = chain.partition("-")
    return rest.partition("-")[0]


def suffix_of(chain: str) -> str | None:
    """Return the hash in a chain's name, or None for a chain that has none."""
    family, hyphen, suffix = chain.rpartition("-")
    return suffix if family + hyphen in _HASHED and _SUFFIX.fullmatch(suffix) else None


def suffixes(namespace: str, name: str, port_name: str, protocol: str, endpoint: str = "") -> tuple[str, ...]:
    """Return the hashes that the chains of a service port may have, the newer spelling first.

    `endpoint` is `10.244.0.5:8080` or `[fd00::5]:8080`: then they are those of the endpoint's chain.
    """
    service, rest = f"{namespace}/{name}", f"{protocol}{endpoint}"
    if port_name:
        return (_suffix(f"{service}:{port_name}{rest}"),)
    return _suffix(f"{service}{rest}"), _suffix(f"{service}:{rest}")


def _suffix(text: str) -> str:
    return base32(_sha256()(to_bytes(text)).digest())


@cache
def _sha256() -> Any:
    from hashlib import sha256  # a trace without hashes does not wait for it

    return sha256


def base32(data: bytes) -> str:
    """Return the first ten bytes in base32 (RFC 4648), which are 16 letters and digits."""
    bits, pair = int.from_bytes(data[:10], "big"), _pairs()
    return (
        pair[bits >> 70] + pair[bits >> 60 & 1023] + pair[bits >> 50 & 1023] + pair[bits >> 40 & 1023]
        + pair[bits >> 30 & 1023] + pair[bits >> 20 & 1023] + pair[bits >> 10 & 1023] + pair[bits & 1023]
    )  # fmt: skip


@cache
def _pairs() -> list[str]:
    """Return all pairs of digits of base32."""
    return ["".join(pair) for pair in product(_DIGITS, repeat=2)]
