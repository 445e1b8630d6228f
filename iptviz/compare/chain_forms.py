"""What differs between the chains and rules of two dumps of one family, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.dump.rule import Rule

Side = Literal["old", "new"]


class RuleForm(NamedTuple):
    """A rule of one side: where it stands, and its `text` as both sides are compared by it.

    The text is what iptables-save prints, without counters, `-A CHAIN` in front; of a line that makes several
    rules (`-s 10.0.0.1,10.0.0.2`) each has a text of its own.
    """

    rule: Rule
    text: str

    @property
    def line(self) -> int:
        """Its line in its dump, counted from 1."""
        return self.rule.line


class Crossing(NamedTuple):
    """A rule that stands on the other side of a moved one now; both as the new dump has them.

    `before`: the moved rule is asked before it now, and was asked behind it. `meets`: some packet passes what
    both ask; None: that cannot be told.
    """

    rule: RuleForm
    before: bool
    meets: bool | None


class RuleChange(NamedTuple):
    """A rule that was added, removed, changed in its place (`old` and `new` are then told apart word by word), or moved.

    A moved rule has the same text on both sides. `matters` is about moves alone: False where the order cannot
    decide anything, since of each rule that it crosses no packet meets both, or it makes no difference which is
    asked first; None where that cannot be told. `crossings` are the rules for which the order may decide.

    `explained`: it is a rule of a service port that differs, written as kube-proxy writes it.
    """

    kind: Literal["added", "removed", "changed", "moved"]
    old: RuleForm | None
    new: RuleForm | None
    matters: bool | None = True
    crossings: tuple[Crossing, ...] = ()
    explained: bool = False


class ChainChange(NamedTuple):
    """What differs of one chain.

    `old_line` and `new_line` are where it is declared, or where its first rule stands; None where it is not
    there. A policy is ACCEPT or DROP, None for a user chain and where it is not shown. `rules` stand in the
    order of the new dump, what was removed where it stood. `inert`: a user chain without rules came or went,
    to which no rule leads: that changes nothing.
    """

    table: str
    chain: str
    kind: Literal["added", "removed", "changed"]
    old_line: int | None
    new_line: int | None
    old_policy: str | None
    new_policy: str | None
    rules: tuple[RuleChange, ...]
    inert: bool = False

    @property
    def policy_changed(self) -> bool:
        """Whether both sides tell a policy, and not the same."""
        return None not in {self.old_policy, self.new_policy} and self.old_policy != self.new_policy

    @property
    def explained(self) -> bool:
        """Whether service ports that differ are all that this comes to."""
        return bool(self.rules) and all(rule.explained for rule in self.rules) and not self.policy_changed


class TableChange(NamedTuple):
    """A table with rules, chains or policies of which the other side has nothing; its chains are told, too."""

    table: str
    kind: Literal["added", "removed"]
    line: int


Why = Literal["not-shown", "cut", "excerpt"]
"""Why chains are not compared: nobody asked for the table; its end is lost; lines may be missing anywhere."""


class Uncompared(NamedTuple):
    """What was not compared, since one side, or both, cannot show it.

    `chains` are those that were left out, None for all of the table.
    """

    table: str
    chains: tuple[str, ...] | None
    sides: tuple[Side, ...]
    why: Why


Fact = Literal["interfaces", "policy", "counted-cues"]


class ChainChanges(NamedTuple):
    """All that differs of two dumps' chains and rules, by table and chain in the order of the new dump.

    `untold` are facts that a listing does not print, so that they were not compared, with the sides that lack
    them.
    """

    tables: tuple[TableChange, ...]
    chains: tuple[ChainChange, ...]
    uncompared: tuple[Uncompared, ...]
    untold: tuple[tuple[Fact, tuple[Side, ...]], ...]

    @property
    def differ(self) -> bool:
        """Whether anything differs that may change what becomes of a packet, or is there to be told."""
        return bool(self.chains or self.tables)


class Explained(NamedTuple):
    """The service ports that differ anyway, on either side.

    `suffixes` are the hashes in the names of kube-proxy's chains (`PortForm.suffix`), `names` what comments call
    them (`shop/web:http`), `old_lines` and `new_lines` those of their dispatching and refusing rules.
    """

    suffixes: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    old_lines: frozenset[int] = frozenset()
    new_lines: frozenset[int] = frozenset()
