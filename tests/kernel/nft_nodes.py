"""Nodes of nftables mode at a crossroads: connections to all their frontends, and what is documented of each."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from tests.kernel.attempts import NODE as THE_NODE
from tests.kernel.attempts import Fate
from tests.kernel.clients_around import attempts
from tests.kernel.crossroads import LONG_PATIENCE, PATIENCE
from tests.kernel.site import OUTSIDE, PODS, Site
from tests.kernel.statistics import chi_square_p
from tests.nftproxy.names import endpoint_name
from tests.nftproxy.random_nodes import NODE, pods_of
from tests.nftproxy.random_nodes import PODS as POD_NETWORK
from tests.nftproxy.truth import Client, frontends_of, has_node_port, hides, met
from tests.nftproxy.writer import listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.kernel.attempts import Attempt
    from tests.kernel.crossroads import Crossroads
    from tests.kubeproxy.cluster import Service
    from tests.nftproxy.random_nodes import RandomNode
    from tests.nftproxy.truth import Frontend, Met

TIMES = {OUTSIDE: 16, PODS: 20, THE_NODE: 10}
"""How many connections each kind of client tries."""
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
NEVER = 1e-10
"""A right share fails once in ten thousand million comparisons."""
_INTERFACES = {"bridge": "cni0", "prefix": "cali12"}


def site_for(family: int, *, calico: bool) -> Site:
    """Return where nodes of a family are; pods come by an interface that one way of telling pods knows."""
    interfaces = Site().interfaces | {PODS: _INTERFACES["prefix" if calico else "bridge"]}
    return Site(
        NODE[family], POD_NETWORK[family], pods_of(family, here=True), pods_of(family, here=False), interfaces
    )


class Tried(NamedTuple):
    """A connection to a frontend, and what became of it."""

    service: Service
    frontend: Frontend
    fate: Fate


def put(lab: Crossroads, node: RandomNode) -> str:
    """Load a node's table, and nothing else; return what nft lists."""
    lab.nft("-f", "-", stdin=f"flush ruleset\n{listed(node.node, node.release)}")
    lab.listen({(one.protocol, end[1]) for one in node.services for end in one.endpoints} - _unheard(node))
    return lab.nft("list", "ruleset")


def _unheard(node: RandomNode) -> set[tuple[str, int]]:
    """Ports that no program listens on: this kernel has no sockets for SCTP."""
    return {("sctp", end[1]) for one in node.services for end in one.endpoints}


def try_all(lab: Crossroads, node: RandomNode) -> list[Tried]:
    """Let clients of all kinds connect to all frontends of a node."""
    asked = [
        Tried(service, frontend, Fate(attempt, 0))
        for service in node.services
        for frontend in frontends_of(service)
        for attempt in _attempts(lab.site, service, frontend)
    ]
    return _tried(lab, asked, PATIENCE)


def try_again(lab: Crossroads, some: Iterable[Tried]) -> list[Tried]:
    """Try connections again, with patience."""
    return _tried(lab, some, LONG_PATIENCE)


def _tried(lab: Crossroads, some: Iterable[Tried], patience: float) -> list[Tried]:
    """Try all at once, but for services with affinity: at each of their frontends, all clients are new ones."""
    batches: dict[object, list[Tried]] = {}
    for one in some:
        batches.setdefault((one.service, one.frontend) if one.service.affinity else None, []).append(one)
    done = []
    for asked in batches.values():
        _forget(lab, asked[0].service)
        fates = lab.attempt([one.fate.attempt for one in asked], patience)
        done += [one._replace(fate=fate) for one, fate in zip(asked, fates, strict=True)]
    return done


def _forget(lab: Crossroads, service: Service) -> None:
    """Let a service forget which clients stay with which endpoint."""
    table = "ip" if lab.site.family == 4 else "ip6"
    names = [endpoint_name("affinity", service, one) for one in service.endpoints if service.affinity]
    known = lab.nft("list", "sets") if names else ""
    lines = [f"flush set {table} kube-proxy {name}\n" for name in names if f"set {name} " in known]
    if lines:
        lab.nft("-f", "-", stdin="".join(lines))


def _attempts(site: Site, service: Service, frontend: Frontend) -> Iterator[Attempt]:
    """Yield who connects; endpoints connect to their own service, too."""
    addresses = (frontend.address,) if frontend.address else site.own
    for address in addresses:
        for kind, times in TIMES.items():
            every = attempts(site, kind, address, frontend.port, frontend.protocol, times)
            # A node has few addresses, each of which keeps the endpoint that it first met.
            yield from dict.fromkeys(every) if service.affinity and kind == THE_NODE else every
        pods = [ip for ip, _ in service.endpoints if ip in site.here]
        (example, *_) = attempts(site, PODS, address, frontend.port, frontend.protocol, 1)
        for pod in pods[:2]:
            yield from [example._replace(client=PODS, source=pod)] * (1 if service.affinity else 6)
    if frontend.address is None:
        (own, *_) = attempts(site, THE_NODE, LOOPBACK[site.family], frontend.port, frontend.protocol, 1)
        yield own


# --- what is documented --------------------------------------------------------------------------------------


def client_of(node: RandomNode, site: Site, attempt: Attempt) -> Client:
    """Return who opens a connection, as far as kube-proxy tells clients apart."""
    known = _INTERFACES.get(node.node.cluster.detect) == site.interfaces[PODS]
    return Client(attempt.source, attempt.client == PODS and known, attempt.client == THE_NODE)


def _is_untouched(node: RandomNode, one: Tried) -> bool:
    to = one.fate.attempt.destination
    return one.frontend.address is None and not has_node_port(node.node, to)


def expected(node: RandomNode, site: Site, one: Tried) -> Met:
    """Return what is documented of a connection to a frontend."""
    client = client_of(node, site, one.fate.attempt)
    return met(node.node, node.release, one.service, one.frontend, client)


def is_as_documented(node: RandomNode, site: Site, one: Tried) -> bool:
    """Whether what became of a connection is what is documented."""
    fate, came = one.fate, one.fate.arrived
    if _is_untouched(node, one):
        return came is not None and fate.at == THE_NODE and not fate.rewritten
    told = expected(node, site, one)
    if told.verdict:
        return came is None and bool(fate.refused) is (told.verdict == "REJECT")
    if came is None or (came.destination, came.dport) not in told.endpoints or not fate.reaches:
        return False
    on_node = site.has(came.destination)
    hidden = hides(
        told,
        client_of(node, site, fate.attempt),
        (came.destination, came.dport),
        on_node=on_node,
    )
    return site.has(came.source) if hidden else came.source == fate.attempt.source


def unlikely_shares(node: RandomNode, site: Site, every: Iterable[Tried]) -> Iterator[str]:
    """Yield what speaks against each endpoint's being as likely, of clients that choose for the first time."""
    groups: dict[tuple[str, str, Met], Counter[tuple[str, int]]] = {}
    for one in every:
        came, told = one.fate.arrived, expected(node, site, one)
        if came and len(told.endpoints) > 1 and one.service.affinity is None and one.fate.rewritten:
            key = (one.service.name, one.service.protocol, told)
            groups.setdefault(key, Counter())[came.destination, came.dport] += 1
    for (name, _, told), counts in groups.items():
        observed = [counts[end] for end in told.endpoints]
        if chi_square_p(observed, [Fraction(1, len(observed))] * len(observed)) < NEVER:
            yield f"{name}: {dict(counts)}"
