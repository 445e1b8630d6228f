"""The algebra of marks: every operation is `(mark & ~mask) ^ value`, whatever the mark was before.

Source: net/netfilter/xt_mark.c and xt_connmark.c. A mark of which not everything is known is therefore a
function of the mark that the packet came with, `(origin & keep) ^ value`, and so is every test of it.
"""

from __future__ import annotations

from iptviz.records import NamedTuple
from iptviz.xtables.values.numbers import ALL_BITS


def as_left(line: int | None) -> str:
    """Return the words for what the rule at `line` has set to something unknown; none where no rule has."""
    return "" if line is None else f" (as line {line} left it)"


class Origin(NamedTuple):
    """What is unknown of a mark: the packet's or the connection's, as it came or as a rule left it.

    `field` is `mark` or `connmark`, `since` the line of that rule.
    """

    field: str
    since: int | None = None

    @property
    def text(self) -> str:
        """The origin in words."""
        return self.field + as_left(self.since)


class Mark(NamedTuple):
    """A mark as `(origin & keep) ^ value`; with `keep` 0 it is known. `origin` is what is unknown."""

    origin: Origin
    keep: int
    value: int

    @property
    def known(self) -> int | None:
        """The mark as a number, or None where some of its bits are unknown."""
        return None if self.keep else self.value

    @property
    def text(self) -> str | None:
        """The mark, as a number or as what was done to the origin, or None where none of its bits is known."""
        if not self.keep:
            return f"{self.value:#x}"
        return None if self.keep == ALL_BITS and not self.value else self._operations

    @property
    def _operations(self) -> str:
        """What was done to the origin, in the fewest operations that say it."""
        if self.keep == ALL_BITS:
            return f"{self.origin.text} ^ {self.value:#x}"
        if not self.value:
            return f"{self.origin.text} & {self.keep:#x}"
        if self.value == ALL_BITS & ~self.keep:
            return f"{self.origin.text} | {self.value:#x}"
        return f"({self.origin.text} & {self.keep:#x}) ^ {self.value:#x}"

    @property
    def label(self) -> str | None:
        """The mark, or where some bits are unknown the others as `value/mask`, as iptables writes them."""
        settled = ALL_BITS & ~self.keep
        if not self.keep or self.value & self.keep or self.origin != UNKNOWN_MARK.origin:
            return self.text
        return f"{self.value:#x}/{settled:#x}" if settled else None

    def set_xmark(self, value: int, mask: int) -> Mark:
        """Zero the bits in `mask` and exclusive-or `value`."""
        return Mark(self.origin, self.keep & ~mask & ALL_BITS, (self.value & ~mask & ALL_BITS) ^ value)

    def masked(self, mask: int) -> Mark:
        """Return the bits in `mask`, all others zero."""
        return Mark(self.origin, self.keep & mask, self.value & mask)

    def shifted(self, bits: int) -> Mark:
        """Shift left by `bits`, right where negative; known marks only."""
        moved = self.value << bits if bits >= 0 else self.value >> -bits
        return Mark(self.origin, 0, moved & ALL_BITS)

    def combined(self, other: Mark, origin: Origin) -> Mark:
        """Exclusive-or two marks; where both have unknown bits the result is of the new `origin`."""
        if self.keep and other.keep:
            return Mark(origin, self.keep | other.keep, 0)
        whose = self.origin if self.keep else other.origin
        return Mark(whose, self.keep | other.keep, self.value ^ other.value)

    def equals(self, value: int, mask: int) -> bool | tuple[int, int]:
        """Whether `(mark & mask) == value`: known, or the same test as (value, mask) of the origin."""
        settled = mask & ~self.keep
        if value & ~mask or (self.value ^ value) & settled:
            return False
        open_bits = mask & self.keep
        return ((self.value ^ value) & open_bits, open_bits) if open_bits else True

    def told(self, value: int, mask: int) -> bool | None:
        """Whether `(mark & mask) == value`; None where that is not known."""
        found = self.equals(value, mask)
        return found if isinstance(found, bool) else None


def known_mark(value: int) -> Mark:
    """Return a mark that is known."""
    return Mark(Origin("mark"), 0, value)


UNKNOWN_MARK = Mark(Origin("mark"), ALL_BITS, 0)
UNKNOWN_CONNMARK = Mark(Origin("connmark"), ALL_BITS, 0)
