"""What differs between the chains and rules of two dumps of one family, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from iptviz.records import NamedTuple

if TYPE_CHECKING:
    from iptviz.rules.form import Place

Side = Literal["old", "new"]


class RuleForm(NamedTuple):
    """A rule of one side: where it stands, and its text as iptables-save prints it, `-A CHAIN` in front.

    Of a listing of nft it is a rule, an element of a set, or the head of a chain or a set, as nft writes it.

    Both sides are printed in the way of one backend, without counters. Of a line that makes several rules
    (`-s 10.0.0.1,10.0.0.2`) each has a text of its own.
    """

    rule: Place
    text: str

    @property
    def line(self) -> int:
        """Its line in its dump, counted from 1."""
        return self.rule.line


class Crossing(NamedTuple):
    """A rule that stands on the other side of a moved one now, as the new dump has it.

    `before`: the moved rule is asked before it now, and was asked behind it. `decides`: some packet passes what
    both ask, and they do different things with it; whether such packets come to them, rules before decide. None:
    that cannot be told.
    """

    rule: RuleForm
    before: bool
    decides: Literal[True] | None


Kind = Literal["added", "removed", "changed", "moved"]


class RuleChange(NamedTuple):
    """A rule that was added, removed, changed in its place, or moved so that packets may fare otherwise.

    Of one that changed in its place, `old` and `new` share most of their words. A moved rule is the same on both
    sides; `matters` is True where of rules that it passed some do another thing with packets that meet both, None
    where that cannot be told. `crossings` are the first few of those.

    `explained`: it is a rule of a service port that differs, written as kube-proxy writes it.
    """

    kind: Kind
    old: RuleForm | None
    new: RuleForm | None
    matters: Literal[True] | None = True
    crossings: tuple[Crossing, ...] = ()
    explained: bool = False


class ChainChange(NamedTuple):
    """What differs of one chain.

    `old_line` and `new_line` are where it is declared, or where its first rule stands; None where it is not
    there. A policy is ACCEPT or DROP, None for a user chain and where it is not shown. `rules` stand in the
    order of the new dump, what was removed where it stood. `inert`: a user chain without rules came or went,
    to which no rule leads: that changes nothing. `unlisted` is how many rules differ of a chain that kube-proxy
    wrote for a service port that differs, and nobody else wrote to: these are not among `rules`. `rules_shown`:
    no rule of the chain may be missing on either side.
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
    unlisted: int | None = None
    rules_shown: bool = True

    @property
    def policy_changed(self) -> bool:
        """Whether both sides tell a policy, and not the same."""
        return None not in {self.old_policy, self.new_policy} and self.old_policy != self.new_policy

    @property
    def unexplained(self) -> tuple[RuleChange, ...]:
        """The rules that differ for themselves: no service port explains them."""
        return tuple(rule for rule in self.rules if not rule.explained)

    @property
    def explained_rules(self) -> int:
        """How many rules differ for service ports that do."""
        return sum(rule.explained for rule in self.rules) + (self.unlisted or 0)

    @property
    def explained(self) -> bool:
        """Whether service ports that differ are all that this comes to."""
        if self.unlisted is not None:
            return True
        return bool(self.rules) and all(rule.explained for rule in self.rules) and not self.policy_changed


Why = Literal["not-shown", "cut", "excerpt", "by-name", "eras"]
"""Why: the text has nothing of the table, its end is lost, or lines may be missing anywhere; it names rules of
iptables alone and hides what they ask; or other releases of kube-proxy wrote it, each in its own way."""


class Uncompared(NamedTuple):
    """A table that some sides do not show, or not all of it: what they lack is not compared."""

    table: str
    sides: tuple[Side, ...]
    why: Why


Fact = Literal["comments", "interfaces", "host-names", "words", "line-ends", "unprinted"]
"""What a text may not show of rules: comments (nft); interfaces (a listing without -v); addresses, where it has
names of hosts; words of a listing that cannot be read; the ends of lines that were cut; ports, marks, chances
and DNAT's addresses, which an iptables could not print of another one's rules."""


class Reordered(NamedTuple):
    """A chain of which so many rules moved without any packet faring otherwise, which is no difference.

    Of each rule that they passed no packet meets both, or it makes no difference which is asked first.
    """

    table: str
    chain: str
    rules: int


class ChainChanges(NamedTuple):
    """All that differs of two dumps' chains and rules, by table and chain in the order of the new dump.

    `untold` are facts that were left out of the comparison of some rules, with the sides that do not show them.
    """

    chains: tuple[ChainChange, ...]
    reordered: tuple[Reordered, ...]
    uncompared: tuple[Uncompared, ...]
    untold: tuple[tuple[Fact, tuple[Side, ...]], ...]

    @property
    def differ(self) -> bool:
        """Whether anything differs, be it explained."""
        return bool(self.chains)


class Explained(NamedTuple):
    """The service ports that differ anyway, on either side.

    `suffixes` are the hashes in the names of kube-proxy's chains (`PortForm.suffix`), `names` what comments call
    them (`shop/web:http`), `old_lines` and `new_lines` those of their dispatching and refusing rules. `compared`:
    all others were compared, and do not differ. `addresses` are those of their frontends and endpoints.
    """

    suffixes: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    old_lines: frozenset[int] = frozenset()
    new_lines: frozenset[int] = frozenset()
    compared: bool = False
    addresses: frozenset[str] = frozenset()
