"""The hashes in the names of kube-proxy's chains: they confirm a name, they do not tell it.

Source: pkg/proxy/iptables/proxier.go, portProtoHash and servicePortEndpointChainName: the first 16 characters of
the base32 of the SHA-256 of name, protocol and, for an endpoint's chain, `ip:port`, one after the other. One
suffix serves all chains of a service port. A single unnamed port was written `namespace/service:` up to 1.18
and is `namespace/service` since 1.20, in comment and hash alike.
"""

from __future__ import annotations

import re

PROTOCOLS = ("tcp", "udp", "sctp")
SERVICE_PREFIXES = ("KUBE-SVC-", "KUBE-SVL-", "KUBE-EXT-", "KUBE-FW-", "KUBE-XLB-")
_HASHED = re.compile(r"KUBE-(?:SVC|SVL|EXT|FW|XLB|SEP)-(?P<suffix>[A-Z2-7]{16})")


def suffix_of(chain: str) -> str | None:
    """Return the hash in a chain's name, or None for a chain that has none."""
    found = _HASHED.fullmatch(chain)
    return found["suffix"] if found else None


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
