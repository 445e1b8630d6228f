"""What must be named of a fleet, and nothing else; computed from what was planted.

A right answer for each trouble:

* A frozen node: each endpoint that it has and no other node (`endpoint-extra`), each that it lacks (`endpoint-missing`),
  services that came and went since, and one `stale-node`. Where endpoints are a node's own or its zone's (policy Local of
  internal traffic, topology), nobody can tell which node is right: nothing is said of them.
* A half-synced node: `service-missing` of the ports that it never wrote. Nothing that it has is old, so it is not stale.
* A flushed node, whether its empty chains are left or not, one in IPVS mode, one in nftables mode: one `mode-differs`, and not a word of single services that are
  there by other means. In nftables mode services are compared by meaning, and are the same.
* A roll-out: one `era-differs` of the smaller part of the nodes. What both releases write means the same.
* A truncated dump, one without ports: what is not shown is not missing. The first is not complete.
* A missing hook jump: one `hook-missing`, and `check` says it of that node. No service differs.
* A setting that one node has otherwise (affinity, source ranges, external policy): one `property-differs` of that
  service. A changed probability: one `share-differs` of all endpoints that it moves.
* A host port that all nodes have but one: one `hostport-gone`.
* Topology: where several services tell the same zones, ports whose endpoints hang on the zone are rightly different.
* Counters, dates, the order of services and endpoints, each node's own pods, addresses and host ports: nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Odd(NamedTuple):
    """What must be named: the id, the service (empty: the node), endpoints, and the names of all nodes that have it."""

    id: str
    service: str = ""
    endpoints: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()

    def atoms(self) -> set[tuple[str, str, str, str]]:
        """Return the same node by node and endpoint by endpoint, however findings are put together."""
        ends = self.endpoints or ("",)
        return {(self.id, self.service, end, node) for end in ends for node in self.nodes}


@dataclass
class Truth:
    """What must be told of a fleet.

    `incomplete` are nodes whose dumps lack lines, `noticed` what `check` must find of which node, among other things;
    `rightly` how many service ports may rightly be different, and why: those with a policy Local, and those whose
    endpoints hang on the zone.
    """

    odd: set[Odd] = field(default_factory=set)
    unreadable: set[str] = field(default_factory=set)
    incomplete: set[str] = field(default_factory=set)
    noticed: set[tuple[str, str]] = field(default_factory=set)
    rightly: dict[str, int] = field(default_factory=dict)

    def atoms(self) -> set[tuple[str, str, str, str]]:
        """Return all that is odd, node by node."""
        return {atom for odd in self.odd for atom in odd.atoms()}
