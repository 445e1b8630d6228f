"""Nodes made at random: what kube-proxy of some era writes, and one to three rules of others among that."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.planted import PLANTS, Among, planted
from tests.kernel.site import PODS, Site
from tests.kubeproxy import saved
from tests.kubeproxy.features import FEATURES, POSSIBLE, cluster_with
from tests.kubeproxy.truth import frontends_of

if TYPE_CHECKING:
    from tests.kernel.asked_conditions import Shape

BOTH = 0.15
"""How often what others wrote stands in the other backend."""
HERE, THERE = (
    ("10.244.0.2", "10.244.1.5", "10.244.1.7", "10.244.1.9"),
    ("10.244.0.3", "10.244.1.6", "10.244.1.8"),
)


class PlantedNode(NamedTuple):
    """Rules by backend, the frontends of the service that is asked for, and what was made, in words."""

    rules: dict[str, str]
    frontends: list[Shape]
    story: str


def site_for(number: int) -> Site:
    """Return a site; by turns, pods come by an interface that one way of telling pods knows, or the other."""
    site = Site(here=HERE, there=THERE)
    return Site(
        here=HERE, there=THERE, interfaces=site.interfaces | {PODS: "cali12" if number % 2 else "cni0"}
    )


def possible() -> list[tuple[str, str]]:
    """Return the features and eras that can be tried with TCP or UDP of IPv4."""
    return [(name, release) for name, release in POSSIBLE if _can_be_tried(name)]


def _can_be_tried(name: str) -> bool:
    feature = FEATURES[name]
    protocol = feature.service.get("protocol", "tcp")
    return feature.loads and not feature.crowd and protocol != "sctp" and feature.cluster.get("family") != 6


def plain_node(name: str, release: str, backend: str) -> PlantedNode:
    """Return a node of which nobody else has written."""
    cluster, one = cluster_with(name, release)
    some: list[Shape] = [
        {"address": address or None, "port": int(port), "protocol": one.protocol}
        for address, _, port in (target.rpartition(":") for target in frontends_of(cluster, one))
    ]
    return PlantedNode({backend: saved(cluster)}, some, f"{name} in {release}, {backend}")


def planted_node(seed: int, site: Site) -> PlantedNode:
    """Return a node with rules of others."""
    dice = random.Random(seed)
    backends = dice.sample(["legacy", "nft"], 2)
    name, release = dice.choice(possible())
    plain = plain_node(name, release, backends[0])
    _, one = cluster_with(name, release)
    addresses = [(each["address"] or site.addresses[0], each["port"]) for each in plain.frontends]
    clients = ("198.51.100.7", site.pod_clients[1], site.addresses[0])
    among = Among(dice, site, clients, addresses, one.endpoints or (("10.244.1.5", 8080),), one.protocol)
    changes = [dice.choice(PLANTS)(among) for _ in range(dice.randint(1, 3))]
    rules = dict(plain.rules)
    if dice.random() < BOTH:
        rules[backends[1]] = planted("", [change for change in changes if "KUBE-" not in str(change)])
    else:
        rules[backends[0]] = planted(rules[backends[0]], changes)
    what = "; ".join(" ".join(filter(None, change)) for change in changes)
    return PlantedNode(rules, plain.frontends, f"seed {seed}: {plain.story}, rules in {list(rules)}: {what}")
