"""Differences of what the cluster wants: a service changed, or the node's settings, and all written by kube-proxy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.compare.planted import (
    CHANGED,
    PODS,
    Kind,
    Pair,
    address,
    base_of,
    cluster_of,
    endpoints,
    follows,
    host,
    neighbours,
    pair,
    plain_service,
)
from tests.compare.planted.truth import port_facts, port_name
from tests.kubeproxy.words import written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tests.compare.planted import Fact, Follows, Variant
    from tests.kubeproxy import Cluster, Service

Options = dict[str, Any]


def _number(variant: Variant) -> int:
    return 20 + variant.seed


def _made(variant: Variant, options: Callable[[Variant], Options] | Options | None) -> list[Service]:
    """The service in question, if it is there."""
    if options is None:
        return []
    wanted = options(variant) if callable(options) else options
    return [replace(plain_service(variant.family, _number(variant)), **wanted)]


def _changed(
    old: Callable[[Variant], Options] | Options | None,
    new: Callable[[Variant], Options] | Options | None,
    *told: tuple[str, ...],
    families: tuple[int, ...] = (4, 6),
    since: int = 1,
    then: tuple[str, ...] = (),
) -> Kind:
    """A service has other options; `told` is what the generator's truth does not know: words, and values.

    `then` is what follows, as `follows` reads it: how clients fare, and findings of `check` that such a service has, or
    that count such services.
    """

    def put(variant: Variant) -> Pair:
        before, after = _made(variant, old), _made(variant, new)
        clusters = cluster_of(variant, *before), cluster_of(variant, *after, later=True)
        clients = [host(variant.family, "client", number) for number in range(3)]
        more = {
            (kind, port_name((after or before)[0]), *(value.format(*clients) for value in values))
            for kind, *values in told
        }
        facts = port_facts(*clusters) | more
        return _pair(variant, *clusters, facts, follows(variant, then, {fact[1] for fact in facts}))

    return Kind(put, families, since)


def _pair(variant: Variant, old: Cluster, new: Cluster, facts: frozenset[Fact], then: Follows) -> Pair:
    return pair(variant, base_of(variant, old).text, base_of(variant, new).text, facts, then)


def _with(kind: str, number: int, option: str) -> Callable[[Variant], Options]:
    """An option that holds one address."""
    return lambda variant: {option: (address(variant.family, kind, number),)}


def _ends(count: int, first: int = 0, port: int = 8080) -> Callable[[Variant], Options]:
    """So many endpoints, from the `first` on."""

    def options(variant: Variant) -> Options:
        every = endpoints(variant.family, _number(variant), first + count)[first:]
        return {"endpoints": tuple((pod, port) for pod, _ in every)}

    return options


def _external(**more: object) -> Callable[[Variant], Options]:
    """A service with all frontends."""
    return lambda variant: {
        "node_port": 30_200,
        "external_ips": (address(variant.family, "external", 30),),
        "load_balancer_ips": (address(variant.family, "balancer", 30),),
        **more,
    }


def _ranges(*numbers: int) -> Callable[[Variant], Options]:
    def options(variant: Variant) -> Options:
        bits = 32 if variant.family == 4 else 128
        sources = tuple(f"{address(variant.family, 'client', number)}/{bits}" for number in numbers)
        return {"load_balancer_ips": (address(variant.family, "balancer", 30),), "source_ranges": sources}

    return options


_IP, _BALANCER = _with("external", 30, "external_ips"), _with("balancer", 30, "load_balancer_ips")
_LOCAL = {"node_port": 30_200, "local_only": True}

OF_SERVICES: dict[str, Kind] = {
    "a service comes": _changed(None, {}),
    "a service goes": _changed({}, None),
    "a service with a node port comes": _changed(None, {"node_port": 30_200}, then=("changed route-localnet@4",)),
    "a service with all frontends goes": _changed(_external(), None, then=("changed route-localnet@4", "changed external-ip-public", "gone lb-short-circuit")),
    "a service without endpoints comes": _changed(None, {"endpoints": ()}, since=2, then=("new no-endpoints",)),
    "a service is renamed": _changed({"name": "old"}, {"name": "new"}),
    "a service moves to another namespace": _changed({"namespace": "old"}, {"namespace": "new"}),
    "a port is renamed": _changed({"port_name": "http"}, {"port_name": "web"}),
    "a port's protocol changes": _changed(
        {"protocol": "tcp"}, {"protocol": "udp"}, then=("changed existing-udp-flows",)),
    "an endpoint comes": _changed(_ends(4), _ends(5)),
    "an endpoint goes": _changed(_ends(4), _ends(3)),
    "the last but one endpoint goes": _changed(_ends(2), _ends(1)),
    "one of twelve endpoints goes": _changed(_ends(12), _ends(11)),
    "one endpoint is replaced": _changed(_ends(4), _ends(4, first=1)),
    "all endpoints are replaced": _changed(_ends(3), _ends(3, first=4)),
    "endpoints have another port": _changed(_ends(3), _ends(3, port=9090)),
    "the endpoints go": _changed({}, {"endpoints": ()}, since=7, then=("reached", "new no-endpoints")),
    "the first endpoints come": _changed({"endpoints": ()}, {}, since=7, then=("reached", "gone no-endpoints")),
    "a service of all frontends loses its endpoints": _changed(_external(), _external(endpoints=()), since=20, then=("reached", "new no-endpoints", "gone lb-short-circuit", "changed external-ip-public", "changed route-localnet@4")),
    "the cluster IP changes": _changed({}, lambda variant: {"cluster_ip": address(variant.family, "service", 99)}),
    "the port changes": _changed({"port": 80}, {"port": 8000}),
    "a node port comes": _changed({}, {"node_port": 30_200}, then=("changed route-localnet@4",)),
    "a node port goes": _changed({"node_port": 30_200}, {}, then=("changed route-localnet@4",)),
    "a node port changes": _changed({"node_port": 30_200}, {"node_port": 30_201}, then=("changed route-localnet@4",)),
    "an external IP comes": _changed({}, _IP, then=("changed external-ip-public",)),
    "an external IP goes": _changed(_IP, {}, then=("changed external-ip-public",)),
    "an external IP changes": _changed(_IP, _with("external", 31, "external_ips"), then=("changed external-ip-public",)),
    "a load balancer comes": _changed({}, _BALANCER, then=("new lb-short-circuit",)),
    "a load balancer goes": _changed(_BALANCER, {}, then=("gone lb-short-circuit",)),
    "a load balancer changes": _changed(_BALANCER, _with("balancer", 31, "load_balancer_ips"), then=("changed lb-short-circuit",)),
    "affinity comes": _changed({}, {"affinity": 600}, ("affinity", "none", "600 s"), since=8, then=("changed affinity-list-full", "changed affinity-pins")),
    "affinity goes": _changed({"affinity": 600}, {}, ("affinity", "600 s", "none"), since=8, then=("changed affinity-list-full", "changed affinity-pins")),
    "affinity lasts longer": _changed(
        {"affinity": 600}, {"affinity": 7200}, ("affinity", "600 s", "7200 s"), since=8, then=("changed affinity-list-full?", "changed affinity-pins?")),
    "external policy Local": _changed(
        {"node_port": 30_200}, _LOCAL, ("external policy", "Cluster", "Local"), since=15, then=("masquerade?", "reached for another reason")),
    "external policy Cluster": _changed(
        _LOCAL, {"node_port": 30_200}, ("external policy", "Local", "Cluster"), since=15, then=("masquerade?", "reached for another reason")),
    "another local endpoint": _changed({**_LOCAL, "local": 1}, {**_LOCAL, "local": 2}, since=15, then=("reached for another reason",)),
    "internal policy Local": _changed(
        {}, {"internal_local": True}, ("internal policy", "Cluster", "Local"), since=24
    ),
    "source ranges come": _changed(_BALANCER, _ranges(1), ("source ranges", "none", "{1}"), since=24, then=("reached", "new source-ranges", "new marked-drop-passes?")),
    "a source range is added": _changed(_ranges(1), _ranges(1, 2), ("source ranges", "{1}", "{1}, {2}"), since=24, then=("reached for another reason", "changed source-ranges")),
    "source ranges go": _changed(_ranges(1), _BALANCER, ("source ranges", "{1}", "none"), since=24, then=("reached", "gone source-ranges", "gone marked-drop-passes?")),
    "a health check comes": _changed(_LOCAL, {**_LOCAL, "health_check": 32_000}, ("health check", "none", "32000"), since=21),
    "another health check port": _changed(
        {**_LOCAL, "health_check": 32_000}, {**_LOCAL, "health_check": 32_001}, ("health check", "32000", "32001"), since=21
    ),
}  # fmt: skip
"""A service changes."""


def _settings(
    told: Callable[[Variant], Iterable[Fact]],
    since: int = 1,
    families: tuple[int, ...] = (4, 6),
    then: tuple[str, ...] = (),
    beside: tuple[Fact, ...] = (),
    **options: object,
) -> Kind:
    """The node's kube-proxy is set up otherwise. Rules that lead to node ports, or forward, are of no one service."""

    def put(variant: Variant) -> Pair:
        old, new = cluster_of(variant), cluster_of(variant, later=True, **options)
        facts = port_facts(old, new) | frozenset(told(variant))
        must, may = follows(variant, then, {fact[1] for fact in facts})
        forwarding = {(CHANGED, "filter KUBE-FORWARD")} if "pod_cidr" in options else set()  # up to 1.17
        outside = _at_external_ips(variant, facts)
        return _pair(variant, old, new, facts, (must | frozenset(beside), may | forwarding | outside))

    return Kind(put, families, since)


def _masquerades(new: str) -> Callable[[Variant], Iterator[Fact]]:
    """Connections to all cluster IPs are masqueraded otherwise."""

    def facts(variant: Variant) -> Iterator[Fact]:
        old = f"unless source in {PODS[variant.family]}"
        for service in neighbours(variant):
            yield "masquerade", port_name(service), written(service.cluster_ip, service.port), old, new

    return facts


def _at_external_ips(variant: Variant, facts: Iterable[Fact]) -> frozenset[Fact]:
    """The same at external IPs as at cluster IPs: up to 1.23 some of their connections came from pods, too."""
    services = {port_name(service): service for service in neighbours(variant)}
    masquerades = [fact for fact in facts if fact[0] == "masquerade" and fact[1] in services]
    return frozenset(
        (*fact[:2], written(address, services[fact[1]].port), *fact[3:])
        for fact in masquerades
        for address in services[fact[1]].external_ips
    )


def _answers_at(new: str) -> Callable[[Variant], Iterator[Fact]]:
    """All node ports answer at other addresses."""

    def facts(variant: Variant) -> Iterator[Fact]:
        for service in filter(lambda service: service.node_port, neighbours(variant)):
            at = f":{service.node_port}"
            yield "node port addresses", port_name(service), at, "all addresses of the node", new

    return facts


_AT_FEWER, _JUMP = ("reached", "gone route-localnet"), ((CHANGED, "nat KUBE-SERVICES"),)
"""What follows where node ports answer at fewer addresses: the jump to them is of no one service."""

OF_SETTINGS = {
    "masquerade-all": _settings(
        _masquerades("always"), 7, then=("reached for another reason?",), masquerade_all=True
    ),
    "another pod network": _settings(
        _masquerades("unless source in 10.42.0.0/16"),
        5,
        (4,),
        ("reached for another reason?", "reached by single clients?"),
        pod_cidr="10.42.0.0/16",
    ),
    "pods told by their bridge": _settings(
        _masquerades("unless input interface is cni0"),
        24,
        then=("reached for another reason",),
        detect="bridge",
    ),
    "node ports at one address": _settings(
        _answers_at("only 192.168.1.10"), 10, (4,), _AT_FEWER, _JUMP, node_port_addresses=("192.168.1.10",)
    ),
    "no node ports on localhost": _settings(
        _answers_at("all but 127.0.0.0/8"), 26, (4,), _AT_FEWER, _JUMP, localhost_node_ports=False
    ),
}
"""The node's kube-proxy is set up otherwise. Rules that lead to node ports, or forward, are of no one service."""
