"""Published ports of pods and containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.checks.planted import Plant
from tests.checks.planted.preemption import after_services, before_services, declared

if TYPE_CHECKING:
    from tests.checks.planted import Base

_LOCAL = "-A PREROUTING -m addrtype --dst-type LOCAL -j"
_HOST_PORTS = "CNI-HOSTPORT-DNAT"
_CHAINS = ("CNI-DN-0123456789abcdef01234", "CNI-DN-fedcba9876543210fedcb")


def _pod(base: Base, number: int) -> str:
    return f"10.244.9.{number}:80" if base.family == 4 else f"[fd00:10:244:9::{number}]:80"


def _published(base: Base, port: int, number: int) -> str:
    """Rules as portmap writes them for one host port of a pod."""
    chain = _CHAINS[number]
    return (
        f"-A {_HOST_PORTS} -p tcp -m multiport --dports {port} -j {chain}\n"
        f"-A {chain} -p tcp -m tcp --dport {port} -j DNAT --to-destination {_pod(base, number + 2)}"
    )


def _preempting(base: Base, place: int) -> str:
    rules = _published(base, base.service(place).node_port or 0, 0)
    return declared(before_services(base, f"{_LOCAL} {_HOST_PORTS}", rules), _HOST_PORTS, _CHAINS[0])


def _twice(base: Base, place: int) -> str:
    rules = "\n".join(_published(base, 8000 + place, number) for number in range(2))
    return declared(after_services(base, f"{_LOCAL} {_HOST_PORTS}", rules), _HOST_PORTS, *_CHAINS)


def _whole(base: Base, place: int) -> str:
    """Of a container's port, of a host port, and of the DNS of a container network."""
    to = _pod(base, 2)
    at = "172.18.0.1/32" if base.family == 4 else "fd00:172:18::1/128"
    chain, jump, rule = (
        ("DOCKER", f"{_LOCAL} DOCKER", f"-A DOCKER ! -i docker0 -p tcp -j DNAT --to-destination {to}"),
        (_HOST_PORTS, f"{_LOCAL} {_HOST_PORTS}", f"-A {_HOST_PORTS} -p udp -j {_CHAINS[0]}"),
        ("DOCKER_OUTPUT", f"-A PREROUTING -d {at} -j DOCKER_OUTPUT",
         f"-A DOCKER_OUTPUT -d {at} -p tcp -j DNAT --to-destination {to}"),
    )[place]  # fmt: skip
    if place == 1:
        rule += f"\n-A {_CHAINS[0]} -p udp -j DNAT --to-destination {to}"
    return declared(after_services(base, jump, rule), chain, *_CHAINS[: place == 1])


PLANTS = {
    "hostport-preempts": Plant(_preempting),
    "hostport-duplicate": Plant(_twice),
    "dnat-whole-protocol": Plant(_whole),
}
