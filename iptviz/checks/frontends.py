"""What the addresses of frontends bring with them: external IPs, load-balancer IPs, ports of UDP."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import diagnosis, found
from iptviz.checks.wording import are, listed, these
from iptviz.paths.foreign import takers
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Iterator

    from iptviz.checks.examined import Examined
    from iptviz.checks.finding import Diagnosis, Finding
    from iptviz.kube.frontend_answer import FrontendAnswer
    from iptviz.kube.frontends import Frontend
    from iptviz.kube.service_ports import ServicePort
    from iptviz.xtables.address import Network

_MOST_FRONTENDS = 3

_NODE_PORTS_IN_USE = frozenset({22, 179, 2379, 2380, 6443, 10248, 10249, 10250, 10256, 10257, 10259})
"""Ports at which a node itself is asked: sshd, BGP, etcd, the API server, kubelet, and the rest of Kubernetes."""


def check(node: Examined) -> Iterator[Finding]:
    """Yield what the frontends of service ports bring with them."""
    answers = [
        (port, answer) for port in node.ports for answer in port.answers if answer.frontend.kind in _ABOUT
    ]
    taken = _taken(node) if answers else set()
    answers = [(port, answer) for port, answer in answers if answer.frontend.text not in taken]
    external = [
        (port, answer.frontend)
        for port, answer in answers
        if answer.frontend.kind == "external-ip"
        and answer.frontend.rule.table.name == "nat"
        and not answer.kind_untold
    ]
    own = [pair for pair in external if node.evidence.host.is_local(_address(pair[1]))]
    for state, in_use in (("in use", True), ("", False)):
        some = [pair for pair in own if (pair[1].port in _NODE_PORTS_IN_USE) is in_use]
        yield from _told(external_ip_is_node, some, state)
    public = [pair for pair in external if pair not in own and _is_public(pair[1])]
    yield from _told(external_ip_public, public)
    yield from _told(lb_short_circuit, [
        (port, answer.frontend) for port, answer in answers if _is_short(answer)
    ])  # fmt: skip
    yield from _told(existing_udp_flows, [
        (port, port.usual.frontend) for port in node.ports if port.protocol == "udp" and port.has_endpoints
    ])  # fmt: skip


_ABOUT = frozenset({"external-ip", "load-balancer-ip"})


def _taken(node: Examined) -> set[str]:
    """Return the frontends whose connections rules of others take: the service gets none of these."""
    found = takers(node.dump.tables.get("nat"), node.ports, node.reached, node.evidence.host)
    return {one.frontend for taker in found for one in taker.taken}


def _told(what: Diagnosis, pairs: list[tuple[ServicePort, Frontend]], state: str = "") -> Iterator[Finding]:
    """Yield one finding about some frontends, where there are any."""
    if pairs:
        names = dict.fromkeys(port.name for port, _ in pairs)
        service = pairs[0][0].service if len(names) == 1 else None
        yield found(what, [frontend.rule for _, frontend in pairs], state=state, service=service,
            names=tuple(names), texts=tuple(frontend.text for _, frontend in pairs),
        )  # fmt: skip


def _address(frontend: Frontend) -> Network | None:
    return parse_network(frontend.address or "")


def _is_short(answer: FrontendAnswer) -> bool:
    """Whether a load-balancer IP leads to all endpoints from here."""
    return answer.frontend.kind == "load-balancer-ip" and bool(answer.endpoints) and not answer.local_only


def _is_public(frontend: Frontend) -> bool:
    """Whether the Internet knows an address; those of documentation stand for such."""
    from ipaddress import ip_address, ip_network

    network = _address(frontend)
    if network is None:
        return False
    one = ip_address(show_host(network))
    return one.is_global or any(one in ip_network(network) for network in _DOCUMENTATION)


_DOCUMENTATION = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")

# --- the words -------------------------------------------------------------------------------------------------


@diagnosis({"in use": "high", "": "low"}, reference="k0sproject/k0s#4661")
def external_ip_is_node(*, names: tuple[str, ...], texts: tuple[str, ...]) -> str:
    """A service's external IP is an address of this node.

    It is of high severity at a port that a node itself needs: of sshd, kubelet, etcd, the API server.

    Why: All connections to this address and port go to the service's endpoints. What listens there on the
    node itself, sshd or kubelet, is no longer reached.

    Do: Use another external IP or another port, unless nothing on the nodes listens there.
    """
    whose = f"{listed(texts, _MOST_FRONTENDS)} of {these(names)}"
    what = are(texts, "is an address of this node", "are addresses of this node")
    return f"{whose} {what}: the service takes connections meant for the node at this port"


@diagnosis("medium", reference="k/k#97076")
def external_ip_public(*, names: tuple[str, ...], texts: tuple[str, ...]) -> str:
    """A service has a public address as an external IP.

    Kubernetes does not check whether the address belongs to the cluster (CVE-2020-8554).

    Why: Connections of this node and its pods to that address go to the service instead. Anyone who may create
    services can take over the traffic to any address of the Internet.

    Do: Check that the address belongs to the cluster. Turn on the admission controller DenyServiceExternalIPs
    if no service needs external IPs.
    """
    what = are(texts, "a public address", "public addresses")
    where = f"connections there go to {are(names, 'the service', 'these services')}"
    return f"{these(names)} {are(names, 'has', 'have')} {what} as external IP, {_at(texts)}: {where}"


@diagnosis("info", reference="k/k#66607")
def lb_short_circuit(*, names: tuple[str, ...], texts: tuple[str, ...]) -> str:
    """Connections of this node and its pods to a load-balancer IP never reach the load balancer.

    The service has externalTrafficPolicy Cluster, and kube-proxy sends them to the endpoints at once.

    Why: What the load balancer adds is missing for them: TLS, PROXY protocol, its own access rules.

    Do: Let clients inside use the cluster IP, or a host name in place of the IP in the load balancer's status
    (or ipMode Proxy, from 1.29 on) if they need the load balancer.
    """
    who = "connections of this node and its pods"
    return f"{these(names)}: {who} to {_at(texts)} go to endpoints without the load balancer"


@diagnosis("info", reference="k/k#125467")
def existing_udp_flows(*, names: tuple[str, ...], texts: tuple[str, ...]) -> str:
    """Existing UDP flows keep their endpoint until their conntrack entry expires.

    Why: A client that sends from one port all the time stays with its endpoint, whatever the rules say now;
    if the endpoint is gone, its packets are lost.

    Do: Where UDP clients seem stuck, look for their flows: conntrack -L -p udp --orig-dst CLUSTER-IP. With -D
    in place of -L, conntrack deletes them, and the next packet chooses anew.
    """
    return (
        f"{these(names)}: only new flows to {_at(texts)} use these endpoints; existing UDP flows keep theirs"
    )


def _at(texts: tuple[str, ...]) -> str:
    return listed(texts, _MOST_FRONTENDS)
