"""Where a rule of nft stands: whose sets it may look up, and of which family the packets are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iptviz.nft.expressions import AnonymousSet, Element, SetReference
from iptviz.nft.model import CHANGING
from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeGuard

    from iptviz.nft.model import SetOrMap, Table


class Scope(NamedTuple):
    """The table of a rule, and the family of the packets, `ipv4` or `ipv6`, that it is made for.

    `counts` tells how many rules of the rule set count packets (`numgen inc`): of one, the shares are known.
    """

    table: Table
    family: str
    counts: Callable[[], int]

    @property
    def version(self) -> int:
        """The version of IP, 4 or 6."""
        return 4 if self.family == "ipv4" else 6

    def named(self, found: SetReference | AnonymousSet) -> SetOrMap | None:
        """Return the set or map that has a name; None for one that stands in its rule, or is not there."""
        return self.table.sets.get(found.name) if isinstance(found, SetReference) else None

    def elements(self, found: SetReference | AnonymousSet) -> tuple[Element, ...] | None:
        """Return the elements of a set or map; None where these are not shown."""
        if isinstance(found, AnonymousSet):
            return found.elements
        return None if self.hides(found) else self.table.sets[found.name].elements

    def lines(self, found: SetReference | AnonymousSet) -> tuple[tuple[int, Element], ...] | None:
        """Return the same with the line of each, 0 for that of the rule that it stands in."""
        if isinstance(found, AnonymousSet):
            return tuple((0, element) for element in found.elements)
        return None if self.hides(found) else self.table.sets[found.name].lines

    def hides(self, found: SetReference | AnonymousSet) -> TypeGuard[SetReference]:
        """Whether it is not shown what a set or map holds."""
        return isinstance(found, SetReference) and self.table.hides(found.name)

    def changes(self, found: SetReference | AnonymousSet) -> bool:
        """Whether rules may put something into a set."""
        named = self.named(found)
        return named is not None and not CHANGING.isdisjoint(named.head.flags)
