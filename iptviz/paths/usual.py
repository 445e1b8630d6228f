"""Whether conditions leave the clients that services have, or strangers, or nobody knows whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.public_names import INTERFACES
from iptviz.xtables.address import full_mask, parse_network, split_endpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from iptviz.engine.condition import Assumption, When
    from iptviz.engine.host import Host
    from iptviz.xtables.address import Network

_OF_CLIENTS = frozenset({"source-cidr", "source-range", "source-port", "in-interface", "destination-cidr",
                         "destination-range"})  # fmt: skip
"""Kinds of conditions about what a client sends, and by which interface."""

_NEAR, _OUTWARD, _OF_PODS = INTERFACES["near"], INTERFACES["outward"], INTERFACES["pods"]
_NOT_OF_PODS = (*_NEAR, *_OUTWARD)
"""What interfaces are called that lead to no pods of this node."""


def leads_outward(name: str) -> bool:
    """Whether an interface is called as those are by which outside clients come."""
    return name.startswith(_OUTWARD) and not name.startswith(_OF_PODS)


class UsualClients:
    """Those that no rule singles out; `networks` are those of pods, and `host` is what is known of the node."""

    def __init__(self, networks: Sequence[Network], host: Host) -> None:
        self.networks = networks
        self._host = host

    def are_meant(self, when: When, client: str) -> bool | None:
        """Whether conditions leave usual clients of a kind; None: strangers, or nobody knows whom.

        False: it depends on the node, which of its addresses it has, or where its pods come in.
        """
        found = {self._meets(one, client) for one in when}
        return None if None in found else False not in found

    def are_pods(self, address: str) -> bool:
        """Whether an address is one of pods."""
        network = parse_network(address)
        return network is not None and self._has(network)

    def _meets(self, one: Assumption, client: str) -> bool | None:
        condition = one.condition
        if condition.kind == "endpoint-local":
            return False
        if condition.kind == "out-interface" and not one.holds and self.is_no_way_out(one):
            return True
        if condition.kind not in _OF_CLIENTS or condition.rewritten or condition.since is not None:
            return None
        if one.holds:
            if condition.kind == "in-interface":
                return self._come_in_by(condition.values, client)
            return self._part_of_pods(condition.values) if condition.kind == "source-cidr" else None
        if client == "outside" and condition.kind == "in-interface":
            return all(name.startswith((*_NEAR, *_OF_PODS)) for name in condition.values)
        return client != "pod" or not self._leaves_out_pods(condition.kind, condition.values)

    def is_no_way_out(self, one: Assumption) -> bool:
        """Whether what goes to a service's address, or a pod, leaves by no such interface, as a rule."""
        condition = one.condition
        to_pods = not condition.rewritten or self.are_pods(split_endpoint(condition.rewritten)[0])
        return to_pods and all(name.startswith(_NEAR) for name in condition.values)

    def _come_in_by(self, names: Sequence[str], client: str) -> bool | None:
        """Return True where pods are known to come in so, False where clients may; None: they hardly do."""
        if client == "pod" and all(name in (self._host.addresses or {}) for name in names):
            return True if all(map(self._is_interface_of_pods, names)) else None
        if client == "pod":
            return False if all(name.startswith(_OF_PODS) for name in names) else None
        return False if client == "outside" and all(map(leads_outward, names)) else None

    def _part_of_pods(self, values: Iterable[str]) -> bool | None:
        """Return True where sources are a part of the pods; None: they are not, or are single addresses."""
        named = [parse_network(value) for value in values]
        inside = all(one and self._has(one) and one.mask != full_mask(one.version) for one in named)
        return True if inside else None

    def _leaves_out_pods(self, kind: str, values: Sequence[str]) -> bool:
        """Whether what is left out may be all pods of this node."""
        if kind == "in-interface":
            return any(map(self._is_interface_of_pods, values))
        if kind != "source-cidr":
            return False
        return any(network is None or self._has(network) for network in map(parse_network, values))

    def _has(self, network: Network) -> bool:
        return any(pods.contains(network) for pods in self.networks)

    def _is_interface_of_pods(self, name: str) -> bool:
        own = (self._host.addresses or {}).get(name)
        if own is not None:
            return any(self._has(address.address) for address in own)
        return not name.startswith(_NOT_OF_PODS)
