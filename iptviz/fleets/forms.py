"""A service port as all healthy nodes of a cluster have it: without what a node's own place makes different.

So thousands of nodes have one form of most service ports, which is kept once.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from iptviz.compare.ports.form import EndpointForm
from iptviz.compare.ports.of_api import forms_of_api
from iptviz.compare.ports.own_place import asks_for_own_pods, at_own_addresses
from iptviz.compare.ports.shares import are_even, by_text
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.cluster.api import ApiCluster
    from iptviz.compare.ports.form import FrontendForm, PortForm, Untold
    from iptviz.engine.condition import Assumption
    from iptviz.fleets.summary import PortKey
    from iptviz.kube.outcome import Needs

OWN_PODS = "the node's pods"
"""What stands for a network of pods: with --detect-local-mode=NodeCIDR each node asks for another one."""

OWN_ADDRESSES = "the node's own"
"""What stands for addresses at which node ports answer: each node has others."""

_NOT_COMPARED: frozenset[Untold] = frozenset({"endpoints", "shares"})


def common_form(port: PortForm) -> PortForm:
    """Return the form of a service port in which the nodes of a cluster agree.

    Where a policy Local gives clients this node's endpoints alone, endpoints are left open. Rules, lines and
    chains, which are evidence, are left out; so is how clients fare, which hangs on rules that `check` looks
    at.
    """
    known: dict[int, _Common] = {}  # its frontends have the very same endpoints, one after the other
    return port._replace(
        frontends=tuple([_common_frontend(form, known) for form in port.frontends]),
        source_ranges=None if port.source_ranges is None else tuple(sorted(port.source_ranges)),
    )


class _Common(NamedTuple):
    """Endpoints in an order of their own, and whether all share evenly; then their shares are exactly so."""

    endpoints: tuple[EndpointForm, ...]
    even: bool


def _common_frontend(form: FrontendForm, known: dict[int, _Common]) -> FrontendForm:
    own = at_own_addresses(form.at_addresses)
    told: dict[str, Any]
    if form.local_only:
        told = {"endpoints": (), "leftover": None, "verdict": None, "untold": form.untold | _NOT_COMPARED}
    else:
        common = known.get(id(form.endpoints))
        if common is None:
            common = known[id(form.endpoints)] = _common_endpoints(form.endpoints)
        told = {"endpoints": common.endpoints, "leftover": _NONE if common.even else form.leftover}
    return form._replace(
        masquerade=None if form.masquerade is None else _common_needs(form.masquerade),
        at_addresses=(True, (OWN_ADDRESSES,)) if own else form.at_addresses,
        reached=None,
        chain=None,
        rule=None,
        refusing=None,
        unseen=(),
        **told,
    )


_NONE = Fraction(0)


def _common_endpoints(endpoints: Sequence[EndpointForm]) -> _Common:
    by_name = by_text(endpoints)
    even = bool(by_name) and all(end.share is not None for end in by_name.values()) and are_even(by_name)
    ordered = [by_name[text] for text in sorted(by_name)]
    if not even:
        return _Common(tuple(ordered), even)
    return _Common(_evened(tuple([(end.address, end.port) for end in ordered])), even)


@lru_cache(maxsize=32_768)
def _evened(ends: tuple[tuple[str, int | None], ...]) -> tuple[EndpointForm, ...]:
    """Return endpoints that share evenly: the very same for all nodes, so that forms compare at sight."""
    share = Fraction(1, len(ends))
    return tuple([EndpointForm(address, port, share) for address, port in ends])


@lru_cache(maxsize=64)
def _common_needs(masquerade: tuple[Needs, ...]) -> tuple[Needs, ...]:
    own = asks_for_own_pods(masquerade)
    return tuple(tuple(_common_need(need, own=own) for need in needs) for needs in masquerade)


def _common_need(need: Assumption, *, own: bool) -> Assumption:
    condition = need.condition._replace(rule=None, since=None)
    if own and condition.kind == "source-cidr":
        condition = condition._replace(value=OWN_PODS)
    return need._replace(condition=condition)


_VERSIONS = {"ipv4": 4, "ipv6": 6}


def forms_of_cluster(cluster: ApiCluster, families: Iterable[str]) -> dict[PortKey, PortForm]:
    """Return the service ports that the API has, as all nodes of its cluster should have them."""
    return {
        (family, *form.key): common_form(form)
        for family in families
        for form in forms_of_api(cluster, _VERSIONS[family], None)
    }


def pod_networks(port: PortForm) -> list[str]:
    """Return the networks whose connections are not masqueraded, or alone are: those of pods."""
    return [
        need.condition.value
        for form in port.frontends
        if form.masquerade and asks_for_own_pods(form.masquerade)
        for needs in form.masquerade
        for need in needs
        if need.condition.kind == "source-cidr" and need.condition.value not in _LOOPBACK
    ]


_LOOPBACK = {"127.0.0.0/8", "::1/128"}
"""Where the node's own connections come from, of which some releases ask, too."""
