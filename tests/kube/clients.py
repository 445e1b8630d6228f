"""Clients of services, services to ask for, and what the program says that a client meets."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

from iptviz.engine.chance import NEVER
from iptviz.kube.find import find
from iptviz.kube.service import trace_frontend
from iptviz.kube.target import parse_target
from tests.kubeproxy import Service
from tests.kubeproxy.truth import Client, Met, Shares

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from iptviz.dump.model import Dump
    from iptviz.engine.condition import Assumption, Condition
    from iptviz.kube.endpoint_form import EndpointForm
    from iptviz.kube.outcome import Endpoint, FrontendOutcome
    from iptviz.kube.service import ServiceTrace

PODS = {4: "10.244.0.0/16", 6: "fd00:10:244::/48"}
RANGES = {4: ("198.51.100.0/24", "10.0.0.0/8"), 6: ("2001:db8:51::/48", "fd00:10::/32")}
NODE = {4: "192.168.1.10", 6: "fd00:192:168:1::10"}


def followed(dump: Dump, target: str) -> list[ServiceTrace]:
    """What kube-proxy's own chains do with connections to a target, without the rest of their way."""
    return [trace_frontend(dump, frontend) for frontend in find(dump, parse_target(target)).frontends]


CLIENTS = {
    4: (
        Client("198.51.100.7"),
        Client("203.0.113.99"),
        Client("10.244.3.3", pod=True),
        Client(NODE[4], node=True),
        Client(NODE[4], node=True, to_node=True),
        Client("10.1.1.1", node=True),
        Client("127.0.0.1", node=True, to_node=True),
    ),
    6: (
        Client("2001:db8:51::7"),
        Client("2001:db8:99::7"),
        Client("fd00:10:244:3::3", pod=True),
        Client(NODE[6], node=True),
        Client("fd00:10:1::1", node=True),
    ),
}


def service(family: int, endpoints: int, number: int = 1, **options: object) -> Service:
    """Return a service with `endpoints` pods; `number` keeps several of them apart."""
    cluster_ip = f"10.97.20.{number}" if family == 4 else f"fd00:10:96::{number}"
    pod = "10.244.{}.{}" if family == 4 else "fd00:10:244:{}::{}"
    pods = tuple((pod.format(number, 10 + count), 8080) for count in range(endpoints))
    return Service(f"web-{number}", cluster_ip, pods, **options)  # type: ignore[arg-type]


def full_service(family: int, endpoints: int, **options: object) -> Service:
    """Return a service with a frontend of each kind."""
    external, balancer = ("192.0.2.80", "203.0.113.10") if family == 4 else ("2001:db8::80", "2001:db8::10")
    more = {"node_port": 30080, "external_ips": (external,), "load_balancer_ips": (balancer,), **options}
    return service(family, endpoints, **more)  # type: ignore[arg-type]


def shares_of(outcome: FrontendOutcome) -> Shares:
    """Return the endpoints of an outcome as the generator writes them."""
    return answer_shares(outcome.endpoints)


def answer_shares(endpoints: Iterable[EndpointForm | Endpoint]) -> Shares:
    return [
        (
            f"[{one.address}]:{one.port}" if ":" in one.address else f"{one.address}:{one.port}",
            one.share or NEVER,
        )
        for one in endpoints
    ]


def met_by(trace: ServiceTrace, client: Client) -> Met:
    """Return what the trace says for `client`; exactly one of its cases is the client's."""
    (outcome,) = (outcome for outcome in trace.outcomes if _apply(outcome.when, client))
    masqueraded = any(_apply(mark.needs, client) for mark in outcome.masquerade)
    verdict = outcome.verdict.kind if outcome.verdict else None
    return Met(shares_of(outcome), masqueraded and bool(outcome.endpoints), verdict)


def _apply(needs: tuple[Assumption, ...], client: Client) -> bool:
    return all(_holds(need.condition, client) == need.holds for need in needs)


def _holds(condition: Condition, client: Client) -> bool:
    """Answer a condition; nobody here comes over a bridge, and node ports are asked at the node's address."""
    return any(_has(condition.kind, value, client) for value in condition.values)


def _has(kind: str, value: str, client: Client) -> bool:
    source = ip_address(client.source)
    answers: dict[str, Callable[[], bool]] = {
        "source-cidr": lambda: source in ip_network(value),
        "destination-cidr": lambda: ip_address(NODE[source.version]) in ip_network(value),
        "in-interface": lambda: client.pod,
        "source-type": lambda: {"LOCAL": client.node}[value],
        "destination-type": lambda: {"LOCAL": client.to_node}[value],
        "bridge-port": lambda: False,
    }
    return answers[kind]()
