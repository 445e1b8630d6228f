"""What `services` lists of random nodes is what the nodes were made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import iptviz
from iptviz.node.load import load_node
from tests.nftproxy import listed
from tests.nftproxy.random_nodes import random_node
from tests.nftproxy.truth import BALANCER_IP, CLUSTER_IP, EXTERNAL_IP, frontends_of

if TYPE_CHECKING:
    from tests.kernel.asked_conditions import Shape
    from tests.kubeproxy.cluster import Service

SEEDS = range(10)


def told(said: Shape) -> tuple[object, ...]:
    """What is said of a service port: its frontends, and the endpoints and refusal of its cluster IP."""
    frontends = {(one["kind"], one["address"], one["port"], one["protocol"]) for one in said["frontends"]}
    endpoints = {(one["address"], one["port"], one["exact"]) for one in said["endpoints"]}
    return frontends, endpoints, said["verdict"] and said["verdict"]["kind"], said["session_affinity"]


def made(service: Service, release: str) -> tuple[object, ...]:
    """What a service port was made of, as far as a table tells it.

    Nothing tells a load balancer's address from an external IP but its source ranges, nor, in 1.29, what is refused
    from a cluster IP; nothing of a service without endpoints has affinity.
    """
    used = service.endpoints[: service.local] if service.internal_local else service.endpoints
    kinds = {BALANCER_IP: BALANCER_IP if service.source_ranges else EXTERNAL_IP}
    if release == "1.29" and not service.endpoints:
        kinds = dict.fromkeys((BALANCER_IP, EXTERNAL_IP), CLUSTER_IP)
    frontends = {(kinds.get(kind, kind), *where) for kind, *where in frontends_of(service)}
    verdict = None if used else "DROP" if service.endpoints else "REJECT"
    balanced = used or (service.endpoints and service.external)
    sticky = {"seconds": service.affinity} if service.affinity and balanced else None
    return frontends, {(*one, share_of(len(used))) for one in used}, verdict, sticky


def share_of(count: int) -> str:
    return f"1/{count}"


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("seed", SEEDS)
def test_service_ports_are_listed_as_they_were_made(seed: int, family: int) -> None:
    asked = random_node(seed, family)
    node = load_node(listed(asked.node, asked.release).encode())
    said = {
        (one["service"]["name"], one["service"]["port_name"], one["protocol"]): told(one)
        for one in iptviz.services(node).to_dict()["services"]
    }
    assert said == {
        (one.name, one.port_name, one.protocol): made(one, asked.release)
        for one in asked.node.cluster.services
    }
