"""Endpoints that each node alone has: rightly, where an internal policy Local is what no rule shows.

Source: FilterEndpoints in pkg/proxy/topology.go of 1.21 to 1.23, which left a proxier those of its own node,
unless the external policy is Local, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from iptviz.fleets.nodes import nodes_where
from iptviz.fleets.summary import count_of
from iptviz.kube.era import POLICY_UNSEEN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from iptviz.compare.ports.form import PortForm
    from iptviz.fleets.summary import Nodes, Summary

    Versions = Mapping[PortForm, Nodes]


def hiding_nodes(summary: Summary) -> Nodes:
    """Return the nodes whose rules may be of a release that shows no internal policy."""
    return nodes_where(
        summary,
        lambda node: (
            node.mode == "iptables" and (not node.releases or not POLICY_UNSEEN.isdisjoint(node.releases))
        ),
    )


def shows_local(versions: Versions, showing: Nodes) -> bool | None:
    """Return whether nodes that show an internal policy show that it is Local; None where there are none."""
    shown = [form for form, nodes in versions.items() if nodes & showing]
    if any(form.internal_policy == "Local" for form in shown):
        return True
    # Of a service that is refused, they show that it has no endpoints at all.
    return False if any("endpoints" not in one.untold for form in shown for one in form.frontends) else None


def are_own(versions: Versions) -> bool:
    """Whether each endpoint is on one of several nodes alone, and no policy shows why."""
    if len(versions) < 2 or any(one.local_only for form in versions for one in form.frontends):
        return False
    having: dict[str, Nodes] = {}
    for form, nodes in versions.items():
        for text in {end.text for one in form.frontends for end in one.endpoints}:
            having[text] = having.get(text, 0) | nodes
    return bool(having) and all(count_of(nodes) == 1 for nodes in having.values())


def left_open(versions: Versions, hiding: Nodes) -> dict[PortForm, Nodes]:
    """Return versions in which those of some nodes leave their endpoints open, as with a policy Local."""
    found: dict[PortForm, Nodes] = {}
    for form, nodes in versions.items():
        for each, having in ((form, nodes & ~hiding), (_left_open(form), nodes & hiding)):
            if having:
                found[each] = found.get(each, 0) | having
    return found


def _left_open(form: PortForm) -> PortForm:
    told: dict[str, Any] = {"endpoints": (), "leftover": None, "verdict": None}
    return form._replace(
        frontends=tuple(
            one._replace(**told, untold=one.untold | {"endpoints", "shares"}) for one in form.frontends
        )
    )
