"""What nodes say of services, held against what most of them say, or the API: who lacks what, who still has it.

What a node's own place rightly makes different is in no form (`forms.py`); what its zone does is found in
`zones.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.checks.finding import SEVERITIES
from iptviz.compare.ports.compared import differences
from iptviz.compare.ports.differences import EndpointDifference, FrontendDifference, PropertyDifference
from iptviz.fleets.differing import Comparison, OddFinding, Rightly, grouped
from iptviz.fleets.forms import forms_of_cluster
from iptviz.fleets.naming import with_names
from iptviz.fleets.nodes import (
    main_cluster,
    nodes_where,
    odd_nodes,
    remarks_on,
    shown_by,
    telling_nodes,
)
from iptviz.fleets.policies import are_own, hiding_nodes, left_open, shows_local
from iptviz.fleets.stale import standing_still
from iptviz.fleets.summary import count_of, places
from iptviz.fleets.zones import Places, across_zones, ends_of, zones_apart, zones_of
from iptviz.intake.remark import remark
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from iptviz.cluster.api import ApiCluster
    from iptviz.compare.ports.differences import PortDifference
    from iptviz.compare.ports.form import FrontendForm, PortForm
    from iptviz.fleets.differing import FleetId
    from iptviz.fleets.summary import Nodes, PortKey, Summary
    from iptviz.fleets.zones import Zones
    from iptviz.intake.remark import Remark, Values

    Versions = Mapping[PortForm, Nodes]


def compared(summary: Summary, cluster: ApiCluster | None = None) -> Comparison:
    """Return what nodes say otherwise than most of them, or than the API where a cluster is given."""
    named = with_names(summary.ports)
    telling, said = main_cluster(summary, named, telling_nodes(summary))
    ports = {key: here for key, forms in named.items() if (here := _within(forms, telling))}
    shown = {family: nodes & telling for family, nodes in shown_by(summary).items() if nodes & telling}
    truth = None if cluster is None else forms_of_cluster(cluster, shown)
    comparing = _Comparing(summary, ports, shown, truth)
    odd = [*comparing.findings()]
    odd += standing_still(summary, odd)
    odd += odd_nodes(summary, telling, comparing.comparable(summary))
    ordered = tuple(sorted(odd, key=_harm))
    rightly = tuple(Rightly(why, len(keys)) for why, keys in comparing.rightly.items() if keys)
    notes = (*remarks_on(summary), *said, *comparing.notes())
    groups = grouped(telling | _union(one.nodes for one in ordered), ordered)
    return Comparison(groups, ordered, rightly, notes, comparing.count())


def _within(forms: Versions, nodes: Nodes) -> dict[PortForm, Nodes]:
    return {form: those & nodes for form, those in forms.items() if those & nodes}


_ORDER: tuple[FleetId, ...] = (
    "mode-differs", "stale-node", "hook-missing", "service-missing", "endpoint-extra", "endpoint-missing",
    "service-extra", "no-majority", "hostport-gone", "property-differs", "share-differs", "era-differs",
)  # fmt: skip
"""Findings that are as bad as each other, in the order in which they are told."""


def _harm(one: OddFinding) -> tuple[object, ...]:
    """Return the place of a finding among others: the worst first, then those of most nodes, by service."""
    named = () if one.service is None else one.service[:3]
    return (
        SEVERITIES.index(one.severity), _ORDER.index(one.id), -count_of(one.nodes), named, one.family,
        one.protocol, one.endpoints, one.nodes,
    )  # fmt: skip


# --- service ports ---------------------------------------------------------------------------------------------


class _Told(NamedTuple):
    """A difference without who has it: its id, the one frontend that it concerns, endpoints, and values."""

    id: FleetId
    severity: str
    frontend: FrontendForm | None = None
    endpoints: tuple[str, ...] = ()
    values: Values = ()


class _Comparing:
    """Compares service ports. `shown` are for each family the nodes whose rules show services, of one cluster."""

    def __init__(
        self,
        summary: Summary,
        ports: Mapping[PortKey, Versions],
        shown: Mapping[str, Nodes],
        truth: Mapping[PortKey, PortForm] | None,
    ) -> None:
        self.rightly: dict[str, set[PortKey]] = {"local policy": set(), "topology": set(), "mode": set()}
        self._keys = sorted({*ports, *(truth or {})})
        self._ports = ports
        self._truth = truth
        self._shown = shown
        self._zones: Zones = zones_of(ports)
        self._places = Places(summary)
        self._modes = _by_mode(summary, _union(shown.values()))
        self._whole = nodes_where(summary, lambda node: node.complete)
        self._show_refusals = nodes_where(summary, lambda node: "filter" not in node.unseen)
        self._hiding = hiding_nodes(summary)
        self._own: set[PortKey] = set()
        self._ties: set[PortKey] = set()
        self._divided: set[PortKey] = set()

    def findings(self) -> Iterator[OddFinding]:
        """Yield what nodes say of services otherwise than is right."""
        for key in self._keys:
            versions = self._ports.get(key, {})
            if any(map(_is_local, versions)):
                self.rightly["local policy"].add(key)
            of = count_of(self._shown.get(key[0], 0))
            for told, nodes in (self._presence(key, versions) | self._otherwise(key, versions)).items():
                form = (self._truth or {}).get(key) or next(iter(versions))
                at = "" if form.service.text else form.usual.text
                yield OddFinding(
                    told.id, told.severity, key[0], form.service, key[4], told.frontend, told.endpoints, nodes,
                    of, told.values, at,
                )  # fmt: skip

    def notes(self) -> Iterator[Remark]:
        """Yield what is open after a comparison."""
        if self._ties:
            yield remark("fleet-tie", count=len(self._ties))
        if self._divided:
            yield remark("fleet-divided", count=len(self._divided))
        if self._own:
            yield remark("fleet-own", count=len(self._own))

    def count(self) -> int:
        """Return how many service ports were compared: those that some node shows whole."""
        shown = (key for key in self._keys if _union(self._ports.get(key, {}).values()) & self._whole)
        return sum(key not in self._divided | self._own for key in shown)

    def comparable(self, summary: Summary) -> Nodes:
        """Return the nodes that have the same service ports, by name, as most."""
        lacking = _union(
            nodes for key, forms in summary.ports.items() if not key[2] for nodes in forms.values()
        )
        for key, versions in self._ports.items():
            have, could = _union(versions.values()), self._shown.get(key[0], 0)
            lacking |= could & ~have if key[2] and 2 * count_of(have) > count_of(could) else have
        return _union(self._shown.values()) & ~lacking

    # --- who has it at all

    def _presence(self, key: PortKey, versions: Versions) -> dict[_Told, Nodes]:
        """Return who lacks a service port that is right, or has one that is not."""
        could = self._shown.get(key[0], 0)
        have = _union(versions.values())
        missing, extra = could & ~have & self._whole, have & self._whole
        if not any(form.has_endpoints or _is_local(form) for form in versions) and versions:
            missing &= self._show_refusals  # rules that refuse stand in another table
        if self._truth is not None:
            is_right = key in self._truth
        elif missing and count_of(have) == count_of(could & ~have):
            self._ties.add(key)
            return {_Told("no-majority", "high", values=(("what", "missing"),)): missing}
        else:
            is_right = count_of(have) > count_of(could & ~have)
        if is_right:
            return {_Told("service-missing", "critical"): missing} if missing else {}
        return {_Told("service-extra", "critical"): extra} if extra else {}

    # --- who has it otherwise

    def _otherwise(self, key: PortKey, versions: Versions) -> dict[_Told, Nodes]:
        """Return who has a service port otherwise than is right."""
        found: dict[_Told, Nodes] = {}
        versions = self._compared(key, versions)
        for right, part in self._right(key, versions):
            for form, those in versions.items():
                for nodes in self._parts(those & part) if form != right else ():
                    for told in self._told(key, right, form, nodes):
                        found[told] = found.get(told, 0) | nodes
        return found

    def _compared(self, key: PortKey, versions: Versions) -> Versions:
        """Return what is compared: without endpoints that may be a node's own by a policy that its rules hide."""
        right = (self._truth or {}).get(key)
        if right is not None:
            known: bool | None = right.internal_policy == "Local"
        else:
            known = shows_local(versions, ~self._hiding)
        hiding = _union(versions.values()) & self._hiding
        if known is False or not hiding or not (known or are_own(versions)):
            return versions
        if known:
            self.rightly["local policy"].add(key)
        else:
            self._own.add(key)
        return left_open(versions, hiding)

    def _right(self, key: PortKey, versions: Versions) -> Iterator[tuple[PortForm | None, Nodes]]:
        """Yield the form that is right, for the nodes of each zone where that hangs on zones; None: not known."""
        every = _union(versions.values())
        if self._truth is not None:
            if key in self._truth:
                yield self._truth[key], every
        elif len(versions) < 2:
            return
        elif self._are_zones(key, versions):
            yield from self._by_zone(key, versions)
        else:
            yield self._of_most(key, versions), every

    def _are_zones(self, key: PortKey, versions: Versions) -> bool:
        """Whether zones may rightly have different endpoints; that nothing tells whether they do is noted."""
        if not self._zones or not zones_apart(versions, self._zones):
            return False
        told = self._places.tell(versions, self._zones)
        if told is not False:
            sure = told and not across_zones(versions, self._zones)
            (self.rightly["topology"] if sure else self._divided).add(key)
        return told is not False

    def _by_zone(self, key: PortKey, versions: Versions) -> Iterator[tuple[PortForm | None, Nodes]]:
        """Yield what is right in each zone; a node of no zone is held against the zone that is most like it."""
        if across_zones(versions, self._zones):
            return
        usual = {zone: form for zone in self._zones if (form := self._of_most(key, _within(versions, zone)))}
        for zone, form in usual.items():
            yield form, zone
        for form, nodes in _within(versions, ~_union(self._zones)).items():
            ends = ends_of(form)
            if all(ends.isdisjoint(ends_of(other)) for other in usual.values()):
                self._divided.add(key)  # a zone of its own, or none
            elif usual:
                yield max(usual.values(), key=lambda other: len(ends & ends_of(other))), nodes

    def _of_most(self, key: PortKey, versions: Versions) -> PortForm | None:
        """Return the form that more than half of the nodes have that have any, of those in the usual mode."""
        usual = next(
            (here for mode in self._modes if (here := _within(versions, mode & self._whole))), versions
        )
        pooled: dict[PortForm, Nodes] = {}
        for form in sorted(usual, key=lambda form: _frequency(usual[form]), reverse=True):
            like = next((other for other in pooled if not _differ(other, form)), form)
            pooled[like] = pooled.get(like, 0) | usual[form]
        most = max(pooled, key=lambda form: _frequency(pooled[form]), default=None)
        if most is None or 2 * count_of(pooled[most]) > count_of(_union(pooled.values())):
            return most
        self._ties.add(key)
        return None

    def _parts(self, nodes: Nodes) -> list[Nodes]:
        """Return nodes in sets of which the same can be said: those of each mode, those that lack lines apart."""
        parts = (nodes & mode & having for mode in self._modes for having in (self._whole, ~self._whole))
        return [part for part in parts if part]

    def _told(self, key: PortKey, right: PortForm | None, form: PortForm, nodes: Nodes) -> list[_Told]:
        """Return what is said of nodes that have one form where another one is right.

        What nodes in another mode rightly do otherwise is left out. Of those that lack lines only what they still
        have can be said.
        """
        if right is None:
            told = [_Told("no-majority", "high", None, tuple(sorted(ends_of(form))))]
            return told if nodes & self._whole else []
        found: Sequence[PortDifference] = list(differences(right, form))
        if _hides_ports(right) or _hides_ports(form):
            found = [one for one in found if not _is_shown_by_port(one)]
        if self._truth is not None:
            found = [one for one in found if one.kind not in _NOT_IN_API]
        if self._is_of_other_mode(nodes):
            kept = [one for one in found if one.kind not in _OF_MODES]
            if len(kept) < len(found):
                self.rightly["mode"].add(key)
            found = kept
        told = list(_said(found, form))
        return told if nodes & self._whole else [one for one in told if one.id == "endpoint-extra"]

    def _is_of_other_mode(self, nodes: Nodes) -> bool:
        return len(self._modes) > 1 and not nodes & self._modes[0]


_OF_MODES = {
    "masquerade",
    "node port addresses",
    "health check",
    "verdict",
    "leftover",
    "share",
    "local only",
}
"""What kube-proxy's modes do otherwise, or one of them does not show."""

_NOT_IN_API = {"masquerade", "node port addresses", "health check", "verdict", "leftover", "local only"}
"""What the API does not tell of a service port, or tells otherwise than rules show it."""


def _by_mode(summary: Summary, telling: Nodes) -> list[Nodes]:
    """Return the nodes in each mode, those in that of most first."""
    by_mode: dict[str, Nodes] = {}
    for place in places(telling):
        mode = summary.nodes[place].mode
        by_mode[mode] = by_mode.get(mode, 0) | 1 << place
    return sorted(by_mode.values(), key=count_of, reverse=True)


def _union(sets: Iterable[Nodes]) -> Nodes:
    every = 0
    for nodes in sets:
        every |= nodes
    return every


def _frequency(nodes: Nodes) -> tuple[int, int]:
    """Return what is greatest for a form that most nodes have; of equally frequent ones for that of the first."""
    return count_of(nodes), -(nodes & -nodes)


def _differ(one: PortForm, other: PortForm) -> bool:
    return next(differences(one, other), None) is not None


def _is_local(form: PortForm) -> bool:
    return any(one.local_only for one in form.frontends)


# --- what is said of a difference ------------------------------------------------------------------------------


def _hides_ports(form: PortForm) -> bool:
    """Whether ports are not printed, as by old tools."""
    return any("port" in one.untold for one in form.frontends)


def _is_shown_by_port(one: PortDifference) -> bool:
    """Whether the port of a rule alone shows it: a node port, or that of a health check."""
    return isinstance(one, FrontendDifference) or one.kind == "health check"


_FOLLOWING = {"verdict", "leftover"}
"""Properties that differ where one side has no endpoints: that is said already."""


def _said(found: Sequence[PortDifference], form: PortForm) -> Iterator[_Told]:
    """Yield what is said of differences; endpoints that one side alone has together."""
    moves = any(isinstance(one, EndpointDifference) for one in found)
    moved: dict[tuple[FleetId, FrontendForm | None], list[str]] = {}
    for one in found:
        if isinstance(one, EndpointDifference):
            for id_, text in _moves(one):
                for frontend in _concerned(one, form):
                    moved.setdefault((id_, frontend), []).append(text)
        elif isinstance(one, FrontendDifference):
            yield _frontend_told(one)
        elif isinstance(one, PropertyDifference) and not (moves and one.kind in _FOLLOWING):
            values = (("what", one.kind), ("here", one.new), ("elsewhere", one.old))
            yield _Told("property-differs", "medium", _only(one.frontends), values=values)
    for (id_, frontend), texts in moved.items():
        yield _Told(id_, _SEVERITY_OF_MOVE[id_], frontend, tuple(sorted(texts)))


_SEVERITY_OF_MOVE: dict[FleetId, str] = {
    "endpoint-extra": "critical", "endpoint-missing": "critical", "share-differs": "medium",
}  # fmt: skip


def _moves(one: EndpointDifference) -> Iterator[tuple[FleetId, str]]:
    if one.kind == "share":
        if one.new is not None and not one.follows:
            yield "share-differs", one.new.text
        return
    if one.new is not None:
        yield "endpoint-extra", one.new.text
    if one.old is not None:
        yield "endpoint-missing", one.old.text


def _concerned(one: EndpointDifference, form: PortForm) -> tuple[FrontendForm | None, ...]:
    """Return the frontends at which endpoints differ; None alone for all that tell theirs."""
    telling = [frontend for frontend in form.frontends if "endpoints" not in frontend.untold]
    return (None,) if len(one.frontends) >= len(telling) else one.frontends


def _only(frontends: tuple[FrontendForm, ...]) -> FrontendForm | None:
    return frontends[0] if len(frontends) == 1 else None


def _frontend_told(one: FrontendDifference) -> _Told:
    if one.new is None:
        return _Told("service-missing", "critical", one.old)
    if one.old is None:
        return _Told("service-extra", "critical", one.new)
    values = (("what", one.kind), ("here", one.new.kind), ("elsewhere", one.old.kind))
    return _Told("property-differs", "low", one.new, values=values)
