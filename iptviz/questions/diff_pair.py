"""What differs between two sources of rules of one family, and whether that counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.questions.wanted import INFO
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.compare.chains.forms import ChainChange, ChainChanges
    from iptviz.compare.ports.differences import PortChanges
    from iptviz.dump.model import Dump
    from iptviz.intake.remark import Remark
    from iptviz.node.listing import NftListing
    from iptviz.questions.finding_changes import FindingChanges


class PairDiff(NamedTuple):
    """What differs between two dumps, or listings of nft, of one family.

    `ports` is None where services are not compared; `counts` are how many service ports either side has.
    `chains` is None where rules are not compared. `set_aside` counts differences that a node's own place rightly
    makes, where these are left out. `expected` is what kube-proxy's modes mean to do otherwise, where both sides
    are in different ones: none of it is among the rest. `findings_compared`: so is what `check` finds.
    """

    old: Dump | NftListing
    new: Dump | NftListing
    ports: PortChanges | None
    counts: tuple[int, int]
    chains: ChainChanges | None
    findings: FindingChanges
    set_aside: int = 0
    expected: tuple[Remark, ...] = ()
    findings_compared: bool = False

    @property
    def differs(self) -> bool:
        """Whether anything differs that is more than information, and does something."""
        found = (*self.findings.new, *self.findings.gone)
        return (
            bool(self.ports and self.ports.differ)
            or any(not one.inert for one in self.told_chains)
            or any(one.severity != INFO for one in found)
        )

    @property
    def told_chains(self) -> tuple[ChainChange, ...]:
        """The chains that differ, but for those of which all is told already as a service port that differs."""
        return tuple(change for change in self.chains.chains if not change.explained) if self.chains else ()
