"""The services of the listings in `tests/nft/listings`: what a node has that has every feature."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.kubeproxy.cluster import Service

if TYPE_CHECKING:
    from typing import Any

_LOCAL: dict[str, Any] = {"local_only": True}
_RANGES = ("192.168.1.0/24", "198.51.100.0/24")


def every_service() -> tuple[Service, ...]:
    """Return the services, in the order in which the listings have their chains."""
    dns = (("10.244.0.2", 53), ("10.244.1.3", 53))
    return (
        Service("kubernetes", "10.96.0.1", (("192.168.1.10", 6443),), port=443, port_name="https"),
        *(
            Service(
                "kube-dns", "10.96.0.10", dns, 53, name, "kube-system", protocol=protocol, local=1
            )
            for name, protocol in (("dns", "udp"), ("dns-tcp", "tcp"))
        ),
        _of_shop("web", 1, "0.5 1.5 2.5", 8080, protocol="tcp", local=1),
        _of_shop(
            "front", 2, "0.6 1.6", 8080, local=1, node_port=30080, external_ips=("192.0.2.80",),
            load_balancer_ips=("203.0.113.10",),
        ),
        _of_shop(
            "api", 3, "0.7 1.7 2.7", 8443, port=443, port_name="", local=1, node_port=30443,
            load_balancer_ips=("203.0.113.20",), **_LOCAL,
        ),
        _of_shop("away", 4, "2.9", 8080, node_port=30700, load_balancer_ips=("203.0.113.30",), **_LOCAL),
        _of_shop(
            "admin", 5, "1.8", 8080, node_port=30500, load_balancer_ips=("203.0.113.40",), source_ranges=_RANGES
        ),
        _of_shop("cache", 6, "0.8 1.9", 6379, port=6379, port_name="redis", internal_local=True, local=1),
        _of_shop("gone", 7, "1.10", 6379, port=6379, port_name="redis", internal_local=True),
        _of_shop("empty", 8, "", 8080, node_port=30600, external_ips=("192.0.2.81",)),
        _of_shop("sticky", 9, "0.11 1.11 2.11", 8080, affinity=10800, node_port=30900, local=1),
        _of_shop("seven", 10, "0.20 0.23 0.26 1.21 1.24 2.22 2.25", 7, port=7, port_name="echo", local=3),
        _of_shop("sctp", 11, "1.12", 38412, port=38412, port_name="ngap", protocol="sctp"),
    )  # fmt: skip


def _of_shop(name: str, number: int, pods: str, target: int, **options: Any) -> Service:
    endpoints = tuple((f"10.244.{pod}", target) for pod in pods.split())
    said = {"namespace": "shop", "port_name": "http", "protocol": "udp", **options}
    return Service(name, f"10.96.20.{number}", endpoints, **said)
