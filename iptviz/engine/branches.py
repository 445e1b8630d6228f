"""Branches of a walk: what is so far known to happen under each combination of answers.

A walk starts with one branch. A rule that hangs on an unanswered condition splits its branch in two, and as
soon as two branches agree in all that matters they are one again, without the condition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from iptviz.engine.chance import total
from iptviz.engine.path import Path, either_way

if TYPE_CHECKING:
    from collections.abc import Hashable
    from fractions import Fraction

    from iptviz.engine.condition import Assumption, Condition
    from iptviz.engine.packet import Packet
    from iptviz.rules.form import CompiledRule, Place

When = tuple["Assumption", ...]
Key = TypeVar("Key", "Packet", "End")

MOST_BRANCHES = 64
"""More cases than this are not told apart: nobody reads them, and each condition may double them."""


class Reaching(NamedTuple):
    """A share (in [0, 1]) of all packets, and the way of most of them."""

    share: Fraction
    path: Path | None


class End(NamedTuple):
    """A verdict that ended the table: by which rule, about which packet; ACCEPT goes on to the next table."""

    verdict: str
    rule: Place | None
    packet: Packet


class Outcome(NamedTuple):
    """One fate of the packet: of all that meet `when`, the share `share` (in [0, 1]) ends so.

    Outcomes with the same `when` sum to 1. `by` is the rule that decided, None where a policy, or nobody, did.
    `verdict` is ACCEPT, DROP, REJECT, QUEUE (a program decides) or STOLEN (a target kept it).
    `route` is where an accepted packet is: `INPUT` (delivered to this node), `FORWARD`, `OUTPUT`, or empty
    where it got no further. `packet` is the packet in the end, with `dnat`, `snat` and `mark` as rewritten.
    """

    verdict: str
    share: Fraction
    when: When
    route: str
    by: Place | None
    packet: Packet
    path: Path | None


class Passage(NamedTuple):
    """A rule that takes `chance` of what reaches it, which is the share `before` of what enters its chain.

    `taken` is the product of the two; `called` is what happens to it in the chain that the rule enters.
    """

    rule: CompiledRule
    chance: Fraction
    before: Fraction
    taken: Fraction
    called: Branch | None


class Note(NamedTuple):
    """A rule that marks, logs or counts and goes on, where all of `needs` hold.

    `via` is the rule that led to it, by a jump or because it is the rule itself.
    """

    rule: Place
    via: Place
    needs: When


class Branch:
    """What happens when all of `when` hold.

    `here` are the packets that go on to the next rule, `back` those that have left the chain by RETURN,
    `ends` those that ended the table; all their shares sum to 1. A survey adds the `passages` through rules,
    and `notes` with the share that comes to each.
    """

    __slots__ = ("back", "ends", "here", "notes", "passages", "when")

    def __init__(self, when: When, here: dict[Packet, Reaching]) -> None:
        self.when = when
        self.here = here
        self.back: dict[Packet, Reaching] = {}
        self.ends: dict[End, Reaching] = {}
        self.passages: list[Passage] = []
        self.notes: dict[Note, Fraction] = {}

    def under(self, when: When) -> Branch:
        """Return a copy that holds under other answers."""
        copy = Branch(when, dict(self.here))
        copy.back, copy.ends = dict(self.back), dict(self.ends)
        copy.passages, copy.notes = list(self.passages), dict(self.notes)
        return copy

    def left(self) -> dict[Packet, Reaching]:
        """Return the packets that leave the chain without an end."""
        if not self.back:
            return self.here
        left = dict(self.back)
        for packet, reaching in self.here.items():
            add(left, packet, reaching)
        return left

    def take_ways_of(self, other: Branch, depth: int) -> None:
        """Become what holds whatever the answer at `depth` is: the same shares on either of two ways."""
        condition, holds = self.when[depth]
        self.when = self.when[:depth] + self.when[depth + 1 :]
        for mine, theirs in ((self.here, other.here), (self.back, other.back)):
            _take_ways(mine, theirs, condition, holds=holds)
        _take_ways(self.ends, other.ends, condition, holds=holds)

    def agrees(self, other: Branch) -> bool:
        """Whether the same happens to the same packets with the same shares, on whatever way."""
        pairs = ((self.here, other.here), (self.back, other.back), (self.ends, other.ends))
        return self.notes == other.notes and all(_shares(mine) == _shares(theirs) for mine, theirs in pairs)


def _shares(reached: dict[Packet, Reaching] | dict[End, Reaching]) -> dict[Hashable, Fraction]:
    return {key: reaching.share for key, reaching in reached.items() if reaching.share}


def _take_ways(
    mine: dict[Key, Reaching], theirs: dict[Key, Reaching], condition: Condition, *, holds: bool
) -> None:
    for key, (share, path) in mine.items():
        if key not in theirs:
            continue  # which nothing reaches
        ways = (path, theirs[key].path) if holds else (theirs[key].path, path)
        mine[key] = Reaching(share, either_way(condition, *ways))


def add(reached: dict[Key, Reaching], key: Key, reaching: Reaching) -> None:
    """Add a share to what `key` has of it; the way of the larger one stands for both."""
    before = reached.get(key)
    if before is None:
        reached[key] = reaching
    else:
        path = before.path if before.share >= reaching.share else reaching.path
        reached[key] = Reaching(total((before.share, reaching.share)), path)


def joined_branches(branches: list[Branch], depth: int) -> list[Branch]:
    """Join branches that agree; they come in the order of a depth-first search, `depth` answers are common."""
    if len(branches) < 2:
        return branches
    split = branches[0].when[depth]
    sides = (
        joined_branches([branch for branch in branches if branch.when[depth] == split], depth + 1),
        joined_branches([branch for branch in branches if branch.when[depth] != split], depth + 1),
    )
    if not _same(*sides, depth + 1):
        return [*sides[0], *sides[1]]
    for branch, other in zip(*sides, strict=True):
        branch.take_ways_of(other, depth)
    return sides[0]


def _same(one: list[Branch], other: list[Branch], depth: int) -> bool:
    """Whether the same happens on both sides of a condition, whatever it hangs on further down."""
    return len(one) == len(other) and all(
        mine.when[depth:] == theirs.when[depth:] and mine.agrees(theirs)
        for mine, theirs in zip(one, other, strict=True)
    )
