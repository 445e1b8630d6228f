"""The normal form of the service ports that the API has, as kube-proxy on a node should write them.

Source: newBaseServiceInfo in pkg/proxy/serviceport.go, and pkg/proxy/iptables/proxier.go.
"""

from __future__ import annotations

import ipaddress
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING

from iptviz.cluster.usable import TERMINATING, place_of, usable
from iptviz.compare.ports.form import EndpointForm, FrontendForm, PortForm
from iptviz.kube.names import ServiceName
from iptviz.kube.releases import OLDEST, since
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.cluster.api import ApiCluster, ApiPort, ApiService
    from iptviz.cluster.endpoints import ApiEndpoint
    from iptviz.cluster.usable import Ends, Policy, ProxyPlace
    from iptviz.compare.ports.form import Untold
    from iptviz.kube.releases import Releases

ANY_RELEASE = since(OLDEST)
"""The releases of a kube-proxy of which nothing is known."""

NAMED_BY = "api"
"""Who names the service ports of these forms: no rule does."""

_NOTHING: frozenset[Untold] = frozenset()
_ENDPOINTS: frozenset[Untold] = frozenset({"endpoints", "shares"})


def forms_of_api(
    cluster: ApiCluster, version: int, node: str | None, releases: Releases = ANY_RELEASE
) -> Iterator[PortForm]:
    """Yield what kube-proxy for IP `version` (4 or 6) should write on `node`, None where that is not known.

    `releases` are those of which it may be: they mind different things, and each may be right.
    """
    place = place_of(cluster, node, releases or ANY_RELEASE)
    for service in cluster.services:
        if not service.ignored and _of_version(service.cluster_ips, version):
            for port in service.ports:
                yield _PortMaker(cluster, service, port, place, version).form()


class _PortMaker:
    """Makes the form of one port of a service."""

    def __init__(
        self, cluster: ApiCluster, service: ApiService, port: ApiPort, place: ProxyPlace, version: int
    ) -> None:
        key = service.namespace, service.name, port.name, port.protocol
        self._service, self._port, self._place, self._version = service, port, place, version
        self._ends = list(_ends_of_version(cluster.endpoints.get(key, ()), version))
        self._is_open = service.endpoints_cut or not cluster.tells_endpoints
        self._chosen: dict[tuple[Policy, ...], _Chosen] = {}

    def form(self) -> PortForm:
        """Return the form."""
        service, port = self._service, self._port
        frontends = tuple(self._frontends())
        balanced = any(frontend.kind == "load-balancer-ip" for frontend in frontends)
        return PortForm(
            service=ServiceName(service.namespace, service.name, port.name, NAMED_BY),
            protocol=port.protocol,
            frontends=frontends,
            affinity=service.affinity,
            internal_policy=service.internal_policy,
            external_policy=service.external_policy,
            source_ranges=tuple(_ranges(service.source_ranges, self._version)) if balanced else None,
            health_check=(service.health_check or None) if service.external_policy == "Local" else None,
        )

    def _frontends(self) -> Iterator[FrontendForm]:
        """Yield the frontends; an address of two kinds is one: kube-proxy writes that of external IPs first."""
        seen: set[str] = set()
        for kind, addresses in (
            ("cluster-ip", self._service.cluster_ips),
            ("external-ip", self._service.external_ips),
            ("load-balancer-ip", self._service.load_balancer_ips),
        ):
            for address in _of_version(addresses, self._version):
                if address not in seen:
                    seen.add(address)
                    yield self._frontend(kind, address, self._port.port)
        if self._port.node_port:
            yield self._frontend("node-port", None, self._port.node_port)

    def _frontend(self, kind: str, address: str | None, port: int) -> FrontendForm:
        service = self._service
        policies = policies_minded(
            kind, service.internal_policy, service.external_policy, self._place.releases
        )
        chosen = self._choose(policies)
        return FrontendForm(
            kind=kind,
            address=address,
            port=port,
            protocol=self._port.protocol,
            endpoints=chosen.endpoints,
            leftover=Fraction(not chosen.endpoints),
            verdict=None,
            local_only=policies[0] == "Local",
            untold=_ENDPOINTS if self._is_open or self._may_have_more(chosen) else _NOTHING,
            choices=chosen.choices,
            may_be_fewer=chosen.may_be_fewer or self._may_have_hints(policies),
        )

    def _may_have_more(self, chosen: _Chosen) -> bool:
        """Whether Endpoints leave them out: those of the other family, and what serves while it terminates."""
        if chosen.endpoints or not self._service.by_endpoints:
            return False
        of_two = len({":" in address for address in self._service.cluster_ips}) > 1
        return self._place.may_do(TERMINATING["Local"]) or (of_two and not self._ends)

    def _may_have_hints(self, policies: tuple[Policy, ...]) -> bool:
        """Whether hints may leave endpoints to other nodes, and are not told: Endpoints have none."""
        return self._service.by_endpoints and self._service.near and "Cluster" in policies

    def _choose(self, policies: tuple[Policy, ...]) -> _Chosen:
        if policies not in self._chosen:
            found = [usable(self._ends, policy, self._place, self._service.hints) for policy in policies]
            sets = list(dict.fromkeys(each for one in found for each in one.sets))
            fewer = any(one.may_be_fewer for one in found)
            first = tuple(dict.fromkeys(end for each in sets for end in each)) if fewer else sets[0]
            choices = tuple(frozenset(form.text for form in _forms(each)) for each in sets if each != first)
            self._chosen[policies] = _Chosen(tuple(_forms(first)), choices, fewer)
        return self._chosen[policies]


class _Chosen(NamedTuple):
    """What a frontend should lead to, as its form has it."""

    endpoints: tuple[EndpointForm, ...]
    choices: tuple[frozenset[str], ...]
    may_be_fewer: bool


def _forms(ends: Ends) -> Iterator[EndpointForm]:
    share = Fraction(1, len(ends) or 1)
    return (EndpointForm(end.address, end.port, share) for end in ends)


# --- policies ------------------------------------------------------------------------------------------------

_NODES_OWN_FILTERED = frozenset({22, 23})
"""Releases that left out endpoints of other nodes for an internal policy Local, be it for clients outside too."""

_SINCE_MINDED = {"external-ip": 20, "node-port": 5}
"""The first releases that minded an external policy Local for frontends of a kind."""


@cache
def policies_minded(kind: str, internal: str, external: str, releases: Releases) -> tuple[Policy, ...]:
    """Return the policies by which a frontend may choose its endpoints: those of the newest release first.

    An internal policy is minded since 1.22 (1.21 behind a gate that is off); up to 1.23 it also takes endpoints
    from clients outside, and is without effect beside an external policy Local. That is minded for load balancers
    since 1.4, for node ports since 1.5, for external IPs since 1.20.
    """
    found = (_minded(kind, internal, external, minor) for minor in sorted(releases, reverse=True))
    return tuple(dict.fromkeys(policy for policies in found for policy in policies))


def _minded(kind: str, internal: str, external: str, minor: int) -> tuple[Policy, ...]:
    if kind == "cluster-ip":
        if internal != "Local" or minor < 21:
            return ("Cluster",)
        if minor == 21:
            return ("Cluster", "Local")
        ineffective = minor in _NODES_OWN_FILTERED and external == "Local"
        return ("Cluster",) if ineffective else ("Local",)
    if external == "Local":
        if minor >= _SINCE_MINDED.get(kind, 0):
            return ("Local",)
        return ("Local", "Cluster") if minor > 17 else ("Cluster",)
    filtered = internal == "Local" and minor in _NODES_OWN_FILTERED
    return ("Local",) if filtered else ("Cluster",)


# --- addresses -----------------------------------------------------------------------------------------------


def _ends_of_version(ends: Iterable[ApiEndpoint], version: int) -> Iterator[ApiEndpoint]:
    for end in ends:
        address = _address(end.address, version)
        if address:
            yield end if address == end.address else end._replace(address=address)


def _of_version(addresses: Iterable[str], version: int) -> list[str]:
    """Return the addresses of one IP version in their usual spelling."""
    return [found for address in addresses if (found := _address(address, version))]


_BYTES = frozenset(map(str, range(256)))


def _address(text: str, version: int) -> str:
    """Return an address in its usual spelling, an empty text for what is none of this IP version."""
    parts = text.split(".")
    if len(parts) == 4 and _BYTES.issuperset(parts):  # as nearly all are
        return text if version == 4 else ""
    try:
        address = ipaddress.ip_address(_without_zeros(text))
    except ValueError:
        return ""
    return str(address) if address.version == version else ""


def _without_zeros(text: str) -> str:
    """Return a text in which `010.0.0.1` is `10.0.0.1`: the API takes it for that (ParseIPSloppy)."""
    parts = text.split(".")
    return ".".join(part.lstrip("0") or "0" for part in parts) if all(map(str.isdecimal, parts)) else text


def _ranges(texts: Iterable[str], version: int) -> Iterator[str]:
    """Yield the networks of one IP version as iptables prints them; that of all sources it does not print."""
    for text in texts:
        try:
            network = ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            continue
        if network.version == version and network.prefixlen:
            yield str(network)
