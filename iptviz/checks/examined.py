"""What checks see: one dump of a node, its service ports, and how clients fare at each of their frontends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.kube.era import Era, era_of
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iptviz.checks.finding import Finding
    from iptviz.dump.model import Dump
    from iptviz.kube.dispatching import DispatchingRules
    from iptviz.kube.nftables.table import ProxyTable
    from iptviz.kube.service_ports import ServicePort
    from iptviz.node.listing import NftListing
    from iptviz.node.snapshot import Snapshot
    from iptviz.paths.fares import Reached
    from iptviz.paths.survey import Evidence


class Examined:
    """A dump of a node, examined: `ports` are its service ports, `reached` how clients fare at each of them.

    `evidence` is what is known of the node for packets of the dump's family.
    """

    def __init__(
        self,
        node: Snapshot,
        dump: Dump,
        rules: DispatchingRules,
        ports: tuple[ServicePort, ...],
        reached: tuple[tuple[Reached, ...], ...],
        evidence: Evidence,
    ) -> None:
        self.node = node
        self.dump = dump
        self.rules = rules
        self.ports = ports
        self.reached = reached
        self.evidence = evidence
        self._found: dict[Callable[[Examined], Iterator[Finding]], tuple[Finding, ...]] = {}

    @property
    def family(self) -> str:
        """Either `ipv4` or `ipv6`."""
        return self.dump.family

    @property
    def complete(self) -> bool:
        """Whether the dump lacks nothing."""
        return self.dump.complete

    @property
    def era(self) -> Era:
        """The releases of kube-proxy that wrote the dump."""
        return era_of(self.dump)

    def only(self, ports: tuple[ServicePort, ...], reached: tuple[tuple[Reached, ...], ...]) -> Examined:
        """Return the same dump with some of its service ports alone."""
        return Examined(self.node, self.dump, self.rules, ports, reached, self.evidence)

    def found_by(self, check: Callable[[Examined], Iterator[Finding]]) -> tuple[Finding, ...]:
        """Return what a check finds, which it is asked once."""
        if check not in self._found:
            self._found[check] = tuple(check(self))
        return self._found[check]


class ExaminedTable(NamedTuple):
    """kube-proxy's table in a listing of nft, examined as a dump is: see `Examined`."""

    node: Snapshot
    listing: NftListing
    table: ProxyTable
    ports: tuple[ServicePort, ...]
    reached: tuple[tuple[Reached, ...], ...]
    evidence: Evidence

    @property
    def family(self) -> str:
        """Either `ipv4` or `ipv6`."""
        return self.listing.family

    @property
    def complete(self) -> bool:
        """Whether the listing lacks nothing."""
        return self.listing.complete

    @property
    def era(self) -> None:
        """No matter: rules of this mode show every policy."""
