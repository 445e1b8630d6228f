"""What checks see: one dump of a node, its service ports, and how clients fare at each of their frontends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.era import Era, era_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.dump.model import Dump
    from iptviz.kube.dispatching import DispatchingRules
    from iptviz.kube.service_ports import ServicePort
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.fares import Reached
    from iptviz.paths.survey import Evidence


class Examined(NamedTuple):
    """A dump of a node, examined: `ports` are its service ports, `reached` how clients fare at each of them.

    `evidence` is what is known of the node for packets of the dump's family.
    """

    node: Snapshot
    dump: Dump
    rules: DispatchingRules
    ports: tuple[ServicePort, ...]
    reached: tuple[tuple[Reached, ...], ...]
    evidence: Evidence

    @property
    def era(self) -> Era:
        """The releases of kube-proxy that wrote the dump."""
        return era_of(self.dump)
