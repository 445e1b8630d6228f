"""What people copy from logs and other programs: URLs, DNS names, `svc/web`; in the words of a TARGET."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from iptviz.errors import TargetError, quoted
from iptviz.records import NamedTuple
from iptviz.xtables.address import join_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]{0,31})://(?P<rest>\S++)")
_SCHEMES: dict[str, tuple[str | None, int | None]] = {
    "tcp": ("tcp", None),
    "udp": ("udp", None),
    "sctp": ("sctp", None),
    "grpc": ("tcp", None),
    "grpcs": ("tcp", None),
    "http": ("tcp", 80),
    "https": ("tcp", 443),
    "ws": ("tcp", 80),
    "wss": ("tcp", 443),
}
"""Protocol and port of a scheme; of others a URL tells what it says itself."""

_PORT = re.compile(r"(?P<host>.+):(?P<port>[0-9]{1,9}|[a-z0-9](?:[-a-z0-9]{0,13}[a-z0-9])?)")
_HOST = re.compile(r"(?=[^.]*+\.)[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?\.?")
_LABEL = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
_PROTOCOLS = {"_tcp": "tcp", "_udp": "udp", "_sctp": "sctp"}
_ADDRESS_LABEL = re.compile(r"\d{1,3}(?:-\d{1,3}){3}|[0-9a-f]{0,4}(?:-[0-9a-f]{0,4}){2,7}")
KINDS = frozenset({"svc", "service", "services"})
"""What kubectl calls services: `svc/web`. A namespace may be called so, too."""
POD_KINDS = frozenset({"po", "pod", "pods"})


class Spelled(NamedTuple):
    """A TARGET in the words of this program, and the protocol if it was told."""

    text: str
    protocol: str | None = None


def without_password(typed: str) -> str:
    """Return what is typed without what a URL tells of its user: it is shown to others."""
    return re.sub(r"(?<=://)[^\s/?#@]*+@", "", typed)


def in_own_words(typed: str) -> Spelled:
    """Return what a URL or a DNS name is to, as an address or a service with its port; other text as it is.

    Raises:
        TargetError: it is the name of something that is no service.
    """
    found = _URL.fullmatch(typed)
    if not found:
        return _of_host(typed, None)
    scheme = found["scheme"].lower()
    protocol, port = _SCHEMES.get(scheme, (None, None))
    # What stands before the @ may be a password.
    at = re.split(r"[/?#]", found["rest"], maxsplit=1)[0].rpartition("@")[2]
    if not at:
        return Spelled(typed)
    has_port = _PORT.fullmatch(at) if not at.endswith("]") else None
    return _of_host(at.lower() if has_port or port is None else f"{at.lower()}:{port}", protocol)


def _of_host(typed: str, protocol: str | None) -> Spelled:
    """Return the service, or the address, that a DNS name is of, with its port."""
    found = _PORT.fullmatch(typed)
    host, port = (found["host"], found["port"]) if found else (typed, None)
    if not _HOST.fullmatch(host) or _is_number(host):
        return Spelled(typed, protocol)
    labels = host.lower().removesuffix(".").split(".")
    before = labels[: _suffix_at(labels)]
    port_name, told, (name, *namespace) = _served(before)
    if len(namespace) != 1 or not all(map(_LABEL.fullmatch, (name, *namespace))):
        return Spelled(_of_pod(labels, port, typed), protocol)
    port = port or port_name
    return Spelled(f"{namespace[0]}/{name}" + (f":{port}" if port else ""), protocol or told)


def _suffix_at(labels: Sequence[str]) -> int:
    """Return where the part of a DNS name begins that all services have: `svc` and the cluster's domain."""
    return labels.index("svc", 2) if "svc" in labels[2:] else len(labels)


def _served(labels: Sequence[str]) -> tuple[str | None, str | None, Sequence[str]]:
    """Return the name of the port and the protocol that an SRV record is of, and the other labels."""
    if len(labels) > 2 and labels[0].startswith("_") and labels[1] in _PROTOCOLS:
        return labels[0][1:], _PROTOCOLS[labels[1]], labels[2:]
    return None, None, labels


def _is_number(host: str) -> bool:
    """Whether a text is an address, or what somebody left of one: digits, x and dots."""
    return re.fullmatch(r"[0-9xX*.]+", host) is not None


def _of_pod(labels: Sequence[str], port: str | None, typed: str) -> str:
    """Return the address of the pod that a DNS name is of: `10-244-1-17.shop.pod.cluster.local`.

    Raises:
        TargetError: it tells no address.
    """
    of_pod = labels[2:3] == ["pod"] or labels[3:4] == ["svc"]
    address = next(_addresses(labels[0]), None) if of_pod else None
    if address is None:
        what = "the name of a pod behind a headless service" if labels[3:4] == ["svc"] else "a host name"
        raise TargetError(
            f"{quoted(typed)} is {what}, not a service (NAME.NAMESPACE or NAME.NAMESPACE.svc.DOMAIN)",
            hint="use the address that it resolves to",
        )
    return join_endpoint(address, int(port) if port and port.isdecimal() else None)


def _addresses(label: str) -> Iterator[str]:
    """Yield the address that a label tells, IPv4 or IPv6, with hyphens for dots or colons."""
    for sign in ".:" if _ADDRESS_LABEL.fullmatch(label) else "":
        try:
            yield str(ipaddress.ip_address(label.replace("-", sign)))
        except ValueError:
            continue
