"""What `verify` compares: the service ports of a source of rules, and those that the API wants in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.cluster.usable import place_of, rests_on_hints
from iptviz.compare.ports.hiding import Hiding
from iptviz.compare.ports.matching import matched_ports
from iptviz.compare.ports.of_api import ANY_RELEASE, forms_of_api
from iptviz.dump.model import Dump
from iptviz.kube.mode import mode_of
from iptviz.node.snapshot import VERSIONS, as_snapshot
from iptviz.questions.service_sources import service_sources, table_of
from iptviz.records import NamedTuple
from iptviz.supplied.service_names import Candidate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from iptviz.cluster.api import ApiCluster
    from iptviz.compare.ports.form import PortForm
    from iptviz.kube.releases import Releases
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot

_EXTERNAL_IP, _EXTERNAL_IPS_OFF, _HEALTH_CHECKS = "external-ip", 40, 21
_HEALTH_CHECK = frozenset({"health check"})


class Sides(NamedTuple):
    """The service ports of API and node: what both have, and each alone.

    `skipped` are kinds of frontends, and of differences, of which this kube-proxy may rightly write nothing.
    """

    both: list[tuple[PortForm, PortForm]]
    missing: list[PortForm]
    extra: list[PortForm]
    skipped: frozenset[str]

    @property
    def wanted(self) -> Iterator[PortForm]:
        """What the API wants."""
        yield from (wanted for wanted, _ in self.both)
        yield from self.missing


class _Written(NamedTuple):
    """What kube-proxy has written: `skipped` is what it may rightly have left out."""

    forms: tuple[PortForm, ...]
    skipped: frozenset[str]


def sources_by_family(node: Snapshot) -> tuple[Dump | NftListing, ...]:
    """Return of each family the rules in which kube-proxy keeps services, be there none yet; () without any."""
    found: dict[str, Dump | NftListing] = {}
    for source in service_sources(node, None):
        if _holds(source):
            found.setdefault(source.family, source)
    return tuple(found.values())


def _holds(source: Dump | NftListing) -> bool:
    if not isinstance(source, Dump):
        return True
    mode = mode_of(source)
    return mode.name == "iptables" and not mode.lacking


def releases_of(source: Dump | NftListing) -> Releases:
    """Return which releases of kube-proxy can have written the rules; none where it is not in them."""
    if isinstance(source, Dump):
        from iptviz.kube.era import era_of

        return era_of(source).releases
    from iptviz.kube.nftables.era import table_era

    table = table_of(source)
    return frozenset() if table is None else table_era(table.nft).releases


def sides_of(source: Dump | NftListing, cluster: ApiCluster, node: str | None) -> Sides:
    """Return the service ports that the API wants on `node`, None where that is not known, and those there."""
    releases = releases_of(source)
    wanted = list(forms_of_api(cluster, VERSIONS[source.family], node, releases))
    written = _of_dump(source, wanted, releases) if isinstance(source, Dump) else _of_listing(source)
    both, missing, extra = matched_ports(wanted, written.forms)
    unwritten = _unwritten_frontends(wanted, written.forms, releases)
    return Sides(both, missing, extra, written.skipped | unwritten)


def _of_dump(dump: Dump, wanted: Iterable[PortForm], releases: Releases) -> _Written:
    from iptviz.compare.ports.of_rules import forms_of
    from iptviz.kube.dispatching import DispatchingRules
    from iptviz.kube.naming import Naming
    from iptviz.kube.service_ports import service_ports

    candidates = [Candidate(*port.service[:3]) for port in wanted]
    ports = service_ports(DispatchingRules(dump), Naming(dump, candidates))
    return _Written(forms_of(dump, ports), _unwritten_health_checks(dump, releases))


def _of_listing(listing: NftListing) -> _Written:
    """Return the same of a listing of nft: in nftables mode there are no rules for health checks."""
    from iptviz.compare.ports.of_rules import native_forms
    from iptviz.questions.native_services import ports_in

    return _Written(native_forms(ports_in(listing)), _HEALTH_CHECK)


def _unwritten_health_checks(dump: Dump, releases: Releases) -> frozenset[str]:
    """Return what stands for health checks, if there may rightly be no rule for them: there is one since 1.21."""
    hiding = Hiding(dump, as_snapshot(dump).unseen_tables(dump))
    is_due = releases and min(releases) >= _HEALTH_CHECKS and not hiding.health_checks
    return frozenset() if is_due else _HEALTH_CHECK


def _unwritten_frontends(
    wanted: Iterable[PortForm], found: Iterable[PortForm], releases: Releases
) -> frozenset[str]:
    """Return which frontends may be missing: kube-proxy writes no external IPs without AllowServiceExternalIPs.

    That gate is there since 1.36 and off since 1.40 (KEP-5707). Where one external IP is written, it is on; what
    may be a load balancer's address is one where the API says so.
    """
    asked = {one[1:3] for port in wanted for one in port.frontends if one.kind == _EXTERNAL_IP}
    is_on = any(
        "kind" not in one.untold or one[1:3] in asked
        for port in found
        for one in port.frontends
        if one.kind == _EXTERNAL_IP
    )
    may_be_off = not releases or max(releases) >= _EXTERNAL_IPS_OFF
    return frozenset({_EXTERNAL_IP}) if may_be_off and not is_on else frozenset()


def hides_zone(source: Dump | NftListing, cluster: ApiCluster, node: str | None) -> bool:
    """Whether some service has topology hints, and nothing tells which of its endpoints the node uses."""
    place = place_of(cluster, node, releases_of(source) or ANY_RELEASE)
    return place.zone is None and any(
        rests_on_hints(cluster.endpoints.get(port, ()), place, service.hints)
        for service in cluster.services
        for port in service.keys
    )
