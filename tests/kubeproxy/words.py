"""The words of which rules are made, as iptables-save prints them."""

from __future__ import annotations

import base64
import hashlib
from fractions import Fraction
from typing import TYPE_CHECKING

from tests.kubeproxy.eras import era

if TYPE_CHECKING:
    from tests.kubeproxy.cluster import Cluster, Endpoint, Service


def chain_hash(text: str) -> str:
    return base64.b32encode(hashlib.sha256(text.encode()).digest()).decode()[:16]


def kernel_chance(text: str) -> Fraction:
    """k / 2^31 with k rounded half up, from a decimal text."""
    return Fraction(int(Fraction(text) * 2**31 + Fraction(1, 2)), 2**31)


def chance(remaining: int, digits: int) -> Fraction:
    """What the kernel makes of 1/remaining, written with so many digits."""
    return kernel_chance(f"{1 / remaining:.{digits}f}")


def digits(cluster: Cluster) -> int:
    return 5 if era(cluster.era).has("five digits") else 10


def name_of(cluster: Cluster, service: Service) -> str:
    """The name of a service port in comments and hashes."""
    colon = service.port_name or era(cluster.era).has("colon after the name of an unnamed port")
    return f"{service.namespace}/{service.name}" + (f":{service.port_name}" if colon else "")


def comment(text: str) -> str:
    return f'-m comment --comment "{text}" ' if text else ""


def written(address: str, port: int) -> str:
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def pod(endpoint: Endpoint) -> str:
    return written(*endpoint)


def host(cluster: Cluster, address: str) -> str:
    return f"{address}/{32 if cluster.family == 4 else 128}"


def to_address(
    cluster: Cluster, service: Service, address: str, text: str, *, source: str = "", interface: str = ""
) -> str:
    """Match a connection to a frontend's address; `source` and `interface` are matches of their own."""
    matches = (source, f"-d {host(cluster, address)}", interface, f"-p {service.protocol}")
    tail = f"-m {service.protocol} --dport {service.port}"
    return f"{' '.join(filter(None, matches))} {comment(text)}{tail}"


def to_node_port(service: Service, text: str, *, before: str = "") -> str:
    """Match a connection to a node port; `before` is a match that stands before the port's."""
    return f"-p {service.protocol} {comment(text)}{before}-m {service.protocol} --dport {service.node_port}"


def from_pods(cluster: Cluster, *, inverted: bool = False) -> dict[str, str]:
    """How this node tells its pods: the matches of `to_address`; nothing where it cannot."""
    text = {"cidr": f"-s {cluster.pod_cidr}", "bridge": "-i cni0", "prefix": "-i cali+"}.get(cluster.detect)
    if text is None:
        return {}
    return {"source" if cluster.detect == "cidr" else "interface": ("! " if inverted else "") + text}


def recent_mask(cluster: Cluster) -> str:
    mask = "255.255.255.255" if cluster.family == 4 else ":".join(["ffff"] * 8)
    return f"--mask {mask} --rsource"


def affinity(cluster: Cluster, service: Service) -> int | None:
    """For how many seconds a client is remembered; a fixed time before 1.8."""
    if not service.affinity:
        return None
    release = era(cluster.era)
    return 180 if release.has("180 seconds") else 10800 if release.has("10800 seconds") else service.affinity
