"""What rightly differs between two nodes: what policies Local choose, and what a node's own addresses decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.compare.ports.reach import whys
from iptviz.paths.fares import WELL

if TYPE_CHECKING:
    from collections.abc import Collection

    from iptviz.compare.ports.differences import ChangedPort, PortChanges, PortDifference, Value
    from iptviz.compare.ports.form import FrontendForm, PortForm
    from iptviz.engine.condition import Assumption, When
    from iptviz.paths.fares import Fare

_OF_LOCAL_ENDPOINTS = frozenset(
    {"endpoint added", "endpoint removed", "share", "leftover", "verdict", "reached", "local only"}
)
"""What a policy Local makes different: which endpoints are on the node, and what is done where none is."""


def without_local(changes: PortChanges) -> tuple[PortChanges, int]:
    """Return changes without those that a node's own place rightly makes, and how many differences these are."""
    kept: list[ChangedPort] = []
    count = 0
    for port in changes.changed:
        left = tuple(one for one in port.differences if not _is_local(port, one))
        count += len(port.differences) - len(left)
        if left:
            kept.append(port._replace(differences=left))
    return changes._replace(changed=tuple(kept)), count


def _is_local(port: ChangedPort, one: PortDifference) -> bool:
    """Whether a difference is one that two healthy nodes of one cluster have."""
    if one.kind == "reached" and one.old.word == one.new.word and one.new.word in WELL:
        return True  # each masquerades its own pods, and some rules single out clients: these rules are told
    if one.kind == "reached" and _fare_alike_but_for_own_pods(port, one.old, one.new):
        return True
    if one.kind in _OF_LOCAL_ENDPOINTS:
        return bool(one.frontends) and all(_is_local_only(port, form) for form in one.frontends)
    if one.kind == "masquerade":
        return asks_for_own_pods(one.old) and asks_for_own_pods(one.new)
    return one.kind == "node port addresses" and at_own_addresses(one.old) and at_own_addresses(one.new)


def _is_local_only(port: ChangedPort, form: FrontendForm) -> bool:
    """Whether a frontend gives clients this node's endpoints alone, on either side, as its policy says."""
    at = [
        other
        for side in (port.old, port.new)
        for other in side.frontends
        if (other.kind, other.at) == (form.kind, form.at)
    ]
    return any(other.local_only for other in at)


def _fare_alike_but_for_own_pods(port: ChangedPort, old: Fare, new: Fare) -> bool:
    """Whether clients fare alike on both nodes, where each means its own pods by the network that it asks for."""
    return _for_own_pods(old, port.old) == _for_own_pods(new, port.new)


def _for_own_pods(fare: Fare, port: PortForm) -> object:
    """Return how clients fare, where endpoints that ask themselves count with the network of the node's pods."""
    networks = (
        one.condition.value
        for form in port.frontends
        if asks_for_own_pods(form.masquerade)
        for needs in form.masquerade or ()
        for one in needs
    )
    own = {*networks, *(end.address for form in port.frontends for end in form.endpoints)}
    renamed = fare._replace(
        failures=tuple(one._replace(when=_as_owns(one.when, own)) for one in fare.failures),
        exceptions=tuple(one._replace(when=_as_owns(one.when, own)) for one in fare.exceptions),
    )
    return fare.word, fare.at_least, fare.at_most, whys(renamed)


def _as_owns(when: When, own: Collection[str]) -> When:
    return tuple(_as_own(asked, own) for asked in when)


def _as_own(asked: Assumption, own: Collection[str]) -> Assumption:
    is_own = asked.condition.kind == "source-cidr" and asked.condition.value in own
    return asked._replace(condition=asked.condition._replace(value="own pods")) if is_own else asked


def asks_for_own_pods(value: Value) -> bool:
    """Whether connections are masqueraded by one question alone, whether they come from a network of pods.

    kube-proxy asks so for the pods of its own node with --detect-local-mode=NodeCIDR.
    """
    asked = [needs for needs in value if isinstance(needs, tuple)] if isinstance(value, tuple) else []
    kinds = ([getattr(need, "condition", None) for need in needs] for needs in asked)
    return any([one and one.kind for one in conditions] == ["source-cidr"] for conditions in kinds)


def at_own_addresses(value: Value) -> bool:
    """Whether node ports answer at single addresses alone, which are the node's own."""
    if not isinstance(value, tuple) or len(value) != 2 or value[0] is not True:
        return False
    return all("/" not in network or network.endswith(("/32", "/128")) for network in value[1])
