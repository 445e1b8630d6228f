"""What is odd of whole nodes: mode, release, lost hooks, host ports; and which of them are compared."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from iptviz.fleets.differing import OddFinding
from iptviz.fleets.summary import count_of, labels, places
from iptviz.intake.remark import remark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from iptviz.compare.ports.form import PortForm
    from iptviz.fleets.differing import FleetId
    from iptviz.fleets.summary import NodeFacts, Nodes, PortKey, Summary
    from iptviz.intake.remark import Remark

_NOT_SHOWN = {"no-nat", "cut"}
"""Modes of dumps that do not show how services are kept."""

_GONE = {"flushed", "none", "elsewhere"}
"""Modes of nodes on which no rules of kube-proxy lead to services."""

_MOST_HAVE_PORT = 3
"""So many nodes must publish a host port, and nine of ten, before it is missed on the others."""

_FAR = 600.0
"""So many seconds apart rules are not of one moment: endpoints change in between."""


def nodes_where(summary: Summary, holds: Callable[[NodeFacts], object]) -> Nodes:
    """Return the nodes of which something holds."""
    return sum(1 << place for place, node in enumerate(summary.nodes) if holds(node))


def telling_nodes(summary: Summary) -> Nodes:
    """Return the nodes whose rules show services."""
    return nodes_where(summary, lambda node: node.services and node.mode not in _NOT_SHOWN | _GONE)


def shown_by(summary: Summary) -> dict[str, Nodes]:
    """Return for each family the nodes whose rules of it lead to services, as far as there are any."""
    found: dict[str, Nodes] = {}
    for place, node in enumerate(summary.nodes):
        for family, mode in node.modes:
            if mode not in _NOT_SHOWN | _GONE:
                found[family] = found.get(family, 0) | 1 << place
    return found


# --- clusters --------------------------------------------------------------------------------------------------

_EVERYWHERE = {("default", "kubernetes"), ("kube-system", "kube-dns")}
"""Services that clusters have at the same address."""


def main_cluster(
    summary: Summary, ports: Mapping[PortKey, Mapping[PortForm, Nodes]], telling: Nodes
) -> tuple[Nodes, list[Remark]]:
    """Return the nodes that belong to the cluster of most, and a remark on those that share no service with them.

    A service is shared where it has the same name and the same address. Nodes of whose rules others of another
    family are shown have none to share; what a dump that is cut would share may be what it lacks.
    """
    found = _clusters(ports, telling)
    if len(found) < 2:
        return telling, []
    first, *others = sorted(found, key=count_of, reverse=True)
    families = {family for place in places(first) for family in _families(summary.nodes[place])}
    elsewhere = 0
    for nodes in others:
        own = {family for place in places(nodes) for family in _families(summary.nodes[place])}
        elsewhere |= nodes if own & families else 0
    if not elsewhere:
        return telling, []
    names = labels(summary.nodes)
    whole = tuple(names[place] for place in places(elsewhere) if summary.nodes[place].complete)
    cluster = telling & ~elsewhere
    said = [remark("fleet-other-cluster", nodes=whole, others=count_of(cluster))] if whole else []
    return cluster, said


def _families(node: NodeFacts) -> set[str]:
    return {family for family, mode in node.modes if mode not in _NOT_SHOWN | _GONE}


def _clusters(ports: Mapping[PortKey, Mapping[PortForm, Nodes]], telling: Nodes) -> list[Nodes]:
    """Return sets of nodes that share services; who has none but those that every cluster has is in no set.

    But where that is at an address at which no other node has it, it is of another cluster.
    """
    found: list[Nodes] = []
    own = {key: forms for key, forms in ports.items() if (key[1], key[2]) not in _EVERYWHERE}
    for forms in own.values():
        for nodes in _by_address(forms, telling).values():
            if len(found) != 1 or nodes & ~found[0]:
                found = _with(found, nodes)
    for key in ports.keys() - own.keys():
        for nodes in _by_address(ports[key], telling).values():
            if key[2] == "kubernetes" and not any(nodes & one for one in found):
                found = [*found, nodes]
    return found


def _with(found: list[Nodes], nodes: Nodes) -> list[Nodes]:
    """Return sets of nodes of which those that share a node with another set are one with it."""
    apart = [one for one in found if not one & nodes]
    joined = nodes
    for one in found:
        joined |= one if one & nodes else 0
    return [*apart, joined]


def _by_address(forms: Mapping[PortForm, Nodes], telling: Nodes) -> dict[str, Nodes]:
    """Return the nodes that have a service port at each address; old tools print no ports."""
    found: dict[str, Nodes] = {}
    for form, nodes in forms.items():
        at = form.usual.address or form.usual.text
        if nodes & telling:
            found[at] = found.get(at, 0) | nodes & telling
    return found


# --- what is odd of a node -------------------------------------------------------------------------------------


def odd_nodes(summary: Summary, cluster: Nodes, comparable: Nodes) -> Iterator[OddFinding]:
    """Yield what is odd of whole nodes; hooks, host ports and networks are compared within the cluster.

    `comparable` are nodes that have the same services, by name: what tells their release is in all of them.
    """
    yield from _modes(summary)
    yield from _eras(summary, comparable)
    yield from _hooks(summary, cluster)
    yield from _host_ports(summary, cluster)
    yield from _networks(summary, cluster)


def _of_nodes(id_: FleetId, severity: str, nodes: Nodes, of: int, **values: object) -> OddFinding:
    return OddFinding(id_, severity, "", None, "", None, (), nodes, of, tuple(values.items()))


def _modes(summary: Summary) -> Iterator[OddFinding]:
    """Yield nodes in another mode than most, and those whose rules are gone, however many these are.

    Each family is looked at; of those that show no mode nothing is said.
    """
    told: dict[tuple[str, str], tuple[Nodes, int]] = {}
    for family in dict.fromkeys(family for node in summary.nodes for family, _ in node.modes):
        by_mode: dict[str, Nodes] = {}
        for place, node in enumerate(summary.nodes):
            mode = dict(node.modes).get(family, "no-nat")
            if mode not in _NOT_SHOWN:
                by_mode[mode] = by_mode.get(mode, 0) | 1 << place
        usual = _usual({mode: nodes for mode, nodes in by_mode.items() if mode not in _GONE})
        of = sum(map(count_of, by_mode.values()))
        for mode, nodes in by_mode.items():
            if mode != usual and (usual or mode == "flushed"):
                before = told.get((mode, usual), (0, 0))
                told[mode, usual] = before[0] | nodes, max(before[1], of)
    for (mode, usual), (nodes, of) in told.items():
        severity = "critical" if mode in _GONE else "medium"
        most = 2 * count_of(nodes) < of
        yield _of_nodes("mode-differs", severity, nodes, of, here=mode, elsewhere=usual, most=most)


def _usual(by_what: Mapping[str, Nodes]) -> str:
    """Return what most nodes have; of what equally many have, the first in order."""
    return min(by_what, key=lambda what: (-count_of(by_what[what]), what), default="")


def _eras(summary: Summary, comparable: Nodes) -> Iterator[OddFinding]:
    """Yield nodes whose rules tell other releases than those of most nodes in their mode."""
    for mode in dict.fromkeys(summary.nodes[place].mode for place in places(comparable)):
        by_era: dict[str, Nodes] = {}
        for place in places(comparable):
            node = summary.nodes[place]
            if node.mode == mode and node.complete and node.releases:
                by_era[node.era] = by_era.get(node.era, 0) | 1 << place
        usual = _usual(by_era)
        of = sum(map(count_of, by_era.values()))
        for era, nodes in by_era.items():
            if era != usual:
                most = 2 * count_of(by_era[usual]) > of
                yield _of_nodes("era-differs", "low", nodes, of, here=era, elsewhere=usual, most=most)


def _hooks(summary: Summary, cluster: Nodes) -> Iterator[OddFinding]:
    """Yield nodes on which some hook of nat leads to no services: kube-proxy always has it lead there."""
    by_hooks: dict[tuple[str, ...], Nodes] = {}
    for place in places(cluster):
        if hooks := summary.nodes[place].lost_hooks:
            by_hooks[hooks] = by_hooks.get(hooks, 0) | 1 << place
    for hooks, nodes in by_hooks.items():
        yield _of_nodes("hook-missing", "critical", nodes, count_of(cluster), hooks=hooks)


def _networks(summary: Summary, cluster: Nodes) -> Iterator[OddFinding]:
    """Yield nodes that take other addresses for those of pods than most nodes do, where most agree on them.

    With --detect-local-mode=NodeCIDR each node has a network of its own.
    """
    for is_six in (False, True):
        by_pods: dict[tuple[str, ...], Nodes] = {}
        for place in places(cluster):
            if pods := tuple(one for one in summary.nodes[place].pods if (":" in one) is is_six):
                by_pods[pods] = by_pods.get(pods, 0) | 1 << place
        total = sum(map(count_of, by_pods.values()))
        usual = max(by_pods.items(), key=lambda one: count_of(one[1]), default=((), 0))[0]
        for pods, nodes in by_pods.items() if 2 * count_of(by_pods.get(usual, 0)) > total else ():
            if pods != usual:
                yield _of_nodes(
                    "property-differs", "medium", nodes, total, what="pod network", here=pods, elsewhere=usual
                )


def _host_ports(summary: Summary, cluster: Nodes) -> Iterator[OddFinding]:
    """Yield nodes without a host port that nearly all others publish, as a DaemonSet's."""
    published: dict[str, Nodes] = {}
    cluster &= nodes_where(summary, lambda node: node.complete and "nat" not in node.unseen)
    for place in places(cluster):
        for port in summary.nodes[place].host_ports:
            published[port] = published.get(port, 0) | 1 << place
    total = count_of(cluster)
    by_nodes: dict[Nodes, list[str]] = {}
    for port, nodes in published.items():
        count = count_of(nodes)
        if total > count >= _MOST_HAVE_PORT and 10 * count >= 9 * total:
            by_nodes.setdefault(cluster & ~nodes, []).append(port)
    for nodes, ports in by_nodes.items():
        yield _of_nodes("hostport-gone", "high", nodes, total, ports=tuple(sorted(ports)))


# --- remarks ---------------------------------------------------------------------------------------------------


def remarks_on(summary: Summary) -> Iterator[Remark]:
    """Yield what a comparison of these nodes lacks, or hangs on."""
    names = labels(summary.nodes)
    if len(summary.nodes) == 1:
        yield remark("fleet-few")
    twice = [
        name for name, count in Counter(node.name for node in summary.nodes if node.name).items() if count > 1
    ]
    if twice:
        yield remark("fleet-name-twice", names=tuple(sorted(twice)))
    lacking = tuple(
        name
        for name, node in zip(names, summary.nodes, strict=True)
        if not node.complete or node.mode in _NOT_SHOWN
    )
    if lacking:
        yield remark("fleet-incomplete", nodes=lacking)
    yield from _clocks(summary, names)


def _clocks(summary: Summary, names: Iterable[str]) -> Iterator[Remark]:
    """Yield that rules were not saved at one moment, by the clocks of the nodes."""
    saved = [
        (node.saved, name) for node, name in zip(summary.nodes, names, strict=True) if node.saved is not None
    ]
    if not saved:
        return
    times = sorted(time for time, _ in saved)
    middle = times[len(times) // 2]
    far = tuple(name for time, name in saved if abs(time - middle) > _FAR)
    if far:
        yield remark("fleet-clocks", first=times[0], last=times[-1], nodes=far)
