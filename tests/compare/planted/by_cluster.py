"""Differences of what the cluster wants: a service changed, or the node's settings, and all written by kube-proxy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.compare.planted import (
    BY_SINGLE,
    REACHED,
    Kind,
    Pair,
    address,
    base_of,
    cluster_of,
    endpoints,
    fares,
    host,
    pair,
    plain_service,
)
from tests.compare.planted.truth import port_facts, port_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.compare.planted import Fact, Variant
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
    beside: tuple[str, ...] = (),
) -> Kind:
    """A service has other options; `told` is what the generator's truth does not know: words, and values.

    `beside` are findings of `check` that such a service has, or that count such services.
    """

    def put(variant: Variant) -> Pair:
        before, after = _made(variant, old), _made(variant, new)
        clusters = cluster_of(variant, *before), cluster_of(variant, *after, later=True)
        clients = [host(variant.family, "client", number) for number in range(3)]
        more = {
            (kind, port_name((after or before)[0]), *(value.format(*clients) for value in values))
            for kind, *values in told
        }
        return _pair(variant, *clusters, frozenset(more), _of_findings(*beside))

    return Kind(put, families, since)


def _of_findings(*ids: str) -> frozenset[Fact]:
    """That findings are new, gone, or say something else."""
    return frozenset((f"finding {how}", name) for how in ("new", "gone", "changed") for name in ids)


def _pair(
    variant: Variant, old: Cluster, new: Cluster, more: frozenset[Fact], beside: frozenset[Fact]
) -> Pair:
    """Where a service port differs, clients may fare otherwise at it, and at no other."""
    facts = port_facts(old, new) | more
    may = fares({fact[1] for fact in facts}, REACHED, BY_SINGLE) | beside
    return pair(variant, base_of(variant, old).text, base_of(variant, new).text, facts, may)


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
    "a service with a node port comes": _changed(None, {"node_port": 30_200}),
    "a service with all frontends goes": _changed(_external(), None),
    "a service without endpoints comes": _changed(None, {"endpoints": ()}, since=2),
    "a service is renamed": _changed({"name": "old"}, {"name": "new"}),
    "a service moves to another namespace": _changed({"namespace": "old"}, {"namespace": "new"}),
    "a port is renamed": _changed({"port_name": "http"}, {"port_name": "web"}),
    "a port's protocol changes": _changed({"protocol": "tcp"}, {"protocol": "udp"}),
    "an endpoint comes": _changed(_ends(4), _ends(5)),
    "an endpoint goes": _changed(_ends(4), _ends(3)),
    "the last but one endpoint goes": _changed(_ends(2), _ends(1)),
    "one of twelve endpoints goes": _changed(_ends(12), _ends(11)),
    "one endpoint is replaced": _changed(_ends(4), _ends(4, first=1)),
    "all endpoints are replaced": _changed(_ends(3), _ends(3, first=4)),
    "endpoints have another port": _changed(_ends(3), _ends(3, port=9090)),
    "the endpoints go": _changed({}, {"endpoints": ()}, since=7),
    "the first endpoints come": _changed({"endpoints": ()}, {}, since=7),
    "a service of all frontends loses its endpoints": _changed(_external(), _external(endpoints=()), since=20),
    "the cluster IP changes": _changed({}, lambda variant: {"cluster_ip": address(variant.family, "service", 99)}),
    "the port changes": _changed({"port": 80}, {"port": 8000}),
    "a node port comes": _changed({}, {"node_port": 30_200}),
    "a node port goes": _changed({"node_port": 30_200}, {}),
    "a node port changes": _changed({"node_port": 30_200}, {"node_port": 30_201}),
    "an external IP comes": _changed({}, _IP),
    "an external IP goes": _changed(_IP, {}),
    "an external IP changes": _changed(_IP, _with("external", 31, "external_ips")),
    "a load balancer comes": _changed({}, _BALANCER),
    "a load balancer goes": _changed(_BALANCER, {}),
    "a load balancer changes": _changed(_BALANCER, _with("balancer", 31, "load_balancer_ips")),
    "affinity comes": _changed({}, {"affinity": 600}, ("affinity", "none", "600 s"), since=8),
    "affinity goes": _changed({"affinity": 600}, {}, ("affinity", "600 s", "none"), since=8),
    "affinity lasts longer": _changed(
        {"affinity": 600}, {"affinity": 7200}, ("affinity", "600 s", "7200 s"), since=8
    ),
    "external policy Local": _changed(
        {"node_port": 30_200}, _LOCAL, ("external policy", "Cluster", "Local"), since=15
    ),
    "external policy Cluster": _changed(
        _LOCAL, {"node_port": 30_200}, ("external policy", "Local", "Cluster"), since=15
    ),
    "another local endpoint": _changed({**_LOCAL, "local": 1}, {**_LOCAL, "local": 2}, since=15),
    "internal policy Local": _changed(
        {}, {"internal_local": True}, ("internal policy", "Cluster", "Local"), since=24
    ),
    "source ranges come": _changed(_BALANCER, _ranges(1), ("source ranges", "none", "{1}"), since=24),
    "a source range is added": _changed(_ranges(1), _ranges(1, 2), ("source ranges", "{1}", "{1}, {2}"), since=24),
    "source ranges go": _changed(_ranges(1), _BALANCER, ("source ranges", "{1}", "none"), since=24),
    "a health check comes": _changed(_LOCAL, {**_LOCAL, "health_check": 32_000}, ("health check", "none", "32000"), since=21),
    "another health check port": _changed(
        {**_LOCAL, "health_check": 32_000}, {**_LOCAL, "health_check": 32_001}, ("health check", "32000", "32001"), since=21
    ),
}  # fmt: skip
"""A service changes."""


def _settings(since: int = 1, families: tuple[int, ...] = (4, 6), **options: object) -> Kind:
    """The node's kube-proxy is set up otherwise."""

    def put(variant: Variant) -> Pair:
        old = cluster_of(variant)
        new = cluster_of(variant, later=True, **options)
        return _pair(variant, old, new, frozenset())

    return Kind(put, families, since)


OF_SETTINGS = {
    "masquerade-all": _settings(7, masquerade_all=True),
    "another pod network": _settings(5, (4,), pod_cidr="10.42.0.0/16"),
    "node ports at one address": _settings(10, (4,), node_port_addresses=("192.168.1.10",)),
    "no node ports on localhost": _settings(26, (4,), localhost_node_ports=False),
    "pods told by their bridge": _settings(24, detect="bridge"),
}
