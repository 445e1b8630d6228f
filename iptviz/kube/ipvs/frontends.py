"""Frontends in IPVS mode: virtual servers. kube-proxy's sets tell their kinds, a list of services their names.

A node port has a virtual server at each address of the node; those that do the same are one frontend. Source:
pkg/proxy/ipvs/proxier.go and ipset.go.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from iptviz.ipset.subject import Subject
from iptviz.kube.frontends import FRONTEND_KINDS, VIRTUAL, Frontend
from iptviz.kube.limits import AddressLimit
from iptviz.kube.names import NAMELESS, ServiceName
from iptviz.kube.plain_rules import PlainRule
from iptviz.records import NamedTuple
from iptviz.rules.form import ServerPlace
from iptviz.xtables.address import parse_network
from iptviz.xtables.values.addresses import show_host

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from iptviz.ipset.saved import IpSet
    from iptviz.node.virtual_servers import IpvsListing
    from iptviz.supplied.ipvs import VirtualServer
    from iptviz.supplied.service_names import Candidate

_SETS = (
    ("cluster-ip", ("CLUSTER-IP",)),
    ("external-ip", ("EXTERNAL-IP", "EXTERNAL-IP-LOCAL")),
    ("load-balancer-ip", ("LOAD-BALANCER", "LOAD-BALANCER-LOCAL")),
    ("node-port", ("NODE-PORT-{protocol}", "NODE-PORT-LOCAL-{protocol}",
                   "NODE-PORT-{protocol}-HASH", "NODE-PORT-LOCAL-{protocol}-HASH")),
)  # fmt: skip
"""The sets that have virtual servers of each kind, without what all their names begin with, the surest first."""

_BEGINNINGS = {"ipv4": "KUBE-", "ipv6": "KUBE-6-"}
_LONGEST_NAME = 31
"""So many letters the names of sets may have: kube-proxy cuts longer ones."""


class Claim(NamedTuple):
    """Whose a virtual server is: the name, the number of the service's port, and its kind, empty if not told."""

    service: ServiceName
    service_port: int
    kind: str


_NOBODY = Claim(NAMELESS, 0, "")


class VirtualFrontends:
    """The frontends of the virtual servers of a listing; `sets` are None where they are not known."""

    def __init__(
        self, listing: IpvsListing, sets: Mapping[str, IpSet] | None, candidates: Iterable[Candidate] = ()
    ) -> None:
        self.listing = listing
        beginning = _BEGINNINGS[listing.family]
        known = {name: found for name, found in (sets or {}).items() if name.startswith(beginning)}
        self._sets = known if beginning + "CLUSTER-IP" in known else None
        self._candidates = tuple(candidates)

    @property
    def kinds_told(self) -> bool:
        """Whether kube-proxy's sets tell the kinds."""
        return self._sets is not None

    @cached_property
    def by_service(self) -> list[list[Frontend]]:
        """The frontends of each service port, by kind; those without a name stand alone."""
        groups: dict[object, list[Frontend]] = {}
        for frontend, claim in self._made():
            own = (claim.service, claim.service_port, frontend.protocol)
            key: object = frontend.rule if claim.service is NAMELESS else own
            groups.setdefault(key, []).append(frontend)
        return [sorted(group, key=lambda one: FRONTEND_KINDS.index(one.kind)) for group in groups.values()]

    @property
    def all(self) -> list[Frontend]:
        """All frontends, those of one service port together."""
        return [one for group in self.by_service for one in group]

    def is_local(self, frontend: Frontend) -> bool | None:
        """Whether outside clients get this node's endpoints alone; None where nothing shows it."""
        virtual = _virtual(frontend)
        if self._sets is None or virtual is None or frontend.kind in {"cluster-ip", VIRTUAL}:
            return None
        names = dict(_SETS)[frontend.kind]
        return any("-LOCAL" in name and self._holds(name, virtual) for name in names)

    def _made(self) -> Iterator[tuple[Frontend, Claim]]:
        """Yield each frontend with whose it is; node ports that do the same at several addresses are one."""
        alike: dict[object, list[ServerPlace]] = {}
        claims: dict[ServerPlace, tuple[str, Claim]] = {}
        for virtual in self.listing.servers:
            place = ServerPlace(virtual)
            kind = self._kind_in_sets(virtual)
            claim = self._claim(virtual, kind)
            kind = kind or claim.kind or VIRTUAL
            claims[place] = kind, claim
            alike.setdefault(_deeds(virtual) if kind == "node-port" else place, []).append(place)
        for those in alike.values():
            kind, claim = claims[those[0]]
            yield _frontend(those, kind, claim.service), claim

    # --- kinds -----------------------------------------------------------------------------------------------

    def _kind_in_sets(self, virtual: VirtualServer) -> str:
        return next((kind for kind, names in _SETS if any(self._holds(name, virtual) for name in names)), "")

    def _holds(self, name: str, virtual: VirtualServer) -> bool:
        """Whether one of kube-proxy's sets has the address and port of a virtual server, or the port alone."""
        if self._sets is None:
            return False
        full = _BEGINNINGS[self.listing.family] + name.format(protocol=virtual.protocol.upper())
        found = self._sets.get(full[:_LONGEST_NAME])
        if found is None:
            return False
        network = parse_network(virtual.address)
        asked = Subject(destination=network, protocol=virtual.protocol, destination_port=virtual.port)
        return bool(found.matches(asked, ("dst", "dst"), self._sets))

    # --- names -----------------------------------------------------------------------------------------------

    @cached_property
    def _listed(self) -> dict[tuple[str, str | None, int], Claim]:
        found: dict[tuple[str, str | None, int], Claim] = {}
        for candidate in self._candidates:
            name = ServiceName(candidate.namespace, candidate.name, candidate.port_name or "", "list")
            for place in candidate.places:
                claim = Claim(name, place.service_port, place.kind)
                found.setdefault((place.protocol, place.address, place.port), claim)
        return found

    def _claim(self, virtual: VirtualServer, kind: str) -> Claim:
        """Return whose a virtual server is; what a list has at no address may be a node port of its."""
        network = parse_network(virtual.address)
        port = virtual.port or 0
        at = (virtual.protocol, show_host(network) if network else "", port)
        of_node = self._listed.get((virtual.protocol, None, port), _NOBODY)
        if kind == "node-port":
            return of_node
        return self._listed.get(at, _NOBODY if kind else of_node)


def _virtual(frontend: Frontend) -> VirtualServer | None:
    return frontend.rule.virtual if isinstance(frontend.rule, ServerPlace) else None


def _deeds(virtual: VirtualServer) -> object:
    """Return what is equal for virtual servers of one port that do the same."""
    servers = tuple(server._replace(line=0) for server in virtual.servers)
    return virtual.protocol, virtual.port, virtual.scheduler, virtual.persistent, servers


def _frontend(places: Sequence[ServerPlace], kind: str, service: ServiceName) -> Frontend:
    virtual = places[0].virtual
    at_node = kind == "node-port"
    addresses = tuple(_shown(place.virtual) for place in places)
    limit = AddressLimit(only=True, networks=addresses, rules=tuple(places)) if at_node else None
    address = None if at_node else addresses[0]
    target = places[0].chain if virtual.servers else "REJECT"
    port = virtual.port or 0
    plain = PlainRule(places[0].chain, None, address, port, virtual.protocol, target, service, kind)
    return Frontend(kind, address, port, virtual.protocol, places[0], limit, plain=plain)


def _shown(virtual: VirtualServer) -> str:
    network = parse_network(virtual.address)
    return virtual.address if network is None else show_host(network)
