"""Make `fixtures/*/dump*.rules` anew: write the rules, load them into a kernel, save what it gives back.

Run as root: `python -m tests.kernel.save_fixtures`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from tests import kubeproxy
from tests.kernel.lab import node
from tests.kubeproxy import NEW, OLD, Cluster, Service

FIXTURES = Path(__file__).parents[2] / "fixtures"

PODS = tuple((ip, 80) for ip in ("10.244.1.17", "10.244.1.18", "10.244.2.20", "10.244.2.21"))
HTTPD = Service("httpd-service", "10.97.13.198", PODS, port=79, node_port=32123)
HTTPD_6 = replace(
    HTTPD,
    cluster_ip="fd00:10:96::79",
    endpoints=tuple((f"fd00:10:244:{node}::{pod}", 80) for node, pod in ((1, 17), (1, 18), (2, 20), (2, 21))),
)
SHOP = Service(
    "shop",
    "10.97.20.1",
    (("10.244.0.7", 8080), ("10.244.1.7", 8080), ("10.244.2.7", 8080)),
    port_name="http",
    node_port=30080,
    external_ips=("192.0.2.80",),
    load_balancer_ips=("203.0.113.10",),
    local_only=True,
    local=1,
)
ADMIN = Service(
    "admin",
    "10.97.20.2",
    (("10.244.1.9", 8080),),
    port_name="http",
    load_balancer_ips=("203.0.113.20",),
    source_ranges=("198.51.100.0/24", "192.0.2.0/25"),
)
AWAY = Service(
    "away",
    "10.97.20.3",
    (("10.244.2.9", 8080),),
    port_name="http",
    node_port=30700,
    load_balancer_ips=("203.0.113.30",),
    local_only=True,
)
CART = Service("cart", "10.97.20.4", (("10.244.1.30", 8080),), port_name="http")
SEARCH = Service("search", "10.97.20.5", (("10.244.1.40", 9200), ("10.244.2.40", 9200)), port_name="http")
MOVED = (*PODS[:3], ("10.244.2.29", 80))
BASICS = kubeproxy.basics()
BASICS_6 = (
    replace(BASICS[0], cluster_ip="fd00:10:96::1", endpoints=(("fd00:192:168:1::10", 6443),)),
    *(
        replace(
            one,
            cluster_ip="fd00:10:96::a",
            endpoints=tuple((f"fd00:10:244::{n}", port) for n, (_, port) in enumerate(one.endpoints, 2)),
        )
        for one in BASICS[1:]
    ),
)

# name of the file -> cluster, backend, options of the save tool
DUMPS: dict[str, tuple[Cluster, str, tuple[str, ...]]] = {
    "httpd-service/dump.rules": (Cluster((*BASICS, HTTPD), OLD), "legacy", ()),
    "httpd-today/dump.rules": (Cluster((*BASICS, HTTPD)), "legacy", ()),
    "httpd-nft/dump.rules": (Cluster((*BASICS, HTTPD)), "nft", ("-c",)),
    "httpd-affinity/dump.rules": (Cluster((*BASICS, replace(HTTPD, affinity=10800))), "legacy", ()),
    "httpd-no-endpoints/dump.rules": (Cluster((*BASICS, replace(HTTPD, endpoints=()))), "legacy", ()),
    "httpd-dual-stack/dump.rules": (Cluster((*BASICS, HTTPD)), "legacy", ()),
    "httpd-dual-stack/dump6.rules": (
        Cluster((*BASICS_6, HTTPD_6), family=6, pod_cidr="fd00:10:244::/48"),
        "legacy",
        (),
    ),
    "policies-old/dump.rules": (Cluster((*BASICS, SHOP, ADMIN, AWAY), OLD), "legacy", ()),
    "policies-today/dump.rules": (Cluster((*BASICS, SHOP, ADMIN, AWAY), NEW), "nft", ()),
    "changed/old.rules": (Cluster((*BASICS, CART, replace(HTTPD, affinity=10800))), "legacy", ()),
    "changed/new.rules": (Cluster((*BASICS, replace(HTTPD, endpoints=MOVED), SEARCH)), "legacy", ()),
}
FIREWALL = {
    "changed/old.rules": "-A INPUT -s 192.0.2.0/24 -p tcp -m tcp --dport 22 -j ACCEPT\n",
    "changed/new.rules": "-A INPUT -s 192.0.2.0/25 -p tcp -m tcp --dport 22 -j ACCEPT\n"
    "-A FORWARD -d 10.244.2.29/32 -m conntrack --ctstate NEW -j DROP\n",
}
"""Rules of a fixture that an administrator has put before kube-proxy's into filter."""


def save(name: str) -> str:
    """Load the rules of one fixture into a kernel and return what the save tool prints."""
    cluster, backend, options = DUMPS[name]
    with node(backend, cluster.family) as lab:
        text = kubeproxy.saved(cluster)
        filtering = text.index("-A ", text.index("*filter"))
        lab.load(text[:filtering] + FIREWALL.get(name, "") + text[filtering:])
        if "-c" in options:
            lab.connect((HTTPD.cluster_ip, HTTPD.port), 1000, source="198.51.100.7")
        return re.sub(r" on \w{3} \w{3} .*", " on Mon Nov 23 12:00:00 2026", lab.save(*options))


def main() -> None:
    for name in DUMPS:
        path = FIXTURES / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(save(name))
        print(path)


if __name__ == "__main__":
    main()
